import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";

export function NewToken({
  onClose,
  onMade,
}: {
  onClose: () => void;
  onMade: (made: Schemas["TokenMade"]) => void;
}) {
  const [label, setLabel] = useState("");
  const [days, setDays] = useState("90");
  const make = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/tokens", {
          body: { label: label.trim(), expires_in_days: days ? Number(days) : null },
        }),
      ),
    touches: ["tokens"],
    after: onMade,
  });
  return (
    <FormModal
      title="New API token"
      verb="Make token"
      reason={label.trim() ? "" : "Give it a label"}
      busy={make.isPending}
      error={make.error}
      onSend={() => make.mutate()}
      onClose={onClose}
    >
      <Field
        label="Label"
        value={label}
        onChange={setLabel}
        help="What uses it, so that you know which to delete"
        placeholder="laptop"
        required
        autoFocus
      />
      <Choice
        label="Ends"
        value={days}
        onChange={setDays}
        options={[
          ["7", "in a week"],
          ["30", "in 30 days"],
          ["90", "in 90 days"],
          ["365", "in a year"],
          ["", "only when deleted"],
        ]}
      />
    </FormModal>
  );
}
