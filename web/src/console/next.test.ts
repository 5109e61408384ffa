import { describe, expect, it } from "vitest";
import { nextAfterSignIn } from "./next";

const HERE = "https://oriel.example";
const next = (path: string) => nextAfterSignIn(`?next=${encodeURIComponent(path)}`, HERE);

describe("where to go after signing in", () => {
  it("is the viewer that sent us here", () => {
    expect(next("/viewer/?desktop=01a2&kind=rdp")).toBe("/viewer/?desktop=01a2&kind=rdp");
  });
  it("is the invitation that sent us here", () => {
    expect(next("/join/0E_B7?kind=vnc")).toBe("/join/0E_B7?kind=vnc");
    expect(next("/join/../pools")).toBeNull();
    expect(next("/join")).toBeNull();
  });
  it("is nowhere else", () => {
    for (const path of [
      "",
      "/",
      "/pools",
      "//elsewhere.example/viewer/",
      "https://elsewhere.example/viewer/",
      "https://oriel.example/viewer/",
      "javascript:alert(1)",
      "/viewer",
      "/viewer/../pools",
      "/viewer/%2e%2e/api/v1/me",
      "/viewer/..\\..\\pools",
      "\\\\elsewhere.example\\viewer\\",
    ]) {
      expect(next(path), path).toBeNull();
    }
    expect(nextAfterSignIn("", HERE)).toBeNull();
  });
});
