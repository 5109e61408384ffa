/** The ports of a device's Switch, and the machines that were entered at them. */
import { Label } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { ReasonButton } from "../../parts/ReasonButton";
import { devicesQuery, poolsQuery } from "../../queries";
import { nameFault } from "../../words";

interface Props {
  machine: { id: string; name: string; pool: { id: string } };
  of: Schemas["DeviceSwitch"];
  /** Why this person enters none, or "". */
  locked: string;
}

export function Ports({ machine, of, locked }: Props) {
  const devices = useQuery(devicesQuery);
  const [enters, setEnters] = useState("");
  const at = (port: string) =>
    devices.data?.find((one) => one.port?.device === machine.name && one.port.port === port);
  return (
    <div className="stack">
      <p className="about">
        {of.active
          ? `Port ${of.active} has the keyboard and the screen${of.synced ? "." : ", once the units have followed."}`
          : "No port was chosen yet."}{" "}
        Whoever opens the machine at a port makes it active; one person at a time is at the Switch.
      </p>
      <Table aria-label={`Ports of ${machine.name}`} variant="compact">
        <Thead>
          <Tr>
            <Th>Port</Th>
            <Th>State</Th>
            <Th>Machine</Th>
          </Tr>
        </Thead>
        <Tbody>
          {of.ports.map((one) => {
            const entered = at(one.port);
            return (
              <Tr key={one.port}>
                <Td dataLabel="Port" className="wrap">
                  {one.port} {one.name}
                </Td>
                <Td dataLabel="State">
                  {one.active && (
                    <Label isCompact color="blue">
                      active
                    </Label>
                  )}{" "}
                  <Label isCompact color={one.power.on ? "green" : "grey"}>
                    {one.power.on ? "on" : "off"}
                  </Label>{" "}
                  {!one.video && (
                    <Label isCompact color="orange">
                      no signal
                    </Label>
                  )}
                </Td>
                <Td dataLabel="Machine" className="wrap">
                  {entered ? (
                    <Link to="/devices/$device" params={{ device: entered.name }}>
                      {entered.name}
                    </Link>
                  ) : (
                    <ReasonButton
                      variant="secondary"
                      size="sm"
                      reason={locked}
                      onClick={() => setEnters(one.port)}
                    >
                      {`Give ${one.port} to a pool…`}
                    </ReasonButton>
                  )}
                </Td>
              </Tr>
            );
          })}
        </Tbody>
      </Table>
      {enters && <Enter machine={machine} port={enters} onClose={() => setEnters("")} />}
    </div>
  );
}

interface EnterProps {
  machine: Props["machine"];
  port: string;
  onClose: () => void;
}

function Enter({ machine, port, onClose }: EnterProps) {
  const pools = useQuery(poolsQuery);
  const [pool, setPool] = useState(machine.pool.id);
  const [name, setName] = useState("");
  const fault = nameFault(name);
  const enter = useAct({
    do: () => {
      const body: Schemas["MachineNew"] = {
        name,
        protocol: "pikvm",
        // The device's.
        host: "",
        parameters: { behind: machine.name, switch_port: port } as Schemas["MachineParameters"],
      };
      return answer(client.POST("/api/v1/pools/{id}/machines", { params: { path: { id: pool } }, body }));
    },
    touches: ["devices", "machines", "pools", "desktops", "audit"],
    good: (made) => `${made.name} was added`,
    after: onClose,
  });
  const options = (pools.data ?? [])
    .filter((one) => one.kind === "external")
    .map((one) => [one.id, one.name] as const);
  return (
    <FormModal
      title={`Port ${port} of ${machine.name}`}
      about="It becomes a desktop of the pool, for the people whom that allows."
      verb="Add"
      reason={name ? fault : "Name it first"}
      busy={enter.isPending}
      error={enter.error}
      onSend={() => enter.mutate()}
      onClose={onClose}
    >
      <Choice label="Pool" value={pool} onChange={setPool} options={options} />
      <Field label="Name" value={name} onChange={setName} fault={fault} required />
    </FormModal>
  );
}
