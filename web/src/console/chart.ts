/** Lines of a small chart over time: where they go, what stands at its sides. Pure: {@link parts/Chart.tsx} draws them. */

export interface Point {
  /** Milliseconds since 1970. */
  at: number;
  value: number;
}

/** What a chart shows: from a moment to another, from 0 to `top`. */
export interface Frame {
  from: number;
  to: number;
  top: number;
}

/** The chart's own units, whatever size it is drawn in. */
export const WIDTH = 600;
export const HEIGHT = 120;

/** The round number that stands at the top: nothing is above it, and a chart of small numbers is not all peaks. */
export function topOf(most: number, least = 4): number {
  const wanted = Math.max(most, least);
  const size = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 1.5, 2, 3, 4, 5, 8, 10].find((one) => one * size >= wanted) ?? 10;
  return Math.ceil(step * size);
}

const round = (number: number) => Math.round(number * 10) / 10;

/**
 * The line as an SVG path, and the area below it. Where nothing is known for longer than `gap` milliseconds there is no line: it is not
 * known that nothing was there.
 */
export function lineOf(points: readonly Point[], frame: Frame, gap: number): { line: string; area: string } {
  const span = Math.max(1, frame.to - frame.from);
  const x = (at: number) => round(((at - frame.from) / span) * WIDTH);
  const y = (value: number) => round(HEIGHT - (Math.min(value, frame.top) / frame.top) * HEIGHT);
  const seen = points.filter(({ at }) => at >= frame.from && at <= frame.to);
  const pieces: Point[][] = [];
  for (const point of seen) {
    const piece = pieces.at(-1);
    const last = piece?.at(-1);
    if (piece && last && point.at - last.at <= gap) piece.push(point);
    else pieces.push([point]);
  }
  const drawn = pieces.map((piece) => {
    const places = piece.map(({ at, value }) => `${x(at)} ${y(value)}`);
    const [first, last] = [piece[0] as Point, piece.at(-1) as Point];
    // One point alone is a dash, rather than nothing.
    const line = `M${places.join("L")}${piece.length === 1 ? `h${round(WIDTH / 200)}` : ""}`;
    return { line, area: `M${x(first.at)} ${HEIGHT}L${places.join("L")}L${x(last.at)} ${HEIGHT}Z` };
  });
  return { line: drawn.map((one) => one.line).join(""), area: drawn.map((one) => one.area).join("") };
}

const HOUR = 3_600_000;

/** What stands below: round hours, or days where many are shown. `part`: where, from 0 to 1. */
export function marksOf({ from, to }: Frame, count = 5): Array<{ part: number; text: string }> {
  const hours = (to - from) / HOUR;
  const step = [0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 96].find((one) => hours / one <= count) ?? 96;
  const begin = new Date(from);
  begin.setMinutes(step < 1 ? Math.ceil(begin.getMinutes() / (step * 60)) * step * 60 : 0, 0, 0);
  if (step >= 1) begin.setHours(Math.ceil(begin.getHours() / Math.min(step, 24)) * Math.min(step, 24));
  const marks = [];
  for (let at = begin.getTime(); at <= to; at += step * HOUR) {
    const part = (at - from) / Math.max(1, to - from);
    const text =
      step >= 24
        ? new Date(at).toLocaleDateString("en", { weekday: "short", day: "numeric" })
        : new Date(at).toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    // What would hang over a side is left out.
    if (part >= 0.03 && part <= 0.97) marks.push({ part, text });
  }
  return marks;
}

/** The most, the least and the last of a line, for those who hear it. `null` where there is none. */
export function gist(points: readonly Point[]): { most: number; least: number; last: number } | null {
  const last = points.at(-1);
  if (!last) return null;
  const values = points.map(({ value }) => value);
  return { most: Math.max(...values), least: Math.min(...values), last: last.value };
}
