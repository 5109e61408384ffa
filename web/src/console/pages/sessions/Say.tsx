import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { messageFault } from "../../session";

/** A sentence for whoever uses a connection: it stands in their viewer until they close it. */
export function Say({ session, onClose }: { session: Schemas["Session"]; onClose: () => void }) {
  const [text, setText] = useState("");
  const say = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/sessions/{id}/message", {
          params: { path: { id: session.id } },
          body: { text: text.trim() },
        }),
      ),
    touches: [],
    good: () => `It stands in ${session.user.name}’s viewer now`,
    after: onClose,
  });
  const fault = messageFault(text);
  return (
    <FormModal
      title={`Say something to ${session.user.name}`}
      about="It stands in their viewer, with your name, until they close it."
      verb="Say it"
      reason={text.trim() === "" ? "Write what to say first" : fault}
      busy={say.isPending}
      error={say.error}
      onSend={() => say.mutate()}
      onClose={onClose}
    >
      <Field
        label="Message"
        value={text}
        onChange={setText}
        fault={fault}
        required
        autoFocus
        placeholder="Please save your work: this desktop restarts in five minutes."
      />
    </FormModal>
  );
}
