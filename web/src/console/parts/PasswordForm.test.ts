import { expect, test } from "vitest";
import { passwordFault } from "./PasswordForm";

test("the button says what is missing, in the order of the fields", () => {
  expect(passwordFault("", "", "")).toContain("password you have now");
  expect(passwordFault("old", "too short", "too short")).toContain("at least 10");
  expect(passwordFault("old", "x".repeat(201), "x".repeat(201))).toContain("at most 200");
  expect(passwordFault("old", "long enough for it", "long enough")).toContain("twice");
  expect(passwordFault("old", "long enough for it", "long enough for it")).toBe("");
});

test("length counts characters, not UTF-16 units", () => {
  expect(passwordFault("old", "🪟🪟🪟🪟🪟", "🪟🪟🪟🪟🪟")).toContain("at least 10");
});
