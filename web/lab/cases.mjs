/** The words in which cases are written, as `lab/check` has them: a line each on standard output, everything else on standard error. */

/** How many times slower than a quiet machine this one may be. */
export const SLOW = Number(process.env.ORIEL_LAB_SLOW ?? 1);
export const PATIENCE_MS = 60_000 * SLOW;
const AGAIN_MS = 100;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `look` gives something, for so long on a quiet machine; what it throws meanwhile is why it did not. */
export async function until(what, look, quiet_ms = 60_000) {
  const ms = quiet_ms * SLOW;
  let why = "";
  for (const end = performance.now() + ms; performance.now() < end; ) {
    try {
      const found = await look();
      if (found) return found;
      why = "";
    } catch (error) {
      why = `: ${words(error)}`;
    }
    await pause(AGAIN_MS);
  }
  throw new Error(`${what}: not within ${Math.round(ms / 1000)} s${why}`);
}

function words(error) {
  return error instanceof Error ? error.message : String(error);
}

let [good, bad] = [0, 0];

/** Its line, and whether it passed. */
export async function check(name, work) {
  try {
    await work();
    good += 1;
    console.log(`ok - ${name}`);
    return true;
  } catch (error) {
    bad += 1;
    console.log(`not ok - ${name}`);
    const lines = words(error).split("\n").slice(0, 12);
    console.log(lines.map((line) => `#   ${line.slice(0, 300)}`).join("\n"));
    return false;
  }
}

/** The line that `./test` counts by, for a scene that is whole in here; whether all passed. */
export function tally(scene) {
  console.log(`lab ${scene}: ${good} passed, ${bad} failed, ${Math.round(performance.now() / 1000)} s`);
  return bad === 0;
}

/** What was measured, as a comment of the results. */
export function measured(text) {
  console.log(`# measured: ${text}`);
}

/** Middle, 95th percentile, and the most. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, most ${at(1)} ms of ${sorted.length}`;
}
