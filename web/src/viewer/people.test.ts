import { expect, test } from "vitest";
import { enumerate, People, seatClass } from "./people";
import type { Person } from "./wire";

const person = (seat: number, name: string, control = false): Person => ({
  seat,
  kind: seat === 0 ? "owner" : "guest",
  control: control || seat === 0,
  may_control: true,
  here: true,
  name,
});

test("who watches is said in a few words", () => {
  const people = new People();
  expect(people.watching).toBe("");
  people.set(0, [person(0, "Ada"), person(1, "Ben")]);
  expect(people.watching).toBe("Ben watches");
  people.set(0, [person(0, "Ada"), person(1, "Ben", true), person(2, "Cleo"), person(3, "Dan")]);
  expect(people.watching).toBe("Ben controls, Cleo and Dan watch");
  expect(people.others.map(({ name }) => name)).toEqual(["Ben", "Cleo", "Dan"]);
  expect(people.named(2)).toBe("Cleo");
  people.set(2, people.list);
  expect(people.me?.name).toBe("Cleo");
});

test("a seat has one of nine colours", () => {
  expect([0, 1, 8, 9, 16, 255].map(seatClass)).toEqual([
    "seat-0",
    "seat-1",
    "seat-8",
    "seat-1",
    "seat-8",
    "seat-7",
  ]);
});

test("many names are counted", () => {
  expect(enumerate(["a", "b", "c"])).toBe("a, b and 1 other");
  expect(enumerate(["a", "b", "c", "d"])).toBe("a, b and 2 others");
});
