/**
 * `window.oriel`: what end-to-end tests and people who debug may read. Everything is read-only; nothing in the page
 * depends on it. Described in README.md beside this file.
 */
import type { Phase } from "./session";

/** Times are milliseconds since the epoch, with fractions. */
export type Marks = {
  /** The page started to connect. */
  started: number;
  /** The first picture (or terminal byte) was shown. */
  first_picture: number | null;
  /** The last frame was shown, and its number. */
  last_frame: number | null;
  last_sequence: number | null;
  /** The last key record left. */
  last_key: number | null;
};

export type OrielHooks = {
  readonly kind: string;
  readonly phase: Phase["name"];
  readonly connection: string;
  readonly layout: string;
  readonly marks: Marks;
  stats(): Record<string, unknown>;
  pixel(x: number, y: number): Promise<[number, number, number]>;
  snapshot(): Promise<Blob | null>;
  terminalText(): string;
  /** Closes the WebSocket as a broken network would, to test coming back. */
  cut(): void;
};

declare global {
  interface Window {
    readonly oriel?: OrielHooks;
  }
}

/** Keeps the last measured values and says their middle and their worst. */
export class Delays {
  readonly #values: number[] = [];

  add(ms: number): void {
    this.#values.push(ms);
    if (this.#values.length > 256) this.#values.shift();
  }

  summary(): { count: number; p50: number; p95: number; max: number } {
    const sorted = [...this.#values].sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
    return { count: sorted.length, p50: at(0.5), p95: at(0.95), max: sorted.at(-1) ?? 0 };
  }
}
