/**
 * The machine's sound, through WebAudio. Blocks are put one behind the other on the context's own clock, so that there is
 * no gap between them; what would be heard too late is left out, so that sound stays with the picture.
 *
 * Browsers play nothing before the person has touched the page: until then, and while sound is turned off, the server is
 * told that nobody listens, and sends none.
 */
import { store, stored } from "./ui/dom";
import type { ServerRecord } from "./wire";

type Block = Extract<ServerRecord, { type: "audio" }>;

/** Begun, or run dry: so much is waited for before it goes on, in seconds. A block of xrdp has 46 ms. */
const LEAD_S = 0.04;
/** Most that may wait to be played, in seconds. */
export const BEHIND_S_MAX = 0.1;
/** Longest block that is played, in seconds: the server cuts no finer than the machine does. */
const BLOCK_S_MAX = 2;
/** What every browser plays. */
const RATE_MIN = 8_000;
const RATE_MAX = 96_000;
const PCM = 0;

export type SoundEvents = {
  /** The server is to send sound, or no longer. */
  listen(on: boolean): void;
};

export class Sound {
  /** Blocks played, blocks left out because they came too late, and how often there was nothing to play. */
  readonly figures = { played: 0, late: 0, dry: 0 };
  #context: AudioContext | null = null;
  /** When what waits has been played, on the context's clock. */
  #next = 0;
  #told = false;
  #on = stored("sound", "on") === "on";

  /** `rate`: samples a second that the machine most likely sends; others are converted. */
  constructor(
    private readonly rate: number,
    private readonly events: SoundEvents,
    private readonly make: (rate: number) => AudioContext = (sampleRate) => new AudioContext({ sampleRate }),
  ) {}

  get on(): boolean {
    return this.#on;
  }

  set on(on: boolean) {
    this.#on = on;
    store("sound", on ? "on" : "off");
    this.unlock();
    this.#tell();
  }

  get listening(): boolean {
    return this.#on && this.#context?.state === "running";
  }

  /** The person has touched the page: now it may be heard. */
  unlock(): void {
    if (!this.#on || this.#context?.state === "running") return;
    if (!this.#context) {
      try {
        this.#context = this.make(this.rate);
      } catch (error) {
        console.warn("sound:", error);
        this.#on = false;
        return;
      }
      this.#context.addEventListener("statechange", () => this.#tell());
    }
    this.#context.resume().then(
      () => this.#tell(),
      () => undefined,
    );
  }

  /** A WebSocket begins, of which the server knows nothing yet. */
  opened(): void {
    this.#told = false;
    this.#tell();
  }

  #tell(): void {
    const listening = this.listening;
    if (listening === this.#told) return;
    this.#told = listening;
    this.events.listen(listening);
  }

  play(block: Block): void {
    const context = this.#context;
    const { channels, rate, bytes } = block;
    const frames = Math.floor(bytes.length / (2 * channels));
    const playable = block.codec === PCM && (channels === 1 || channels === 2);
    if (!context || !this.listening || !playable || frames === 0) return;
    if (rate < RATE_MIN || rate > RATE_MAX || frames > rate * BLOCK_S_MAX) return;
    const now = context.currentTime;
    if (this.#next <= now) {
      this.figures.dry += 1;
      this.#next = now + LEAD_S;
    } else if (this.#next - now > BEHIND_S_MAX) {
      this.figures.late += 1;
      return;
    }
    const buffer = context.createBuffer(channels, frames, rate);
    const samples = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let channel = 0; channel < channels; channel += 1) {
      const out = buffer.getChannelData(channel);
      for (let frame = 0; frame < frames; frame += 1)
        out[frame] = samples.getInt16(2 * (frame * channels + channel), true) / 0x8000;
    }
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    source.start(this.#next);
    this.#next += frames / rate;
    this.figures.played += 1;
  }
}
