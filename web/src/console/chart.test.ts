import { expect, test } from "vitest";
import { gist, HEIGHT, lineOf, marksOf, topOf, WIDTH } from "./chart";

const HOUR = 3_600_000;
const frame = { from: 0, to: 10 * HOUR, top: 10 };

test("the top is round and above everything", () => {
  expect([0, 3, 4, 5, 7, 10, 11, 26, 41, 99, 101, 4200].map((most) => topOf(most))).toEqual([
    4, 4, 4, 5, 8, 10, 15, 30, 50, 100, 150, 5000,
  ]);
  expect(topOf(0.2, 0.1)).toBe(1);
});

test("a line goes through its points, and stops where nothing is known", () => {
  const point = (hour: number, value: number) => ({ at: hour * HOUR, value });
  const { line, area } = lineOf([point(0, 0), point(1, 10), point(2, 5), point(8, 1)], frame, HOUR);
  expect(line).toBe(`M0 ${HEIGHT}L60 0L120 60M480 108h3`);
  expect(area).toBe(
    `M0 ${HEIGHT}L0 ${HEIGHT}L60 0L120 60L120 ${HEIGHT}ZM480 ${HEIGHT}L480 108L480 ${HEIGHT}Z`,
  );
  // What lies outside is not drawn, and what is too high ends at the top.
  expect(lineOf([point(-1, 3), point(10, 99), point(11, 3)], frame, HOUR).line).toBe(`M${WIDTH} 0h3`);
  expect(lineOf([], frame, HOUR)).toEqual({ line: "", area: "" });
});

test("hours or days stand below", () => {
  const from = new Date(2026, 10, 29, 10, 20).getTime();
  const day = marksOf({ from, to: from + 24 * HOUR, top: 1 });
  expect(day.map(({ text }) => text)).toEqual(["12:00", "18:00", "00:00", "06:00"]);
  expect(day.every(({ part }) => part > 0 && part < 1)).toBe(true);
  expect(marksOf({ from, to: from + HOUR, top: 1 }).map(({ text }) => text)).toEqual([
    "10:30",
    "10:45",
    "11:00",
    "11:15",
  ]);
  const week = marksOf({ from, to: from + 192 * HOUR, top: 1 });
  expect(week.map(({ text }) => text)).toEqual(["30 Mon", "2 Wed", "4 Fri", "6 Sun"]);
});

test("what is heard of a line", () => {
  expect(gist([])).toBeNull();
  const values = [3, 9, 1].map((value, at) => ({ at, value }));
  expect(gist(values)).toEqual({ most: 9, least: 1, last: 1 });
});
