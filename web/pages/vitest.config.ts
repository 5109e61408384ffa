import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// The console in a real browser, against the mock of the API. Builds the console first, into a folder of its own.
export default defineConfig({
  test: {
    // A real browser on a busy machine misses a deadline now and then; what is broken fails every time.
    retry: 2,
    root: fileURLToPath(new URL("..", import.meta.url)),
    include: ["pages/**/*.test.ts"],
    globalSetup: ["pages/setup.ts"],
    fileParallelism: false,
    // A walk looks at some twenty pages, each by axe too.
    testTimeout: 300_000,
    hookTimeout: 60_000,
  },
});
