/** Personal disks: people's homes, which follow them from desktop to desktop. */
import { Button, EmptyState, EmptyStateBody, Form, Label } from "@patternfly/react-core";
import HddIcon from "@patternfly/react-icons/dist/esm/icons/hdd-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Confirm } from "../../parts/Confirm";
import { Dialogue } from "../../parts/Dialogue";
import { Field } from "../../parts/Field";
import { Loaded } from "../../parts/Loaded";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { RowActions } from "../../parts/Row";
import { When } from "../../parts/When";
import { diskQuery, disksQuery } from "../../queries";
import { whyNot } from "../../roles";
import { useMe } from "../../shell/me";
import { PageHead } from "../../shell/PageHead";
import { bytes, nameFault } from "../../words";

type Disk = Schemas["PersonalDisk"];

const TOUCHES = ["disks", "operations"];
const titleOf = (disk: Disk) => `${disk.person.name}/${disk.name}`;
const of = (disk: Disk) => ({ params: { path: { id: disk.id } } });

export function Disks({ tabs }: { tabs: ReactNode }) {
  const locked = whyNot(useMe(), "people_write");
  const disks = useQuery(disksQuery);
  const [open, setOpen] = useState<Disk | null>(null);
  const [doomed, setDoomed] = useState<Disk | null>(null);
  const busy = (disk: Disk) =>
    disk.desktop
      ? `It is in ${disk.desktop.name}: shut that down first`
      : disk.operation
        ? "Something is being done with it"
        : "";
  return (
    <>
      <PageHead
        title="Users and groups"
        about="People's homes, which follow them from desktop to desktop. A pool gives one to everybody who gets a desktop there."
      />
      {tabs}
      <Loaded query={disks}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={HddIcon} titleText="No personal disks yet" headingLevel="h2">
              <EmptyStateBody>
                Give a pool a personal disk: whoever gets a desktop of it has their home with them from then
                on.
              </EmptyStateBody>
            </EmptyState>
          ) : (
            <Table aria-label="Personal disks" variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Disk</Th>
                  <Th modifier="nowrap">Size</Th>
                  <Th modifier="nowrap">In</Th>
                  <Th modifier="nowrap">Since</Th>
                  <Th screenReaderText="Actions" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((disk) => (
                  <Tr key={disk.id}>
                    <Td dataLabel="Disk">
                      <strong>{titleOf(disk)}</strong>{" "}
                      {disk.orphaned && (
                        <Label
                          isCompact
                          color="orange"
                          title="Its person has gone, or no pool names it any more"
                        >
                          Orphaned
                        </Label>
                      )}
                    </Td>
                    <Td dataLabel="Size" className="numbers">
                      {disk.size_gib} GiB
                    </Td>
                    <Td dataLabel="In">
                      {disk.desktop?.name ?? (
                        <span className="about">{disk.operation ? "an operation" : "no desktop"}</span>
                      )}
                    </Td>
                    <Td dataLabel="Since" modifier="nowrap">
                      <When at={disk.created_at} />
                    </Td>
                    <Td isActionCell>
                      <RowActions
                        of={titleOf(disk)}
                        actions={[
                          { text: "Size, snapshots and copy…", act: () => setOpen(disk) },
                          {
                            text: "Delete…",
                            danger: true,
                            reason: locked || busy(disk),
                            act: () => setDoomed(disk),
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
      {open && <Details disk={open} locked={locked || busy(open)} onClose={() => setOpen(null)} />}
      {doomed && (
        <Confirm
          title={`Delete ${titleOf(doomed)}?`}
          verb="Delete disk"
          do={() => answer(client.DELETE("/api/v1/personal-disks/{id}", of(doomed)))}
          touches={TOUCHES}
          good={() => `${titleOf(doomed)} is being deleted`}
          onClose={() => setDoomed(null)}
        >
          <p>All that {doomed.person.name} keeps there is gone for good, with its snapshots.</p>
        </Confirm>
      )}
    </>
  );
}

function Details({ disk, locked, onClose }: { disk: Disk; locked: string; onClose: () => void }) {
  const facts = useQuery(diskQuery(disk.id)).data;
  const [size, setSize] = useState(String(disk.size_gib));
  const [name, setName] = useState("");
  const [back, setBack] = useState("");
  const grow = useAct({
    do: () =>
      answer(client.PATCH("/api/v1/personal-disks/{id}", { ...of(disk), body: { size_gib: Number(size) } })),
    touches: TOUCHES,
    good: () => `${titleOf(disk)} grows to ${size} GiB`,
  });
  const keep = useAct({
    do: () => answer(client.POST("/api/v1/personal-disks/{id}/snapshots", { ...of(disk), body: { name } })),
    touches: TOUCHES,
    good: () => `Snapshot ${name} of ${titleOf(disk)} is being kept`,
    after: () => setName(""),
  });
  const drop = useAct({
    do: (snapshot: string) =>
      answer(
        client.DELETE("/api/v1/personal-disks/{id}/snapshots/{snapshot}", {
          params: { path: { id: disk.id, snapshot } },
        }),
      ),
    touches: TOUCHES,
    good: (_, snapshot) => `Snapshot ${snapshot} of ${titleOf(disk)} is being deleted`,
  });
  const copy = useAct({
    do: () => answer(client.POST("/api/v1/personal-disks/{id}/export", of(disk))),
    touches: TOUCHES,
    good: () => `${titleOf(disk)} is being copied: see Operations`,
  });
  const larger = /^\d{1,5}$/.test(size) && Number(size) > disk.size_gib;
  if (back) {
    return (
      <Confirm
        title={`Bring ${titleOf(disk)} back to ${back}?`}
        verb="Bring back"
        do={() =>
          answer(
            client.POST("/api/v1/personal-disks/{id}/snapshots/{snapshot}/restore", {
              params: { path: { id: disk.id, snapshot: back } },
            }),
          )
        }
        touches={TOUCHES}
        good={() => `${titleOf(disk)} is being brought back to ${back}`}
        onClose={() => setBack("")}
      >
        <p>What {disk.person.name} has written since is lost.</p>
      </Confirm>
    );
  }
  return (
    <Dialogue
      title={titleOf(disk)}
      about={
        facts
          ? `${disk.size_gib} GiB, of which ${bytes(facts.used_bytes)} are taken on ${disk.host}.`
          : `${disk.size_gib} GiB on ${disk.host}.`
      }
      stack
      onClose={onClose}
      buttons={
        <>
          <ReasonButton variant="secondary" reason={locked} onClick={() => copy.mutate()}>
            Copy
          </ReasonButton>
          {facts?.export_bytes != null && (
            <Button
              variant="link"
              component="a"
              href={`/api/v1/personal-disks/${encodeURIComponent(disk.id)}/export`}
              download
            >
              {`Download the copy, ${bytes(facts.export_bytes)}`}
            </Button>
          )}
          <Button variant="link" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      <Form onSubmit={(event) => event.preventDefault()}>
        <Field
          label="Size, in GiB"
          type="number"
          min={disk.size_gib}
          value={size}
          onChange={setSize}
          help="Disks grow, and never shrink"
        />
        <ReasonButton
          variant="secondary"
          reason={locked || (larger ? "" : "Say a larger size")}
          onClick={() => grow.mutate()}
        >
          Grow
        </ReasonButton>
        <Field
          label="New snapshot"
          value={name}
          onChange={setName}
          fault={nameFault(name)}
          placeholder="before-the-move"
        />
        <ReasonButton
          variant="secondary"
          reason={locked || nameFault(name) || (name ? "" : "Give it a name")}
          onClick={() => keep.mutate()}
        >
          Keep snapshot
        </ReasonButton>
      </Form>
      <ProblemAlert error={grow.error ?? keep.error ?? drop.error ?? copy.error} />
      {facts && facts.snapshots.length > 0 && (
        <ul aria-label="Snapshots">
          {facts.snapshots.map((one) => (
            <li key={one.name}>
              {one.name}{" "}
              <span className="about">
                <When at={one.created_at} />
              </span>{" "}
              <ReasonButton variant="link" reason={locked} onClick={() => setBack(one.name)}>
                Bring back
              </ReasonButton>
              <ReasonButton variant="link" reason={locked} onClick={() => drop.mutate(one.name)}>
                Delete
              </ReasonButton>
            </li>
          ))}
        </ul>
      )}
    </Dialogue>
  );
}
