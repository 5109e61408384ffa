import { expect, test } from "vitest";
import { here, refusal } from "./elsewhere";

test("an old refusal does not come along", () => {
  expect(here({ pathname: "/", search: "" })).toBe("/");
  expect(here({ pathname: "/", search: "?refused=not_let_in" })).toBe("/");
  expect(here({ pathname: "/users", search: "?tab=groups&refused=x" })).toBe("/users?tab=groups");
  expect(here({ pathname: "/", search: "?next=%2Fviewer%2F%3Fdesktop%3D1" })).toBe(
    "/?next=%2Fviewer%2F%3Fdesktop%3D1",
  );
});

test("refusals are said in our own words only", () => {
  expect(refusal("")).toBe(null);
  expect(refusal("?refused=provider_denied")?.[0]).toBe("You were not signed in there");
  for (const odd of ["?refused=", "?refused=<b>", "?refused=constructor"])
    expect(refusal(odd)?.[0]).toBe("You were not signed in");
});
