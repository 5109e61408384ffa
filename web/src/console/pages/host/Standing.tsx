/** The host and the clouds that desktops stand on: what runs there, and draining them for maintenance. */
import { Card, CardBody, CardTitle, Label, List, ListItem } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Field, Tick } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { Loaded } from "../../parts/Loaded";
import { ReasonButton } from "../../parts/ReasonButton";
import { When } from "../../parts/When";
import { hostsQuery } from "../../queries";
import { useWhyNot } from "../../shell/me";
import { desktopState } from "../../words";
import { consequences, type DrainDraft, drainFault, drainOf, standing } from "./drain";

type Host = Schemas["HostStanding"];

const TOUCHES = ["hosts", "desktops", "pools", "own-pools"];

export function Standing() {
  const hosts = useQuery(hostsQuery);
  const [open, setOpen] = useState<string | null>(null);
  // Read from the list at each turn, so that an open form counts what is there now.
  const host = hosts.data?.find((one) => one.name === open);
  return (
    <Card>
      <CardTitle component="h2">Maintenance</CardTitle>
      <CardBody>
        <Loaded query={hosts} bare>
          {(list) => (
            <div className="stack">
              <Table aria-label="Hosts" variant="compact">
                <Thead>
                  <Tr>
                    <Th modifier="nowrap">Name</Th>
                    <Th modifier="nowrap">State</Th>
                    <Th modifier="nowrap">Desktops</Th>
                    <Th modifier="nowrap">Running</Th>
                    <Th modifier="nowrap">Somebody inside</Th>
                    <Th screenReaderText="Actions" />
                  </Tr>
                </Thead>
                <Tbody>
                  {list.map((one) => (
                    <Tr key={one.name}>
                      <Td dataLabel="Name" modifier="nowrap">
                        <strong>{one.name}</strong>
                      </Td>
                      <Td dataLabel="State" className="wrap">
                        <State host={one} />
                      </Td>
                      <Td dataLabel="Desktops">{one.count.desktops}</Td>
                      <Td dataLabel="Running">{one.count.running}</Td>
                      <Td dataLabel="Somebody inside">{one.count.used}</Td>
                      <Td isActionCell>
                        <Act host={one} onDrain={() => setOpen(one.name)} />
                      </Td>
                    </Tr>
                  ))}
                </Tbody>
              </Table>
              {list
                .filter((one) => one.maintenance && one.running.length > 0)
                .map((one) => (
                  <Left key={one.name} host={one} />
                ))}
            </div>
          )}
        </Loaded>
      </CardBody>
      {host && <DrainForm host={host} onClose={() => setOpen(null)} />}
    </Card>
  );
}

function State({ host }: { host: Host }) {
  const { text, tone } = standing(host);
  const { maintenance } = host;
  return (
    <>
      <Label color={tone} isCompact>
        {text}
      </Label>
      {maintenance && (
        <div className="about">
          {maintenance.reason && <>{maintenance.reason} · </>}since <When at={maintenance.since} />
          {maintenance.deadline && (
            <>
              {" "}
              · {maintenance.force ? "forced" : "people are asked to leave"} by{" "}
              <time dateTime={maintenance.deadline}>{new Date(maintenance.deadline).toLocaleString()}</time>
            </>
          )}
        </div>
      )}
    </>
  );
}

function Act({ host, onDrain }: { host: Host; onDrain: () => void }) {
  const locked = useWhyNot("host_write");
  const resume = useAct({
    do: () =>
      answer(client.DELETE("/api/v1/hosts/{id}/maintenance", { params: { path: { id: host.name } } })),
    touches: TOUCHES,
    good: () => `${host.name} takes desktops again`,
    bad: () => `${host.name} stays drained`,
  });
  return host.maintenance ? (
    <ReasonButton
      variant="secondary"
      reason={locked}
      isLoading={resume.isPending}
      onClick={() => resume.mutate()}
      aria-label={`Resume ${host.name}`}
    >
      Resume
    </ReasonButton>
  ) : (
    <ReasonButton variant="secondary" reason={locked} onClick={onDrain} aria-label={`Drain ${host.name}`}>
      Drain…
    </ReasonButton>
  );
}

/** What still keeps a host from being empty. */
function Left({ host }: { host: Host }) {
  return (
    <Table aria-label={`What still runs on ${host.name}`} variant="compact">
      <Thead>
        <Tr>
          <Th modifier="nowrap">Desktop</Th>
          <Th modifier="nowrap">State</Th>
          <Th modifier="nowrap">Inside</Th>
          <Th modifier="nowrap">What becomes of it</Th>
        </Tr>
      </Thead>
      <Tbody>
        {host.running.map((one) => (
          <Tr key={one.desktop.id}>
            <Td dataLabel="Desktop" modifier="nowrap">
              {one.desktop.name}
              <div className="about">{one.pool}</div>
            </Td>
            <Td dataLabel="State" modifier="nowrap">
              {desktopState(one.state).text}
            </Td>
            <Td dataLabel="Inside" className="wrap">
              {one.inside.join(", ") || (one.used ? "somebody" : "nobody")}
            </Td>
            <Td dataLabel="What becomes of it" className="wrap">
              {one.fate === "switched_off" && "It is switched off"}
              {one.fate === "waits" &&
                (host.maintenance?.force
                  ? "It is shut down at the deadline"
                  : "It waits until its person leaves or shuts it down")}
            </Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}

function DrainForm({ host, onClose }: { host: Host; onClose: () => void }) {
  const [draft, setDraft] = useState<DrainDraft>({ reason: "", minutes: "", force: false });
  const set = (more: Partial<DrainDraft>) => setDraft((before) => ({ ...before, ...more }));
  const drain = useAct({
    do: () =>
      answer(
        client.PUT("/api/v1/hosts/{id}/maintenance", {
          params: { path: { id: host.name } },
          body: drainOf(draft),
        }),
      ),
    touches: TOUCHES,
    good: () => `${host.name} takes nothing new`,
    after: onClose,
  });
  return (
    <FormModal
      title={`Drain ${host.name}`}
      about="It gets no new desktop, and nothing that is off starts there, until it is resumed."
      verb="Drain"
      reason={drainFault(draft)}
      busy={drain.isPending}
      error={drain.error}
      onSend={() => drain.mutate()}
      onClose={onClose}
      variant="medium"
    >
      <Field
        label="Reason"
        value={draft.reason}
        onChange={(reason) => set({ reason })}
        placeholder="new memory"
        help="People are told"
      />
      <Field
        label="Minutes that people may stay"
        type="number"
        min={1}
        value={draft.minutes}
        onChange={(minutes) => set({ minutes })}
        help="Empty: as long as they like. They are told at once, and again when 15, 5 and 1 are left"
      />
      <Tick
        label="Shut down what still runs then"
        help={draft.minutes === "" ? "Needs a deadline" : "Whoever is inside loses what they have not saved"}
        value={draft.force && draft.minutes !== ""}
        onChange={(force) => set({ force })}
      />
      <section aria-label="What this does">
        <List>
          {consequences(host, draft).map((line) => (
            <ListItem key={line}>{line}</ListItem>
          ))}
        </List>
      </section>
    </FormModal>
  );
}
