/** The frame that every dialogue has: what it is about, what there is to read or fill in, and the buttons. */
import { Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core";
import { type ReactNode, useId } from "react";

interface Props {
  title: string;
  about?: ReactNode;
  /** Something is lost: the title says so, and the body is read out with it. */
  warns?: boolean;
  /** Puts room between the parts of the body. */
  stack?: boolean;
  variant?: "small" | "medium" | "large";
  children: ReactNode;
  buttons: ReactNode;
  onClose: () => void;
}

export function Dialogue(p: Props) {
  const id = useId();
  const body = `${id}-b`;
  return (
    <Modal
      isOpen
      variant={p.variant ?? "small"}
      onClose={p.onClose}
      aria-labelledby={`${id}-t`}
      aria-describedby={p.warns ? body : undefined}
    >
      <ModalHeader
        title={p.title}
        description={p.about}
        titleIconVariant={p.warns ? "warning" : undefined}
        labelId={`${id}-t`}
      />
      <ModalBody id={body} className={p.stack ? "stack" : undefined}>
        {p.children}
      </ModalBody>
      <ModalFooter>{p.buttons}</ModalFooter>
    </Modal>
  );
}
