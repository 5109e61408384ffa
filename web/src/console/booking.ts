/** Bookings in words, and as somebody makes one. Times are the viewer's; the API's are UTC. */
import type { Schemas } from "../api/client";
import { count } from "./words";

type Booking = Schemas["Booking"];

const HOUR = 3_600_000;

/** What a field for date and time holds: "2026-11-30T14:00". */
export function fieldOf(at: Date): string {
  const two = (of: number) => String(of).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** And what it says; null while it is not filled in. */
export function momentOf(field: string): Date | null {
  const at = new Date(field);
  return field === "" || Number.isNaN(at.getTime()) ? null : at;
}

/** The next two hours that are whole. */
export function firstDraft(now: Date): { from: string; to: string } {
  const next = new Date(Math.ceil(now.getTime() / HOUR) * HOUR);
  return { from: fieldOf(next), to: fieldOf(new Date(next.getTime() + 2 * HOUR)) };
}

/** Why that cannot be booked by what the pool's rules say, or "". */
export function faultOf(
  from: Date | null,
  to: Date | null,
  rules: { hours: number; days: number },
  now: Date,
): string {
  if (!from || !to) return "Say when it begins and when it is over";
  if (to <= from) return "It is over before it begins";
  if (to <= now) return "That is over already";
  if (to.getTime() - from.getTime() > rules.hours * HOUR) return `At most ${count(rules.hours, "hour")}`;
  const ahead = from.getTime() - now.getTime();
  return ahead > rules.days * 24 * HOUR ? `At most ${count(rules.days, "day")} ahead` : "";
}

const day = (at: Date) =>
  at.toLocaleDateString(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
const time = (at: Date) => at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });

/** "14:00 – 16:00", with the day of the end where it is another. */
export function hoursWords(of: { from: string; to: string }): string {
  const [from, to] = [new Date(of.from), new Date(of.to)];
  const same = from.toDateString() === to.toDateString();
  return `${time(from)} – ${same ? "" : `${day(to)}, `}${time(to)}`;
}

export function spanWords(of: { from: string; to: string }): string {
  return `${day(new Date(of.from))}, ${hoursWords(of)}`;
}

/** Why it keeps nothing any more; "" while it stands. */
export function lostWords(of: Pick<Booking, "displaced">): string {
  if (!of.displaced) return "";
  const at = new Date(of.displaced);
  return `Lost its place to a booking with a higher priority, ${day(at)}, ${time(at)}`;
}

/** By the day on which they begin, in order. */
export function agenda(bookings: readonly Booking[]): { day: string; bookings: Booking[] }[] {
  const days: { day: string; bookings: Booking[] }[] = [];
  for (const booking of bookings) {
    const word = day(new Date(booking.from));
    const last = days.at(-1);
    if (last?.day === word) last.bookings.push(booking);
    else days.push({ day: word, bookings: [booking] });
  }
  return days;
}
