/** What the dashboard says in words, and where each failure is mended. */
import type { Schemas } from "../api/client";
import type { Point } from "./chart";
import { count, type Tone } from "./words";

type Dashboard = Schemas["Dashboard"];
type Failure = Schemas["DashboardFailure"];

export const FAILURES: Record<Failure["kind"], string> = {
  desktop: "Desktop",
  machine: "Machine",
  operation: "Operation",
  webhook: "Webhook",
  rollout: "Roll-out",
  reconciler: "Background work",
  gpus: "GPUs",
};

export const STATES: Record<Schemas["DashboardState"], { text: string; tone: Tone }> = {
  good: { text: "Good", tone: "green" },
  poor: { text: "Slower than it could be", tone: "orange" },
  bad: { text: "Not usable", tone: "red" },
  unknown: { text: "Not looked at yet", tone: "grey" },
};

/** The address within the console where somebody looks further. */
export function placeOf({ kind, id }: Failure): string {
  switch (kind) {
    case "desktop":
      return "/?all=true";
    case "machine":
      return `/pools/${id}`;
    case "operation":
      return `/operations?id=${id}`;
    case "webhook":
      return "/webhooks";
    case "rollout":
      return "/pools";
    case "reconciler":
      return "/host";
    case "gpus":
      return "/gpus";
  }
}

type Numbers = Omit<Schemas["DashboardPoint"], "at">;

/** One line of the history. */
export const lineOf = (history: Dashboard["history"], of: keyof Numbers): Point[] =>
  history.map((point) => ({ at: Date.parse(point.at), value: point[of] }));

/** Pools that have less ready than they want. */
export const short = (pools: Dashboard["pools"]) =>
  pools.filter(
    (pool) =>
      pool.running_spares < pool.running_spares_wanted || pool.stopped_spares < pool.stopped_spares_wanted,
  );

/** `3 of 2`; nothing where none is wanted and none is there. */
export const spares = (there: number, wanted: number) =>
  there === 0 && wanted === 0 ? "–" : `${there} of ${wanted}`;

export function sparesWords({ now, pools }: Pick<Dashboard, "now" | "pools">): string {
  const lacking = short(pools);
  if (lacking.length > 0) return `${count(lacking.length, "pool")} with too few`;
  return now.spares_wanted === 0 ? "no pool wants any" : "as pools want them";
}
