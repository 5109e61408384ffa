import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { desktop, house } from "../testing/fixture.mjs";
import { isMoving, whyNot } from "./can";

type Desktop = Schemas["Desktop"];
const pool = house("admin").pools[0];
const at = (state: Desktop["state"]): Desktop => desktop("studio-1", pool, null, { state });

test("a stopped desktop is opened by starting it; its shell waits", () => {
  expect(whyNot.open(at("stopped"))).toBe("");
  expect(whyNot.stop(at("stopped"))).not.toBe("");
  expect(whyNot.start(at("stopped"))).toBe("");
});

test("what is made into an image is left alone meanwhile", () => {
  expect([whyNot.capture(at("ready")), whyNot.capture(at("stopped"))]).toEqual(["", ""]);
  expect(whyNot.capture(at("starting"))).not.toBe("");
  expect(whyNot.capture({ ...at("ready"), host: "cloud:lab" })).toContain("cloud");
  const held: Desktop = { ...at("stopped"), intent: "capture" };
  expect([whyNot.open(held), whyNot.start(held), isMoving(held)]).toEqual([
    "It is being made into an image",
    "It is being made into an image",
    true,
  ]);
});

test("while it starts, the console can be watched from power-on and the shell says why not", () => {
  expect(whyNot.console(at("provisioning"))).not.toBe("");
  expect(whyNot.console(at("starting"))).toBe("");
  expect(whyNot.shell({ ...at("starting"), step: "booting" })).toContain("booting");
});

test("a failed desktop can be started, recycled and deleted, but not opened", () => {
  expect(whyNot.open(at("failed"))).not.toBe("");
  expect([whyNot.start(at("failed")), whyNot.recycle(at("failed")), whyNot.remove(at("failed"))]).toEqual([
    "",
    "",
    "",
  ]);
});

test("what changes by itself is looked at often", () => {
  expect(
    (["requested", "starting", "stopping", "recycling", "deleting"] as const).every((s) => isMoving(at(s))),
  ).toBe(true);
  expect((["ready", "in_use", "stopped", "failed"] as const).some((s) => isMoving(at(s)))).toBe(false);
});
