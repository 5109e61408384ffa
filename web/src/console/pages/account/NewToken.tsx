import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field, Tick } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { may, type Permission, TOKEN_PERMISSIONS } from "../../roles";
import { useMe } from "../../shell/me";

/** What owners may with their own. */
const OWN: ReadonlyArray<Permission> = ["desktops_read", "desktops_operate", "desktops_use"];

export function NewToken({
  onClose,
  onMade,
}: {
  onClose: () => void;
  onMade: (made: Schemas["TokenMade"]) => void;
}) {
  const [label, setLabel] = useState("");
  const [days, setDays] = useState("90");
  const [reach, setReach] = useState("all");
  const [chosen, setChosen] = useState<ReadonlyArray<Permission>>([]);
  const me = useMe();
  // A token never reaches further than its person; their own desktops can be named by everybody.
  const offered = TOKEN_PERMISSIONS.filter(([one]) => may(me, one) || OWN.includes(one));
  const make = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/tokens", {
          body: {
            label: label.trim(),
            expires_in_days: days ? Number(days) : null,
            ...(reach === "read" ? { read_only: true } : {}),
            ...(reach === "some" ? { permissions: [...chosen] } : {}),
          },
        }),
      ),
    touches: ["tokens"],
    after: onMade,
  });
  return (
    <FormModal
      title="New API token"
      verb="Make token"
      reason={
        label.trim() === ""
          ? "Give it a label"
          : reach === "some" && chosen.length === 0
            ? "Tick what it may do"
            : ""
      }
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
      <Choice
        label="May do"
        value={reach}
        onChange={setReach}
        options={[
          ["all", "Everything that you may"],
          ["read", "Only look"],
          ["some", "Only what is ticked"],
        ]}
      />
      {reach === "some" && (
        <fieldset className="permissions">
          <legend className="pf-v6-screen-reader">What it may do</legend>
          {offered.map(([one, text]) => (
            <Tick
              key={one}
              label={text}
              value={chosen.includes(one)}
              onChange={(on) => setChosen(on ? [...chosen, one] : chosen.filter((other) => other !== one))}
            />
          ))}
        </fieldset>
      )}
    </FormModal>
  );
}
