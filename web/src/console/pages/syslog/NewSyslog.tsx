import { useState } from "react";
import { answer, client } from "../../../api/client";
import { useAct } from "../../act";
import { Area, Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { FACILITIES, isPrivate, targetFault } from "../../syslog";
import { eventsFault, eventsOf } from "../../webhook";

export function NewSyslog({ onClose }: { onClose: () => void }) {
  const [target, setTarget] = useState("");
  const [facility, setFacility] = useState<string>("authpriv");
  const [ca, setCa] = useState("");
  const [events, setEvents] = useState("");
  const isTls = target.trim().startsWith("tls://");
  const make = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/syslogs", {
          body: {
            target: target.trim(),
            facility,
            // Of another way there is none, whatever was written before.
            ca: isTls && ca.trim() !== "" ? ca : null,
            events: eventsOf(events),
          },
        }),
      ),
    touches: ["syslogs"],
    good: () => `What is done is sent to ${target.trim()}`,
    after: onClose,
  });
  const [targetWrong, eventsWrong] = [targetFault(target.trim()), eventsFault(events)];
  return (
    <FormModal
      title="New receiver"
      about="From now on it gets a message of RFC 5424 for each row of the audit."
      verb="Add receiver"
      reason={target.trim() === "" ? "Write the receiver first" : targetWrong || eventsWrong}
      busy={make.isPending}
      error={make.error}
      onSend={() => make.mutate()}
      onClose={onClose}
    >
      <Field
        label="Receiver"
        value={target}
        onChange={setTarget}
        required
        autoFocus
        fault={targetWrong}
        help={
          isPrivate(target.trim()) || target.trim() === ""
            ? "tls://, tcp:// or udp:// and a host, or local for the server's own. One that is not public must be allowed in the server's configuration."
            : "Whoever is on the way can read these messages; tls:// keeps them private."
        }
        placeholder="tls://log.example.org"
      />
      <Choice
        label="Filed under"
        value={facility}
        onChange={setFacility}
        options={FACILITIES.map((one) => [one, one] as const)}
      />
      {isTls && (
        <Area
          label="Certificate of its CA (PEM)"
          value={ca}
          onChange={setCa}
          help="Empty: whom the server's machine trusts."
          placeholder="-----BEGIN CERTIFICATE-----"
        />
      )}
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
