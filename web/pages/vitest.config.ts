import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// The console in a real browser, against the mock of the API. Builds the console first, into a folder of its own.
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("..", import.meta.url)),
    include: ["pages/**/*.test.ts"],
    globalSetup: ["pages/setup.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
