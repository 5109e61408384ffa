/** What a roll-out shows, in numbers and words. */
import type { Schemas } from "../../../api/client";
import { count } from "../../words";

type Count = Schemas["RolloutCount"];

export interface Part {
  is: "new" | "coming" | "failed" | "old" | "waiting" | "kept";
  count: number;
  text: string;
}

/** The parts of the bar that there are, new ones first. */
export function bar(of: Count): Part[] {
  const parts: Part[] = [
    { is: "new", count: of.new, text: `${of.new} of the new version` },
    { is: "coming", count: of.on_their_way, text: `${of.on_their_way} on the way` },
    { is: "failed", count: of.failed, text: `${of.failed} did not come up` },
    { is: "old", count: of.old, text: `${of.old} of the old version` },
    { is: "waiting", count: of.waiting, text: `${of.waiting} waiting until free` },
    { is: "kept", count: of.kept, text: `${of.kept} kept as they are` },
  ];
  return parts.filter((part) => part.count > 0);
}

/** A roll-out in a few words, for a list. */
export function brief(rollout: Schemas["Rollout"]): string {
  const { count: of, to, from } = rollout;
  const all = of.new + of.on_their_way + of.failed + of.old + of.waiting;
  if (rollout.state === "stopped")
    return `version ${to.version} stopped: ${count(rollout.failures.length, "failure")}`;
  if (!rollout.is_open) return "";
  const way = rollout.is_rollback
    ? `back to version ${to.version}`
    : `version ${from.version} → ${to.version}`;
  return `${way}: ${of.new} of ${all}${rollout.is_paused ? ", paused" : ""}`;
}

/** Versions of the same image that are ready, the newest first. */
export function othersOf(
  images: ReadonlyArray<Schemas["Image"]>,
  current: Schemas["ImageRef"] | null,
): Schemas["Image"][] {
  return images
    .filter((image) => image.name === current?.name && image.id !== current.id && image.state === "ready")
    .sort((a, b) => b.version - a.version);
}

/** `3` or `10%`, as the server reads it. */
export function isShare(text: string): boolean {
  const found = /^(\d{1,6})(%?)$/.exec(text.trim());
  return found !== null && Number(found[1]) <= (found[2] ? 100 : 100_000);
}

export const spanFault = (minutes: string) =>
  /^\d{1,5}$/.test(minutes.trim()) && Number(minutes) <= 10_080 ? "" : "0 to 10080 minutes, which is a week";

export const whenFault = (text: string) =>
  text.trim() === "" || !Number.isNaN(new Date(text.trim()).getTime()) ? "" : "Write it as 2026-12-01 22:00";
