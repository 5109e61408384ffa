import { expect, test } from "vitest";
import type { Schemas } from "../../../api/client";
import { draftOf, faultOf, goesElsewhere, settingsOf } from "./directory-form";

const LAB: Schemas["Directory"] = {
  id: "1",
  name: "lab",
  enabled: true,
  settings: {
    kind: "active_directory",
    url: "ldap://dc.lab:1389",
    start_tls: true,
    plain: false,
    pin: "ab".repeat(32),
    bind_dn: "cn=oriel,dc=lab",
    base: "dc=lab",
    only_mapped: true,
    groups: [{ dn: "cn=artists,dc=lab", group: "7" }],
    roles: [{ dn: "cn=admins,dc=lab", role: "admin" }],
  },
  has_password: true,
  people: 3,
  created_at: "2026-11-29T00:00:00Z",
};

test("what came goes back as it was", () => {
  expect(settingsOf(draftOf(LAB))).toEqual({
    ...LAB.settings,
    ca: undefined,
    template: undefined,
    user_filter: undefined,
    group_base: undefined,
  });
  expect(faultOf(draftOf(LAB), LAB)).toBe("");
});

test("a password is asked again for whoever else would get it", () => {
  expect(goesElsewhere(draftOf(LAB), LAB)).toBe(false);
  expect(goesElsewhere({ ...draftOf(LAB), userFilter: "(uid={name})" }, LAB)).toBe(false);
  for (const change of [{ address: "other.lab" }, { safety: "tls" as const }, { bindDn: "cn=x,dc=lab" }]) {
    const draft = { ...draftOf(LAB), ...change };
    expect(goesElsewhere(draft, LAB)).toBe(true);
    expect(faultOf(draft, LAB)).toBe("Type the account's password");
    expect(faultOf({ ...draft, password: "secret" }, LAB)).toBe("");
  }
});

test("what is missing is said in order", () => {
  let draft = draftOf();
  for (const [fault, more] of [
    ["Give it a name", { name: "lab" }],
    ["Say where it is", { address: "ldaps://dc.lab" }],
    ["The address is a host, and perhaps a port", { address: "dc.lab" }],
    ["Say below which name people are", { base: "dc=lab" }],
    ["Say who looks people up", { bindDn: "cn=oriel,dc=lab" }],
    ["Type the account's password", { password: "secret" }],
    ["", { roles: [{ ours: "admin", dn: "admins" }] }],
    ["A mapping has both sides, and the directory's is a distinguished name", {}],
  ] as const) {
    expect(faultOf(draft as never)).toBe(fault);
    draft = { ...draft, ...(more as object) };
  }
  expect(settingsOf(draft).url).toBe("ldaps://dc.lab");
});

test("fields that are not asked are not sent", () => {
  const plain = settingsOf({ ...draftOf(LAB), safety: "plain", ca: "x", trust: "ca" });
  expect([plain.ca, plain.pin, plain.plain]).toEqual([undefined, undefined, true]);
  const template = settingsOf({ ...draftOf(LAB), finding: "template", template: "{name}@lab" });
  expect([template.bind_dn, template.template]).toEqual([undefined, "{name}@lab"]);
});
