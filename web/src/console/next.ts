/** A desktop in a tab: one's own, or somebody's who sent a link. */
const TABS = ["/viewer/", "/join/"];
const isTab = (path: string) => TABS.some((tab) => path.startsWith(tab));

/** Where somebody wanted to go before signing in: a desktop in a tab, and nothing else. */
export function nextAfterSignIn(search: string, origin: string): string | null {
  const asked = new URLSearchParams(search).get("next");
  if (!asked || !isTab(asked)) return null;
  // Resolved as the browser would, so that dots and back slashes lead nowhere else.
  const url = URL.canParse(asked, origin) ? new URL(asked, origin) : null;
  if (url?.origin !== origin || !isTab(url.pathname)) return null;
  return url.pathname + url.search;
}
