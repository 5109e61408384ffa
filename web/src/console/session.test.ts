import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { latencyWords, messageFault, PHASES, share, span, whole } from "./session";

const AT = "2026-11-30T10:00:00Z";
const phase = (kind: Schemas["SessionPhaseKind"], seconds: number | null) => ({ kind, at: AT, seconds });
const trips = (...all: number[]) => all.map((ms) => ({ at: AT, ms }));

test("spans are said as people say them", () => {
  expect([0, 0.04, 0.57, 1, 9.94, 9.96, 28.2, 59.6, 125, 12_000].map(span)).toEqual([
    "0 s",
    "0 s",
    "0.6 s",
    "1 s",
    "9.9 s",
    "10 s",
    "28 s",
    "1 min 0 s",
    "2 min 5 s",
    "3 h 20 min",
  ]);
});

test("a log-on is the sum of its parts", () => {
  const log_on = [phase("opened", null), phase("signed_in", 1.5), phase("first_picture", 0.5)];
  expect(whole(log_on)).toBe(2);
  expect(log_on.map((one) => share(one, log_on))).toEqual([0, 0.75, 0.25]);
  expect(whole([phase("opened", null)])).toBeNull();
  expect(share(phase("opened", null), [])).toBe(0);
  expect(Object.values(PHASES).every(Boolean)).toBe(true);
});

test("how far away somebody is", () => {
  expect(latencyWords([])).toBe("");
  expect(latencyWords(trips(20, 25, 240, 22))).toBe("Now 22 ms, mostly 25 ms (near), at worst 240 ms.");
  expect(latencyWords(trips(200, 300))).toContain("typing lags");
});

test("a message fits into a banner", () => {
  expect([messageFault(""), messageFault("Save your work"), messageFault("ä".repeat(500))]).toEqual([
    "",
    "",
    "",
  ]);
  expect(messageFault("x".repeat(501))).toContain("these are 501");
});
