import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { eventsFault, eventsOf, urlFault } from "../../webhook";

interface Props {
  onMade: (made: Schemas["WebhookMade"]) => void;
  onClose: () => void;
}

export function NewWebhook({ onMade, onClose }: Props) {
  const [url, setUrl] = useState("");
  const [events, setEvents] = useState("");
  const make = useAct({
    do: () =>
      answer(client.POST("/api/v1/webhooks", { body: { url: url.trim(), events: eventsOf(events) } })),
    touches: ["webhooks"],
    after: onMade,
  });
  const [urlWrong, eventsWrong] = [urlFault(url.trim()), eventsFault(events)];
  return (
    <FormModal
      title="New webhook"
      about="From now on the address is told of what people do here."
      verb="Add webhook"
      reason={url.trim() === "" ? "Write the address first" : urlWrong || eventsWrong}
      busy={make.isPending}
      error={make.error}
      onSend={() => make.mutate()}
      onClose={onClose}
    >
      <Field
        label="Address"
        value={url}
        onChange={setUrl}
        required
        autoFocus
        fault={urlWrong}
        help="https://. One that is not public must be allowed in the server's configuration."
        placeholder="https://log.example.org/oriel"
      />
      <Field
        label="Told of"
        value={events}
        onChange={setEvents}
        fault={eventsWrong}
        help="Operations as the audit names them, or beginnings of them. Empty: everything."
        placeholder="change_pool, delete_*"
      />
    </FormModal>
  );
}
