/** The hosts of a pool of session hosts: who has a place on which, and which of them take nobody new. */
import { Button, Label } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { answer, client, type Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { Loaded } from "../../parts/Loaded";
import { ReasonButton } from "../../parts/ReasonButton";
import { poolHostsQuery } from "../../queries";
import { desktopState } from "../../words";
import { type HostRow, hostsOf } from "./hosts";

type Pool = Schemas["Pool"];

export function Hosts({ pool, locked, onClose }: { pool: Pool; locked: string; onClose: () => void }) {
  const hosts = useQuery(poolHostsQuery(pool.id));
  const drain = useAct({
    do: ({ host, on }: { host: HostRow; on: boolean }) => {
      const params = { path: { id: host.id } };
      return answer(
        on
          ? client.PUT("/api/v1/desktops/{id}/drain", { params })
          : client.DELETE("/api/v1/desktops/{id}/drain", { params }),
      );
    },
    touches: ["pool hosts", "desktops"],
    good: (_, { host, on }) => (on ? `${host.name} takes nobody new` : `${host.name} takes people again`),
    bad: ({ host }) => `Nothing was changed of ${host.name}`,
  });
  return (
    <Dialogue
      title={`Hosts of ${pool.name}`}
      about={
        pool.image
          ? "A host that drains takes nobody new. When its last person has left, it is made anew of the pool's image, and takes people again."
          : "A host that drains takes nobody new, until it is resumed."
      }
      variant="large"
      stack
      onClose={onClose}
      buttons={
        <Button variant="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <Loaded query={hosts} bare>
        {({ desktops, places }) => {
          const rows = hostsOf(pool, desktops, places);
          return rows.length === 0 ? (
            <p>There is no host yet: one is made when somebody asks for a place.</p>
          ) : (
            <Table aria-label={`Hosts of ${pool.name}`} variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Host</Th>
                  <Th modifier="nowrap">State</Th>
                  <Th modifier="nowrap">Places</Th>
                  <Th modifier="nowrap">People</Th>
                  <Th screenReaderText="Drain or resume" />
                </Tr>
              </Thead>
              <Tbody>
                {rows.map((host) => (
                  <Tr key={host.id}>
                    <Td dataLabel="Host">
                      {host.name}
                      {host.image && <div className="about">{host.image}</div>}
                    </Td>
                    <Td dataLabel="State">
                      <Label color={desktopState(host.state).tone} isCompact>
                        {desktopState(host.state).text}
                      </Label>
                      {host.draining && <div className="about">takes nobody new</div>}
                      {host.failure && <div className="about">{sentence(host.failure)}</div>}
                    </Td>
                    <Td dataLabel="Places">
                      {host.people.length} <span className="about">of {host.most}</span>
                    </Td>
                    <Td dataLabel="People">
                      {host.people.map((one) => (
                        <div key={one.user.id}>
                          {one.user.name}{" "}
                          <span className="about">{one.connected ? "connected" : "may come back"}</span>
                        </div>
                      ))}
                    </Td>
                    <Td className="row-button">
                      <ReasonButton
                        variant="secondary"
                        size="sm"
                        reason={locked || (drain.isPending ? "Being changed" : "")}
                        onClick={() => drain.mutate({ host, on: !host.draining })}
                        aria-label={`${host.draining ? "Resume" : "Drain"} ${host.name}`}
                      >
                        {host.draining ? "Resume" : "Drain"}
                      </ReasonButton>
                    </Td>
                  </Tr>
                ))}
              </Tbody>
            </Table>
          );
        }}
      </Loaded>
    </Dialogue>
  );
}
