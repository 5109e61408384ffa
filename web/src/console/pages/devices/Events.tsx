/** What was done to a device here, by the audit, and what the device wrote down itself. */
import { Button, Label } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { ProblemAlert } from "../../parts/ProblemState";
import { When } from "../../parts/When";
import { auditQuery } from "../../queries";
import { may } from "../../roles";
import { useMe } from "../../shell/me";

const ROWS_MAX = 10;

/** The last part of its path, in words: `power/off_hard` as Power: off hard. */
const what = ({ action, target }: Schemas["AuditEntry"]) => {
  const text = action.replaceAll("_", " ");
  const end = target.match(/\/device\/(?:power|switches)\/([^/]+)$/)?.[1]?.replaceAll("_", " ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${end ? `: ${end}` : ""}`;
};

export function Events({ machine }: { machine: { id: string } }) {
  const told = useInfiniteQuery(auditQuery({ actor: "", action: "", target: machine.id, refused: false }));
  const rows = told.data?.pages[0]?.entries.slice(0, ROWS_MAX) ?? [];
  return (
    <>
      <ProblemAlert error={told.error} />
      {told.data && rows.length === 0 && <p className="about">Nothing was done to it yet.</p>}
      {rows.length > 0 && (
        <Table aria-label="What was done to it" variant="compact">
          <Thead>
            <Tr>
              <Th modifier="nowrap">When</Th>
              <Th modifier="nowrap">What</Th>
              <Th modifier="nowrap">Who</Th>
              <Th modifier="nowrap">Answer</Th>
            </Tr>
          </Thead>
          <Tbody>
            {rows.map((row) => (
              <Tr key={row.seq}>
                <Td dataLabel="When">
                  <When at={row.at} />
                </Td>
                <Td dataLabel="What">{what(row)}</Td>
                <Td dataLabel="Who" className="wrap">
                  {row.actor_name}
                </Td>
                <Td dataLabel="Answer">
                  <Label isCompact color={row.outcome >= 400 ? "orange" : "green"}>
                    {row.code || (row.outcome >= 400 ? `refused (${row.outcome})` : "done")}
                  </Label>
                </Td>
              </Tr>
            ))}
          </Tbody>
        </Table>
      )}
      <p className="about">
        All of it is in the <Link to="/audit">audit</Link>.
      </p>
    </>
  );
}

/** Whether this person reads the audit. */
export const useReadsAudit = () => may(useMe(), "audit_read");

/** The device's own log, asked for when somebody wants it. */
export function OwnLog({ machine }: { machine: { id: string } }) {
  const [lines, setLines] = useState<string[] | null>(null);
  const ask = useAct({
    do: () =>
      answer(client.GET("/api/v1/machines/{id}/device/log", { params: { path: { id: machine.id } } })),
    touches: [],
    after: (log) => setLines(log.lines),
  });
  return (
    <div className="stack">
      <div>
        <Button
          variant="secondary"
          onClick={() => ask.mutate()}
          isLoading={ask.isPending}
          isDisabled={ask.isPending}
        >
          {lines ? "Read its log again" : "Read its own log"}
        </Button>
      </div>
      <ProblemAlert error={ask.error} />
      {lines && (
        <pre className="device-log">{lines.length > 0 ? lines.join("\n") : "Nothing in the last hour."}</pre>
      )}
    </div>
  );
}
