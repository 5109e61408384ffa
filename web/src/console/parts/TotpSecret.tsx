/** What an authenticator app needs: the picture for its camera, and the same to type. */
import { ClipboardCopy } from "@patternfly/react-core";
import type { Schemas } from "../../api/client";
import { Field } from "./Field";
import { QrCode } from "./QrCode";

interface Props {
  fresh: Schemas["TotpNew"];
  code: string;
  onCode: (code: string) => void;
}

export function TotpSecret({ fresh, code, onCode }: Props) {
  const secret = fresh.secret.replace(/(.{4})(?=.)/g, "$1 ");
  return (
    <>
      <QrCode text={fresh.uri} label="QR code for an authenticator app" />
      <div>
        <p className="about">Without a camera, type this key into the app:</p>
        <ClipboardCopy
          isReadOnly
          isCode
          hoverTip="Copy"
          clickTip="Copied"
          textAriaLabel="Key for the app"
          copyAriaLabel="Copy the key"
        >
          {secret}
        </ClipboardCopy>
      </div>
      <Field
        label="Code that the app shows"
        value={code}
        onChange={onCode}
        autoComplete="one-time-code"
        required
      />
    </>
  );
}
