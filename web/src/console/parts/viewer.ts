import type { Schemas } from "../../api/client";

/** Where a connection opens; the viewer page itself asks for the ticket. */
export const viewerHref = (id: string, kind: Schemas["ConnectKind"]) =>
  `/viewer/?desktop=${encodeURIComponent(id)}&kind=${kind}`;

/** Where a program opens that a desktop's pool publishes. */
export const appHref = (desktop: string, app: string) =>
  `${viewerHref(desktop, "rdp")}&app=${encodeURIComponent(app)}`;

/** Where a recording is played. */
export const playerHref = (id: string) => `/player/?recording=${encodeURIComponent(id)}`;

/** One tab for each desktop and kind: a second click finds the first one's tab. */
export const viewerTab = (name: string, kind: Schemas["ConnectKind"]) => `oriel-${name}-${kind}`;
