/** Results of what was asked, for a few seconds in the corner and for screen readers. */
import { Alert, AlertActionCloseButton, AlertGroup } from "@patternfly/react-core";
import { createContext, type ReactNode, useCallback, useContext, useMemo, useRef, useState } from "react";
import { asProblem, sentence } from "../api/problem";

interface Toast {
  key: number;
  variant: "success" | "danger" | "info";
  title: string;
  body?: ReactNode;
}

interface Toasts {
  good(title: string, body?: ReactNode): void;
  bad(title: string, error: unknown): void;
}

/** Most toasts on the screen; older ones go. */
const TOASTS_MAX = 4;
const GOOD_MS = 6_000;
const BAD_MS = 15_000;

const Context = createContext<Toasts>({ good: () => {}, bad: () => {} });
export const useToasts = () => useContext(Context);

export function ToastProvider({ children }: { children: ReactNode }) {
  const [list, setList] = useState<Toast[]>([]);
  const next = useRef(1);

  const add = useCallback((toast: Omit<Toast, "key">) => {
    const key = next.current++;
    setList((old) => [{ ...toast, key }, ...old].slice(0, TOASTS_MAX));
  }, []);
  const drop = useCallback((key: number) => setList((old) => old.filter((toast) => toast.key !== key)), []);

  const toasts = useMemo<Toasts>(
    () => ({
      good: (title, body) => add({ variant: "success", title, body }),
      bad: (title, error) => {
        const problem = asProblem(error);
        add({
          variant: "danger",
          title,
          body: (
            <>
              <p>{sentence(problem.detail)}</p>
              {problem.nextStep && <p className="next-step">{sentence(problem.nextStep)}</p>}
            </>
          ),
        });
      },
    }),
    [add],
  );

  return (
    <Context value={toasts}>
      {children}
      <AlertGroup isToast isLiveRegion hasAnimations aria-label="Notifications">
        {list.map((toast) => (
          <Alert
            key={toast.key}
            variant={toast.variant}
            title={toast.title}
            timeout={toast.variant === "danger" ? BAD_MS : GOOD_MS}
            onTimeout={() => drop(toast.key)}
            actionClose={<AlertActionCloseButton title="Dismiss" onClose={() => drop(toast.key)} />}
          >
            {toast.body}
          </Alert>
        ))}
      </AlertGroup>
    </Context>
  );
}
