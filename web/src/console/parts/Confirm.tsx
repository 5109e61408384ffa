/** Asks before something is lost and names what; then does it, and stays open with the problem where that fails. */
import { Button } from "@patternfly/react-core";
import type { ReactNode } from "react";
import { useAct } from "../act";
import { Dialogue } from "./Dialogue";
import { ProblemAlert } from "./ProblemState";

interface Props<Out> {
  title: string;
  /** The verb: `Delete desktop`. */
  verb: string;
  /** What is lost. */
  children: ReactNode;
  do: () => Promise<Out>;
  /** Query keys to read again. */
  touches: ReadonlyArray<string>;
  /** What to say when it went well. */
  good?: () => string;
  onDone?: (out: Out) => void;
  onClose: () => void;
}

export function Confirm<Out>({ title, verb, children, onClose, onDone, ...act }: Props<Out>) {
  const { mutate, isPending, error } = useAct<void, Out>({
    ...act,
    after: (out) => {
      onClose();
      onDone?.(out);
    },
  });
  return (
    <Dialogue
      title={title}
      warns
      onClose={onClose}
      buttons={
        <>
          <Button variant="danger" onClick={() => mutate()} isLoading={isPending} isDisabled={isPending}>
            {verb}
          </Button>
          <Button variant="link" onClick={onClose}>
            Cancel
          </Button>
        </>
      }
    >
      {children}
      <ProblemAlert error={error} />
    </Dialogue>
  );
}
