/** Builds the viewer's entry alone, for its tests: `node src/viewer/testing/build.mjs FOLDER`. */
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = fileURLToPath(new URL("../../..", import.meta.url));

export async function buildViewer(outDir) {
  await build({
    root,
    configFile: false,
    logLevel: process.argv[2] ? "info" : "error",
    worker: { format: "es" },
    build: {
      outDir,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      target: "es2023",
      rolldownOptions: {
        input: { viewer: `${root}/viewer/index.html`, monitor: `${root}/viewer/monitor.html` },
      },
    },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2]) await buildViewer(process.argv[2]);
