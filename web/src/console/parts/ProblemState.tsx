/** Something could not be shown: what happened, what to do next, and a way to try again. */
import {
  Alert,
  Button,
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
} from "@patternfly/react-core";
import ExclamationCircleIcon from "@patternfly/react-icons/dist/esm/icons/exclamation-circle-icon";
import { asProblem, type Problem, sentence } from "../../api/problem";

export function ProblemState({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <EmptyState
      status="danger"
      icon={ExclamationCircleIcon}
      titleText={problem.title || "Something went wrong"}
      headingLevel="h2"
    >
      <EmptyStateBody>
        <p>{sentence(problem.detail)}</p>
        {problem.nextStep && <p className="next-step">{sentence(problem.nextStep)}</p>}
      </EmptyStateBody>
      {retry && (
        <EmptyStateFooter>
          <EmptyStateActions>
            <Button variant="primary" onClick={retry}>
              Try again
            </Button>
          </EmptyStateActions>
        </EmptyStateFooter>
      )}
    </EmptyState>
  );
}

/** The same inside a form or above a list that is still worth seeing. */
export function ProblemAlert({ error, title }: { error: unknown; title?: string }) {
  if (!error) return null;
  const problem = asProblem(error);
  return (
    <Alert variant="danger" isInline title={title ?? sentence(problem.detail)} role="alert">
      {title && <p>{sentence(problem.detail)}</p>}
      {problem.nextStep && <p>{sentence(problem.nextStep)}</p>}
    </Alert>
  );
}

export function PageError({ error, reset }: { error: unknown; reset: () => void }) {
  return <ProblemState problem={asProblem(error)} retry={reset} />;
}
