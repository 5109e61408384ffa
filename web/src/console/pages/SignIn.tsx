/** Name and password, a passkey, or a provider. What comes after depends on `me`: the first password must be changed. */
import { Alert, Button, Divider, Form } from "@patternfly/react-core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answer, client, setCsrf } from "../../api/client";
import { useAct } from "../act";
import { goTo, here, refusal } from "../elsewhere";
import { Field } from "../parts/Field";
import { ProblemAlert } from "../parts/ProblemState";
import { ask, hindrance } from "../passkey";
import { meQuery, signInProvidersQuery } from "../queries";
import { Door } from "../shell/Door";

export function SignIn() {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  // Said once: a reload asks anew.
  const [refused] = useState(() => refusal(location.search));
  useEffect(() => {
    document.title = "Sign in · Oriel";
    if (refused) history.replaceState(history.state, "", here(location));
  }, [refused]);
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
      {refused && (
        <Alert variant="danger" isInline title={refused[0]} role="alert">
          <p>{refused[1]}</p>
        </Alert>
      )}
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
      <ByPasskey />
      <Elsewhere />
    </Door>
  );
}

/** In place of name and password; nothing where there can be none. */
function ByPasskey() {
  const queries = useQueryClient();
  const enter = useAct({
    do: async () => {
      const asked = await answer(client.POST("/api/v1/sign-in/passkey"));
      const credential = await ask(asked.options);
      return answer(client.POST("/api/v1/sign-in/passkey/finish", { body: { credential } }));
    },
    touches: [],
    after: (me) => {
      setCsrf(me.csrf);
      queries.setQueryData(meQuery.queryKey, me);
    },
  });
  if (hindrance()) return null;
  return (
    <div className="door-elsewhere">
      <Divider />
      <Button
        variant="secondary"
        isBlock
        isLoading={enter.isPending}
        isDisabled={enter.isPending}
        onClick={() => enter.mutate()}
      >
        Sign in with a passkey
      </Button>
      <ProblemAlert error={enter.error} />
    </div>
  );
}

/** A button for each provider; nothing where there is none. */
function Elsewhere() {
  const providers = useQuery(signInProvidersQuery);
  const go = useAct({ do: (provider: string) => goTo(provider, here(location)), touches: [] });
  if (!providers.data?.length) return null;
  return (
    <div className="door-elsewhere">
      <Divider />
      {providers.data.map(({ id, name }) => (
        <Button
          key={id}
          variant="secondary"
          isBlock
          isLoading={go.isPending && go.variables === id}
          isDisabled={go.isPending}
          onClick={() => go.mutate(id)}
        >
          Continue with {name}
        </Button>
      ))}
      <ProblemAlert error={go.error} />
    </div>
  );
}
