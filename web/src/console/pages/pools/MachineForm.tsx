/** Enters a machine by its address, or changes one. What is secret goes in and never comes out. */
import { FormSection, Grid, GridItem } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Area, Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { usersQuery } from "../../queries";
import { KEYBOARDS, MACHINE_PROTOCOLS, nameFault } from "../../words";
import { given, PARAMETERS, type ParameterName } from "./parameters";

type Protocol = Schemas["MachineProtocol"];
type Machine = Schemas["Machine"];
/** Those that a private key signs in to. */
const KEYED: readonly Protocol[] = ["ssh", "kubernetes"];
const KEY_HINT = "-----BEGIN OPENSSH PRIVATE KEY-----";

export function MachineForm({
  pool,
  machine,
  onClose,
}: {
  pool: Schemas["Pool"];
  machine?: Machine;
  onClose: () => void;
}) {
  const users = useQuery(usersQuery);
  const [name, setName] = useState("");
  const [protocol, setProtocol] = useState<Protocol>(machine?.protocol ?? "rdp");
  const [host, setHost] = useState(machine?.host ?? "");
  const [port, setPort] = useState(machine ? String(machine.port) : "");
  const [user, setUser] = useState(machine?.user ?? "");
  const [password, setPassword] = useState("");
  const [key, setKey] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const [totp, setTotp] = useState("");
  const [gatewayPassword, setGatewayPassword] = useState("");
  const [identity, setIdentity] = useState("");
  const [owner, setOwner] = useState("");
  const [timeout, setTimeout] = useState(String(machine?.parameters.timeout_seconds ?? ""));
  const [texts, setTexts] = useState<Partial<Record<ParameterName, string>>>(() =>
    Object.fromEntries(
      Object.entries(machine?.parameters ?? {})
        .filter(([, value]) => value !== null && value !== undefined)
        .map(([name, value]) => [name, String(value)]),
    ),
  );
  const known = MACHINE_PROTOCOLS[protocol];
  const mine = PARAMETERS.filter((parameter) => parameter.of.includes(protocol));
  const keyboard = texts.keyboard ?? "";
  const certificate = texts.certificate ?? "";
  const hasKey = Boolean(key) || Boolean(machine?.has_private_key);

  const parameters = (): Schemas["MachineParameters"] => ({
    ...(timeout ? { timeout_seconds: Number(timeout) } : {}),
    ...((protocol === "rdp" || protocol === "pikvm") && keyboard ? { keyboard } : {}),
    ...(KEYED.includes(protocol) && certificate.trim() ? { certificate: certificate.trim() } : {}),
    ...Object.fromEntries(
      mine.map((p) => [p.name, given(p, texts[p.name] ?? "")]).filter(([, value]) => value !== undefined),
    ),
  });
  const save = useAct({
    do: () => {
      const secrets = {
        ...(password ? { password } : {}),
        ...(key ? { private_key: key } : {}),
        ...(passphrase ? { passphrase } : {}),
        ...(totp ? { totp_secret: totp } : {}),
        ...(gatewayPassword && texts.gateway_user ? { gateway_password: gatewayPassword } : {}),
        ...(identity ? { identity: identity.trim() } : {}),
      };
      if (machine) {
        const body = { host: host.trim(), port: Number(port), user, parameters: parameters(), ...secrets };
        return answer(client.PATCH("/api/v1/machines/{id}", { params: { path: { id: machine.id } }, body }));
      }
      const body = {
        name,
        protocol,
        host: host.trim(),
        port: port ? Number(port) : null,
        user: user || null,
        owner: owner || null,
        parameters: parameters(),
        ...secrets,
      };
      return answer(client.POST("/api/v1/pools/{id}/machines", { params: { path: { id: pool.id } }, body }));
    },
    touches: ["machines", "pools", "desktops"],
    good: (made) => (machine ? `${made.name} was changed` : `${made.name} was added`),
    after: onClose,
  });

  const portFault =
    !port || (/^\d{1,5}$/.test(port) && Number(port) > 0 && Number(port) < 65536) ? "" : "1 to 65535";
  const timeoutFault =
    !timeout || (/^\d{1,2}$/.test(timeout) && Number(timeout) > 0 && Number(timeout) <= 40) ? "" : "1 to 40";
  const reason =
    (machine ? "" : nameFault(name) || (name ? "" : "Give it a name")) ||
    (host.trim() ? "" : "Enter its address") ||
    (portFault && "The port is not a port") ||
    (machine && !port ? "Enter its port" : "") ||
    (timeoutFault && "The time is not 1 to 40 seconds");
  const kept = (has: boolean | undefined) => (has ? "One is kept; leave empty to keep it" : undefined);

  return (
    <FormModal
      title={machine ? `Edit ${machine.name}` : `Add a machine to ${pool.name}`}
      variant="medium"
      verb={machine ? "Save" : "Add machine"}
      reason={reason}
      busy={save.isPending}
      error={save.error ?? users.error}
      onSend={() => save.mutate()}
      onClose={onClose}
    >
      <FormSection title="Where it is" titleElement="h2">
        <Grid hasGutter sm={6}>
          {!machine && (
            <GridItem>
              <Field
                label="Name"
                value={name}
                onChange={setName}
                fault={nameFault(name)}
                placeholder="front-desk"
                required
                autoFocus
              />
            </GridItem>
          )}
          {!machine && (
            <GridItem>
              <Choice
                label="Speaks"
                value={protocol}
                onChange={(value) => setProtocol(value as Protocol)}
                options={[
                  ["rdp", "RDP: a desktop"],
                  ["vnc", "VNC: a screen"],
                  ["spice", "SPICE: a virtual machine's screen"],
                  ["ssh", "SSH: a terminal"],
                  ["telnet", "Telnet: a terminal in clear text"],
                  ["kubernetes", "Kubernetes: a terminal in a container"],
                  ["pikvm", "PiKVM: a machine behind a KVM over IP"],
                  ["redfish", "Redfish: a machine's power and drives by its BMC"],
                  ["ipmi", "IPMI: a machine's power and serial console by its BMC"],
                ]}
                required
              />
            </GridItem>
          )}
          <GridItem>
            <Field
              label="Address"
              value={host}
              onChange={setHost}
              placeholder="desk.example or 192.0.2.7"
              help="Private networks are dialled only where external.allow says so"
              required
            />
          </GridItem>
          <GridItem>
            <Field
              label="Port"
              type="number"
              min={1}
              max={65535}
              value={port}
              onChange={setPort}
              fault={portFault}
              placeholder={String(known.port)}
            />
          </GridItem>
        </Grid>
      </FormSection>
      <FormSection title="Signing in" titleElement="h2">
        <Grid hasGutter sm={6}>
          {protocol !== "kubernetes" && protocol !== "spice" && (
            <GridItem>
              <Field
                label="Account"
                value={user}
                onChange={setUser}
                help={
                  protocol === "vnc"
                    ? "Where the server wants one"
                    : protocol === "redfish"
                      ? "Of the BMC, with the rights for power and virtual media"
                      : protocol === "ipmi"
                        ? "Of the BMC, an operator's or, where its console wants that, an administrator's"
                        : undefined
                }
              />
            </GridItem>
          )}
          <GridItem>
            <Field
              label={protocol === "kubernetes" ? "Bearer token" : "Password"}
              type="password"
              value={password}
              onChange={setPassword}
              autoComplete="new-password"
              help={kept(machine?.has_password)}
            />
          </GridItem>
        </Grid>
        {protocol === "rdp" && texts.gateway_user && (
          <Field
            label="Password on the gateway"
            type="password"
            value={gatewayPassword}
            onChange={setGatewayPassword}
            autoComplete="new-password"
            help={kept(machine?.has_gateway_password) ?? `Of ${texts.gateway_user}`}
          />
        )}
        {protocol === "pikvm" && (
          <Field
            label="Secret of the second factor"
            type="password"
            value={totp}
            onChange={setTotp}
            autoComplete="off"
            help={
              kept(machine?.has_totp) ?? "Base 32, as the device showed it; leave empty where it has none"
            }
          />
        )}
        {KEYED.includes(protocol) && (
          <>
            <Area
              label="Private key"
              value={key}
              onChange={setKey}
              placeholder={protocol === "ssh" ? KEY_HINT : "-----BEGIN PRIVATE KEY-----"}
              help={
                kept(machine?.has_private_key) ??
                (protocol === "ssh"
                  ? "OpenSSH, PEM or PuTTY; tried before the password"
                  : "PEM, of a client certificate")
              }
            />
            {key && protocol === "ssh" && (
              <Field
                label="Passphrase of the key"
                type="password"
                value={passphrase}
                onChange={setPassphrase}
                autoComplete="new-password"
              />
            )}
            {hasKey && (
              <Area
                label="Certificate of the key"
                value={certificate}
                onChange={(value) => setTexts({ ...texts, certificate: value })}
                placeholder={
                  protocol === "ssh"
                    ? "ssh-ed25519-cert-v01@openssh.com AAAA…"
                    : "-----BEGIN CERTIFICATE-----"
                }
                help={
                  protocol === "ssh"
                    ? "The line of the file that ends in -cert.pub, where the machine believes an authority"
                    : "PEM, with those above it"
                }
              />
            )}
          </>
        )}
        {protocol !== "telnet" && !machine && (
          <Field
            label={protocol === "ssh" ? "Its public host key" : "SHA-256 of its certificate"}
            value={identity}
            onChange={setIdentity}
            placeholder={protocol === "ssh" ? "ssh-ed25519 AAAA…" : "64 hexadecimal digits"}
            help={
              protocol === "vnc"
                ? "What it shows at the first connection is kept when this is empty; many VNC servers show nothing"
                : protocol === "spice"
                  ? "With TLS alone; what it shows at the first connection is kept when this is empty"
                  : "What it shows at the first connection is kept when this is empty"
            }
          />
        )}
        {!machine && (
          <Choice
            label="For"
            value={owner}
            onChange={setOwner}
            options={[
              ["", "Everybody whom the pool allows"],
              ...(users.data ?? []).filter((u) => !u.disabled).map((u) => [u.id, u.name] as const),
            ]}
          />
        )}
      </FormSection>
      <FormSection title="How it is used" titleElement="h2">
        <Grid hasGutter sm={6}>
          {(protocol === "rdp" || protocol === "pikvm") && (
            <GridItem>
              <Choice
                label="Keyboard"
                value={keyboard}
                onChange={(value) => setTexts({ ...texts, keyboard: value })}
                options={[
                  ["", `The pool's: ${pool.keyboard}`],
                  ...KEYBOARDS,
                  ...(keyboard && !KEYBOARDS.some(([value]) => value === keyboard)
                    ? [[keyboard, keyboard] as const]
                    : []),
                ]}
              />
            </GridItem>
          )}
          {mine.map((p) => {
            const value = texts[p.name] ?? "";
            const onChange = (next: string) => setTexts({ ...texts, [p.name]: next });
            return (
              <GridItem key={p.name}>
                {p.options ? (
                  <Choice
                    label={p.label}
                    value={value}
                    onChange={onChange}
                    options={p.options}
                    help={p.help}
                  />
                ) : (
                  <Field
                    label={p.label}
                    value={value}
                    onChange={onChange}
                    placeholder={p.hint}
                    help={p.help}
                  />
                )}
              </GridItem>
            );
          })}
          <GridItem>
            <Field
              label="Give up after, in seconds"
              type="number"
              min={1}
              max={40}
              value={timeout}
              onChange={setTimeout}
              fault={timeoutFault}
              placeholder="10"
            />
          </GridItem>
        </Grid>
      </FormSection>
    </FormModal>
  );
}
