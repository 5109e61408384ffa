/** Who may hold how much at most. */
import { EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter } from "@patternfly/react-core";
import TachometerAltIcon from "@patternfly/react-icons/dist/esm/icons/tachometer-alt-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import type { Schemas } from "../../../api/client";
import { Loaded } from "../../parts/Loaded";
import { ReasonButton } from "../../parts/ReasonButton";
import { RowActions } from "../../parts/Row";
import { quotasQuery } from "../../queries";
import { summary } from "../../quota";
import { whyNot } from "../../roles";
import { useMe } from "../../shell/me";
import { PageHead } from "../../shell/PageHead";
import { limitsThere, QuotaForm, type QuotaScope } from "./QuotaForm";

const WORDS: Record<Schemas["QuotaOf"], string> = {
  everyone: "everyone",
  group: "each member of a group",
  user: "one person",
  pool: "one person of a pool",
};

function scopeOf({ of, named }: Schemas["Quota"]): QuotaScope {
  return of === "everyone" || !named ? { of: "everyone" } : { of, id: named.id, name: named.name };
}

export function Quotas({ tabs }: { tabs: ReactNode }) {
  const me = useMe();
  const quotas = useQuery(quotasQuery);
  const [open, setOpen] = useState<QuotaScope | null>(null);
  const locked = whyNot(me, "people_write");
  const everyone = (
    <ReasonButton variant="primary" reason={locked} onClick={() => setOpen({ of: "everyone" })}>
      Quota of everyone
    </ReasonButton>
  );
  return (
    <>
      <PageHead
        title="Users and groups"
        about="The most that people may hold at the same time. Groups, people and pools have theirs in their own menus, too."
        actions={everyone}
      />
      {tabs}
      <Loaded query={quotas}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={TachometerAltIcon} titleText="Nothing is limited yet" headingLevel="h2">
              <EmptyStateBody>
                Say how many desktops a person may have, how many of them may run, and what they may take
                together: for everyone, for a group, or for one person.
              </EmptyStateBody>
              <EmptyStateFooter>
                <EmptyStateActions>
                  <ReasonButton
                    variant="secondary"
                    reason={locked}
                    onClick={() => setOpen({ of: "everyone" })}
                  >
                    Limit everyone
                  </ReasonButton>
                </EmptyStateActions>
              </EmptyStateFooter>
            </EmptyState>
          ) : (
            <Table aria-label="Quotas" variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Of</Th>
                  <Th modifier="nowrap">At most</Th>
                  <Th screenReaderText="Actions" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((quota) => {
                  const name = quota.named?.name ?? "Everyone";
                  return (
                    <Tr key={`${quota.of} ${quota.named?.id ?? ""}`}>
                      <Td dataLabel="Of">
                        <strong>{name}</strong>{" "}
                        {quota.named && <span className="about">{WORDS[quota.of]}</span>}
                      </Td>
                      <Td dataLabel="At most" className="wrap">
                        {summary(quota.limits)}
                      </Td>
                      <Td isActionCell>
                        <RowActions
                          of={name}
                          actions={[
                            {
                              text: "Edit…",
                              reason: quota.of === "pool" ? whyNot(me, "pools_write") : locked,
                              act: () => setOpen(scopeOf(quota)),
                            },
                          ]}
                        />
                      </Td>
                    </Tr>
                  );
                })}
              </Tbody>
            </Table>
          )
        }
      </Loaded>
      {open && (
        <QuotaForm scope={open} limits={limitsThere(quotas.data ?? [], open)} onClose={() => setOpen(null)} />
      )}
    </>
  );
}
