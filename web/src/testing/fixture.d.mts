import type { Schemas } from "../api/client";
import type { MockRecording } from "./recordings.mjs";
export function house(who: string): { pools: Schemas["Pool"][]; recordings: MockRecording[] };
export function desktop(
  name: string,
  pool: Schemas["Pool"] | undefined,
  owner: Schemas["User"] | null,
  more?: Partial<Schemas["Desktop"]>,
): Schemas["Desktop"];
