import { expect, it } from "vitest";
import { fits } from "./wall";

const tile = {
  id: "1",
  name: "rack-1",
  pool: { id: "2", name: "Basement" },
  connections: 0,
  power: { enabled: true, busy: false, on: false, disk: false },
  video: { running: true, signal: false, width: 0, height: 0, frames_per_second: 0 },
  failure: null,
  inside: null,
  port: null,
  kind: "pikvm" as const,
};

it("finds devices by name, pool and state", () => {
  for (const text of ["", "rack", "RACK base", "off", "dark rack-1", " off  dark "])
    expect(fits(tile, text), text).toBe(true);
  for (const text of ["on", "signal", "used", "trouble", "rack on", "attic", "constructor"])
    expect(fits(tile, text), text).toBe(false);
  expect(fits({ ...tile, power: null, failure: "it does not answer" }, "trouble")).toBe(true);
  expect(fits({ ...tile, power: null }, "off")).toBe(false);
});
