/** Makes a pool of external machines, or changes one. */
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { KEYBOARDS, nameFault, RECORDING_POLICIES } from "../../words";
import { Hours } from "./Hours";
import * as hours from "./hours";
import * as rules from "./Rules";

const whole = (text: string) =>
  /^\d{1,4}$/.test(text) && Number(text) > 0 && Number(text) <= 1000 ? "" : "A whole number, 1 to 1000";

export function ExternalPoolForm({ pool, onClose }: { pool?: Schemas["Pool"]; onClose: () => void }) {
  const [name, setName] = useState("");
  const [most, setMost] = useState(String(pool?.desktops_max ?? 100));
  const [keyboard, setKeyboard] = useState(pool?.keyboard ?? "us");
  const [recording, setRecording] = useState<Schemas["RecordingPolicy"]>(pool?.recording ?? "off");
  const [policy, setPolicy] = useState(() => rules.draftOf(pool?.policy ?? rules.USUAL_RULES));
  const [when, setWhen] = useState(() => (pool ? hours.draftOf(pool.hours, pool.leaving) : hours.NO_HOURS));
  const fault = hours.faultOf(when, most);
  const save = useAct({
    do: async () => {
      const body = {
        desktops_max: Number(most),
        keyboard,
        recording,
        policy: rules.policyOf(policy),
        hours: hours.hoursOf(when),
        leaving: hours.leavingOf(when),
      };
      if (pool) {
        return answer(client.PATCH("/api/v1/pools/{id}", { params: { path: { id: pool.id } }, body }));
      }
      return answer(client.POST("/api/v1/pools", { body: { ...body, name, kind: "external" } }));
    },
    touches: ["pools"],
    good: (made) => (pool ? `The pool ${made.name} was changed` : `The pool ${made.name} was made`),
    after: onClose,
  });
  const keyboards = KEYBOARDS.some(([value]) => value === keyboard)
    ? KEYBOARDS
    : [...KEYBOARDS, [keyboard, keyboard] as const];

  return (
    <FormModal
      title={pool ? `Edit ${pool.name}` : "New pool of machines"}
      about={pool ? undefined : "For machines that Oriel does not run: you enter their addresses next."}
      verb={pool ? "Save" : "Make pool"}
      reason={
        (pool ? "" : nameFault(name) || (name ? "" : "Give it a name")) ||
        whole(most) ||
        fault ||
        rules.faultOf(policy)
      }
      busy={save.isPending}
      error={save.error}
      onSend={() => save.mutate()}
      onClose={onClose}
    >
      {!pool && (
        <Field
          label="Name"
          value={name}
          onChange={setName}
          fault={nameFault(name)}
          placeholder="office"
          help="Everybody whom the pool allows may open all machines in it that have no owner"
          required
          autoFocus
        />
      )}
      <Field
        label="Most machines"
        type="number"
        min={1}
        max={1000}
        value={most}
        onChange={setMost}
        fault={whole(most)}
      />
      <Choice
        label="Keyboard"
        value={keyboard}
        onChange={setKeyboard}
        options={keyboards}
        help="The layout on machines that speak RDP, unless a machine has its own"
      />
      <Choice
        label="Recording"
        value={recording}
        onChange={(to) => setRecording(to as Schemas["RecordingPolicy"])}
        options={RECORDING_POLICIES}
        help="What is seen on connections is kept, encrypted, for admins; holds for connections from now on"
      />
      <rules.Rules value={policy} onChange={setPolicy} />
      <Hours value={when} onChange={setWhen} size={null} fault={fault} />
    </FormModal>
  );
}
