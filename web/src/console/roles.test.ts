import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { may, mayIn, whyNot } from "./roles";

const me = (more: Partial<Schemas["Me"]>): Schemas["Me"] => ({
  id: "1",
  name: "ada",
  role: "user",
  permissions: [],
  pools: [],
  directory: null,
  provider: null,
  must_change_password: false,
  locked: false,
  step: "done",
  may_remember: false,
  factors: [],
  csrf: "",
  ...more,
});

test("a pool admin's pools are theirs, and no others", () => {
  const ada = me({ role: "pool_admin", permissions: ["pools_write"], pools: ["ours"] });
  expect([mayIn(ada, "pools_write", "ours"), mayIn(ada, "pools_write", "theirs")]).toEqual([true, false]);
  expect(may(ada, "host_read")).toBe(false);
  const root = me({ role: "admin", permissions: ["pools_write"] });
  expect(mayIn(root, "pools_write", "theirs")).toBe(true);
});

test("buttons say why not", () => {
  expect(whyNot(me({ role: "auditor" }), "people_write")).toBe("Your role (auditor) does not include this");
  expect(whyNot(me({ role: "admin", permissions: ["people_write"] }), "people_write")).toBe("");
});
