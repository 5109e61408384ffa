/** The machines of a pool that Oriel does not run. */
import {
  Breadcrumb,
  BreadcrumbItem,
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
  Label,
} from "@patternfly/react-core";
import NetworkIcon from "@patternfly/react-icons/dist/esm/icons/network-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { sentence } from "../../api/problem";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { RowActions } from "../parts/Row";
import { machinesQuery, poolsQuery } from "../queries";
import { useWhyNot } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { count, desktopState, MACHINE_PROTOCOLS } from "../words";
import { NotFound } from "./NotFound";
import { Identity } from "./pools/Identity";
import { MachineForm } from "./pools/MachineForm";
import { People } from "./pools/People";
import { RemoveMachine } from "./pools/RemoveMachine";

type Machine = Schemas["Machine"];
type Dialogue = { is: "add" | "people" } | { is: "edit" | "identity" | "remove"; machine: string };

export function Machines() {
  const name = useParams({ from: "/pools/$pool" }).pool;
  return (
    <Only to="machines_read" title={name}>
      <Inside name={name} />
    </Only>
  );
}

function Inside({ name }: { name: string }) {
  const pools = useQuery(poolsQuery);
  const pool = pools.data?.find((p) => p.name === name && p.kind === "external");
  if (pools.data && !pool) return <NotFound />;
  return pool ? <OfPool pool={pool} /> : <Loaded query={pools}>{() => null}</Loaded>;
}

function OfPool({ pool }: { pool: Schemas["Pool"] }) {
  const machines = useQuery(machinesQuery(pool.id));
  const [dialogue, setDialogue] = useState<Dialogue | null>(null);
  const close = () => setDialogue(null);
  const machine =
    dialogue && "machine" in dialogue ? machines.data?.find((m) => m.id === dialogue.machine) : undefined;
  const locked = useWhyNot("machines_write");
  const unseen = useWhyNot("desktops_operate");
  const navigate = useNavigate();
  const full =
    locked ||
    (pool.desktops >= pool.desktops_max ? `It holds its ${pool.desktops_max} already: raise the limit` : "");
  const add = (
    <ReasonButton variant="primary" reason={full} onClick={() => setDialogue({ is: "add" })}>
      Add machine
    </ReasonButton>
  );

  return (
    <>
      <Breadcrumb className="crumbs">
        <BreadcrumbItem>
          <Link to="/pools">Pools</Link>
        </BreadcrumbItem>
        <BreadcrumbItem isActive>{pool.name}</BreadcrumbItem>
      </Breadcrumb>
      <PageHead
        title={pool.name}
        about={`Machines that Oriel does not run, for ${
          pool.users.length === 0 ? "nobody yet" : count(pool.users.length, "person", "people")
        }.`}
        actions={
          <>
            {add}{" "}
            <ReasonButton variant="secondary" reason={locked} onClick={() => setDialogue({ is: "people" })}>
              People
            </ReasonButton>
          </>
        }
      />
      <Loaded query={machines}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={NetworkIcon} titleText="No machines yet" headingLevel="h2">
              <EmptyStateBody>
                Enter the address of a machine that speaks RDP, VNC, SPICE, SSH, Telnet or Kubernetes, of a
                PiKVM in front of one, or of its BMC: people open it in a tab like any desktop.
              </EmptyStateBody>
              <EmptyStateFooter>
                <EmptyStateActions>{add}</EmptyStateActions>
              </EmptyStateFooter>
            </EmptyState>
          ) : (
            <Table aria-label={`Machines of ${pool.name}`} variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Name</Th>
                  <Th modifier="nowrap" width={25}>
                    State
                  </Th>
                  <Th modifier="nowrap">Speaks</Th>
                  <Th modifier="nowrap">Address</Th>
                  <Th modifier="nowrap">Signs in</Th>
                  <Th modifier="nowrap">Who it is</Th>
                  <Th modifier="nowrap">For</Th>
                  <Th screenReaderText="Actions" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((m) => (
                  <Tr key={m.id}>
                    <Td dataLabel="Name" modifier="nowrap">
                      <strong>{m.name}</strong>
                    </Td>
                    <Td dataLabel="State">
                      <Label color={desktopState(m.state).tone} isCompact>
                        {desktopState(m.state).text}
                      </Label>
                      {m.state === "unreachable" && m.failure && (
                        <p className="about wrap">{sentence(m.failure)}</p>
                      )}
                    </Td>
                    <Td dataLabel="Speaks">{MACHINE_PROTOCOLS[m.protocol].text}</Td>
                    <Td dataLabel="Address" className="wrap">
                      {m.host.includes(":") ? `[${m.host}]` : m.host}:{m.port}
                    </Td>
                    <Td dataLabel="Signs in">{signsIn(m)}</Td>
                    <Td dataLabel="Who it is">
                      <Pin of={m} />
                    </Td>
                    <Td dataLabel="For">{m.owner?.name ?? "the pool"}</Td>
                    <Td isActionCell>
                      <RowActions
                        of={m.name}
                        actions={[
                          {
                            text: "Edit…",
                            reason: locked,
                            act: () => setDialogue({ is: "edit", machine: m.id }),
                          },
                          {
                            text: "Identity…",
                            reason:
                              locked ||
                              (m.protocol === "telnet" || m.protocol === "ipmi"
                                ? `Machines that speak ${MACHINE_PROTOCOLS[m.protocol].text} show none`
                                : ""),
                            act: () => setDialogue({ is: "identity", machine: m.id }),
                          },
                          ...(m.protocol === "pikvm" || m.protocol === "redfish" || m.protocol === "ipmi"
                            ? [
                                {
                                  text: "Device",
                                  reason: unseen,
                                  act: () =>
                                    void navigate({ to: "/devices/$device", params: { device: m.name } }),
                                },
                              ]
                            : []),
                          {
                            text: "Remove…",
                            danger: true,
                            reason: locked,
                            act: () => setDialogue({ is: "remove", machine: m.id }),
                          },
                        ]}
                      />
                    </Td>
                  </Tr>
                ))}
              </Tbody>
            </Table>
          )
        }
      </Loaded>
      {dialogue?.is === "add" && <MachineForm pool={pool} onClose={close} />}
      {dialogue?.is === "people" && <People pool={pool} onClose={close} />}
      {dialogue?.is === "edit" && machine && <MachineForm pool={pool} machine={machine} onClose={close} />}
      {dialogue?.is === "identity" && machine && <Identity machine={machine} onClose={close} />}
      {dialogue?.is === "remove" && machine && <RemoveMachine machine={machine} onClose={close} />}
    </>
  );
}

/** What is kept of its identity: the end of it tells machines apart, the whole of it is in the title and in the dialogue. */
function Pin({ of }: { of: Machine }) {
  if (of.protocol === "telnet") return <span className="about">shows nothing</span>;
  if (!of.identity) return <span className="about">whoever is met first</span>;
  const key = of.identity.split(" ").at(-1) ?? of.identity;
  return (
    <code className="nowrap" title={of.identity}>
      …{key.slice(-12)}
    </code>
  );
}

function signsIn(m: Machine): string {
  const how = m.has_private_key ? "by key" : m.has_password ? "by password" : "";
  if (m.user) return how ? `${m.user}, ${how}` : `${m.user}, nothing kept`;
  return how || "nothing kept";
}
