import { expect, test } from "vitest";
import {
  consequences,
  draftOf,
  faultOf,
  freshPeak,
  type HoursDraft,
  hoursOf,
  leavingOf,
  NO_HOURS,
  peakFault,
  peakOf,
  peakWords,
} from "./hours";
import { FRESH_SIZE } from "./Spares";

const HOURS = {
  peaks: ["mon,tue,wed,thu,fri 08:00-18:00 Europe/Berlin", "sat 22:00-06:00 UTC"],
  holidays: ["2026-12-25", "2027-01-01"],
  start_ahead_minutes: 30,
  off_peak: { min: null, running_spares: 0, stopped_spares: 4, return_minutes: null },
};
const LEAVING = {
  idle_minutes: 30,
  shut_down_minutes: null,
  warn_seconds: 120,
  off_peak: { idle_minutes: null, shut_down_minutes: 15 },
};
const floating = { ...FRESH_SIZE, kind: "floating" as const, running: "2" };

test("what a pool has goes through the form unchanged", () => {
  const draft = draftOf(HOURS, LEAVING);
  expect(hoursOf(draft)).toEqual(HOURS);
  expect(leavingOf(draft)).toEqual(LEAVING);
  expect(faultOf(draft, "10")).toBe("");
  // Ranges are the API's way of writing the same days.
  expect(peakOf("mon-wed,sun 00:00-24:00 UTC").days).toEqual([true, true, true, false, false, false, true]);
  const usual = { ...LEAVING, idle_minutes: null, warn_seconds: 60, off_peak: null };
  const nothing = { min: null, return_minutes: null, running_spares: null, stopped_spares: null };
  const none = { ...HOURS, peaks: [], holidays: [], start_ahead_minutes: 15, off_peak: nothing };
  expect(draftOf(none, usual)).toEqual(NO_HOURS);
});

test("what is off peak goes with the last peak", () => {
  const draft: HoursDraft = { ...draftOf(HOURS, LEAVING), peaks: [] };
  expect(hoursOf(draft).off_peak?.running_spares).toBeNull();
  expect(leavingOf(draft).off_peak).toBeNull();
});

test("what cannot be saved is said", () => {
  const draft = draftOf(HOURS, LEAVING);
  const fault = (part: Partial<HoursDraft>) => faultOf({ ...draft, ...part }, "3");
  expect(fault({})).toMatch(/more ready than it may hold/);
  expect(fault({ offStopped: "1" })).toBe("");
  expect(fault({ offStopped: "-1" })).toMatch(/whole number/);
  expect(fault({ offStopped: "", idle: "0" })).toMatch(/1 to 10080/);
  expect(fault({ offStopped: "", shutDown: "2000" })).toMatch(/1 to 1440/);
  expect(fault({ offStopped: "", warn: "" })).toMatch(/seconds/);
  expect(fault({ offStopped: "", ahead: "300" })).toMatch(/240/);
  expect(fault({ offStopped: "", holidays: "2026-12-25 christmas" })).toMatch(/christmas is no day/);
  const peak = freshPeak();
  expect(peakFault(peak)).toBe("");
  expect(peakFault({ ...peak, days: peak.days.map(() => false) })).toBe("Tick a day");
  expect(peakFault({ ...peak, from: "8" })).toMatch(/begins/);
  expect(peakFault({ ...peak, to: "24:30" })).toMatch(/ends/);
  expect(peakFault({ ...peak, zone: "here, there" })).toMatch(/time zone/);
});

test("consequences are said before they are saved", () => {
  expect(consequences(NO_HOURS, FRESH_SIZE)).toEqual([
    "The same at every hour, and nothing happens to who does nothing.",
  ]);
  expect(consequences(draftOf(HOURS, LEAVING), floating)).toEqual([
    "Mon–Fri 08:00–18:00 in Europe/Berlin; Sat 22:00–06:00 the next day in UTC: 2 run as spares.",
    "At other hours, and on 2 holidays: no desktop runs as a spare, 4 are made and off.",
    "Spares for a peak are begun 30 minutes before it.",
    "Whoever touches no key and no pointer for 30 minutes is disconnected, and told 120 seconds before; what they have open goes on. Off peak nobody is.",
    "Off peak only: a desktop that nobody is connected to for 15 minutes is shut down: what was not saved in it is lost, and it stays its person's.",
    "A desktop that nobody is connected to for 5 minutes is wiped for the next person.",
  ]);
  const idle = { ...LEAVING, off_peak: { idle_minutes: 5, shut_down_minutes: null } };
  expect(consequences(draftOf({ ...HOURS, holidays: ["2026-12-25"] }, idle), null)).toEqual([
    "Mon–Fri 08:00–18:00 in Europe/Berlin; Sat 22:00–06:00 the next day in UTC: peak.",
    "At other hours, and on one holiday: off peak.",
    "Whoever touches no key and no pointer for 30 minutes (off peak 5 minutes) is disconnected, and told 120 seconds before; what they have open goes on.",
  ]);
  expect(peakWords(peakOf("mon,tue,thu 08:00-12:00 UTC"))).toBe("Mon, Tue, Thu 08:00–12:00 in UTC");
});
