import type { Schemas } from "../api/client";
export function house(who: string): { pools: Schemas["Pool"][] };
export function desktop(
  name: string,
  pool: Schemas["Pool"] | undefined,
  owner: Schemas["User"] | null,
  more?: Partial<Schemas["Desktop"]>,
): Schemas["Desktop"];
