/** Each pool's desktops, and its spares against what it wants at this hour. */
import { Label } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../../api/client";
import { short, spares } from "../../dashboard";

export function PoolNumbers({ pools }: { pools: Schemas["DashboardPool"][] }) {
  if (pools.length === 0) return <p className="about">There is no pool yet.</p>;
  const lacking = new Set(short(pools).map((pool) => pool.id));
  return (
    <Table aria-label="Pools" variant="compact">
      <Thead>
        <Tr>
          <Th modifier="nowrap">Pool</Th>
          <Th modifier="nowrap">In use</Th>
          <Th modifier="nowrap">Desktops</Th>
          <Th modifier="nowrap">Running spares</Th>
          <Th modifier="nowrap">Stopped spares</Th>
          <Th modifier="nowrap">Failed</Th>
        </Tr>
      </Thead>
      <Tbody>
        {pools.map((pool) => (
          <Tr key={pool.id}>
            <Td dataLabel="Pool">
              <Link to="/pools">{pool.name}</Link>{" "}
              {lacking.has(pool.id) && (
                <Label isCompact color="orange">
                  Too few spares
                </Label>
              )}
            </Td>
            <Td dataLabel="In use" className="numbers">
              {pool.in_use}
            </Td>
            <Td dataLabel="Desktops" className="numbers">
              {pool.kind === "external" ? pool.desktops : `${pool.desktops} of ${pool.desktops_max}`}
            </Td>
            <Td dataLabel="Running spares" className="numbers">
              {spares(pool.running_spares, pool.running_spares_wanted)}
            </Td>
            <Td dataLabel="Stopped spares" className="numbers">
              {spares(pool.stopped_spares, pool.stopped_spares_wanted)}
            </Td>
            <Td dataLabel="Failed" className="numbers">
              {pool.failed > 0 ? <span className="error-text">{pool.failed}</span> : 0}
            </Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}
