/** Uploading a file in pieces. What was cut off is continued where it stopped, also by giving the same file again. */
import type { Progress } from "./client";
import { persist, sleep, type Wait, type Watcher } from "./retry";

/** What an upload needs of the server; `FilesClient` has it. */
export type Destination = {
  uploaded(path: string, tag: string, stopped?: AbortSignal): Promise<Progress>;
  piece(
    path: string,
    tag: string,
    offset: number,
    size: number,
    bytes: Blob,
    replace: boolean,
    stopped?: AbortSignal,
  ): Promise<Progress>;
};

const PIECE_BYTES_MIN = 256 * 1024;
const PIECE_BYTES_MAX = 16 * 1024 * 1024;
/** A piece should take about this long: shorter is talk, longer is lost when the network goes, and shows no progress. */
const PIECE_MS = 1200;
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

/** `replace`: the person said that what is there may go; without it the server refuses with `file_exists`. */
export async function upload(
  to: Destination,
  path: string,
  file: File,
  replace: boolean,
  watcher: Watcher,
  stopped: AbortSignal,
  wait: Wait = sleep,
): Promise<void> {
  const tag = tagOf(file);
  let piece = 1024 * 1024;
  let offset = -1;
  let reached = 0;
  const run = async (): Promise<"done" | "more"> => {
    if (offset < 0) {
      offset = Math.min((await to.uploaded(path, tag, stopped)).offset, file.size);
      watcher.progress(offset);
    }
    const from = offset;
    // What has arrived when this fails, only the server knows.
    offset = -1;
    const began = performance.now();
    const bytes = file.slice(from, from + piece);
    piece = Math.max(PIECE_BYTES_MIN, Math.round(piece / 2));
    const now = await to.piece(path, tag, from, file.size, bytes, replace, stopped);
    piece = nextPiece(Math.max(bytes.size, PIECE_BYTES_MIN), performance.now() - began);
    if (!now.complete && now.offset <= from) throw new Error("The server took nothing of a piece.");
    offset = now.offset;
    reached = offset;
    watcher.progress(offset);
    return now.complete ? "done" : "more";
  };
  const attempt = {
    run,
    get at() {
      return reached;
    },
  };
  await persist(attempt, watcher, stopped, wait);
}
