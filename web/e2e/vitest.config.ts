/**
 * The whole path: a real Chromium against a running Oriel with a real desktop. Needs
 * `ORIEL_URL`, `ORIEL_USER` and `ORIEL_PASSWORD` (what `./run` prints as `ready:` and `login:`), and a desktop whose pool has the
 * `de` keyboard, by its name in `ORIEL_DESKTOP` (the first one of one's own otherwise).
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["e2e/**/*.e2e.ts"],
    environment: "node",
    // Machines under software emulation take their time.
    testTimeout: 240_000,
    hookTimeout: 400_000,
    fileParallelism: false,
    sequence: { concurrent: false },
  },
});
