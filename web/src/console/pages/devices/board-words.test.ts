import { expect, test } from "vitest";
import { consoleWords, inDrives, startsFrom } from "./board-words";
import { presses } from "./power";

test("what a BMC says", () => {
  expect(inDrives({ id: "CD", kinds: ["CD", "DVD"], image: null, inserted: false })).toBe(
    "CD (CD, DVD): empty",
  );
  expect(inDrives({ id: "1", kinds: [], image: null, inserted: true })).toBe("1: something is in it");
  expect(startsFrom(null)).toContain("as its firmware is set");
  expect(startsFrom({ target: "Cd", once: true, sources: [] })).toContain("Cd once");
  expect(consoleWords({ kind: "serial", ways: ["SSH"], enabled: false })).toBe("serial by SSH, switched off");
});

test("only buttons that it has", () => {
  const of = presses({ kind: "redfish", actions: ["on", "off_hard"] });
  expect(of.map((one) => one.action)).toEqual(["on", "off_hard"]);
  expect(of[1]?.loses).not.toContain("button is held");
  // A device whose wires are not known keeps its buttons, which say why they cannot be pressed.
  expect(presses({ kind: "pikvm", actions: [] })).toHaveLength(4);
});
