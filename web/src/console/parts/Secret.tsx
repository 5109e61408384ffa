/** A secret that is shown once: after this dialogue only its hash exists. */
import {
  Alert,
  Button,
  ClipboardCopy,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
} from "@patternfly/react-core";
import { type ReactNode, useId } from "react";

interface Props {
  title: string;
  label: string;
  secret: string;
  children: ReactNode;
  onClose: () => void;
}

export function Secret({ title, label, secret, children, onClose }: Props) {
  const id = useId();
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby={`${id}-t`}>
      <ModalHeader title={title} labelId={`${id}-t`} />
      <ModalBody className="stack">
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
      </ModalBody>
      <ModalFooter>
        <Button variant="primary" onClick={onClose}>
          Done
        </Button>
      </ModalFooter>
    </Modal>
  );
}
