/** Uploading a file in pieces. What was cut off is continued where it stopped, also by dropping the same file again. */
import { ApiError } from "../api";
import type { Progress } from "./client";

/** What an upload needs of the server; `FilesClient` has it. */
export type Destination = {
  uploaded(path: string, tag: string): Promise<Progress>;
  piece(path: string, tag: string, offset: number, size: number, bytes: Blob): Promise<Progress>;
};

const PIECE_BYTES_MIN = 256 * 1024;
const PIECE_BYTES_MAX = 16 * 1024 * 1024;
/** A piece should take about this long: shorter is talk, longer is lost when the network goes. */
const PIECE_MS = 3000;
const TRIES_MAX = 6;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];

/** The same file gets the same tag, so that it continues; another file of the same name does not. */
export function tagOf(file: { name: string; size: number; lastModified: number }): string {
  let hash = 0xcbf29ce484222325n;
  for (const letter of `${file.name}\0${file.size}\0${file.lastModified}`)
    hash = ((hash ^ BigInt(letter.codePointAt(0) ?? 0)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash.toString(36);
}

/** How large the next piece should be after one of `bytes` took `ms`. */
export function nextPiece(bytes: number, ms: number): number {
  const fitting = (bytes * PIECE_MS) / Math.max(ms, 1);
  // At most double: one lucky piece says little.
  return Math.round(Math.min(Math.max(fitting, PIECE_BYTES_MIN), bytes * 2, PIECE_BYTES_MAX));
}

/** The server said something that trying again does not change. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof ApiError && error.status >= 400 && error.status < 500 && error.code !== "upload_gap"
  );
}

export async function upload(
  to: Destination,
  path: string,
  file: File,
  progress: (bytes: number) => void,
  stopped: AbortSignal,
  wait: (ms: number) => Promise<void> = (ms) => new Promise((done) => setTimeout(done, ms)),
): Promise<void> {
  const tag = tagOf(file);
  let piece = 1024 * 1024;
  let offset = -1;
  for (let failures = 0; ; ) {
    stopped.throwIfAborted();
    try {
      if (offset < 0) {
        offset = Math.min((await to.uploaded(path, tag)).offset, file.size);
        progress(offset);
      }
      const began = performance.now();
      const bytes = file.slice(offset, offset + piece);
      const now = await to.piece(path, tag, offset, file.size, bytes);
      piece = nextPiece(Math.max(bytes.size, PIECE_BYTES_MIN), performance.now() - began);
      if (!now.complete && now.offset <= offset) throw new Error("the server took nothing of a piece");
      offset = now.offset;
      failures = 0;
      progress(offset);
      if (now.complete) return;
    } catch (error) {
      failures += 1;
      if (isFinal(error) || failures >= TRIES_MAX) throw error;
      await wait(RETRY_MS[failures - 1] ?? 8000);
      // What has arrived, only the server knows.
      offset = -1;
      piece = Math.max(PIECE_BYTES_MIN, piece / 2);
    }
  }
}
