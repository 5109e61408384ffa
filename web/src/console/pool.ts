import type { Schemas } from "../api/client";

/** Whether its machines are others', by their addresses: Oriel makes none of them. */
export const isExternal = (pool: Pick<Schemas["Pool"], "kind" | "image">) =>
  pool.kind === "external" || (pool.kind === "session_host" && pool.image === null);
