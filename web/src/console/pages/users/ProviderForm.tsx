/** Adds a provider, or changes how one is asked. */
import { ExpandableSection } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Area, Choice, Field, Tick } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { groupsQuery } from "../../queries";
import { ROLES_MAPPED } from "./directory-form";
import { Mappings } from "./Mappings";
import { type Draft, draftOf, faultOf, goesElsewhere, settingsOf } from "./provider-form";

export function ProviderForm({
  provider,
  onClose,
  onMade,
}: {
  provider?: Schemas["Provider"];
  onClose: () => void;
  onMade: (made: Schemas["Provider"]) => void;
}) {
  const [draft, setDraft] = useState<Draft>(() => draftOf(provider));
  const groups = useQuery(groupsQuery);
  const set = (more: Partial<Draft>) => setDraft((before) => ({ ...before, ...more }));
  const save = useAct({
    do: () => {
      const secret = draft.secret || undefined;
      const body = { name: draft.name.trim(), settings: settingsOf(draft), secret };
      if (provider) {
        return answer(
          client.PATCH("/api/v1/providers/{id}", { params: { path: { id: provider.id } }, body }),
        );
      }
      return answer(client.POST("/api/v1/providers", { body }));
    },
    touches: ["providers", "users"],
    good: (made) => `The provider ${made.name} was ${provider ? "changed" : "added"}`,
    after: (made: Schemas["Provider"]) => onMade(made),
  });
  const kept = provider?.has_secret && !goesElsewhere(draft, provider);

  return (
    <FormModal
      title={provider ? `Edit ${provider.name}` : "New provider"}
      about="Its people sign in there, by OpenID Connect. Their accounts here are made when they first do."
      verb={provider ? "Save" : "Add provider"}
      reason={faultOf(draft, provider)}
      busy={save.isPending}
      error={save.error}
      onSend={() => save.mutate()}
      onClose={onClose}
      variant="medium"
    >
      <Field
        label="Name"
        value={draft.name}
        onChange={(name) => set({ name })}
        help="What the button at the door says"
        required
        autoFocus
      />
      <Field
        label="Issuer"
        value={draft.issuer}
        onChange={(issuer) => set({ issuer })}
        placeholder="https://id.lab.example/realms/lab"
        help="As the provider calls itself, to the last sign"
        required
      />
      <Field
        label="Client id"
        value={draft.clientId}
        onChange={(clientId) => set({ clientId })}
        help="Who Oriel is there"
        required
      />
      <Field
        label="Client secret"
        type="password"
        value={draft.secret}
        onChange={(secret) => set({ secret })}
        autoComplete="new-password"
        help={kept ? "Kept; type another to replace it" : "Empty for a client without one"}
      />
      <Choice
        label="Certificate"
        value={draft.trust}
        onChange={(trust) => set({ trust: trust as Draft["trust"] })}
        options={[
          ["system", "Signed by a CA that the server trusts"],
          ["ca", "Signed by a CA of its own"],
          ["pin", "One certificate, by its SHA-256"],
        ]}
      />
      {draft.trust === "ca" && (
        <Area
          label="CA"
          value={draft.ca}
          onChange={(ca) => set({ ca })}
          placeholder="-----BEGIN CERTIFICATE-----"
        />
      )}
      {draft.trust === "pin" && (
        <Field label="SHA-256 of the certificate" value={draft.pin} onChange={(pin) => set({ pin })} />
      )}
      <Mappings
        label="Groups"
        help="Whoever has that value in the claim of groups is in the group here."
        where="provider"
        placeholder="studio-artists"
        options={(groups.data ?? []).map((group) => [group.id, group.name])}
        value={draft.groups}
        onChange={(mapped) => set({ groups: mapped })}
      />
      <Mappings
        label="Roles"
        help="The first that fits counts; whoever fits none is a user. Without any, roles are given here."
        where="provider"
        placeholder="it-admins"
        options={ROLES_MAPPED}
        value={draft.roles}
        onChange={(roles) => set({ roles })}
      />
      <Tick
        label="Let in only who is in a group or role above"
        value={draft.onlyMapped}
        onChange={(onlyMapped) => set({ onlyMapped })}
      />
      <Tick
        label="Let the provider ask who they are at each sign-in"
        value={draft.askAgain}
        onChange={(askAgain) => set({ askAgain })}
      />
      <ExpandableSection toggleText="More" isIndented>
        <Field
          label="Scopes"
          value={draft.scopes}
          onChange={(scopes) => set({ scopes })}
          help="What is asked for beside openid"
        />
        <Field
          label="Claim with the name"
          value={draft.nameClaim}
          onChange={(nameClaim) => set({ nameClaim })}
          placeholder="preferred_username"
        />
        <Field
          label="Claim with the groups"
          value={draft.groupsClaim}
          onChange={(groupsClaim) => set({ groupsClaim })}
          placeholder="groups"
          help="Dots go into objects: realm_access.roles"
        />
        <Field
          label="acr of a second factor given there"
          value={draft.factorAcr}
          onChange={(factorAcr) => set({ factorAcr })}
          help="Whoever brings one of these is not asked for theirs here"
        />
        <Field
          label="amr of a second factor given there"
          value={draft.factorAmr}
          onChange={(factorAmr) => set({ factorAmr })}
          placeholder="otp hwk"
        />
      </ExpandableSection>
    </FormModal>
  );
}
