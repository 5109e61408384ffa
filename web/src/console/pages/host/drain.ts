/** What is said of draining a host, in words: apart from the page, so that it can be tested. */
import type { Schemas } from "../../../api/client";
import { count } from "../../words";

export interface DrainDraft {
  reason: string;
  /** Until when people may stay, in minutes from now; "" for as long as they like. */
  minutes: string;
  force: boolean;
}

const MINUTES_MAX = 30 * 24 * 60;

/** Why it cannot be sent, or "". */
export function drainFault(draft: DrainDraft): string {
  if (draft.reason.length > 300) return "Say the reason in at most 300 characters";
  if (draft.minutes === "") return "";
  const minutes = Number(draft.minutes);
  return Number.isInteger(minutes) && minutes >= 1 && minutes <= MINUTES_MAX
    ? ""
    : `A deadline is 1 to ${MINUTES_MAX} minutes from now`;
}

export const drainOf = (draft: DrainDraft): Schemas["HostDrain"] => ({
  reason: draft.reason.trim(),
  deadline_seconds: draft.minutes === "" ? null : Number(draft.minutes) * 60,
  force: draft.minutes !== "" && draft.force,
});

/** What people will suffer, a line each. */
export function consequences(host: Schemas["HostStanding"], draft: DrainDraft): string[] {
  const { switched_off: free, waits, used, stays_off: off } = host.count;
  const lines = [
    free > 0
      ? `${count(free, "desktop")} that ${free === 1 ? "runs" : "run"} for nobody: switched off at once.`
      : "",
    off > 0
      ? `${count(off, "desktop")} that ${off === 1 ? "is" : "are"} off: not started until it is over.`
      : "",
  ];
  if (waits > 0) {
    const inside = used > 0 ? `, with somebody inside ${used}` : "";
    const end =
      draft.minutes !== "" && draft.force
        ? `shut down after ${draft.minutes} minutes, whoever is inside; people are warned before`
        : "run until people leave or shut them down; people are asked to";
    lines.push(`${count(waits, "desktop")} that ${waits === 1 ? "is" : "are"} somebody's${inside}: ${end}.`);
    lines.push(
      host.kind === "host"
        ? "None is moved: their disks and GPUs are on this host. What is on them is there afterwards."
        : "None is moved by this: `oriel host drain cloud:NAME/HOST` empties one of the cloud's own hosts, live where it can be.",
    );
  }
  const said = lines.filter(Boolean);
  return said.length > 0 ? said : ["Nothing stands there."];
}

/** The state of a host, for a label. */
export function standing(host: Schemas["HostStanding"]): { text: string; tone: "green" | "orange" } {
  if (!host.maintenance) return { text: "Open", tone: "green" };
  return host.count.running === 0
    ? { text: "Drained", tone: "orange" }
    : { text: `Draining: ${count(host.count.running, "desktop")} left`, tone: "orange" };
}
