/** Nobody touched a desktop for as long as its rules allow: this browser goes on with its person's password, or by their provider, only. */
import { Button, Form } from "@patternfly/react-core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { useAct } from "../act";
import { goTo, here } from "../elsewhere";
import { Field } from "../parts/Field";
import { ProblemAlert } from "../parts/ProblemState";
import { SignOut } from "../parts/SignOut";
import { meQuery } from "../queries";
import { Door } from "../shell/Door";

export function Unlock({ me }: { me: Schemas["Me"] }) {
  return me.provider ? <ByProvider me={me} provider={me.provider} /> : <ByPassword me={me} />;
}

function ByProvider({ me, provider }: { me: Schemas["Me"]; provider: string }) {
  useEffect(() => {
    document.title = "Locked · Oriel";
  }, []);
  const go = useAct({ do: () => goTo(provider, here(location), true), touches: [] });
  return (
    <Door
      title="Locked"
      about={`Nobody was here for a while. Your desktops go on; ${provider} asks who you are, ${me.name}.`}
    >
      <ProblemAlert error={go.error} />
      <Button
        variant="primary"
        isBlock
        isLoading={go.isPending}
        isDisabled={go.isPending}
        onClick={() => go.mutate()}
      >
        Continue with {provider}
      </Button>
      <SignOut />
    </Door>
  );
}

function ByPassword({ me }: { me: Schemas["Me"] }) {
  const queries = useQueryClient();
  const [password, setPassword] = useState("");
  const refresh = () => queries.resetQueries({ queryKey: meQuery.queryKey });
  useEffect(() => {
    document.title = "Locked · Oriel";
  }, []);
  const unlock = useAct({
    do: () => answer(client.POST("/api/v1/me/unlock", { body: { password } })),
    touches: [],
    after: () => void refresh(),
  });
  return (
    <Door
      title="Locked"
      about={`Nobody was here for a while. Your desktops go on; enter your password, ${me.name}.`}
    >
      <Form
        onSubmit={(event) => {
          event.preventDefault();
          if (!unlock.isPending) unlock.mutate();
        }}
      >
        {/* Tells password managers whose password this is. */}
        <input type="text" name="username" autoComplete="username" value={me.name} readOnly hidden />
        <Field
          label="Password"
          type="password"
          value={password}
          onChange={setPassword}
          autoComplete="current-password"
          autoFocus
          required
        />
        <ProblemAlert error={unlock.error} />
        <Button
          type="submit"
          variant="primary"
          isBlock
          isLoading={unlock.isPending}
          isDisabled={unlock.isPending}
        >
          Unlock
        </Button>
      </Form>
      <SignOut />
    </Door>
  );
}
