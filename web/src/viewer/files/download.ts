/** Downloading a large file into one that the person chose, going on where the network was cut. */
import { noAnswer } from "./client";
import { persist, sleep, type Wait, type Watcher } from "./retry";

/** What a download needs of the server; `FilesClient` has it. */
export type Source = {
  content(path: string, offset: number, known: string, stopped: AbortSignal): Promise<Response>;
};

/** Where the bytes go; a `FileSystemWritableFileStream` is one. */
export type Sink = {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  seek(position: number): Promise<void>;
  truncate(size: number): Promise<void>;
};

/** A connection that carries nothing for so long is taken for lost. */
const SILENCE_MS = 20_000;
const PROGRESS_MS = 200;

export async function download(
  from: Source,
  path: string,
  to: Sink,
  watcher: Watcher,
  stopped: AbortSignal,
  wait: Wait = sleep,
): Promise<void> {
  let offset = 0;
  let known = "";
  const run = async (): Promise<"done" | "more"> => {
    const lost = new AbortController();
    let silence = setTimeout(() => lost.abort(), SILENCE_MS);
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => lost.abort(), SILENCE_MS);
    };
    try {
      const reply = await from.content(path, offset, known, AbortSignal.any([stopped, lost.signal]));
      if (reply.status !== 206 && offset > 0) {
        // It is another file by now.
        offset = 0;
        await to.truncate(0);
        await to.seek(0);
      }
      known = reply.headers.get("ETag") ?? "";
      const end = offset + Number(reply.headers.get("Content-Length") ?? Number.NaN);
      const reader = reply.body?.getReader();
      for (let said = 0; reader; ) {
        const piece = await reader.read().catch(() => {
          throw noAnswer();
        });
        if (piece.done) break;
        await to.write(piece.value);
        offset += piece.value.length;
        heard();
        if (performance.now() - said > PROGRESS_MS) {
          said = performance.now();
          watcher.progress(offset);
        }
      }
      if (offset < end) throw noAnswer();
      watcher.progress(offset);
      return "done";
    } finally {
      clearTimeout(silence);
    }
  };
  const attempt = {
    run,
    get at() {
      return offset;
    },
  };
  await persist(attempt, watcher, stopped, wait);
}
