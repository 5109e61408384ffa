/** The three faces of something asked from the server: waiting, refused, here. Old data stays on a failed refresh. */
import { Alert, PageSection, Skeleton } from "@patternfly/react-core";
import type { ReactNode } from "react";
import { asProblem, sentence } from "../../api/problem";
import { ProblemState } from "./ProblemState";

interface Props<T> {
  /** Of useQuery or useInfiniteQuery. */
  query: { data: T | undefined; error: Error | null; refetch: () => unknown };
  children: (data: T) => ReactNode;
  skeleton?: ReactNode;
  bare?: boolean;
}

export function Loaded<T>({ query, children, skeleton, bare }: Props<T>) {
  const inside = () => {
    if (query.data !== undefined) {
      const problem = query.error ? asProblem(query.error) : null;
      return (
        <>
          {problem && (
            <Alert
              variant="warning"
              isInline
              className="stale"
              title={`This is not up to date: ${sentence(problem.detail)}`}
            >
              {sentence(problem.nextStep)}
            </Alert>
          )}
          {children(query.data)}
        </>
      );
    }
    if (query.error)
      return <ProblemState problem={asProblem(query.error)} retry={() => void query.refetch()} />;
    return skeleton ?? <Rows />;
  };
  return bare ? inside() : <PageSection isFilled>{inside()}</PageSection>;
}

export function Rows({ rows = 4 }: { rows?: number }) {
  return (
    <div className="skeleton-rows" role="status">
      <span className="pf-v6-screen-reader">Loading</span>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are all alike
        <Skeleton key={row} height="2.75rem" />
      ))}
    </div>
  );
}
