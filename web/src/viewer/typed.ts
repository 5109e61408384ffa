/** What was typed into a terminal, counted from the start, so that what a cut swallowed can be sent again. */

/** Bytes kept: far more than is ever under way. */
export const TYPED_KEPT_MAX = 256 * 1024;

export class TypedLog {
  #pieces: Uint8Array[] = [];
  /** Offsets of the first kept byte and of the next one. */
  #from = 0n;
  #to = 0n;

  get end(): bigint {
    return this.#to;
  }

  add(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#to += BigInt(bytes.length);
    while (this.#pieces.length > 1 && this.#to - this.#from > BigInt(TYPED_KEPT_MAX)) {
      this.#from += BigInt(this.#pieces.shift()?.length ?? 0);
    }
  }

  /** Everything typed from `offset` on, as far as it is kept. */
  since(offset: bigint): Uint8Array<ArrayBuffer> {
    const start = offset < this.#from ? this.#from : offset;
    if (start >= this.#to) return new Uint8Array(0);
    const out = new Uint8Array(Number(this.#to - start));
    let at = this.#from;
    let filled = 0;
    for (const piece of this.#pieces) {
      const end = at + BigInt(piece.length);
      if (end > start) {
        const part = piece.subarray(start > at ? Number(start - at) : 0);
        out.set(part, filled);
        filled += part.length;
      }
      at = end;
    }
    return out;
  }

  clear(): void {
    this.#pieces = [];
    this.#from = 0n;
    this.#to = 0n;
  }
}
