/** The seek bar: where something happened, where the player is, and a handle for hand and keyboard. */
import { el } from "../viewer/ui/dom";
import type { Chunk } from "./source";

const BUCKETS = 240;
const STEP_MS = 5_000;
const LEAP_MS = 30_000;

/** `1:02:03`, `2:03`. */
export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** How much happened in each of `buckets` equal parts of the time, 0 to 1, from the sizes of the chunks. */
export function activity(chunks: readonly Chunk[], duration: number, buckets = BUCKETS): number[] {
  const sums = new Array<number>(buckets).fill(0);
  if (duration <= 0) return sums;
  const bucket = (ms: number) => Math.min(buckets - 1, Math.max(0, Math.floor((ms / duration) * buckets)));
  for (const { first_ms, last_ms, length, key } of chunks) {
    const from = bucket(first_ms);
    const to = bucket(last_ms);
    // A whole picture is large whether anything happened or not.
    const weight = key ? Math.sqrt(length) * 8 : length;
    for (let at = from; at <= to; at += 1) sums[at] = (sums[at] ?? 0) + weight / (to - from + 1);
  }
  const most = Math.max(...sums);
  return sums.map((sum) => (most === 0 ? 0 : Math.sqrt(sum / most)));
}

export class SeekBar {
  readonly element: HTMLElement;
  readonly #histogram = el("canvas", { class: "histogram", "aria-hidden": "true" });
  readonly #played = el("div", { class: "played" });
  readonly #hand = el("div", { class: "hand" });
  #duration = 0;
  #position = 0;
  #chunks: readonly Chunk[] = [];

  constructor(private readonly seek: (ms: number) => void) {
    this.element = el(
      "div",
      {
        class: "seek",
        role: "slider",
        tabindex: 0,
        "aria-label": "Place in the recording",
        "aria-valuemin": 0,
      },
      this.#histogram,
      this.#played,
      this.#hand,
    );
    const at = (event: PointerEvent) => {
      const box = this.element.getBoundingClientRect();
      return ((event.clientX - box.left) / Math.max(1, box.width)) * this.#duration;
    };
    this.element.addEventListener("pointerdown", (event) => {
      this.element.setPointerCapture(event.pointerId);
      this.seek(at(event));
    });
    this.element.addEventListener("pointermove", (event) => {
      this.element.title = clock(Math.min(this.#duration, Math.max(0, at(event))));
      if (this.element.hasPointerCapture(event.pointerId)) this.seek(at(event));
    });
    this.element.addEventListener("keydown", (event) => {
      const to: Record<string, number> = {
        ArrowLeft: this.#position - STEP_MS,
        ArrowRight: this.#position + STEP_MS,
        PageDown: this.#position - LEAP_MS,
        PageUp: this.#position + LEAP_MS,
        Home: 0,
        End: this.#duration,
      };
      const target = to[event.key];
      if (target === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.seek(Math.min(this.#duration, Math.max(0, target)));
    });
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  describe(chunks: readonly Chunk[], duration: number): void {
    this.#chunks = chunks;
    this.#duration = duration;
    this.element.setAttribute("aria-valuemax", String(Math.round(duration / 1000)));
    this.#draw();
  }

  move(position: number): void {
    this.#position = position;
    const part = this.#duration > 0 ? Math.min(1, position / this.#duration) : 0;
    this.#played.style.width = `${part * 100}%`;
    this.#hand.style.left = `${part * 100}%`;
    this.element.setAttribute("aria-valuenow", String(Math.round(position / 1000)));
    this.element.setAttribute("aria-valuetext", `${clock(position)} of ${clock(this.#duration)}`);
  }

  #draw(): void {
    const width = Math.round(this.element.clientWidth * devicePixelRatio);
    const height = Math.round(this.element.clientHeight * devicePixelRatio);
    if (width === 0 || height === 0) return;
    this.#histogram.width = width;
    this.#histogram.height = height;
    const context = this.#histogram.getContext("2d");
    if (!context) return;
    context.fillStyle = getComputedStyle(this.element).getPropertyValue("color");
    const bars = activity(this.#chunks, this.#duration);
    const step = width / bars.length;
    bars.forEach((bar, at) => {
      if (bar === 0) return;
      const tall = Math.max(2, bar * height * 0.85);
      context.fillRect(at * step, height - tall, Math.max(1, step - 1), tall);
    });
  }
}
