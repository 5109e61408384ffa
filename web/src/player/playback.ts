/**
 * Playing: a place in time that moves, and what must be shown for it. Chunks are fetched just before they are needed;
 * while one is missing the place waits. Where a recording still runs, the end moves on and is waited for.
 */
import type { Chunk, Index, Source } from "./source";
import type { Moment, Stage } from "./stage";

export const SPEEDS = [0.5, 1, 2, 4, 8] as const;
/** A pause of so long is skipped to just before its end, milliseconds. */
const IDLE_MS = 2000;
const IDLE_LEFT_MS = 400;
/** How long the stage may take to show something before the player waits for it, milliseconds. */
const BEHIND_MS = 500;
/** How often the index of a recording that runs is read again, milliseconds. */
const POLL_MS = 2500;

export type PlaybackEvents = {
  /** The place, the length, playing or loading changed. */
  moved(): void;
  grew(index: Index): void;
  problem(error: unknown): void;
};

export class Playback<M extends Moment> {
  playing = false;
  /** Waits for a chunk. */
  loading = false;
  speed = 1;
  skipIdle = true;
  #position = 0;
  #at = 0;
  #moments: M[] | null = null;
  #next = 0;
  #era = 0;
  #last = 0;
  /** Since when the stage has not said that it showed everything. */
  #unsettled: number | null = null;

  constructor(
    private readonly source: Source,
    private readonly stage: Stage<M>,
    public index: Index,
    private readonly events: PlaybackEvents,
  ) {
    requestAnimationFrame(this.#tick);
    setInterval(() => void this.#poll(), POLL_MS);
  }

  get position(): number {
    return this.#position;
  }

  get duration(): number {
    return this.index.duration_ms;
  }

  get live(): boolean {
    return this.index.recording.state === "recording";
  }

  get atEnd(): boolean {
    return this.#at >= this.index.chunks.length;
  }

  play(): void {
    if (this.playing) return;
    this.playing = true;
    this.#last = performance.now();
    if (this.atEnd && !this.live) void this.seek(0);
    this.events.moved();
  }

  pause(): void {
    this.playing = false;
    this.events.moved();
  }

  /** Shows the picture of that moment. */
  async seek(ms: number): Promise<void> {
    const era = ++this.#era;
    const target = Math.min(Math.max(0, ms), this.duration);
    const { chunks } = this.index;
    let from = 0;
    if (this.stage.seeksToKeys) {
      chunks.forEach((chunk, at) => {
        if (chunk.key && chunk.first_ms <= target) from = at;
      });
    }
    const ahead = target >= this.#position && this.#moments !== null && this.#at >= from;
    this.#position = target;
    this.loading = true;
    this.events.moved();
    try {
      if (!ahead) {
        this.stage.reset();
        this.#at = from;
        this.#next = 0;
        this.#moments = null;
      }
      while (this.#at < chunks.length) {
        const chunk = chunks[this.#at] as Chunk;
        if (chunk.first_ms > target && this.#moments === null && this.#at > from) break;
        this.#moments ??= this.stage.moments(await this.source.chunk(chunk));
        if (era !== this.#era) return;
        this.#showUpTo(target);
        const whole = this.#next >= this.#moments.length;
        // No more at once than a decoder takes.
        await this.stage.settled();
        if (era !== this.#era) return;
        if (!whole) break;
        this.#step();
      }
    } catch (error) {
      if (era === this.#era) this.events.problem(error);
    } finally {
      if (era === this.#era) {
        this.loading = false;
        this.#last = performance.now();
        this.events.moved();
      }
    }
  }

  #step(): void {
    this.#at += 1;
    this.#next = 0;
    this.#moments = null;
  }

  #showUpTo(ms: number): void {
    const moments = this.#moments ?? [];
    const start = this.#next;
    while (this.#next < moments.length && (moments[this.#next] as M).ms <= ms) this.#next += 1;
    if (this.#next > start) this.stage.show(moments.slice(start, this.#next));
  }

  /** True while what was shown is not on the screen for too long: time stands still then. */
  #isBehind(now: number): boolean {
    if (this.#unsettled === null) {
      this.#unsettled = now;
      void this.stage.settled().then(() => {
        this.#unsettled = null;
      });
    }
    return now - this.#unsettled > BEHIND_MS;
  }

  /** When the next thing happens; `null` when that is not known yet. */
  #nextMs(): number | null {
    const moment = this.#moments?.[this.#next];
    if (moment) return moment.ms;
    return this.index.chunks[this.#moments ? this.#at + 1 : this.#at]?.first_ms ?? null;
  }

  #tick = (now: number) => {
    requestAnimationFrame(this.#tick);
    const passed = Math.min(250, now - this.#last);
    this.#last = now;
    if (!this.playing || this.loading || this.#isBehind(now)) return;
    const { chunks } = this.index;
    const chunk = chunks[this.#at];
    if (!chunk) {
      if (!this.live && this.playing) this.pause();
      return;
    }
    if (this.#moments === null) {
      void this.#load(chunk);
      return;
    }
    let position = this.#position + passed * this.speed;
    const next = this.#nextMs();
    if (this.skipIdle && next !== null && next - position > IDLE_MS) position = next - IDLE_LEFT_MS;
    this.#position = Math.min(position, Math.max(this.duration, this.#position));
    this.#showUpTo(this.#position);
    if (this.#next >= this.#moments.length) {
      const following = chunks[this.#at + 1];
      if (following) void this.source.chunk(following).catch(() => undefined);
      this.#step();
    }
    this.events.moved();
  };

  async #load(chunk: Chunk): Promise<void> {
    const era = this.#era;
    this.loading = true;
    this.events.moved();
    try {
      const block = await this.source.chunk(chunk);
      if (era !== this.#era) return;
      this.#moments = this.stage.moments(block);
      this.#next = 0;
    } catch (error) {
      if (era !== this.#era) return;
      this.playing = false;
      this.events.problem(error);
    } finally {
      if (era === this.#era) this.loading = false;
    }
  }

  async #poll(): Promise<void> {
    if (!this.live || document.hidden) return;
    try {
      this.index = await this.source.index();
      this.events.grew(this.index);
    } catch (error) {
      this.events.problem(error);
    }
  }
}
