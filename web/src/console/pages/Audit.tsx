/** Who did what, on what, from where, and how it ended. */
import { Alert, Button, ClipboardCopy, Label, PageSection } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { sentence } from "../../api/problem";
import { useAct } from "../act";
import { Field, Tick } from "../parts/Field";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { When } from "../parts/When";
import { type AuditWanted, auditQuery } from "../queries";
import { PageHead } from "../shell/PageHead";

export function Audit() {
  return (
    <Only to="audit_read" title="Audit">
      <Inside />
    </Only>
  );
}

function Inside() {
  const [wanted, setWanted] = useState<AuditWanted>({ actor: "", action: "", target: "", refused: false });
  const asked = useDeferredValue(wanted);
  const audit = useInfiniteQuery(
    auditQuery({ ...asked, actor: asked.actor.trim(), action: asked.action.trim().replaceAll(" ", "_") }),
  );
  const [found, setFound] = useState<Schemas["AuditCheck"] | null>(null);
  const check = useAct({
    do: () => answer(client.GET("/api/v1/audit/check")),
    touches: [],
    bad: () => "The audit could not be followed",
    after: setFound,
  });
  const set = (part: Partial<AuditWanted>) => setWanted({ ...wanted, ...part });

  return (
    <>
      <PageHead
        title="Audit"
        about="Changes, sign-ins, refusals, opened viewers, played recordings and downloaded files."
        actions={
          <Button
            variant="secondary"
            onClick={() => check.mutate()}
            isLoading={check.isPending}
            isDisabled={check.isPending}
          >
            Check
          </Button>
        }
      />
      <PageSection>
        {found && <Verdict found={found} />}
        <div className="audit-search">
          <Field label="Who" value={wanted.actor} onChange={(actor) => set({ actor })} placeholder="mira" />
          <Field
            label="Did what"
            value={wanted.action}
            onChange={(action) => set({ action: action.toLowerCase() })}
            placeholder="change pool"
          />
          <Field
            label="To what"
            value={wanted.target}
            onChange={(target) => set({ target })}
            placeholder="pools/studio"
          />
          <Tick
            label="Only what was refused"
            value={wanted.refused}
            onChange={(refused) => set({ refused })}
          />
        </div>
      </PageSection>
      <Loaded query={audit}>
        {({ pages }) => (
          <>
            <Rows rows={pages.flatMap((page) => page.entries)} />
            {audit.hasNextPage && (
              <Button
                variant="secondary"
                onClick={() => audit.fetchNextPage()}
                isLoading={audit.isFetchingNextPage}
              >
                Older
              </Button>
            )}
          </>
        )}
      </Loaded>
    </>
  );
}

function Verdict({ found }: { found: Schemas["AuditCheck"] }) {
  if (!found.sound) {
    return (
      <Alert
        variant="danger"
        isInline
        title={`The audit does not hold from row ${found.broken_at} on`}
        component="h2"
      >
        {sentence(found.why ?? "no reason was given")} Compare it with an export or a backup.
      </Alert>
    );
  }
  return (
    <Alert variant="success" isInline title={`All ${found.rows} rows follow one another`} component="h2">
      <p>Keep this elsewhere: it shows later that none was cut off.</p>
      <ClipboardCopy isReadOnly hoverTip="Copy" clickTip="Copied" textAriaLabel="The newest row">
        {found.head}
      </ClipboardCopy>
    </Alert>
  );
}

const words = (action: string) => {
  const text = action.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

function Rows({ rows }: { rows: ReadonlyArray<Schemas["AuditEntry"]> }) {
  if (rows.length === 0) {
    return <p className="about">Nothing of that is in the audit.</p>;
  }
  return (
    <Table aria-label="Audit" variant="compact">
      <Thead>
        <Tr>
          <Th modifier="nowrap">When</Th>
          <Th modifier="nowrap">What</Th>
          <Th modifier="nowrap">To what</Th>
          <Th modifier="nowrap">Who</Th>
          <Th modifier="nowrap">From</Th>
          <Th modifier="nowrap">Answer</Th>
        </Tr>
      </Thead>
      <Tbody>
        {rows.map((row) => (
          <Tr key={row.seq}>
            <Td dataLabel="When">
              <When at={row.at} />
            </Td>
            <Td dataLabel="What">{words(row.action)}</Td>
            <Td dataLabel="To what" className="wrap">
              {row.target}
            </Td>
            <Td dataLabel="Who" className="wrap">
              <strong>{row.actor_name}</strong> <span className="about">{row.via}</span>
            </Td>
            <Td dataLabel="From">{row.address || "this machine"}</Td>
            <Td dataLabel="Answer">
              <Label isCompact color={row.outcome >= 400 ? "orange" : "green"}>
                {row.code || (row.outcome >= 400 ? `refused (${row.outcome})` : "done")}
              </Label>
            </Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}
