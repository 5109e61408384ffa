/** Providers, and what decides between signing in, changing a first password, and the console itself. */
import { Bullseye, Spinner } from "@patternfly/react-core";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { RouterContextProvider, RouterProvider } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { asProblem, Problem } from "../api/problem";
import { nextAfterSignIn } from "./next";
import { Enrol } from "./pages/Enrol";
import { FirstPassword } from "./pages/FirstPassword";
import { SecondFactor } from "./pages/SecondFactor";
import { SignIn } from "./pages/SignIn";
import { Unlock } from "./pages/Unlock";
import { Boundary } from "./parts/Boundary";
import { ProblemState } from "./parts/ProblemState";
import { meQuery } from "./queries";
import { router } from "./router";
import { ToastProvider } from "./toasts";

/** Signed out elsewhere, locked, or the password must be changed first: ask again who we are. */
function onError(error: unknown) {
  if (!(error instanceof Problem)) return;
  if (["not_signed_in", "password_change_required", "locked", "second_factor_needed"].includes(error.code)) {
    if (queries.getQueryState(meQuery.queryKey)?.fetchStatus !== "fetching") {
      void queries.resetQueries({ queryKey: meQuery.queryKey });
    }
  }
}

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (query.queryKey[0] !== "me") onError(error);
    },
  }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      // What the server refused stays refused; silence is asked again.
      retry: (failures, error) => failures < 2 && error instanceof Problem && error.status === 0,
      retryDelay: 1_000,
      staleTime: 1_000,
      // A browser that thinks it is offline may still reach a server on its own machine or network.
      networkMode: "always",
    },
    mutations: { retry: false, networkMode: "always" },
  },
});

export function App() {
  return (
    <QueryClientProvider client={queries}>
      {/* Around the toasts too: they hold links. */}
      <RouterContextProvider router={router}>
        <ToastProvider>
          <Boundary>
            <Gate />
          </Boundary>
        </ToastProvider>
      </RouterContextProvider>
    </QueryClientProvider>
  );
}

function Gate() {
  const me = useQuery(meQuery);
  const signedOut = me.error instanceof Problem && me.error.status === 401;
  useEffect(() => {
    // Nothing that one person has read is left for the next.
    if (signedOut) queries.removeQueries({ predicate: (query) => query.queryKey[0] !== "me" });
  }, [signedOut]);

  // The viewer sends people who are signed out here, and wants them back.
  const [holding, setHolding] = useState(false);
  const inside = me.data?.step === "done" && !holding;
  const arrived = me.data && inside && !me.data.must_change_password && !me.data.locked;
  const next = arrived ? nextAfterSignIn(location.search, location.origin) : null;
  useEffect(() => {
    if (next) location.replace(next);
  }, [next]);

  if (signedOut) return <SignIn />;
  if (me.data?.step === "factor") return <SecondFactor me={me.data} />;
  if (me.data && !inside) return <Enrol me={me.data} onHold={setHolding} />;
  if (me.data?.locked) return <Unlock me={me.data} />;
  if (me.data?.must_change_password) return <FirstPassword me={me.data} />;
  if (me.data && !next) return <RouterProvider router={router} context={{ me: me.data }} />;
  if (me.error) {
    return (
      <Bullseye>
        <ProblemState problem={asProblem(me.error)} retry={() => void me.refetch()} />
      </Bullseye>
    );
  }
  return (
    <Bullseye>
      <Spinner aria-label="Loading Oriel" />
    </Bullseye>
  );
}
