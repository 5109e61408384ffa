/** A week of bookings as blocks: a column for each day, and side by side what is at the same time. Pure; times are the viewer's. */
import type { Schemas } from "../api/client";

type Booking = Schemas["Booking"];

/** A booking, or the part of it that is of one day. */
export interface Block {
  booking: Booking;
  /** Where in its day it begins and how long it is, from 0 to 1. */
  top: number;
  height: number;
  /** Which place beside each other, of how many. */
  lane: number;
  lanes: number;
}

export interface Day {
  at: Date;
  blocks: Block[];
}

/** The Monday on or before that moment, at midnight. */
export function mondayOf(at: Date): Date {
  const monday = new Date(at);
  monday.setHours(0, 0, 0, 0);
  monday.setDate(monday.getDate() - ((monday.getDay() + 6) % 7));
  return monday;
}

/** So many days later, at the same time of day: a day may have 23 hours. */
export function daysLater(at: Date, days: number): Date {
  const later = new Date(at);
  later.setDate(later.getDate() + days);
  return later;
}

/** Those that lost their place keep nothing, and are left out. */
export function weekOf(monday: Date, bookings: readonly Booking[]): Day[] {
  return Array.from({ length: 7 }, (_, n) => {
    const [begin, end] = [daysLater(monday, n), daysLater(monday, n + 1)];
    return { at: begin, blocks: laid(begin.getTime(), end.getTime(), bookings) };
  });
}

interface Piece {
  booking: Booking;
  from: number;
  to: number;
}

function laid(begin: number, end: number, bookings: readonly Booking[]): Block[] {
  const pieces = bookings
    .filter(({ displaced }) => !displaced)
    .map((booking): Piece => {
      const [from, to] = [Date.parse(booking.from), Date.parse(booking.to)];
      return { booking, from: Math.max(from, begin), to: Math.min(to, end) };
    })
    .filter(({ from, to }) => from < to)
    .sort((a, b) => a.from - b.from || b.to - a.to || a.booking.id.localeCompare(b.booking.id));
  const blocks: Block[] = [];
  /** Those that hang together, each with one that was there before it: they share the width. */
  let together: Block[] = [];
  let until = Number.NEGATIVE_INFINITY;
  /** When each place is free again. */
  let places: number[] = [];
  const close = () => {
    for (const block of together) block.lanes = places.length;
    blocks.push(...together);
    [together, places] = [[], []];
  };
  for (const { booking, from, to } of pieces) {
    if (from >= until) close();
    const free = places.findIndex((over) => over <= from);
    const lane = free === -1 ? places.length : free;
    places[lane] = to;
    until = Math.max(until, to);
    const day = end - begin;
    together.push({ booking, top: (from - begin) / day, height: (to - from) / day, lane, lanes: 1 });
  }
  close();
  return blocks;
}

/** `30 Nov – 6 Dec 2026`. */
export function weekWords(monday: Date): string {
  const sunday = daysLater(monday, 6);
  const short: Intl.DateTimeFormatOptions = { day: "numeric", month: "short" };
  const last = sunday.toLocaleDateString(undefined, { ...short, year: "numeric" });
  return `${monday.toLocaleDateString(undefined, short)} – ${last}`;
}
