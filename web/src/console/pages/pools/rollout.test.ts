import { expect, test } from "vitest";
import type { Schemas } from "../../../api/client";
import { bar, brief, isShare, othersOf, spanFault, whenFault } from "./rollout";

const COUNT = { new: 3, on_their_way: 1, failed: 0, old: 0, waiting: 2, kept: 0 };

const rollout = (more: Partial<Schemas["Rollout"]> = {}) =>
  ({
    from: { id: "1", name: "debian", version: 1 },
    to: { id: "2", name: "debian", version: 2 },
    state: "rest",
    is_open: true,
    is_paused: false,
    is_rollback: false,
    count: COUNT,
    failures: [],
    ...more,
  }) as unknown as Schemas["Rollout"];

test("the bar has only the parts that there are", () => {
  expect(bar(COUNT).map((part) => [part.is, part.count])).toEqual([
    ["new", 3],
    ["coming", 1],
    ["waiting", 2],
  ]);
  expect(bar({ ...COUNT, new: 0, on_their_way: 0, waiting: 0 })).toEqual([]);
});

test("a list says what goes on, and what stopped", () => {
  expect(brief(rollout())).toBe("version 1 → 2: 3 of 6");
  expect(brief(rollout({ is_paused: true }))).toBe("version 1 → 2: 3 of 6, paused");
  expect(brief(rollout({ is_rollback: true }))).toBe("back to version 2: 3 of 6");
  expect(brief(rollout({ state: "done", is_open: false }))).toBe("");
  expect(brief(rollout({ state: "stopped", is_open: false }))).toBe("version 2 stopped: 0 failures");
});

test("versions are others of the same image that are ready", () => {
  const image = (id: string, name: string, version: number, state = "ready") =>
    ({ id, name, version, state }) as unknown as Schemas["Image"];
  const all = [
    image("1", "debian", 1),
    image("2", "debian", 2),
    image("3", "debian", 3),
    image("4", "debian", 4, "retired"),
    image("5", "windows", 9),
  ];
  expect(othersOf(all, { id: "2", name: "debian", version: 2 }).map((one) => one.version)).toEqual([3, 1]);
  expect(othersOf(all, null)).toEqual([]);
});

test("what the server would refuse is refused here", () => {
  for (const right of ["0", "3", "10%", "100%", " 5 "]) expect(isShare(right), right).toBe(true);
  for (const wrong of ["", "x", "101%", "-1", "1.5", "%"]) expect(isShare(wrong), wrong).toBe(false);
  expect([spanFault("0"), spanFault("10080")]).toEqual(["", ""]);
  expect(spanFault("10081")).not.toBe("");
  expect([whenFault(""), whenFault("2026-12-01 22:00")]).toEqual(["", ""]);
  expect(whenFault("tomorrow evening")).not.toBe("");
});
