import CheckCircleIcon from "@patternfly/react-icons/dist/esm/icons/check-circle-icon";
import type { Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { startStep } from "../../words";

const SAID = { done: "done", now: "now", todo: "to come" } as const;

/** A start, step by step, and why it takes longer where it does. */
export function Steps({ steps, why }: { steps: Schemas["Desktop"]["start_steps"]; why: string | null }) {
  return (
    <>
      <ol className="steps" aria-label="Start progress">
        {steps.map(({ step, state }) => (
          <li key={step} className={`step-${state}`} aria-current={state === "now" ? "step" : undefined}>
            {state === "done" ? <CheckCircleIcon /> : <span className="dot" aria-hidden="true" />}
            <span>{startStep(step)}</span>
            <span className="pf-v6-screen-reader">{SAID[state]}</span>
          </li>
        ))}
      </ol>
      {why && <p className="about wrap">{sentence(why)}</p>}
    </>
  );
}
