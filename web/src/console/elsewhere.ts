/** Signing in elsewhere: the browser goes to a provider, and comes back signed in or with the code of a refusal. */
import { answer, client } from "../api/client";

/** Goes there; back to `next`, a path of ours. Whoever is known there still is asked again with `again`. */
export async function goTo(provider: string, next: string, again = false): Promise<void> {
  const begun = await answer(
    client.POST("/api/v1/sign-in/oidc/{id}", { params: { path: { id: provider } }, body: { next, again } }),
  );
  location.assign(begun.url);
}

/** Where somebody is now, without what an earlier refusal left in the address. */
export function here(at: { pathname: string; search: string }): string {
  const query = new URLSearchParams(at.search);
  query.delete("refused");
  const rest = query.toString();
  return rest ? `${at.pathname}?${rest}` : at.pathname;
}

/** What happened, and what to do about it. */
const REFUSALS: Record<string, readonly [what: string, next: string]> = {
  provider_denied: ["You were not signed in there", "Try again, or sign in another way."],
  provider_failed: [
    "The provider could not be asked who you are",
    "Try again in a moment; an administrator finds the reason in the server's log.",
  ],
  provider_says_too_little: [
    "The provider does not say enough of you",
    "An administrator finds in the server's log what is missing.",
  ],
  provider_answer_bad: ["What came back from the provider is not to be trusted", "Sign in again."],
  provider_did_not_ask: [
    "The provider was to ask who you are, and did not",
    "Sign out there, then sign in again.",
  ],
  name_taken_here: [
    "An account of your name is here already, and is not yours",
    "An administrator can delete that account, or make room by another name.",
  ],
  bad_user_name: [
    "Your name at the provider cannot be a name here",
    "Ask an administrator: another claim can be the name.",
  ],
  not_let_in: ["Your account may not use Oriel", "Ask an administrator to let you in."],
  sign_in_over: [
    "This sign-in took too long, or was begun in another browser",
    "Sign in again, in this browser.",
  ],
  sign_in_used: ["This sign-in came back already", "Sign in again."],
  sign_in_again: ["You were signing in for the first time in two places at once", "Sign in once more."],
  too_many_attempts: ["Too many sign-ins failed here", "Wait a minute, then try again."],
  not_by_proxy: [
    "You did not come through the proxy that says who people are",
    "Open Oriel at the proxy's address.",
  ],
  proxy_unclear: [
    "What the proxy says of you cannot be taken for anybody",
    "An administrator finds in the server's log what is wrong with it.",
  ],
  not_found: ["That provider is no longer here", "Sign in another way."],
};

/** Why somebody came back without being signed in, by the address; `null` when nothing is said. */
export function refusal(search: string): readonly [what: string, next: string] | null {
  const code = new URLSearchParams(search).get("refused");
  if (code === null) return null;
  if (Object.hasOwn(REFUSALS, code)) return REFUSALS[code] ?? null;
  return ["You were not signed in", "Try again; if it stays, ask an administrator."];
}
