/** A pool's peaks and what becomes of who does nothing, as its form holds them, and what they come to in words. */
import type { Schemas } from "../../../api/client";
import type { SizeDraft } from "./Spares";

type Hours = Schemas["PoolHours"];
type Leaving = Schemas["Leaving"];

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export const DAY_NAMES = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;
const WORKDAYS = [true, true, true, true, true, false, false];

export interface PeakDraft {
  /** One for each day, Monday first. */
  days: boolean[];
  from: string;
  to: string;
  zone: string;
}

/** Empty numbers are "as at peak" of what is off peak, and "never" of times. */
export interface HoursDraft {
  peaks: PeakDraft[];
  holidays: string;
  ahead: string;
  offRunning: string;
  offStopped: string;
  offMin: string;
  offBack: string;
  idle: string;
  shutDown: string;
  warn: string;
  /** Whether the two times differ off peak. */
  differs: boolean;
  offIdle: string;
  offShutDown: string;
}

export const NO_HOURS: HoursDraft = {
  peaks: [],
  holidays: "",
  ahead: "15",
  offRunning: "",
  offStopped: "",
  offMin: "",
  offBack: "",
  idle: "",
  shutDown: "",
  warn: "60",
  differs: false,
  offIdle: "",
  offShutDown: "",
};

/** Where this browser is. */
export const freshPeak = (): PeakDraft => ({
  days: WORKDAYS,
  from: "08:00",
  to: "18:00",
  zone: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC",
});

/** `mon-fri 08:00-18:00 Europe/Berlin`, as the API writes it. */
export function peakOf(text: string): PeakDraft {
  const [days = "", hours = "", zone = ""] = text.split(" ");
  const ticked = DAYS.map(() => false);
  const place = (word: string) => DAYS.indexOf(word as (typeof DAYS)[number]);
  for (const part of days.split(",")) {
    const [first = "", last = first] = part.split("-");
    const [from, to] = [place(first), place(last)];
    if (from >= 0) for (let day = from; day <= to; day++) ticked[day] = true;
  }
  const [from = "", to = ""] = hours.split("-");
  return { days: ticked, from, to, zone };
}

const daysOf = (peak: PeakDraft) => DAYS.filter((_, place) => peak.days[place]).join(",");
const peakText = (peak: PeakDraft) =>
  `${daysOf(peak)} ${peak.from.trim()}-${peak.to.trim()} ${peak.zone.trim()}`;

const text = (value: number | null | undefined) =>
  value === null || value === undefined ? "" : String(value);

export function draftOf(hours: Hours, leaving: Leaving): HoursDraft {
  const off = hours.off_peak;
  return {
    peaks: (hours.peaks ?? []).map(peakOf),
    holidays: (hours.holidays ?? []).join(" "),
    ahead: String(hours.start_ahead_minutes ?? 15),
    offRunning: text(off?.running_spares),
    offStopped: text(off?.stopped_spares),
    offMin: text(off?.min),
    offBack: text(off?.return_minutes),
    idle: text(leaving.idle_minutes),
    shutDown: text(leaving.shut_down_minutes),
    warn: String(leaving.warn_seconds ?? 60),
    differs: leaving.off_peak !== null,
    offIdle: text(leaving.off_peak?.idle_minutes),
    offShutDown: text(leaving.off_peak?.shut_down_minutes),
  };
}

const number = (typed: string) => (typed.trim() === "" ? null : Number(typed));
const holidaysOf = (draft: HoursDraft) => draft.holidays.split(/[\s,;]+/).filter(Boolean);

/** As the API takes it: a draft without a fault. Without peaks nothing is off peak. */
export function hoursOf(draft: HoursDraft): Hours {
  const has = draft.peaks.length > 0;
  return {
    peaks: draft.peaks.map(peakText),
    holidays: holidaysOf(draft),
    start_ahead_minutes: Number(draft.ahead),
    off_peak: {
      min: has ? number(draft.offMin) : null,
      running_spares: has ? number(draft.offRunning) : null,
      stopped_spares: has ? number(draft.offStopped) : null,
      return_minutes: has ? number(draft.offBack) : null,
    },
  };
}

export function leavingOf(draft: HoursDraft): Leaving {
  return {
    idle_minutes: number(draft.idle),
    shut_down_minutes: number(draft.shutDown),
    warn_seconds: Number(draft.warn),
    off_peak:
      draft.differs && draft.peaks.length > 0
        ? { idle_minutes: number(draft.offIdle), shut_down_minutes: number(draft.offShutDown) }
        : null,
  };
}

export const countFault = (typed: string) =>
  typed.trim() === "" || /^\d{1,4}$/.test(typed.trim()) ? "" : "A whole number, or empty for as at peak";
const minutesFault = (typed: string, most: number) =>
  typed.trim() === "" || (/^\d{1,5}$/.test(typed.trim()) && Number(typed) >= 1 && Number(typed) <= most)
    ? ""
    : `1 to ${most} minutes, or empty for never`;
export const idleFault = (typed: string) => minutesFault(typed, 7 * 24 * 60);
export const shutDownFault = (typed: string) => minutesFault(typed, 24 * 60);
const within = (typed: string, most: number, what: string) =>
  /^\d{1,4}$/.test(typed) && Number(typed) <= most ? "" : `0 to ${most} ${what}`;
export const warnFault = (typed: string) => within(typed, 3600, "seconds");
export const aheadFault = (typed: string) => within(typed, 240, "minutes");

const HOUR = /^([01]\d|2[0-3]):[0-5]\d$/;

export function peakFault(peak: PeakDraft): string {
  if (!peak.days.includes(true)) return "Tick a day";
  if (!HOUR.test(peak.from.trim())) return "A peak begins at an hour such as 08:00";
  if (!HOUR.test(peak.to.trim()) && peak.to.trim() !== "24:00") return "A peak ends at an hour such as 18:00";
  return /^[A-Za-z0-9_+/-]+$/.test(peak.zone.trim()) ? "" : "Name a time zone such as Europe/Berlin";
}

export const holidaysFault = (draft: HoursDraft) => {
  const wrong = holidaysOf(draft).find(
    (day) => !/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(Date.parse(day)),
  );
  return wrong === undefined ? "" : `${wrong} is no day: write it as 2026-12-25`;
};

/** Why it cannot be saved, or "". */
export function faultOf(draft: HoursDraft, most: string): string {
  const off = [draft.offRunning, draft.offStopped, draft.offMin, draft.offBack];
  const has = draft.peaks.length > 0;
  const kept = Math.max(...off.slice(0, 3).map(Number));
  return (
    idleFault(draft.idle) ||
    shutDownFault(draft.shutDown) ||
    warnFault(draft.warn) ||
    (!has
      ? ""
      : draft.peaks.map(peakFault).find(Boolean) ||
        holidaysFault(draft) ||
        aheadFault(draft.ahead) ||
        off.map(countFault).find(Boolean) ||
        (kept > Number(most) ? "Off peak it cannot keep more ready than it may hold" : "") ||
        (draft.differs ? idleFault(draft.offIdle) || shutDownFault(draft.offShutDown) : ""))
  );
}

/** `Mon–Fri 08:00–18:00 in Europe/Berlin`. */
export function peakWords(peak: PeakDraft): string {
  const runs: string[] = [];
  for (let day = 0; day < 7; ) {
    let last = day;
    while (last < 7 && peak.days[last]) last++;
    const [first, end] = [DAY_NAMES[day], DAY_NAMES[last - 1]];
    if (last - day >= 3) runs.push(`${first}–${end}`);
    else for (let one = day; one < last; one++) runs.push(`${DAY_NAMES[one]}`);
    day = Math.max(last, day + 1);
  }
  const next = peak.to <= peak.from ? " the next day" : "";
  return `${runs.join(", ")} ${peak.from}–${peak.to}${next} in ${peak.zone}`;
}

const minutes = (typed: string) => (typed.trim() === "1" ? "a minute" : `${typed.trim()} minutes`);

function spareWords(running: string, stopped: string, min: string): string {
  const parts = [
    running === "0"
      ? "no desktop runs as a spare"
      : `${running} ${running === "1" ? "runs" : "run"} as spares`,
    stopped === "0" ? "" : `${stopped} ${stopped === "1" ? "is" : "are"} made and off`,
    min === "0" ? "" : `there are at least ${min}`,
  ];
  return parts.filter(Boolean).join(", ");
}

/** What saving comes to, a sentence each; of a draft without a fault. `size`: null for external machines. */
export function consequences(draft: HoursDraft, size: SizeDraft | null): string[] {
  const or = (typed: string, peak: string) => typed.trim() || peak.trim();
  const said: string[] = [];
  if (draft.peaks.length > 0) {
    const at = draft.peaks.map(peakWords).join("; ");
    const days = holidaysOf(draft).length;
    const other =
      days > 0
        ? `At other hours, and on ${days === 1 ? "one holiday" : `${days} holidays`}`
        : "At other hours";
    if (size) {
      const off = spareWords(
        or(draft.offRunning, size.running),
        or(draft.offStopped, size.stopped),
        or(draft.offMin, size.min),
      );
      said.push(`${at}: ${spareWords(size.running, size.stopped, size.min)}.`, `${other}: ${off}.`);
      if (draft.ahead !== "0") said.push(`Spares for a peak are begun ${minutes(draft.ahead)} before it.`);
    } else said.push(`${at}: peak.`, `${other}: off peak.`);
  }
  const varies = draft.differs && draft.peaks.length > 0;
  const stage = (at: string, off: string, says: (after: string) => string, never: string) => {
    const [atPeak, offPeak] = [at.trim(), varies ? off.trim() : at.trim()];
    if (atPeak === offPeak) {
      if (atPeak) said.push(says(minutes(atPeak)));
    } else if (!offPeak) said.push(`${says(minutes(atPeak))} Off peak ${never}.`);
    else if (!atPeak) {
      const sentence = says(minutes(offPeak));
      said.push(`Off peak only: ${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`);
    } else said.push(says(`${minutes(atPeak)} (off peak ${minutes(offPeak)})`));
  };
  stage(
    draft.idle,
    draft.offIdle,
    (after) =>
      `Whoever touches no key and no pointer for ${after} is disconnected${
        draft.warn === "0" ? "" : `, and told ${draft.warn} seconds before`
      }; what they have open goes on.`,
    "nobody is",
  );
  stage(
    draft.shutDown,
    draft.offShutDown,
    (after) =>
      size
        ? `A desktop that nobody is connected to for ${after} is shut down: what was not saved in it is lost, and it stays its person's.`
        : `A machine behind a device is shut down when its last connection ended ${after} ago: its power button is pressed, and what was not saved may be lost.`,
    "none is",
  );
  if (size && size.kind !== "dedicated") {
    const off = draft.peaks.length > 0 ? draft.offBack.trim() : "";
    const after =
      off && off !== size.back ? `${minutes(size.back)} (off peak ${minutes(off)})` : minutes(size.back);
    said.push(
      size.kind === "floating"
        ? `A desktop that nobody is connected to for ${after} is wiped for the next person.`
        : `A desktop that nobody is connected to for ${after} is deleted with all that is in it.`,
    );
  }
  if (said.length === 0) said.push("The same at every hour, and nothing happens to who does nothing.");
  return said;
}
