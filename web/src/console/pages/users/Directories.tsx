/** Where people come from who are not made here. */
import {
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
  Label,
} from "@patternfly/react-core";
import BookIcon from "@patternfly/react-icons/dist/esm/icons/address-book-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Confirm } from "../../parts/Confirm";
import { Loaded } from "../../parts/Loaded";
import { ReasonButton } from "../../parts/ReasonButton";
import { RowActions } from "../../parts/Row";
import { directoriesQuery } from "../../queries";
import { whyNot } from "../../roles";
import { useMe } from "../../shell/me";
import { PageHead } from "../../shell/PageHead";
import { count } from "../../words";
import { DirectoryForm } from "./DirectoryForm";
import { KINDS } from "./directory-form";
import { TestDirectory } from "./TestDirectory";

type Directory = Schemas["Directory"];
type Open = { is: "new" } | { is: "edit" | "test" | "delete"; directory: Directory };

export function Directories({ tabs }: { tabs: ReactNode }) {
  const directories = useQuery(directoriesQuery);
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => setOpen(null);
  const locked = whyNot(useMe(), "people_write");
  const change = useAct({
    do: ({ directory, enabled }: { directory: Directory; enabled: boolean }) =>
      answer(
        client.PATCH("/api/v1/directories/{id}", {
          params: { path: { id: directory.id } },
          body: { enabled },
        }),
      ),
    touches: ["directories"],
    good: (made) => `${made.name} is ${made.enabled ? "asked again" : "no longer asked"}`,
    bad: ({ directory }) => `Could not change ${directory.name}`,
  });
  return (
    <>
      <PageHead
        title="Users and groups"
        about="LDAP directories and Active Directory, whose people sign in with their passwords there."
        actions={
          <ReasonButton variant="primary" reason={locked} onClick={() => setOpen({ is: "new" })}>
            New directory
          </ReasonButton>
        }
      />
      {tabs}
      <Loaded query={directories}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={BookIcon} titleText="No directories yet" headingLevel="h2">
              <EmptyStateBody>
                People are made here one by one, or come from an LDAP directory or from Active Directory.
              </EmptyStateBody>
              <EmptyStateFooter>
                <EmptyStateActions>
                  <ReasonButton variant="secondary" reason={locked} onClick={() => setOpen({ is: "new" })}>
                    Add the first
                  </ReasonButton>
                </EmptyStateActions>
              </EmptyStateFooter>
            </EmptyState>
          ) : (
            <Table aria-label="Directories" variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Name</Th>
                  <Th modifier="nowrap">Address</Th>
                  <Th modifier="nowrap">State</Th>
                  <Th modifier="nowrap">People</Th>
                  <Th modifier="nowrap">Lets in</Th>
                  <Th screenReaderText="Actions" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((d) => (
                  <Tr key={d.id}>
                    <Td dataLabel="Name" className="wrap">
                      <strong>{d.name}</strong>
                      <div className="about">{KINDS.find(([kind]) => kind === d.settings.kind)?.[1]}</div>
                    </Td>
                    <Td dataLabel="Address" className="wrap">
                      {d.settings.url}
                      {d.settings.plain && <div className="about">passwords in the clear</div>}
                    </Td>
                    <Td dataLabel="State">
                      <Label isCompact color={d.enabled ? "green" : "orange"}>
                        {d.enabled ? "Asked" : "Switched off"}
                      </Label>
                    </Td>
                    <Td dataLabel="People">
                      {d.people === 0 ? "nobody yet" : count(d.people, "person", "people")}
                    </Td>
                    <Td dataLabel="Lets in" className="wrap">
                      {d.settings.only_mapped
                        ? `who is in ${count(d.settings.groups.length + d.settings.roles.length, "mapped group", "mapped groups")}`
                        : "everybody"}
                    </Td>
                    <Td isActionCell>
                      <RowActions
                        of={d.name}
                        actions={[
                          { text: "Test…", reason: locked, act: () => setOpen({ is: "test", directory: d }) },
                          { text: "Edit…", reason: locked, act: () => setOpen({ is: "edit", directory: d }) },
                          {
                            text: d.enabled ? "Switch off" : "Switch on",
                            reason: locked,
                            act: () => change.mutate({ directory: d, enabled: !d.enabled }),
                          },
                          {
                            text: "Delete…",
                            danger: true,
                            reason: locked || (d.people > 0 ? "People here come from it" : ""),
                            act: () => setOpen({ is: "delete", directory: d }),
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
      {open?.is === "new" && (
        <DirectoryForm onClose={close} onMade={(directory) => setOpen({ is: "test", directory })} />
      )}
      {open?.is === "edit" && <DirectoryForm directory={open.directory} onClose={close} onMade={close} />}
      {open?.is === "test" && <TestDirectory directory={open.directory} onClose={close} />}
      {open?.is === "delete" && (
        <Confirm
          title={`Delete the directory ${open.directory.name}?`}
          verb="Delete directory"
          do={() =>
            answer(client.DELETE("/api/v1/directories/{id}", { params: { path: { id: open.directory.id } } }))
          }
          touches={["directories"]}
          good={() => `The directory ${open.directory.name} was deleted`}
          onClose={close}
        >
          <p>
            <strong>Nobody signs in by it any more</strong>, and what was kept to ask it is lost. Nobody here
            comes from it.
          </p>
        </Confirm>
      )}
    </>
  );
}
