/** The viewer in a real browser against the mock server: `npx vitest run --config src/viewer/testing/vitest.config.ts`. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // A real browser on a busy machine misses a deadline now and then; what is broken fails every time.
    retry: 2,
    include: ["src/viewer/testing/*.browser.ts"],
    environment: "node",
    testTimeout: 30_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
});
