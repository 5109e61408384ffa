/** The whole path: a real Chromium at the real program, with a real desktop booted from the real image. `./test e2e` runs it. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // A real browser on a busy machine misses a deadline now and then; what is broken fails every time.
    retry: 2,
    include: ["e2e/**/*.e2e.ts"],
    environment: "node",
    globalSetup: ["e2e/setup.ts"],
    // Machines under software emulation take their time.
    testTimeout: 240_000,
    hookTimeout: 400_000,
    reporters: ["verbose"],
    fileParallelism: false,
    sequence: { concurrent: false },
  },
});
