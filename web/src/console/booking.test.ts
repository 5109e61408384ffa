import { expect, test } from "vitest";
import { agenda, faultOf, fieldOf, firstDraft, hoursWords, lostWords, momentOf } from "./booking";

const NOW = new Date(2026, 10, 30, 10, 20);
const at = (hours: number) => new Date(NOW.getTime() + hours * 3_600_000);

test("fields hold the viewer's time", () => {
  expect(fieldOf(NOW)).toBe("2026-11-30T10:20");
  expect(momentOf("2026-11-30T10:20")).toEqual(NOW);
  expect(momentOf("")).toBeNull();
  expect(momentOf("soon")).toBeNull();
  const { from, to } = firstDraft(NOW);
  const [begin, end] = [momentOf(from) ?? NOW, momentOf(to) ?? NOW];
  expect(begin > NOW && begin.getTime() - NOW.getTime() <= 3_600_000).toBe(true);
  expect(end.getTime() - begin.getTime()).toBe(2 * 3_600_000);
});

test("faults are said before anything is asked", () => {
  const fault = (from: Date | null, to: Date | null) => faultOf(from, to, { hours: 4, days: 7 }, NOW);
  expect(fault(at(1), at(3))).toBe("");
  expect(fault(null, at(3))).toContain("when");
  expect(fault(at(3), at(3))).toContain("before it begins");
  expect(fault(at(-3), at(-1))).toContain("over already");
  expect(fault(at(1), at(6))).toBe("At most 4 hours");
  expect(fault(at(8 * 24), at(8 * 24 + 1))).toBe("At most 7 days ahead");
});

test("an agenda is by day", () => {
  const named = { id: "x", name: "x" };
  const booking = (id: string, from: number) => ({
    id,
    from: at(from).toISOString(),
    to: at(from + 1).toISOString(),
    pool: named,
    person: named,
    priority: 0,
    firm_from: NOW.toISOString(),
    displaced: null,
  });
  const days = agenda([booking("a", 1), booking("b", 2), booking("c", 24)]);
  expect(days.map((day) => day.bookings.map((one) => one.id))).toEqual([["a", "b"], ["c"]]);
  expect(agenda([])).toEqual([]);
  expect(hoursWords(booking("d", 1)).split("–")).toHaveLength(2);
});

test("who lost a booking is told why and when", () => {
  expect(lostWords({ displaced: null })).toBe("");
  expect(lostWords({ displaced: NOW.toISOString() })).toMatch(/higher priority, .*2026, 10:20/);
});
