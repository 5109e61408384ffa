/** A form in a dialogue: Enter sends it, the problem appears above the buttons, it stays open until it worked. */
import { Button, Form } from "@patternfly/react-core";
import type { ReactNode } from "react";
import { Dialogue } from "./Dialogue";
import { ProblemAlert } from "./ProblemState";
import { ReasonButton } from "./ReasonButton";

interface Props {
  title: string;
  about?: ReactNode;
  verb: string;
  /** Why it cannot be sent yet, or "". */
  reason: string;
  busy: boolean;
  error?: unknown;
  children: ReactNode;
  variant?: "small" | "medium";
  onSend: () => void;
  onClose: () => void;
}

export function FormModal(p: Props) {
  return (
    <Dialogue
      title={p.title}
      about={p.about}
      variant={p.variant}
      onClose={p.onClose}
      buttons={
        <>
          <ReasonButton
            variant="primary"
            reason={p.busy ? "" : p.reason}
            isLoading={p.busy}
            isDisabled={p.busy}
            onClick={() => p.onSend()}
          >
            {p.verb}
          </ReasonButton>
          <Button variant="link" onClick={p.onClose}>
            Cancel
          </Button>
        </>
      }
    >
      <Form
        onSubmit={(event) => {
          event.preventDefault();
          if (!p.reason && !p.busy) p.onSend();
        }}
      >
        {p.children}
        <ProblemAlert error={p.error} />
        {/* Lets Enter in any field send the form; the real button is in the footer. */}
        <button type="submit" hidden />
      </Form>
    </Dialogue>
  );
}
