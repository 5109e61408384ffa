import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { FAILURES, lineOf, placeOf, short, spares, sparesWords } from "./dashboard";

const pool = (name: string, numbers: Partial<Schemas["DashboardPool"]>): Schemas["DashboardPool"] => ({
  id: name,
  name,
  kind: "floating",
  desktops: 4,
  desktops_max: 10,
  in_use: 1,
  running: 3,
  failed: 0,
  running_spares: 2,
  running_spares_wanted: 2,
  stopped_spares: 0,
  stopped_spares_wanted: 0,
  ...numbers,
});
const now: Schemas["DashboardPoint"] = {
  at: "2026-11-30T10:00:00Z",
  in_use: 1,
  running: 3,
  desktops: 4,
  failed: 0,
  spares: 2,
  spares_wanted: 2,
  gpu_units: 0,
};

test("every failure leads somewhere", () => {
  for (const kind of Object.keys(FAILURES) as Array<Schemas["DashboardFailureKind"]>) {
    expect(placeOf({ kind, id: "7", name: "x", reason: "y", at: null })).toMatch(/^\//);
  }
  const of = (kind: Schemas["DashboardFailureKind"]) =>
    placeOf({ kind, id: "7", name: "", reason: "", at: null });
  expect([of("operation"), of("machine")]).toEqual(["/operations?id=7", "/pools/7"]);
});

test("spares against what is wanted", () => {
  expect([spares(0, 0), spares(0, 2), spares(3, 2)]).toEqual(["–", "0 of 2", "3 of 2"]);
  const lacking = pool("render", { stopped_spares_wanted: 1 });
  expect(short([pool("studio", {}), lacking])).toEqual([lacking]);
  expect(sparesWords({ now, pools: [lacking] })).toBe("1 pool with too few");
  expect(sparesWords({ now, pools: [pool("studio", {})] })).toBe("as pools want them");
  expect(sparesWords({ now: { ...now, spares_wanted: 0 }, pools: [] })).toBe("no pool wants any");
});

test("a line of the history", () => {
  expect(lineOf([now], "running")).toEqual([{ at: Date.parse(now.at), value: 3 }]);
});
