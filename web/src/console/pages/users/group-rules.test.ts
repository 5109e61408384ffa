import { expect, test } from "vitest";
import { draftOf, faultOf, GROUP_RULES, policyOf, summary } from "./group-rules";

test("what is left to the pool stays out, and never is not nothing", () => {
  const policy = { clipboard_to_person: false, idle_lock_minutes: 0, sharing: "view", sound: true } as const;
  expect(policyOf(draftOf(policy))).toEqual(policy);
  expect(policyOf(draftOf({}))).toEqual({});
  expect(summary(policy)).toBe("no copy, sound, sharing to watch, never locks");
  expect(summary({ session_minutes_max: 60, clipboard_kib_max: 64 })).toBe(
    "clipboard to 64 KiB, ends after 60 min",
  );
  expect(summary({})).toBe("");
});

test("numbers have bounds", () => {
  const fault = (name: string, text: string) =>
    GROUP_RULES.filter((rule) => rule.name === name).map((rule) => faultOf(rule, text))[0];
  expect(fault("clipboard_kib_max", "0")).toContain("1 to 1024");
  expect(fault("idle_lock_minutes", "0")).toBe("");
  expect(fault("idle_lock_minutes", "10081")).toContain("0 to 10080");
  expect(fault("session_minutes_max", "")).toBe("");
});
