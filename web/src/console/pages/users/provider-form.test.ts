import { expect, test } from "vitest";
import type { Schemas } from "../../../api/client";
import { draftOf, faultOf, goesElsewhere, settingsOf } from "./provider-form";

const LAB: Schemas["Provider"] = {
  id: "1",
  name: "Lab",
  enabled: true,
  settings: {
    issuer: "https://id.lab/realms/lab",
    client_id: "oriel",
    pin: "ab".repeat(32),
    scopes: ["profile", "groups"],
    groups_claim: "realm_access.roles",
    only_mapped: true,
    groups: [{ value: "artists", group: "7" }],
    roles: [{ value: "admins", role: "admin" }],
    ask_again: true,
    factor_acr: [],
    factor_amr: ["otp", "hwk"],
  },
  has_secret: true,
  people: 3,
  callback_path: "/api/v1/sign-in/oidc/1/callback",
  created_at: "2026-11-29T00:00:00Z",
};

test("what came goes back as it was", () => {
  expect(settingsOf(draftOf(LAB))).toEqual({ ...LAB.settings, ca: undefined, name_claim: undefined });
  expect(faultOf(draftOf(LAB), LAB)).toBe("");
});

test("a secret is asked again for whoever else would get it", () => {
  expect(goesElsewhere(draftOf(LAB), LAB)).toBe(false);
  expect(goesElsewhere({ ...draftOf(LAB), scopes: "profile" }, LAB)).toBe(false);
  for (const change of [{ issuer: "https://other.lab" }, { clientId: "x" }, { trust: "system" as const }]) {
    const draft = { ...draftOf(LAB), ...change };
    expect(goesElsewhere(draft, LAB)).toBe(true);
    expect(faultOf(draft, LAB)).toBe("Type the client's secret again");
    expect(faultOf({ ...draft, secret: "secret" }, LAB)).toBe("");
  }
});

test("what is missing is said in order", () => {
  let draft = draftOf();
  for (const [fault, more] of [
    ["Give it a name", { name: "Lab" }],
    ["The issuer is an address: https://…", { issuer: "id.lab" }],
    ["The issuer is an address: https://…", { issuer: "https://id.lab" }],
    ["Say who Oriel is there", { clientId: "oriel" }],
    ["", { trust: "ca" }],
    ["Paste the CA", { trust: "pin" }],
    ["Paste the certificate's SHA-256", { trust: "system", roles: [{ ours: "admin", dn: " " }] }],
    ["A mapping has both sides", {}],
  ] as const) {
    expect(faultOf(draft)).toBe(fault);
    draft = { ...draft, ...(more as object) };
  }
});
