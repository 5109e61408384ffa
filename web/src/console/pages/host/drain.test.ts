import { expect, test } from "vitest";
import type { Schemas } from "../../../api/client";
import { consequences, drainFault, drainOf, standing } from "./drain";

const host = (more: Partial<Schemas["HostCount"]>): Schemas["HostStanding"] => ({
  name: "studio",
  kind: "host",
  maintenance: null,
  count: { desktops: 0, running: 0, used: 0, stays_off: 0, switched_off: 0, waits: 0, ...more },
  running: [],
});
const draft = { reason: "", minutes: "", force: false };

test("a deadline is whole minutes, and forces only with one", () => {
  for (const minutes of ["", "1", "43200"]) expect(drainFault({ ...draft, minutes })).toBe("");
  for (const minutes of ["0", "-1", "1.5", "43201", "soon"])
    expect(drainFault({ ...draft, minutes })).toContain("A deadline is");
  expect(drainOf({ reason: " new memory ", minutes: "120", force: true })).toEqual({
    reason: "new memory",
    deadline_seconds: 7200,
    force: true,
  });
  expect(drainOf({ ...draft, force: true })).toEqual({ reason: "", deadline_seconds: null, force: false });
});

test("what people will suffer is said before", () => {
  const busy = host({ running: 3, used: 1, switched_off: 1, waits: 2, stays_off: 4 });
  const lines = consequences(busy, { ...draft, minutes: "30", force: true });
  expect(lines[0]).toBe("1 desktop that runs for nobody: switched off at once.");
  expect(lines[1]).toBe("4 desktops that are off: not started until it is over.");
  expect(lines[2]).toContain("somebody inside 1: shut down after 30 minutes");
  expect(lines[3]).toContain("None is moved");
  expect(consequences(busy, draft)[2]).toContain("run until people leave");
  expect(consequences(host({}), draft)).toEqual(["Nothing stands there."]);
});

test("a host is drained when nothing runs there any more", () => {
  expect(standing(host({}))).toEqual({ text: "Open", tone: "green" });
  const maintenance = { reason: "", since: "2026-12-01T22:00:00Z", deadline: null, force: false };
  expect(standing({ ...host({ running: 2 }), maintenance }).text).toBe("Draining: 2 desktops left");
  expect(standing({ ...host({}), maintenance }).text).toBe("Drained");
});
