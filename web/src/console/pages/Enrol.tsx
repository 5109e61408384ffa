/** A group asks for a second factor, and this person has none: it is set up before anything else. */
import { Bullseye, Button, Form, Spinner } from "@patternfly/react-core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { asProblem } from "../../api/problem";
import { useAct } from "../act";
import { ProblemAlert, ProblemState } from "../parts/ProblemState";
import { RecoveryCodes } from "../parts/RecoveryCodes";
import { SignOut } from "../parts/SignOut";
import { TotpSecret } from "../parts/TotpSecret";
import { hindrance, suggestion } from "../passkey";
import { meQuery } from "../queries";
import { Door } from "../shell/Door";
import { makePasskey } from "./account/Passkeys";

interface Props {
  me: Schemas["Me"];
  /** Recovery codes are being read: whoever looks away and comes back still finds them. */
  onHold: (holding: boolean) => void;
}

export function Enrol({ me, onHold }: Props) {
  const queries = useQueryClient();
  const [code, setCode] = useState("");
  useEffect(() => {
    document.title = "Set up a second factor · Oriel";
  }, []);
  const fresh = useQuery({
    queryKey: ["new-totp", me.id],
    queryFn: () => answer(client.POST("/api/v1/me/second-factor/totp", { body: {} })),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const confirm = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/me/second-factor/totp/confirm", {
          body: { envelope: fresh.data?.envelope ?? "", code: code.trim() },
        }),
      ),
    touches: [],
    after: () => onHold(true),
  });
  const passkey = useAct({
    do: () => makePasskey(suggestion(navigator.userAgent)),
    touches: [],
    after: () => onHold(true),
  });
  const codes = confirm.data?.codes ?? passkey.data?.codes;
  if (codes) {
    return (
      <Door title="Keep these codes" about="Your second factor is set up.">
        <RecoveryCodes codes={codes} />
        <Button
          variant="primary"
          isBlock
          onClick={() => {
            void queries.resetQueries({ queryKey: meQuery.queryKey }).then(() => onHold(false));
          }}
        >
          I have kept them
        </Button>
      </Door>
    );
  }
  return (
    <Door
      title="Set up a second factor"
      about={`Welcome, ${me.name}. A password is not enough here: let an authenticator app on your phone read this, and type the code that it shows.`}
    >
      {fresh.error ? (
        <ProblemState problem={asProblem(fresh.error)} retry={() => void fresh.refetch()} />
      ) : fresh.data ? (
        <Form
          onSubmit={(event) => {
            event.preventDefault();
            if (!confirm.isPending) confirm.mutate();
          }}
        >
          <TotpSecret fresh={fresh.data} code={code} onCode={setCode} />
          <ProblemAlert error={confirm.error} />
          <Button
            type="submit"
            variant="primary"
            isBlock
            isLoading={confirm.isPending}
            isDisabled={confirm.isPending}
          >
            Set up and go on
          </Button>
        </Form>
      ) : (
        <Bullseye>
          <Spinner aria-label="Making a secret" />
        </Bullseye>
      )}
      {!hindrance() && (
        <>
          <Button
            variant="secondary"
            isBlock
            isLoading={passkey.isPending}
            isDisabled={passkey.isPending}
            onClick={() => passkey.mutate()}
          >
            Use a passkey instead
          </Button>
          <ProblemAlert error={passkey.error} />
        </>
      )}
      <SignOut />
    </Door>
  );
}
