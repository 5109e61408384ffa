/** One's own passkeys: which there are, one more, one less. */
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { ReasonButton } from "../../parts/ReasonButton";
import { When } from "../../parts/When";
import { hindrance, make, suggestion } from "../../passkey";
import { useMe } from "../../shell/me";
import { Again, OwnPassword } from "./Again";

const PASSKEYS_MAX = 10;

interface Props {
  of: Schemas["SecondFactor"];
  /** Recovery codes that came with the first one. */
  onCodes: (codes: string[]) => void;
}

export function Passkeys({ of, onCodes }: Props) {
  const [adding, setAdding] = useState(false);
  const [doomed, setDoomed] = useState<Schemas["Passkey"] | null>(null);
  const hindered = hindrance();
  const last = of.passkeys.length === 1 && !of.totp_since;
  return (
    <div className="stack">
      <h3>Passkeys</h3>
      <p className="about">
        Your phone, computer or security key signs for you. One that asks for a finger, a face or a PIN signs
        you in alone.
      </p>
      {of.passkeys.length > 0 && (
        <ul className="plain-list" aria-label="Passkeys">
          {of.passkeys.map((passkey) => (
            <li key={passkey.id}>
              <strong>{passkey.label}</strong>
              {passkey.host !== location.hostname && ` on ${passkey.host}`}, made{" "}
              <When at={passkey.created_at} />,{" "}
              {passkey.last_used_at ? (
                <>
                  used <When at={passkey.last_used_at} />
                </>
              ) : (
                "not used yet"
              )}
              {!passkey.alone && ", after the password"}{" "}
              <ReasonButton
                variant="link"
                isInline
                reason={last && of.rule !== "optional" ? "A group of yours asks for a second factor" : ""}
                onClick={() => setDoomed(passkey)}
                aria-label={`Remove ${passkey.label}`}
              >
                Remove
              </ReasonButton>
            </li>
          ))}
        </ul>
      )}
      {hindered ? (
        <p className="about">{hindered}</p>
      ) : (
        <div className="buttons">
          <ReasonButton
            variant="secondary"
            size="sm"
            reason={
              of.passkeys.length < PASSKEYS_MAX ? "" : "You have ten; remove one that you no longer use"
            }
            onClick={() => setAdding(true)}
          >
            Add a passkey
          </ReasonButton>
        </div>
      )}
      {adding && (
        <Add
          onClose={() => setAdding(false)}
          onDone={({ codes }) => {
            setAdding(false);
            if (codes.length > 0) onCodes(codes);
          }}
        />
      )}
      {doomed && (
        <Again
          title={`Remove ${doomed.label}?`}
          about="It opens nothing here any more. Remove it where you keep it, too."
          verb="Remove"
          do={(password) =>
            answer(
              client.POST("/api/v1/me/passkeys/{passkey}/remove", {
                params: { path: { passkey: doomed.id } },
                body: { password },
              }),
            )
          }
          onDone={() => setDoomed(null)}
          onClose={() => setDoomed(null)}
        />
      )}
    </div>
  );
}

/** Asks for the question, lets the browser answer it, and hands the answer in. */
export async function makePasskey(label: string, password?: string): Promise<Schemas["PasskeyAdded"]> {
  const asked = await answer(client.POST("/api/v1/me/passkeys/new", { body: { password } }));
  const credential = await make(asked.options);
  return answer(
    client.POST("/api/v1/me/passkeys", {
      body: { envelope: asked.envelope, label: label.trim(), credential },
    }),
  );
}

function Add(p: { onClose: () => void; onDone: (added: Schemas["PasskeyAdded"]) => void }) {
  const me = useMe();
  const [label, setLabel] = useState(() => suggestion(navigator.userAgent));
  const [password, setPassword] = useState("");
  const add = useAct<void, Schemas["PasskeyAdded"]>({
    do: () => makePasskey(label, me.provider ? undefined : password),
    touches: ["second-factor", "users"],
    good: ({ passkey }) => `${passkey.label} signs for you now`,
    after: p.onDone,
  });
  const reason =
    label.trim() === ""
      ? "Say where it is kept"
      : password === "" && !me.provider
        ? "Type your password"
        : "";
  return (
    <FormModal
      title="Add a passkey"
      about="Your browser asks where to keep it: on this device, on your phone, or on a security key."
      verb="Go on"
      reason={reason}
      busy={add.isPending}
      error={add.error}
      onSend={() => add.mutate()}
      onClose={p.onClose}
    >
      <Field
        label="Label"
        value={label}
        onChange={setLabel}
        help="Where it is kept, to know it by later"
        required
      />
      <OwnPassword value={password} onChange={setPassword} />
    </FormModal>
  );
}
