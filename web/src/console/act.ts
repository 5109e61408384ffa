/** One change asked of the server: a toast says how it went, and what it touched is read again. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useToasts } from "./toasts";

interface Act<In, Out> {
  do: (input: In) => Promise<Out>;
  /** Query keys to read again. */
  touches: ReadonlyArray<string>;
  /** What to say when it went well; nothing when left out. */
  good?: (out: Out, input: In) => string;
  more?: (out: Out, input: In) => ReactNode;
  /** The start of the sentence when it did not; left out when the form shows the problem itself. */
  bad?: (input: In) => string;
  after?: (out: Out, input: In) => void;
}

export function useAct<In = void, Out = unknown>(act: Act<In, Out>) {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: act.do,
    onSuccess: (out, input) => {
      if (act.good) toasts.good(act.good(out, input), act.more?.(out, input));
      act.after?.(out, input);
    },
    onError: (error, input) => {
      if (act.bad) toasts.bad(act.bad(input), error);
    },
    onSettled: () => Promise.all(act.touches.map((key) => queries.invalidateQueries({ queryKey: [key] }))),
  });
}
