/**
 * From what a browser hears to what a machine wants: blocks of signed 16 bit little endian, interleaved, in the machine's rate and number of
 * channels. Pure; the audio worklet runs it.
 */

/** What a machine wants to hear: 1 or 2 channels, samples a second. */
export type MicrophoneFormat = { channels: number; rate: number };

/** Samples a second that the protocol carries. */
export const RATE_MIN = 16_000;
export const RATE_MAX = 48_000;
/** Length of a block, in seconds. */
const BLOCK_S = 0.02;

export function isFormat({ channels, rate }: MicrophoneFormat): boolean {
  return (channels === 1 || channels === 2) && rate >= RATE_MIN && rate <= RATE_MAX;
}

/** Bytes of so many seconds. */
export function bytesOf({ channels, rate }: MicrophoneFormat, seconds: number): number {
  return Math.round(rate * seconds) * channels * 2;
}

export class Blocks {
  readonly #step: number;
  readonly #frames: number;
  /** Where the next sample lies between the last one of before (-1) and those that come, in samples of the browser. */
  #at = 0;
  readonly #last: [number, number] = [0, 0];
  #block: DataView<ArrayBuffer>;
  #filled = 0;

  /** `rate`: of what the browser hears; where it differs from the machine's, samples are drawn from the line between two. */
  constructor(
    private readonly format: MicrophoneFormat,
    rate: number,
    private readonly done: (block: ArrayBuffer) => void,
  ) {
    this.#step = rate / format.rate;
    this.#frames = Math.round(format.rate * BLOCK_S);
    this.#block = this.#fresh();
  }

  #fresh(): DataView<ArrayBuffer> {
    this.#filled = 0;
    return new DataView(new ArrayBuffer(this.#frames * this.format.channels * 2));
  }

  /** What was heard since the last call: a list of samples for each channel, -1 to 1. Nothing, where nothing is connected. */
  take(heard: readonly Float32Array[]): void {
    const left = heard[0];
    if (!left || left.length === 0) return;
    const right = heard[1] ?? left;
    const stereo = this.format.channels === 2;
    const sample = (side: Float32Array, last: number, index: number) =>
      index < 0 ? last : (side[index] ?? 0);
    for (; this.#at <= left.length - 1; this.#at += this.#step) {
      const index = Math.floor(this.#at);
      const part = this.#at - index;
      const between = (side: Float32Array, last: number) => {
        const from = sample(side, last, index);
        return part === 0 ? from : from + (sample(side, last, index + 1) - from) * part;
      };
      const one = between(left, this.#last[0]);
      const other = right === left ? one : between(right, this.#last[1]);
      if (stereo) this.#put(one, other);
      else this.#put((one + other) / 2);
    }
    this.#at -= left.length;
    this.#last[0] = left.at(-1) ?? 0;
    this.#last[1] = right.at(-1) ?? 0;
  }

  #put(...values: number[]): void {
    for (const value of values) {
      const whole = Math.round(value * 0x7fff);
      // What is no number is silence.
      this.#block.setInt16(this.#filled, Math.max(-0x8000, Math.min(0x7fff, whole)) || 0, true);
      this.#filled += 2;
    }
    if (this.#filled < this.#block.byteLength) return;
    const full = this.#block.buffer;
    this.#block = this.#fresh();
    this.done(full);
  }
}
