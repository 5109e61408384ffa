/** The statistics overlay: how well the connection does, for people who wonder and people who help them. */
import type { PaintStats, TileCount } from "../screen/messages";
import { el } from "./dom";

export type Figures = {
  fps: number;
  mbit_s_in: number;
  rtt_ms: number | null;
  frames_in_flight: number;
  width: number;
  height: number;
  decode_ms: number;
  mix: string;
};

/** Which codecs the picture came in, in per cent of operations, largest first. */
export function mixOf(now: TileCount, before: TileCount): string {
  const parts = (Object.keys(now) as (keyof TileCount)[]).map((kind) => ({
    kind,
    count: now[kind] - before[kind],
  }));
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return "";
  return parts
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count)
    .map(({ kind, count }) => `${kind} ${Math.round((100 * count) / total)} %`)
    .join(", ");
}

/** A rate over less than this, milliseconds, says nothing: opening the statistics samples out of turn. */
const SAMPLE_MS_MIN = 250;

/** Rates over the last second or so, from totals. The first sample only says where counting begins. */
export class Meter {
  #last: { at: number; frames: number; bytes: number; tiles: TileCount } | null = null;
  fps = 0;
  mbit_s_in = 0;
  mix = "";

  sample(at: number, paint: PaintStats, bytes: number): void {
    const last = this.#last;
    if (last && at < last.at + SAMPLE_MS_MIN) return;
    this.#last = { at, frames: paint.frames, bytes, tiles: { ...paint.tiles } };
    if (!last) return;
    const seconds = (at - last.at) / 1000;
    this.fps = (paint.frames - last.frames) / seconds;
    this.mbit_s_in = ((bytes - last.bytes) * 8) / 1e6 / seconds;
    this.mix = mixOf(paint.tiles, last.tiles) || this.mix;
  }
}

export class StatsOverlay {
  readonly element: HTMLElement;
  readonly #values = new Map<string, HTMLElement>();

  constructor() {
    this.element = el("dl", { class: "stats", "aria-label": "Statistics" });
    this.element.hidden = true;
  }

  get open(): boolean {
    return !this.element.hidden;
  }

  toggle(): boolean {
    this.element.hidden = !this.element.hidden;
    return this.open;
  }

  show(figures: Figures, terminal: boolean): void {
    if (!this.open) return;
    const rtt = figures.rtt_ms === null ? "–" : `${figures.rtt_ms.toFixed(figures.rtt_ms < 10 ? 1 : 0)} ms`;
    this.#set("Round trip", rtt);
    this.#set("Received", `${figures.mbit_s_in.toFixed(2)} Mbit/s`);
    if (terminal) {
      this.#set("Size", `${figures.width} × ${figures.height} characters`);
      return;
    }
    this.#set("Pictures", `${figures.fps.toFixed(0)} /s`);
    this.#set("In flight", String(figures.frames_in_flight));
    this.#set("Decoding", `${figures.decode_ms.toFixed(1)} ms`);
    this.#set("Size", `${figures.width} × ${figures.height}`);
    this.#set("Made of", figures.mix || "–");
  }

  #set(name: string, value: string): void {
    let cell = this.#values.get(name);
    if (!cell) {
      cell = el("dd", {});
      this.#values.set(name, cell);
      this.element.append(el("div", {}, el("dt", {}, name), cell));
    }
    if (cell.textContent !== value) cell.textContent = value;
  }
}
