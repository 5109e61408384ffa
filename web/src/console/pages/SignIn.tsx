/** Name and password. What comes after depends on `me`: the first password must be changed. */
import { Button, Form } from "@patternfly/react-core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answer, client, setCsrf } from "../../api/client";
import { useAct } from "../act";
import { Field } from "../parts/Field";
import { ProblemAlert } from "../parts/ProblemState";
import { meQuery } from "../queries";
import { Door } from "../shell/Door";

export function SignIn() {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  useEffect(() => {
    document.title = "Sign in · Oriel";
  }, []);
  const signIn = useAct({
    do: () => answer(client.POST("/api/v1/login", { body: { name: name.trim(), password } })),
    touches: [],
    after: (me) => {
      setCsrf(me.csrf);
      queries.setQueryData(meQuery.queryKey, me);
    },
  });

  return (
    <Door title="Sign in" about="Your desktops, in this browser.">
      <Form
        onSubmit={(event) => {
          event.preventDefault();
          if (!signIn.isPending) signIn.mutate();
        }}
      >
        <Field label="Name" value={name} onChange={setName} autoComplete="username" autoFocus required />
        <Field
          label="Password"
          type="password"
          value={password}
          onChange={setPassword}
          autoComplete="current-password"
          required
        />
        <ProblemAlert error={signIn.error} />
        <Button
          type="submit"
          variant="primary"
          isBlock
          isLoading={signIn.isPending}
          isDisabled={signIn.isPending}
        >
          Sign in
        </Button>
      </Form>
    </Door>
  );
}
