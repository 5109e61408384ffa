/** The password, before what guards the account is changed. */
import { useState } from "react";
import { useAct } from "../../act";
import { Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { useMe } from "../../shell/me";

/** The field for it, or what stands in for it where one signs in elsewhere. */
export function OwnPassword(p: { value: string; onChange: (value: string) => void }) {
  const me = useMe();
  if (me.provider) return <p>This works for ten minutes after you have signed in by {me.provider}.</p>;
  return (
    <>
      <input type="text" name="username" autoComplete="username" value={me.name} readOnly hidden />
      <Field
        label="Your password"
        type="password"
        value={p.value}
        onChange={p.onChange}
        autoComplete="current-password"
        autoFocus
        required
      />
    </>
  );
}

interface AgainProps<Out> {
  title: string;
  about: string;
  verb: string;
  do: (password: string | undefined) => Promise<Out>;
  onDone: (out: Out) => void;
  onClose: () => void;
}

export function Again<Out>(p: AgainProps<Out>) {
  const me = useMe();
  const [password, setPassword] = useState("");
  const act = useAct<void, Out>({
    do: () => p.do(me.provider ? undefined : password),
    touches: ["second-factor", "users"],
    after: (out) => p.onDone(out),
  });
  return (
    <FormModal
      title={p.title}
      about={p.about}
      verb={p.verb}
      reason={password === "" && !me.provider ? "Type your password" : ""}
      busy={act.isPending}
      error={act.error}
      onSend={() => act.mutate()}
      onClose={p.onClose}
    >
      <OwnPassword value={password} onChange={setPassword} />
    </FormModal>
  );
}
