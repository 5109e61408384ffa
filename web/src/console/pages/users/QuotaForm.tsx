/** Says how much everyone, a group's members, one person, or one person of a pool may hold at most. */
import { Grid, GridItem } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { QuotaBars } from "../../parts/QuotaBars";
import { userQuotaQuery } from "../../queries";
import { draftOf, faultOf, KINDS, limitsOf, OF_POOL } from "../../quota";

type Limit = Schemas["QuotaLimit"];
export type QuotaScope = { of: "everyone" } | { of: "group" | "user" | "pool"; id: string; name: string };

/** What is limited there now. */
export function limitsThere(quotas: readonly Schemas["Quota"][], scope: QuotaScope): Limit[] {
  const id = scope.of === "everyone" ? undefined : scope.id;
  return quotas.find((one) => one.of === scope.of && one.named?.id === id)?.limits ?? [];
}

/** An empty form clears the rule. */
function put(scope: QuotaScope, limits: Limit[]): Promise<unknown> {
  const clears = limits.length === 0;
  const body = { limits };
  if (scope.of === "everyone") {
    return clears
      ? answer(client.DELETE("/api/v1/quotas/everyone"))
      : answer(client.PUT("/api/v1/quotas/everyone", { body }));
  }
  const params = { path: { id: scope.id } };
  switch (scope.of) {
    case "group":
      return clears
        ? answer(client.DELETE("/api/v1/groups/{id}/quota", { params }))
        : answer(client.PUT("/api/v1/groups/{id}/quota", { params, body }));
    case "user":
      return clears
        ? answer(client.DELETE("/api/v1/users/{id}/quota", { params }))
        : answer(client.PUT("/api/v1/users/{id}/quota", { params, body }));
    case "pool":
      return clears
        ? answer(client.DELETE("/api/v1/pools/{id}/quota", { params }))
        : answer(client.PUT("/api/v1/pools/{id}/quota", { params, body }));
  }
}

const ABOUT: Record<QuotaScope["of"], string> = {
  everyone: "It counts where neither a group of theirs nor a quota of their own says otherwise.",
  group: "It counts over everyone's. Of several groups of a person the most generous counts.",
  user: "It counts over everyone's and that of their groups.",
  pool: "It counts for each person, beside what else limits them.",
};

export function QuotaForm(p: { scope: QuotaScope; limits: Limit[]; onClose: () => void }) {
  const { scope } = p;
  const kinds = scope.of === "pool" ? OF_POOL : KINDS;
  const [draft, setDraft] = useState(() => draftOf(p.limits));
  const limits = limitsOf(draft, kinds);
  const name = scope.of === "everyone" ? "everyone" : scope.name;
  const save = useAct({
    do: () => put(scope, limits),
    touches: ["quotas", "quota"],
    good: () =>
      limits.length === 0 ? `Nothing limits ${name} by a quota of its own` : `The quota of ${name} was set`,
    after: p.onClose,
  });
  const faulty = kinds.some(({ kind }) => faultOf(kind, draft[kind] ?? ""));

  return (
    <FormModal
      title={`Quota of ${name}`}
      about={`${ABOUT[scope.of]} What people have stays theirs when it becomes smaller: the next is refused.`}
      verb="Save"
      reason={faulty ? "A limit is not right" : ""}
      busy={save.isPending}
      error={save.error}
      onSend={() => save.mutate()}
      onClose={p.onClose}
    >
      {scope.of === "user" && <Held id={scope.id} name={scope.name} />}
      <Grid hasGutter sm={6}>
        {kinds.map(({ kind, label, help }) => (
          <GridItem key={kind}>
            <Field
              label={label}
              value={draft[kind] ?? ""}
              onChange={(text) => setDraft({ ...draft, [kind]: text })}
              fault={faultOf(kind, draft[kind] ?? "")}
              help={
                help ??
                (scope.of === "everyone" || scope.of === "pool"
                  ? "Empty: no limit"
                  : "Empty: as wider quotas say")
              }
            />
          </GridItem>
        ))}
      </Grid>
      <p className="about">Write a number, or unlimited.</p>
    </FormModal>
  );
}

/** What they have against what counts now. */
function Held({ id, name }: { id: string; name: string }) {
  const standing = useQuery(userQuotaQuery(id));
  return standing.data ? <QuotaBars of={standing.data} label={`What ${name} holds`} /> : null;
}
