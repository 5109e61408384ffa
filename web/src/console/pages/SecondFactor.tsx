/** The password was right; the second factor is still missing. */
import { Button, Form } from "@patternfly/react-core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { useAct } from "../act";
import { Field, Tick } from "../parts/Field";
import { ProblemAlert } from "../parts/ProblemState";
import { SignOut } from "../parts/SignOut";
import { ask, hindrance } from "../passkey";
import { meQuery } from "../queries";
import { Door } from "../shell/Door";

export function SecondFactor({ me }: { me: Schemas["Me"] }) {
  const queries = useQueryClient();
  const [code, setCode] = useState("");
  const [remember, setRemember] = useState(false);
  useEffect(() => {
    document.title = "Second factor · Oriel";
  }, []);
  const show = useAct({
    do: () => answer(client.POST("/api/v1/me/second-factor", { body: { code: code.trim(), remember } })),
    touches: [],
    after: (whole) => queries.setQueryData(meQuery.queryKey, whole),
  });
  const sign = useAct({
    do: async () => {
      const asked = await answer(client.POST("/api/v1/me/second-factor/passkey"));
      const credential = await ask(asked.options);
      const { envelope } = asked;
      return answer(
        client.POST("/api/v1/me/second-factor/passkey/finish", { body: { envelope, credential, remember } }),
      );
    },
    touches: [],
    after: (whole) => queries.setQueryData(meQuery.queryKey, whole),
  });
  const hasApp = me.factors.includes("app");
  const hasPasskey = me.factors.includes("passkey");
  const hindered = hindrance();
  return (
    <Door
      title="Second factor"
      about={`Your password is right, ${me.name}. One more thing shows that it is you.`}
    >
      {hasPasskey && hindered && <p className="about">{hindered}</p>}
      {hasPasskey && !hindered && (
        <>
          <Button
            variant="primary"
            isBlock
            isLoading={sign.isPending}
            isDisabled={sign.isPending || show.isPending}
            onClick={() => sign.mutate()}
          >
            Use a passkey
          </Button>
          <ProblemAlert error={sign.error} />
        </>
      )}
      <Form
        onSubmit={(event) => {
          event.preventDefault();
          if (!show.isPending) show.mutate();
        }}
      >
        <Field
          label="Code"
          value={code}
          onChange={setCode}
          autoComplete="one-time-code"
          help={
            hasApp || !hasPasskey
              ? "From your authenticator app; or one of your recovery codes"
              : "One of your recovery codes, where no passkey is at hand"
          }
          autoFocus={!hasPasskey}
          required
        />
        {me.may_remember && (
          <Tick
            label="Do not ask in this browser for 30 days"
            value={remember}
            onChange={setRemember}
            help="Only where nobody else uses it"
          />
        )}
        <ProblemAlert error={show.error} />
        <Button
          type="submit"
          variant={hasPasskey && !hindered ? "secondary" : "primary"}
          isBlock
          isLoading={show.isPending}
          isDisabled={show.isPending}
        >
          Go on
        </Button>
      </Form>
      <SignOut />
    </Door>
  );
}
