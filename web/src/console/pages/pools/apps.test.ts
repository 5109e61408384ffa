import { expect, test } from "vitest";
import { base64Of, draftOf, faultOf, ICON_BYTES_MAX, iconFault, ownIconHref, runOf } from "./apps";

const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0]);

test("a program is one of two kinds, and only what it has is sent", () => {
  const draft = { ...draftOf(), name: "Ledger", program: " ||ledger ", arguments: "/year 2026" };
  expect(faultOf(draft)).toBe("");
  expect(runOf(draft)).toEqual({
    remote_app: null,
    initial_program: "||ledger",
    arguments: null,
    folder: null,
  });
  expect(runOf({ ...draft, kind: "remote" })).toEqual({
    remote_app: "||ledger",
    initial_program: null,
    arguments: "/year 2026",
    folder: null,
  });
  expect(faultOf({ ...draft, name: " " })).toBe("Give it a name");
  expect(faultOf({ ...draft, program: "" })).toBe("Say which program it is");
  const pool = { id: "p", name: "office" };
  const run = runOf({ ...draft, kind: "remote" });
  const again = draftOf({ id: "a", pool, name: "Ledger", run, created_at: "" });
  expect(again).toMatchObject({ kind: "remote", program: "||ledger", arguments: "/year 2026", icon: null });
});

test("an icon is a PNG, and not too large", () => {
  expect(iconFault(png)).toBe("");
  expect(iconFault(new TextEncoder().encode("<svg/>"))).toBe("It is no PNG");
  expect(iconFault(new Uint8Array(ICON_BYTES_MAX + 1))).toBe("It is larger than 64 KiB");
  expect(base64Of(png)).toBe("iVBORw0KGgoA");
  const app = { id: "a/b", pool: { id: "p", name: "office" }, name: "Ledger" };
  expect(ownIconHref(app)).toBeNull();
  expect(ownIconHref({ ...app, icon: "ab".repeat(32) })).toBe(
    "/api/v1/me/apps/a%2Fb/icon?v=abababababababab",
  );
});
