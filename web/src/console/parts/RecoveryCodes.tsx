/** Codes for the day when the phone is gone: shown this once. */
import { Alert, Button } from "@patternfly/react-core";
import { useState } from "react";

export function RecoveryCodes({ codes }: { codes: string[] }) {
  const [copied, setCopied] = useState(false);
  return (
    <div className="stack">
      <p>Each of these lets you in once when your app or passkey is not at hand.</p>
      <ul className="recovery-codes" aria-label="Recovery codes">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div>
        <Button
          variant="secondary"
          size="sm"
          onClick={() =>
            void navigator.clipboard?.writeText(codes.join("\n")).then(
              () => setCopied(true),
              () => setCopied(false),
            )
          }
        >
          {copied ? "Copied" : "Copy all"}
        </Button>
      </div>
      <Alert
        variant="warning"
        isInline
        isPlain
        title="They are shown only now. Print them, or keep them where you keep passwords, not on that phone."
      />
    </div>
  );
}
