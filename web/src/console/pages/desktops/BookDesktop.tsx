/** Books a desktop of a pool for a span of time. */
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { faultOf, firstDraft, momentOf, spanWords } from "../../booking";
import { BookedBars } from "../../parts/BookedBars";
import { Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { count } from "../../words";

export function BookDesktop({ of, onClose }: { of: Schemas["BookablePool"]; onClose: () => void }) {
  const { pool } = of;
  const [draft, setDraft] = useState(() => firstDraft(new Date()));
  const [from, to] = [momentOf(draft.from), momentOf(draft.to)];
  const fault = faultOf(from, to, of, new Date());
  const book = useAct({
    do: () => {
      if (!from || !to) throw new Error("nothing to book yet");
      const body = { from: from.toISOString(), to: to.toISOString() };
      return answer(client.POST("/api/v1/pools/{id}/bookings", { params: { path: { id: pool.id } }, body }));
    },
    touches: ["bookings", "quota"],
    good: (made) => `A desktop of ${pool.name} is yours ${spanWords(made)}`,
    after: onClose,
  });
  return (
    <FormModal
      title={`Book a desktop of ${pool.name}`}
      about={`It is kept for you, used or not, for ${count(of.hours, "hour")} at most. Get it here when its time has come.${
        of.priority > 0
          ? " Where nothing is free, it takes the place of bookings of a lower priority that do not begin soon; their people are told."
          : ""
      }`}
      verb="Book"
      reason={fault}
      busy={book.isPending}
      error={book.error}
      onSend={() => book.mutate()}
      onClose={onClose}
    >
      <Field
        label="From"
        type="datetime-local"
        value={draft.from}
        onChange={(value) => setDraft({ ...draft, from: value })}
        required
      />
      <Field
        label="Until"
        type="datetime-local"
        value={draft.to}
        onChange={(value) => setDraft({ ...draft, to: value })}
        fault={fault}
        help="Times are those of this device"
        required
      />
      {from && to && !fault && <BookedBars pool={pool.id} from={from} to={to} />}
    </FormModal>
  );
}
