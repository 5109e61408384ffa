/** A secret that is shown once: after this dialogue only its hash exists. */
import { Alert, Button, ClipboardCopy } from "@patternfly/react-core";
import type { ReactNode } from "react";
import { Dialogue } from "./Dialogue";

interface Props {
  title: string;
  label: string;
  secret: string;
  children: ReactNode;
  onClose: () => void;
}

export function Secret({ title, label, secret, children, onClose }: Props) {
  return (
    <Dialogue
      title={title}
      stack
      onClose={onClose}
      buttons={
        <Button variant="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <p>{children}</p>
      <ClipboardCopy
        isReadOnly
        isCode
        hoverTip="Copy"
        clickTip="Copied"
        textAriaLabel={label}
        toggleAriaLabel={label}
        copyAriaLabel={`Copy ${label.toLowerCase()}`}
      >
        {secret}
      </ClipboardCopy>
      <Alert
        variant="warning"
        isInline
        isPlain
        title="It is shown only now. Copy it before you close this."
      />
    </Dialogue>
  );
}
