/** How fast something goes, and how long it will take, by what happened during the last seconds. */

const SPAN_MS = 6000;

export class Pace {
  readonly #marks: { at: number; bytes: number }[] = [];

  add(bytes: number, at: number): void {
    const last = this.#marks.at(-1);
    // What was sent before, and what is sent anew, is no speed.
    if (last && bytes < last.bytes) this.#marks.length = 0;
    this.#marks.push({ at, bytes });
    while (this.#marks.length > 2 && (this.#marks[1]?.at ?? at) < at - SPAN_MS) this.#marks.shift();
  }

  /** It rests: what comes after is not slower for that. */
  rest(): void {
    this.#marks.length = 0;
  }

  /** Bytes a second; 0 where it is not known yet. */
  get speed(): number {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (!first || !last || last.at - first.at < 200) return 0;
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
  }
}
