import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    dist: string;
  }
}

/** `ORIEL_PAGES_DIST` names a build to test instead of making one. */
export default async function setup(project: TestProject) {
  const given = process.env.ORIEL_PAGES_DIST;
  if (given) {
    project.provide("dist", given);
    return undefined;
  }
  const dist = mkdtempSync(join(tmpdir(), "oriel-console-"));
  process.env.ORIEL_WEB_ONLY = "console,player";
  const { build } = await import("vite");
  await build({ root: project.config.root, logLevel: "warn", build: { outDir: dist, emptyOutDir: true } });
  project.provide("dist", dist);
  return () => rmSync(dist, { recursive: true, force: true });
}
