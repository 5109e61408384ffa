/** One's own second factor: an authenticator app, passkeys, recovery codes, and browsers that are not asked. */
import { Button, Card, CardBody, CardHeader, CardTitle } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { FormModal } from "../../parts/FormModal";
import { Loaded } from "../../parts/Loaded";
import { ReasonButton } from "../../parts/ReasonButton";
import { RecoveryCodes } from "../../parts/RecoveryCodes";
import { TotpSecret } from "../../parts/TotpSecret";
import { When } from "../../parts/When";
import { secondFactorQuery } from "../../queries";
import { useMe } from "../../shell/me";
import { count } from "../../words";
import { Again } from "./Again";
import { Passkeys } from "./Passkeys";

type Open = "app" | "no-app" | "codes" | "off";
/** So few are left that it is time for new ones. */
const CODES_FEW = 3;

export function SecondFactorCard() {
  const me = useMe();
  const mine = useQuery(secondFactorQuery);
  const [open, setOpen] = useState<Open | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const close = () => setOpen(null);
  const shows = (made: Schemas["RecoveryCodes"]) => {
    close();
    setCodes(made.codes);
  };
  return (
    <Card>
      <CardHeader>
        <CardTitle component="h2">Second factor</CardTitle>
      </CardHeader>
      <CardBody>
        <Loaded query={mine} bare>
          {(of) => (
            <div className="stack">
              {of.totp_since || of.passkeys.length > 0 ? (
                <Has of={of} />
              ) : (
                <p>Only {me.provider ?? "your password"} guards this account.</p>
              )}
              {of.rule !== "optional" && (
                <p className="about">
                  A group of yours asks for one{of.rule === "every_time" ? ", at every sign-in" : ""}.
                </p>
              )}
              <div className="buttons">
                <Button variant="secondary" size="sm" onClick={() => setOpen("app")}>
                  {of.totp_since ? "Use another app" : "Set up an app"}
                </Button>
                {(of.totp_since || of.passkeys.length > 0) && (
                  <>
                    <Button variant="secondary" size="sm" onClick={() => setOpen("codes")}>
                      New recovery codes
                    </Button>
                    {of.totp_since && of.passkeys.length > 0 && (
                      <Button variant="link" size="sm" onClick={() => setOpen("no-app")}>
                        Remove the app
                      </Button>
                    )}
                    <ReasonButton
                      variant="link"
                      isDanger
                      size="sm"
                      reason={of.rule === "optional" ? "" : "A group of yours asks for it"}
                      onClick={() => setOpen("off")}
                    >
                      Turn off
                    </ReasonButton>
                  </>
                )}
              </div>
              <Passkeys of={of} onCodes={(made) => setCodes(made)} />
              {of.browsers.length > 0 && <Browsers list={of.browsers} />}
            </div>
          )}
        </Loaded>
      </CardBody>
      {open === "app" && <SetUp onClose={close} onDone={shows} />}
      {open === "codes" && (
        <Again
          title="New recovery codes"
          about="Those that you have stop working."
          verb="Make new codes"
          do={(password) =>
            answer(client.POST("/api/v1/me/second-factor/recovery-codes", { body: { password } }))
          }
          onDone={shows}
          onClose={close}
        />
      )}
      {open === "no-app" && (
        <Again
          title="Remove the app?"
          about="Its codes stop working. Your passkeys and recovery codes go on."
          verb="Remove"
          do={(password) =>
            answer(
              client.POST("/api/v1/me/second-factor/remove", { body: { password, keep_passkeys: true } }),
            )
          }
          onDone={close}
          onClose={close}
        />
      )}
      {open === "off" && (
        <Again
          title="Turn the second factor off?"
          about={`App, passkeys and recovery codes stop working: from then on ${me.provider ?? "your password"} alone opens this account.`}
          verb="Turn off"
          do={(password) => answer(client.POST("/api/v1/me/second-factor/remove", { body: { password } }))}
          onDone={close}
          onClose={close}
        />
      )}
      {codes && (
        <Dialogue
          title="Recovery codes"
          onClose={() => setCodes(null)}
          buttons={
            <Button variant="primary" onClick={() => setCodes(null)}>
              I have kept them
            </Button>
          }
        >
          <RecoveryCodes codes={codes} />
        </Dialogue>
      )}
    </Card>
  );
}

function Has({ of }: { of: Schemas["SecondFactor"] }) {
  const left = of.recovery_codes_left;
  return (
    <p>
      {of.totp_since ? (
        <>
          An authenticator app is asked for its code since <When at={of.totp_since} />.
        </>
      ) : (
        "A passkey is asked for after your password."
      )}{" "}
      {left <= CODES_FEW ? (
        <strong>
          {left === 0 ? "No recovery code is left." : `Only ${count(left, "recovery code")} left.`}
        </strong>
      ) : (
        `${count(left, "recovery code")} left.`
      )}
    </p>
  );
}

function Browsers({ list }: { list: Schemas["RememberedBrowser"][] }) {
  const forget = useAct({
    do: (browser: Schemas["RememberedBrowser"]) =>
      answer(client.DELETE("/api/v1/me/browsers/{browser}", { params: { path: { browser: browser.id } } })),
    touches: ["second-factor"],
    good: (_, browser) => `${browser.label} will be asked again`,
    bad: (browser) => `Could not forget ${browser.label}`,
  });
  return (
    <div>
      <h3 className="about">Not asked for the code</h3>
      <ul className="plain-list" aria-label="Remembered browsers">
        {list.map((browser) => (
          <li key={browser.id}>
            {browser.label}, until <When at={browser.expires_at} />{" "}
            <Button
              variant="link"
              isInline
              onClick={() => forget.mutate(browser)}
              aria-label={`Forget ${browser.label}`}
            >
              Forget
            </Button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** First the password, then the app. */
function SetUp(p: { onClose: () => void; onDone: (made: Schemas["RecoveryCodes"]) => void }) {
  const [fresh, setFresh] = useState<Schemas["TotpNew"] | null>(null);
  const [code, setCode] = useState("");
  const confirm = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/me/second-factor/totp/confirm", {
          body: { envelope: fresh?.envelope ?? "", code: code.trim() },
        }),
      ),
    touches: ["second-factor", "users"],
    after: p.onDone,
  });
  if (!fresh) {
    return (
      <Again
        title="Set up an authenticator app"
        about="An app on your phone that shows a new code every half minute."
        verb="Go on"
        do={(password) => answer(client.POST("/api/v1/me/second-factor/totp", { body: { password } }))}
        onDone={setFresh}
        onClose={p.onClose}
      />
    );
  }
  return (
    <FormModal
      title="Set up an authenticator app"
      about="Let the app read this, and type the code that it shows."
      verb="Set up"
      reason={code.trim() === "" ? "Type the code that the app shows" : ""}
      busy={confirm.isPending}
      error={confirm.error}
      onSend={() => confirm.mutate()}
      onClose={p.onClose}
    >
      <TotpSecret fresh={fresh} code={code} onCode={setCode} />
    </FormModal>
  );
}
