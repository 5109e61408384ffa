/** What a helpdesk reads of a connection: the parts of a start and of a log-on in words, and where the time went. */
import type { Schemas } from "../api/client";

type Phase = Schemas["SessionPhase"];

export const PHASES: Record<Phase["kind"], string> = {
  given: "Desktop given",
  placed: "Placed on a host",
  prepared: "Disk made",
  powered_on: "Switched on",
  answered: "Guest answered",
  opened: "Viewer opened",
  reached: "Machine reached",
  signed_in: "Signed in",
  first_picture: "First picture",
};

/** `1.5 s`, `28 s`, `2 min 5 s`, `3 h 20 min`. */
export function span(seconds: number): string {
  if (seconds < 9.95) return `${(Math.round(seconds * 10) / 10).toString()} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** From the first part to the last; `null` where there are not two. */
export function whole(phases: readonly Phase[]): number | null {
  const known = phases.map(({ seconds }) => seconds).filter((seconds) => seconds !== null);
  return known.length === 0 ? null : known.reduce((all, one) => all + one, 0);
}

/** How much of the whole each part took, from 0 to 1. */
export const share = (phase: Phase, phases: readonly Phase[]): number => {
  const all = whole(phases);
  return all && phase.seconds !== null ? phase.seconds / all : 0;
};

/** In words, what a helpdesk says on the telephone. */
export function latencyWords(trips: Schemas["SessionDetail"]["round_trips"]): string {
  const sorted = trips.map(({ ms }) => ms).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  const [last, most] = [trips.at(-1)?.ms, sorted.at(-1)];
  if (middle === undefined || last === undefined || most === undefined) return "";
  const feels = middle < 50 ? "near" : middle < 150 ? "noticeable" : "far: typing lags";
  return `Now ${Math.round(last)} ms, mostly ${Math.round(middle)} ms (${feels}), at worst ${Math.round(most)} ms.`;
}

/** As long as a message may be (`api::session::MESSAGE_CHARS_MAX`). */
export const MESSAGE_CHARS_MAX = 500;

export function messageFault(text: string): string {
  const length = [...text.trim()].length;
  if (length > MESSAGE_CHARS_MAX) return `Say it in ${MESSAGE_CHARS_MAX} characters: these are ${length}`;
  return "";
}
