import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { eventsFault, eventsOf, standing, urlFault } from "./webhook";

test("operations are read as people write them", () => {
  expect(eventsOf(" change_pool, delete_*\nchange_pool ")).toEqual(["change_pool", "delete_*"]);
  expect(eventsOf("  ")).toEqual([]);
  expect([eventsFault(""), eventsFault("*"), eventsFault("delete_*, login")]).toEqual(["", "", ""]);
  expect(eventsFault("Change pool")).toContain("Change");
  expect(eventsFault("de*lete")).toContain("de*lete");
  const many = Array.from({ length: 51 }, (_, n) => `a${"b".repeat(n)}`).join(" ");
  expect(eventsFault(many)).toContain("at most 50");
});

test("addresses that are sent nothing are said before they are sent", () => {
  for (const good of ["", "https://log.example.org/x", "http://127.0.0.1:9000/", "http://localhost/"])
    expect(urlFault(good), good).toBe("");
  for (const bad of [
    "log.example.org",
    "http://log.example.org/",
    "ftp://x/",
    "https://me:secret@x.example/",
  ])
    expect(urlFault(bad), bad).not.toBe("");
});

test("how far one is", () => {
  const of = (more: Partial<Schemas["Webhook"]>) =>
    standing({ behind: 0, failures: 0, ...more } as Schemas["Webhook"]);
  expect([of({}).text, of({ behind: 3 }).text, of({ behind: 3, failures: 1 }).text]).toEqual([
    "Told everything",
    "3 to come",
    "Failed 1 time",
  ]);
});
