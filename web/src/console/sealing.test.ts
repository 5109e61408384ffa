import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { role, sealedWith, trouble, whyNotAnew } from "./sealing";

const key = (more: Partial<Schemas["SealKey"]>): Schemas["SealKey"] => ({
  key: "aaaaaaaaaaaaaaaa",
  here: true,
  seals: false,
  count: 0,
  of: [],
  ...more,
});
const fresh = key({ key: "bbbbbbbbbbbbbbbb", seals: true });
const old = key({ count: 1203, of: [{ what: "recordings", count: 1203 }] });
const program = { program: "oak:/srv", seals: fresh.key, keys: [fresh.key, old.key], seen_at: "" };
const secrets: Schemas["Secrets"] = { keys: [fresh, old], damaged: 0, programs: [program], operation: null };

test("a key says what it is for", () => {
  expect([fresh, old, key({}), key({ here: false, count: 1 })].map((one) => role(one).text)).toEqual([
    "Seals",
    "Opens",
    "Not needed",
    "Missing",
  ]);
  expect([sealedWith(old), sealedWith(fresh)]).toEqual(["1,203 of recordings", "Nothing is sealed with it"]);
});

test("everything is sealed anew only when all programs can open it", () => {
  expect(whyNotAnew(secrets)).toBe("");
  const behind = { ...program, program: "elm:/srv", keys: [old.key] };
  expect(whyNotAnew({ ...secrets, programs: [program, behind] })).toContain("elm:/srv");
  expect(whyNotAnew({ ...secrets, keys: [fresh, key({})] })).toContain("add another");
  expect(whyNotAnew({ ...secrets, keys: [] })).not.toBe("");
});

test("what cannot be opened is said", () => {
  expect(trouble(secrets)).toBe("");
  expect(trouble({ ...secrets, keys: [fresh, { ...old, here: false }] })).toContain("1203 secrets");
  expect(trouble({ ...secrets, damaged: 1 })).toContain("1 secret ");
});
