/** Adds a cloud, or says anew how Oriel signs in to it. */
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Area, Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { nameFault } from "../../words";
import { type CloudDraft, draftOf, faultOf, signInOf } from "./cloud-form";

export function CloudForm({
  cloud,
  onClose,
  onMade,
}: {
  cloud?: Schemas["Cloud"];
  onClose: () => void;
  onMade: (made: Schemas["Cloud"]) => void;
}) {
  const [draft, setDraft] = useState<CloudDraft>(() => draftOf(cloud));
  const set = (more: Partial<CloudDraft>) => setDraft((before) => ({ ...before, ...more }));
  const save = useAct({
    do: () => {
      const body = signInOf(draft);
      if (cloud) {
        return answer(client.PUT("/api/v1/clouds/{id}", { params: { path: { id: cloud.id } }, body }));
      }
      return answer(client.POST("/api/v1/clouds", { body: { ...body, name: draft.name } }));
    },
    touches: ["clouds"],
    good: (made) => (cloud ? `Oriel signs in to ${made.name} anew` : `The cloud ${made.name} was added`),
    after: (made: Schemas["Cloud"]) => onMade(made),
  });
  const unnamed = cloud ? "" : nameFault(draft.name) || (draft.name ? "" : "Give it a name");

  return (
    <FormModal
      title={cloud ? `Sign in to ${cloud.name} anew` : "Add a cloud"}
      about={
        cloud
          ? "To the same project, as when a credential is renewed: desktops in another project would not be found."
          : "One region of one project of an OpenStack. What is sent is kept sealed and shown to nobody."
      }
      verb={cloud ? "Save" : "Add cloud"}
      reason={unnamed || faultOf(draft)}
      busy={save.isPending}
      error={save.error}
      onSend={() => save.mutate()}
      onClose={onClose}
      variant="medium"
    >
      {!cloud && (
        <Field
          label="Name"
          value={draft.name}
          onChange={(name) => set({ name })}
          fault={nameFault(draft.name)}
          help="What Oriel calls it"
          placeholder="oak"
          required
          autoFocus
        />
      )}
      <Choice
        label="How to sign in"
        value={draft.from}
        onChange={(from) => set({ from: from as CloudDraft["from"] })}
        options={[
          ["file", "Paste a clouds.yaml"],
          ["fields", "Type an application credential"],
        ]}
      />
      {draft.from === "file" ? (
        <>
          <Area
            label="clouds.yaml"
            value={draft.file}
            onChange={(file) => set({ file })}
            placeholder={"clouds:\n  oak:\n    auth:\n      auth_url: https://…"}
            help="With the secret in it; only the part about one cloud is kept"
          />
          <Field
            label="Which of its clouds"
            value={draft.which}
            onChange={(which) => set({ which })}
            help="Where the file has several"
          />
        </>
      ) : (
        <>
          <Field
            label="Address of Keystone"
            value={draft.address}
            onChange={(address) => set({ address })}
            placeholder="https://cloud.example:5000"
            required
          />
          <Field
            label="Application credential's id"
            value={draft.credentialId}
            onChange={(credentialId) => set({ credentialId })}
            required
          />
          <Field
            label="Application credential's secret"
            type="password"
            value={draft.credentialSecret}
            onChange={(credentialSecret) => set({ credentialSecret })}
            autoComplete="new-password"
            required
          />
        </>
      )}
      <Field
        label="Region"
        value={draft.region}
        onChange={(region) => set({ region })}
        help="Where the cloud has several"
      />
      <Area
        label="CA"
        value={draft.ca}
        onChange={(ca) => set({ ca })}
        placeholder="-----BEGIN CERTIFICATE-----"
        help="Who signs the cloud's certificates, where the server does not trust them anyway"
      />
    </FormModal>
  );
}
