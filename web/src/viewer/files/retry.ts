/** Trying again what a lost network cut off. */
import { ApiError } from "../api";

/** What whoever watches a transfer is told. */
export type Watcher = {
  /** So many bytes are there. */
  progress(bytes: number): void;
  /** It was cut off, and is tried again. */
  waiting(error: unknown): void;
};

/** Waits between tries: a network that is away for a minute is waited for. */
const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000];

/** Trying again may change it: no answer, a server or a machine in trouble, a piece that came late or at the wrong place. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  const again = [
    "upload_gap",
    "bytes_missing",
    "image_on_its_way",
    "piece_too_slow",
    "bad_csrf_token",
  ].includes(error.code);
  return again || error.status === 0 || error.status >= 500 || error.status === 429;
}

export type Wait = (ms: number) => Promise<void>;
export const sleep: Wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** Stop ends a wait at once: nobody should press it and see nothing happen for 15 s. */
async function unlessStopped(waited: Promise<void>, stopped: AbortSignal): Promise<void> {
  stopped.throwIfAborted();
  let stop = () => {};
  const told = new Promise<never>((_, fail) => {
    stop = () => fail(stopped.reason);
  });
  stopped.addEventListener("abort", stop);
  try {
    await Promise.race([waited, told]);
  } finally {
    stopped.removeEventListener("abort", stop);
  }
}

export type Attempt = {
  run(): Promise<"done" | "more">;
  /** How far it is: a try that got on lets the waits begin anew. */
  readonly at: number;
};

/** Tries until one try says that it is done. */
export async function persist(
  attempt: Attempt,
  watcher: Watcher,
  stopped: AbortSignal,
  wait: Wait,
): Promise<void> {
  let reached = attempt.at;
  for (let failures = 0; ; ) {
    stopped.throwIfAborted();
    try {
      if ((await attempt.run()) === "done") return;
    } catch (error) {
      stopped.throwIfAborted();
      if (attempt.at > reached) failures = 0;
      reached = Math.max(reached, attempt.at);
      const ms = WAITS_MS[failures];
      if (!isPassing(error) || ms === undefined) throw error;
      failures += 1;
      watcher.waiting(error);
      await unlessStopped(wait(ms), stopped);
    }
  }
}
