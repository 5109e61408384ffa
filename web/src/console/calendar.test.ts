import { expect, test } from "vitest";
import { daysLater, mondayOf, weekOf } from "./calendar";

const MONDAY = new Date(2026, 10, 30);
const HOUR = 3_600_000;
const booking = (id: string, from: number, to: number) => ({
  id,
  person: { id: "p", name: "mira" },
  pool: { id: "q", name: "lab" },
  from: new Date(MONDAY.getTime() + from * HOUR).toISOString(),
  to: new Date(MONDAY.getTime() + to * HOUR).toISOString(),
  priority: 0,
  firm_from: MONDAY.toISOString(),
  displaced: null as string | null,
});

test("weeks begin on Mondays", () => {
  expect(mondayOf(new Date(2026, 10, 30, 10, 20))).toEqual(MONDAY);
  expect(mondayOf(new Date(2026, 11, 6, 23, 59))).toEqual(MONDAY);
  expect(mondayOf(new Date(2026, 11, 7))).toEqual(daysLater(MONDAY, 7));
  expect(daysLater(MONDAY, 7)).toEqual(new Date(2026, 11, 7));
});

test("what is at the same time stands side by side", () => {
  const [monday] = weekOf(MONDAY, [
    booking("a", 6, 12),
    booking("b", 9, 12),
    booking("c", 11, 18),
    booking("d", 12, 15),
    booking("e", 18, 24),
  ]);
  const seen = monday?.blocks.map(({ booking, top, height, lane, lanes }) => [
    booking.id,
    top * 24,
    height * 24,
    `${lane}/${lanes}`,
  ]);
  expect(seen).toEqual([
    ["a", 6, 6, "0/3"],
    ["b", 9, 3, "1/3"],
    ["c", 11, 7, "2/3"],
    // In the place of the first, which is over.
    ["d", 12, 3, "0/3"],
    ["e", 18, 6, "0/1"],
  ]);
});

test("what keeps nothing any more takes no room", () => {
  const lost = { ...booking("a", 6, 12), displaced: MONDAY.toISOString() };
  const [monday] = weekOf(MONDAY, [lost, booking("b", 6, 12)]);
  expect(monday?.blocks.map(({ booking, lanes }) => [booking.id, lanes])).toEqual([["b", 1]]);
});

test("a booking over midnight is in both days, and others' weeks are not in this one", () => {
  const week = weekOf(MONDAY, [booking("a", 22, 26), booking("b", -5, 0), booking("c", 168, 170)]);
  expect(week.map(({ blocks }) => blocks.length)).toEqual([1, 1, 0, 0, 0, 0, 0]);
  expect(week[1]?.blocks[0]).toMatchObject({ top: 0, height: 2 / 24, lane: 0, lanes: 1 });
});
