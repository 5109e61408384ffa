import { Form } from "@patternfly/react-core";
import { useState } from "react";
import { answer, client } from "../../api/client";
import { useAct } from "../act";
import { Field } from "./Field";
import { ProblemAlert } from "./ProblemState";
import { ReasonButton } from "./ReasonButton";

const CHARS_MIN = 10;
const CHARS_MAX = 200;

interface Props {
  name: string;
  currentLabel: string;
  verb: string;
  onDone: () => void;
}

export function PasswordForm({ name, currentLabel, verb, onDone }: Props) {
  const [current, setCurrent] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const change = useAct({
    do: () => answer(client.POST("/api/v1/me/password", { body: { current, new: fresh } })),
    touches: [],
    good: () => "Your password was changed",
    after: () => {
      setCurrent("");
      setFresh("");
      setAgain("");
      onDone();
    },
  });
  const reason = passwordFault(current, fresh, again);

  return (
    <Form
      isWidthLimited
      onSubmit={(event) => {
        event.preventDefault();
        if (!reason && !change.isPending) change.mutate();
      }}
    >
      {/* Tells password managers whose password this is. */}
      <input type="text" name="username" autoComplete="username" value={name} readOnly hidden />
      <Field
        label={currentLabel}
        type="password"
        value={current}
        onChange={setCurrent}
        autoComplete="current-password"
        required
      />
      <Field
        label="New password"
        type="password"
        value={fresh}
        onChange={setFresh}
        autoComplete="new-password"
        help={`At least ${CHARS_MIN} characters; a few words are better than symbols`}
        required
      />
      <Field
        label="New password again"
        type="password"
        value={again}
        onChange={setAgain}
        autoComplete="new-password"
        fault={again !== "" && !fresh.startsWith(again) ? "This is not the same as above" : ""}
        required
      />
      <ProblemAlert error={change.error} />
      <div>
        <ReasonButton type="submit" variant="primary" reason={reason} isLoading={change.isPending}>
          {verb}
        </ReasonButton>
      </div>
    </Form>
  );
}

export function passwordFault(current: string, fresh: string, again: string): string {
  if (!current) return "Type the password you have now";
  if ([...fresh].length < CHARS_MIN) return `The new password needs at least ${CHARS_MIN} characters`;
  if ([...fresh].length > CHARS_MAX) return `The new password may have at most ${CHARS_MAX} characters`;
  if (fresh !== again) return "Type the new password twice, the same";
  return "";
}
