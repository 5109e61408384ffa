import { describe, expect, test } from "vitest";
import { ago, bytes, count, memory, nameFault } from "./words";

describe("sizes", () => {
  test.each([
    [0, "0 KiB"],
    [512 * 1024, "512 KiB"],
    [1_478_000_000, "1.4 GiB"],
    [412_000_000_000, "384 GiB"],
    [3 * 1024 ** 4, "3 TiB"],
  ])("%d bytes are %s", (given, said) => expect(bytes(given)).toBe(said));
  test("memory is given in MiB", () => {
    expect(memory(2048)).toBe("2 GiB");
    expect(memory(768)).toBe("768 MiB");
  });
});

describe("times", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  test.each([
    ["2026-11-22T11:59:58Z", "just now"],
    ["2026-11-22T11:59:20Z", "40 seconds ago"],
    ["2026-11-22T11:18:00Z", "42 minutes ago"],
    ["2026-11-20T12:00:00Z", "2 days ago"],
    ["2026-12-02T12:00:01Z", "in 10 days"],
    ["not a time", "never"],
    [null, "never"],
  ])("%s is %s", (at, said) => expect(ago(at, now)).toBe(said));
});

test("one and many", () => {
  expect(count(1, "desktop")).toBe("1 desktop");
  expect(count(0, "person", "people")).toBe("0 people");
});

test("names follow the server's rule", () => {
  for (const good of ["", "a", "studio-1", "x9", "a".repeat(40)]) expect(nameFault(good)).toBe("");
  for (const bad of ["-a", "a-", "a--b", "A", "1a", "../etc", "a/b", "a.b", "a b", "ä", "a".repeat(41)])
    expect(nameFault(bad)).not.toBe("");
});
