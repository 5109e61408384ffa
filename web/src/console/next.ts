/** Where somebody wanted to go before signing in: a desktop in a tab, and nothing else. */
export function nextAfterSignIn(search: string, origin: string): string | null {
  const asked = new URLSearchParams(search).get("next");
  if (!asked?.startsWith("/viewer/")) return null;
  // Resolved as the browser would, so that dots and back slashes lead nowhere else.
  const url = URL.canParse(asked, origin) ? new URL(asked, origin) : null;
  if (url?.origin !== origin || !url.pathname.startsWith("/viewer/")) return null;
  return url.pathname + url.search;
}
