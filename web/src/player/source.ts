/** Where a recording comes from: its index and its chunks, fetched as they are needed. A recording that runs grows. */
import type { ConnectionKind } from "../viewer/api";

export type Chunk = { offset: number; length: number; first_ms: number; last_ms: number; key: boolean };
export type Recording = {
  id: string;
  desktop: { name: string };
  user: { name: string };
  pool: { name: string };
  kind: ConnectionKind;
  state: "recording" | "ended" | "cut";
  started_at: string;
};
export type Index = {
  recording: Recording;
  size: number;
  duration_ms: number;
  chunks: Chunk[];
  /** Whether we get what was typed and copied, where it was kept. */
  typed: boolean;
};

/** Chunks kept in memory: what is just before and after the place that is played. */
const KEPT_BYTES_MAX = 96 * 1024 * 1024;

/** What the server did not give, in its own words. `signedOut`: signing in again helps. */
export class SourceError extends Error {
  override name = "SourceError";
  constructor(
    text: string,
    readonly signedOut: boolean,
  ) {
    super(text);
  }
}

async function get(path: string, headers: Record<string, string>): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, { headers });
  } catch {
    throw new SourceError("The server does not answer. Check the network, then try again.", false);
  }
  if (answer.ok) return answer;
  const problem = (await answer.json().catch(() => null)) as { detail?: string; next_step?: string } | null;
  const words = [problem?.detail, problem?.next_step].filter(Boolean).join(": ");
  throw new SourceError(words || `The server answered ${answer.status}.`, answer.status === 401);
}

export class Source {
  readonly #blocks = new Map<number, Promise<ArrayBuffer>>();
  #kept = 0;

  constructor(private readonly id: string) {}

  get content(): string {
    return `/api/v1/recordings/${encodeURIComponent(this.id)}/content`;
  }

  async index(): Promise<Index> {
    const answer = await get(`/recordings/${encodeURIComponent(this.id)}/index`, {
      Accept: "application/json",
    });
    return (await answer.json()) as Index;
  }

  /** A chunk's whole block. */
  chunk(chunk: Chunk): Promise<ArrayBuffer> {
    const known = this.#blocks.get(chunk.offset);
    if (known) {
      // The latest used is the last to go.
      this.#blocks.delete(chunk.offset);
      this.#blocks.set(chunk.offset, known);
      return known;
    }
    const last = chunk.offset + chunk.length - 1;
    const path = `/recordings/${encodeURIComponent(this.id)}/content`;
    const block = get(path, { Range: `bytes=${chunk.offset}-${last}` }).then((answer) =>
      answer.arrayBuffer(),
    );
    block.catch(() => this.#blocks.delete(chunk.offset));
    this.#blocks.set(chunk.offset, block);
    this.#kept += chunk.length;
    for (const [offset, old] of this.#blocks) {
      if (this.#kept <= KEPT_BYTES_MAX || offset === chunk.offset) break;
      this.#blocks.delete(offset);
      void old.then((bytes) => {
        this.#kept -= bytes.byteLength;
      });
    }
    return block;
  }
}
