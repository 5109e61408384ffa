/** The keys that seal secrets in the database: how much is sealed with each, and all of it sealed anew. */
import { Alert, Label } from "@patternfly/react-core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { Confirm } from "../../parts/Confirm";
import { ReasonButton } from "../../parts/ReasonButton";
import { role, sealedWith, trouble, whyNotAnew } from "../../sealing";
import { useWhyNot } from "../../shell/me";

export function Sealing({ secrets }: { secrets: Schemas["Secrets"] }) {
  const locked = useWhyNot("secrets_write");
  const [asking, setAsking] = useState(false);
  const alarm = trouble(secrets);
  const goesOn = secrets.operation && ["queued", "running"].includes(secrets.operation.state);
  return (
    <>
      {alarm && <Alert variant="danger" isInline component="h3" title={alarm} />}
      <ul className="reconcilers" aria-label="Keys that seal secrets">
        {secrets.keys.map((key) => (
          <li key={key.key}>
            <div className="reconciler-head">
              <strong>{key.key}</strong>
              <Label isCompact color={role(key).tone}>
                {role(key).text}
              </Label>
            </div>
            <p className="about">{sealedWith(key)}.</p>
          </li>
        ))}
      </ul>
      <p className="about">
        {secrets.programs.length === 1
          ? "One program seals with it."
          : `${secrets.programs.length} programs are on this database.`}{" "}
        {goesOn && secrets.operation && (
          <Link to="/operations" search={{ id: secrets.operation.id }}>
            Sealing anew: {Math.round(secrets.operation.progress * 100)} %
          </Link>
        )}
      </p>
      <ReasonButton
        variant="secondary"
        size="sm"
        reason={locked || whyNotAnew(secrets)}
        onClick={() => setAsking(true)}
      >
        Seal all anew
      </ReasonButton>
      {asking && (
        <Confirm
          title="Seal all secrets with the newest key?"
          verb="Seal all anew"
          do={() => answer(client.POST("/api/v1/secrets/rotate"))}
          touches={["secrets", "operations"]}
          good={() => "All secrets are being sealed anew"}
          onClose={() => setAsking(false)}
        >
          <p className="wrap">
            It goes on in the background, and nobody notices. The old key is needed until nothing is sealed
            with it any more, and for backups from before.
          </p>
        </Confirm>
      )}
    </>
  );
}
