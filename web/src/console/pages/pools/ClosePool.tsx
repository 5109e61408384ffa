/** Closes a pool for maintenance, or opens it again: whoever is inside stays. */
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";

export function ClosePool({ pool, onClose }: { pool: Schemas["Pool"]; onClose: () => void }) {
  const closed = pool.maintenance;
  const [message, setMessage] = useState(closed?.reason ?? "");
  const params = { path: { id: pool.id } };
  const change = useAct({
    do: () =>
      answer(
        closed
          ? client.DELETE("/api/v1/pools/{id}/maintenance", { params })
          : client.PUT("/api/v1/pools/{id}/maintenance", { params, body: { message: message.trim() } }),
      ),
    touches: ["pools", "own-pools", "desktops"],
    good: () => (closed ? `${pool.name} lets people in again` : `${pool.name} lets nobody new in`),
    after: onClose,
  });
  return (
    <FormModal
      title={closed ? `End the maintenance of ${pool.name}` : `Close ${pool.name} for maintenance`}
      about={
        closed
          ? `It lets nobody new in${closed.reason ? `: ${closed.reason}` : ""}.`
          : "Whoever is inside stays, and its desktops run on. Nobody new gets in, but those who may change it."
      }
      verb={closed ? "Open again" : "Close"}
      reason={message.length > 300 ? "Say it in at most 300 characters" : ""}
      busy={change.isPending}
      error={change.error}
      onSend={() => change.mutate()}
      onClose={onClose}
    >
      {!closed && (
        <Field
          label="Message"
          value={message}
          onChange={setMessage}
          placeholder="Back at noon"
          help="People see it on their cards, and when they are refused"
        />
      )}
    </FormModal>
  );
}
