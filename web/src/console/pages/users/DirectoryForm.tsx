/** Adds a directory, or changes how one is asked. */
import { ExpandableSection } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Area, Choice, Field, Tick } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { groupsQuery } from "../../queries";
import {
  type Draft,
  draftOf,
  faultOf,
  goesElsewhere,
  KINDS,
  ROLES_MAPPED,
  settingsOf,
} from "./directory-form";
import { Mappings } from "./Mappings";

export function DirectoryForm({
  directory,
  onClose,
  onMade,
}: {
  directory?: Schemas["Directory"];
  onClose: () => void;
  onMade: (made: Schemas["Directory"]) => void;
}) {
  const [draft, setDraft] = useState<Draft>(() => draftOf(directory));
  const groups = useQuery(groupsQuery);
  const set = (more: Partial<Draft>) => setDraft((before) => ({ ...before, ...more }));
  const save = useAct({
    do: () => {
      const password = draft.finding === "account" ? draft.password || undefined : undefined;
      const body = { name: draft.name.trim(), settings: settingsOf(draft), password };
      if (directory) {
        return answer(
          client.PATCH("/api/v1/directories/{id}", { params: { path: { id: directory.id } }, body }),
        );
      }
      return answer(client.POST("/api/v1/directories", { body }));
    },
    touches: ["directories", "users"],
    good: (made) => `The directory ${made.name} was ${directory ? "changed" : "added"}`,
    after: (made: Schemas["Directory"]) => onMade(made),
  });
  const kept = directory?.has_password && !goesElsewhere(draft, directory);

  return (
    <FormModal
      title={directory ? `Edit ${directory.name}` : "New directory"}
      about="Its people sign in with their names and passwords there. Their accounts here are made when they first do."
      verb={directory ? "Save" : "Add directory"}
      reason={faultOf(draft, directory)}
      busy={save.isPending}
      error={save.error}
      onSend={() => save.mutate()}
      onClose={onClose}
      variant="medium"
    >
      <Field label="Name" value={draft.name} onChange={(name) => set({ name })} required autoFocus />
      <Choice
        label="Kind"
        value={draft.kind}
        onChange={(kind) => set({ kind: kind as Draft["kind"] })}
        options={KINDS}
      />
      <Field
        label="Address"
        value={draft.address}
        onChange={(address) => set({ address })}
        placeholder="dc1.lab.example"
        help="A host, and a port where it is not the usual one"
        required
      />
      <Choice
        label="Encryption"
        value={draft.safety}
        onChange={(safety) => set({ safety: safety as Draft["safety"] })}
        options={[
          ["tls", "TLS (ldaps)"],
          ["start_tls", "StartTLS"],
          ["plain", "None"],
        ]}
        help={draft.safety === "plain" ? "Passwords cross the network in the clear" : undefined}
      />
      {draft.safety !== "plain" && (
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
      )}
      {draft.safety !== "plain" && draft.trust === "ca" && (
        <Area
          label="CA"
          value={draft.ca}
          onChange={(ca) => set({ ca })}
          placeholder="-----BEGIN CERTIFICATE-----"
        />
      )}
      {draft.safety !== "plain" && draft.trust === "pin" && (
        <Field label="SHA-256 of the certificate" value={draft.pin} onChange={(pin) => set({ pin })} />
      )}
      <Choice
        label="People are found"
        value={draft.finding}
        onChange={(finding) => set({ finding: finding as Draft["finding"] })}
        options={[
          ["account", "By a service account"],
          ["template", "By the name that they bind with"],
        ]}
        help={
          draft.finding === "template"
            ? "Without a service account nobody is looked at again after they signed in"
            : undefined
        }
      />
      {draft.finding === "account" ? (
        <>
          <Field
            label="Service account"
            value={draft.bindDn}
            onChange={(bindDn) => set({ bindDn })}
            placeholder="cn=oriel,ou=services,dc=lab"
          />
          <Field
            label="Its password"
            type="password"
            value={draft.password}
            onChange={(password) => set({ password })}
            autoComplete="new-password"
            help={kept ? "Kept; type another to replace it" : undefined}
          />
        </>
      ) : (
        <Field
          label="Template"
          value={draft.template}
          onChange={(template) => set({ template })}
          placeholder="uid={name},ou=people,dc=lab"
        />
      )}
      <Field
        label="People are below"
        value={draft.base}
        onChange={(base) => set({ base })}
        placeholder="dc=lab,dc=example"
        required
      />
      <Mappings
        label="Groups"
        help="Whoever is in the directory's group, also by way of other groups, is in the group here."
        options={(groups.data ?? []).map((group) => [group.id, group.name])}
        value={draft.groups}
        onChange={(mapped) => set({ groups: mapped })}
      />
      <Mappings
        label="Roles"
        help="The first that fits counts; whoever fits none is a user. Without any, roles are given here."
        options={ROLES_MAPPED}
        value={draft.roles}
        onChange={(roles) => set({ roles })}
      />
      <Tick
        label="Let in only who is in a group or role above"
        value={draft.onlyMapped}
        onChange={(onlyMapped) => set({ onlyMapped })}
      />
      <ExpandableSection toggleText="More" isIndented>
        <Field
          label="Filter for people"
          value={draft.userFilter}
          onChange={(userFilter) => set({ userFilter })}
          placeholder="(uid={name})"
          help="With {name} in it; empty for what its kind usually needs"
        />
        <Field
          label="Groups are below"
          value={draft.groupBase}
          onChange={(groupBase) => set({ groupBase })}
          help="Empty for where people are"
        />
      </ExpandableSection>
    </FormModal>
  );
}
