import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { bars, draftOf, faultOf, KINDS, limitsOf, OF_POOL, summary } from "./quota";

test("what is edited is what was set", () => {
  const limits: Schemas["QuotaLimit"][] = [
    { kind: "desktops", most: 2 },
    { kind: "memory", most: 1.5 * 2 ** 30 },
    { kind: "gpus", most: null },
    { kind: "disk_gib", most: 50 },
  ];
  expect(draftOf(limits)).toEqual({ desktops: "2", memory: "1.5", gpus: "unlimited", disk_gib: "50" });
  expect(limitsOf(draftOf(limits), KINDS)).toEqual(limits);
  expect(limitsOf({ desktops: " ", running: "0" }, KINDS)).toEqual([{ kind: "running", most: 0 }]);
  expect(limitsOf({ desktops: "1", per_person: "3" }, OF_POOL)).toEqual([{ kind: "per_person", most: 3 }]);
  expect(summary(limits)).toBe("2 desktops, 1.5 GiB of memory, any number of GPUs, 50 GiB of personal disks");
});

test("what is booked is limited, too", () => {
  const limits: Schemas["QuotaLimit"][] = [
    { kind: "bookings", most: 2 },
    { kind: "booking_hours", most: 8 },
    { kind: "booking_days", most: null },
    { kind: "booking_priority", most: 5 },
    { kind: "booking_notice", most: null },
  ];
  expect(limitsOf(draftOf(limits), OF_POOL)).toEqual(limits);
  expect(limitsOf(draftOf(limits), KINDS)).toEqual(limits);
  expect(summary(limits)).toBe(
    "2 bookings, bookings of 8 hours, bookings any time ahead, bookings of priority 5, bookings that give way to none",
  );
});

test("faults are said", () => {
  expect(faultOf("desktops", "")).toBe("");
  expect(faultOf("desktops", "unlimited")).toBe("");
  expect(faultOf("desktops", "1.5")).toContain("whole");
  expect(faultOf("memory", "1.5")).toBe("");
  expect(faultOf("cpus", "-1")).toContain("0 or more");
  expect(faultOf("cpus", "many")).toContain("0 or more");
});

test("bars are of what is limited, and say by whom", () => {
  const group = { id: "g", name: "artists" };
  const standing: Schemas["QuotaStanding"] = {
    person: { id: "u", name: "ada" },
    uses: [
      { kind: "desktops", held: 2, most: 2, by: "group", group },
      { kind: "running", held: 1, most: null, by: null, group: null },
      { kind: "memory", held: 2 ** 31, most: 2 ** 32, by: "user", group: null },
      { kind: "disk_gib", held: 20, most: 50, by: "everyone", group: null },
    ],
    pools: [{ pool: { id: "p", name: "studio" }, held: 1, most: 3 }],
  };
  expect(bars(standing).map((bar) => [bar.label, bar.text, bar.by])).toEqual([
    ["desktops", "2 of 2 desktops", "limit of the group artists"],
    ["memory", "2 of 4 GiB of memory", "own limit"],
    ["personal disks", "20 of 50 GiB of personal disks", "everyone's limit"],
    ["desktops of studio", "1 of 3 desktops", "the pool's limit"],
  ]);
  expect(bars({ ...standing, uses: [], pools: [] })).toEqual([]);
});
