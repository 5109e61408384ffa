/** Session hosts with the people who have a place on them. */
import type { Schemas } from "../../../api/client";

type Place = Schemas["HostPlace"];

export interface HostRow {
  id: string;
  name: string;
  state: Schemas["DesktopState"];
  failure: string | null;
  draining: boolean;
  /** `name:version`; empty for others' machines. */
  image: string;
  people: Place[];
  /** Who may have a place there at once. */
  most: number;
}

/** The pool's hosts by name, each with its people as their places are numbered. */
export function hostsOf(pool: Schemas["Pool"], desktops: Schemas["Desktop"][], places: Place[]): HostRow[] {
  return desktops
    .filter((one) => one.pool.id === pool.id)
    .map((one) => ({
      id: one.id,
      name: one.name,
      state: one.state,
      failure: one.state === "failed" || one.state === "unreachable" ? one.failure : null,
      draining: one.draining ?? false,
      image: one.external ? "" : one.facts.image,
      people: places.filter((place) => place.host.id === one.id).sort((a, b) => a.number - b.number),
      most: pool.size.sessions ?? 10,
    }))
    .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}
