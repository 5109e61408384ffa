/** People together: what opens to all of them, and what they may do there. */
import {
  Button,
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
} from "@patternfly/react-core";
import UsersIcon from "@patternfly/react-icons/dist/esm/icons/users-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { Confirm } from "../../parts/Confirm";
import { Loaded } from "../../parts/Loaded";
import { ReasonButton } from "../../parts/ReasonButton";
import { RowActions } from "../../parts/Row";
import { groupsQuery, quotasQuery } from "../../queries";
import { summary as quotaSummary } from "../../quota";
import { whyNot } from "../../roles";
import { useMe } from "../../shell/me";
import { PageHead } from "../../shell/PageHead";
import { count } from "../../words";
import { GroupForm } from "./GroupForm";
import { factorSummary, summary } from "./group-rules";
import { Members } from "./Members";
import { limitsThere, QuotaForm, type QuotaScope } from "./QuotaForm";

type Group = Schemas["Group"];
type Open = { is: "new" } | { is: "edit" | "members" | "quota" | "delete"; group: string };

export function Groups({ tabs }: { tabs: ReactNode }) {
  const groups = useQuery(groupsQuery);
  const quotas = useQuery(quotasQuery);
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => setOpen(null);
  const locked = whyNot(useMe(), "people_write");
  // Read from the list at each turn, so that an open dialogue shows what was just changed.
  const group = open && "group" in open ? groups.data?.find((g) => g.id === open.group) : undefined;
  const scope = (g: Group): QuotaScope => ({ of: "group", id: g.id, name: g.name });
  const limits = (g: Group) => limitsThere(quotas.data ?? [], scope(g));
  return (
    <>
      <PageHead
        title="Users and groups"
        about="People together: who may use pools, and what is otherwise for them there."
        actions={
          <ReasonButton variant="primary" reason={locked} onClick={() => setOpen({ is: "new" })}>
            New group
          </ReasonButton>
        }
      />
      {tabs}
      <Loaded query={groups}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={UsersIcon} titleText="No groups yet" headingLevel="h2">
              <EmptyStateBody>
                Give a pool to a group instead of to each person, or have rules of their own for some.
              </EmptyStateBody>
              <EmptyStateFooter>
                <EmptyStateActions>
                  <ReasonButton variant="secondary" reason={locked} onClick={() => setOpen({ is: "new" })}>
                    Make the first
                  </ReasonButton>
                </EmptyStateActions>
              </EmptyStateFooter>
            </EmptyState>
          ) : (
            <Table aria-label="Groups" variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Name</Th>
                  <Th modifier="nowrap">Members</Th>
                  <Th modifier="nowrap">Opens</Th>
                  <Th modifier="nowrap">Rules</Th>
                  <Th screenReaderText="Actions" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((g) => (
                  <Tr key={g.id}>
                    <Td dataLabel="Name" className="wrap">
                      <strong>{g.name}</strong>
                      {g.about && <div className="about">{g.about}</div>}
                    </Td>
                    <Td dataLabel="Members">
                      <Button
                        variant="link"
                        isInline
                        onClick={() => setOpen({ is: "members", group: g.id })}
                        aria-label={`Members of ${g.name}: ${g.members.length}`}
                      >
                        {g.members.length === 0 ? "nobody yet" : count(g.members.length, "person", "people")}
                      </Button>
                    </Td>
                    <Td dataLabel="Opens" className="wrap">
                      {g.pools.map((pool) => pool.name).join(", ") || (
                        <span className="about">no pool yet</span>
                      )}
                    </Td>
                    <Td dataLabel="Rules" className="wrap">
                      {[summary(g.policy), factorSummary(g.second_factor)].filter(Boolean).join(", ") || (
                        <span className="about">as pools say</span>
                      )}
                      {limits(g).length > 0 && <div className="about">at most {quotaSummary(limits(g))}</div>}
                    </Td>
                    <Td isActionCell>
                      <RowActions
                        of={g.name}
                        actions={[
                          { text: "Edit…", reason: locked, act: () => setOpen({ is: "edit", group: g.id }) },
                          { text: "Members…", act: () => setOpen({ is: "members", group: g.id }) },
                          {
                            text: "Quota…",
                            reason: locked || (quotas.data ? "" : "Quotas are not loaded yet"),
                            act: () => setOpen({ is: "quota", group: g.id }),
                          },
                          {
                            text: "Delete…",
                            danger: true,
                            reason: locked,
                            act: () => setOpen({ is: "delete", group: g.id }),
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
      {open?.is === "new" && <GroupForm onClose={close} />}
      {open?.is === "edit" && group && <GroupForm group={group} onClose={close} />}
      {open?.is === "members" && group && <Members group={group} onClose={close} />}
      {open?.is === "quota" && group && (
        <QuotaForm scope={scope(group)} limits={limits(group)} onClose={close} />
      )}
      {open?.is === "delete" && group && <DeleteGroup group={group} onClose={close} />}
    </>
  );
}

function DeleteGroup({ group, onClose }: { group: Group; onClose: () => void }) {
  const { members, pools } = group;
  const opens = pools.length > 0 && members.length > 0;
  const rules = [summary(group.policy), factorSummary(group.second_factor)].filter(Boolean).join(", ");
  return (
    <Confirm
      title={`Delete the group ${group.name}?`}
      verb="Delete group"
      do={() => answer(client.DELETE("/api/v1/groups/{id}", { params: { path: { id: group.id } } }))}
      touches={["groups", "users", "pools"]}
      good={() => `The group ${group.name} was deleted`}
      onClose={onClose}
    >
      <p>
        {opens && (
          <strong>
            {count(members.length, "person", "people")} may lose access to{" "}
            {pools.map((p) => p.name).join(", ")}.{" "}
          </strong>
        )}
        {rules && (
          <strong>
            Its rules ({rules}) are lost: for its members it is then as pools and their other groups say,
            stricter or looser.{" "}
          </strong>
        )}
        The people and the desktops that they own stay.
      </p>
    </Confirm>
  );
}
