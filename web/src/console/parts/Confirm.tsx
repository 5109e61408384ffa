/** Asks before something is lost, and names what. */
import { Button, Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core";
import { type ReactNode, useId } from "react";
import { ProblemAlert } from "./ProblemState";

interface Props {
  title: string;
  /** The verb: `Delete desktop`. */
  verb: string;
  children: ReactNode;
  busy?: boolean;
  error?: unknown;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ title, verb, children, busy, error, onConfirm, onClose }: Props) {
  const id = useId();
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby={`${id}-t`} aria-describedby={`${id}-b`}>
      <ModalHeader title={title} titleIconVariant="warning" labelId={`${id}-t`} />
      <ModalBody id={`${id}-b`}>
        {children}
        <ProblemAlert error={error} />
      </ModalBody>
      <ModalFooter>
        <Button variant="danger" onClick={onConfirm} isLoading={busy} isDisabled={busy}>
          {verb}
        </Button>
        <Button variant="link" onClick={onClose}>
          Cancel
        </Button>
      </ModalFooter>
    </Modal>
  );
}
