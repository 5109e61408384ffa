/**
 * Builds the house before the first file of tests and clears it away after the last one. With `ORIEL_E2E_KEEP=FILE` the house
 * stays and is described in FILE, and the next run with the same FILE moves into it: no waiting while working on the tests.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { TestProject } from "vitest/node";
import { House, type Plan } from "./house";

declare module "vitest" {
  export interface ProvidedContext {
    plan: Plan;
  }
}

const say = (text: string) => process.stdout.write(`e2e: ${text}\n`);

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const start = Date.now();
  const keep = process.env.ORIEL_E2E_KEEP;
  if (keep && existsSync(keep)) {
    project.provide("plan", JSON.parse(readFileSync(keep, "utf8")) as Plan);
    return async () => undefined;
  }
  await House.sweep(say);
  const house = await House.build(keep !== undefined);
  say(`oriel serve at ${house.address}, data in ${house.folder}`);
  try {
    const plan = await house.furnish(say);
    project.provide("plan", plan);
    if (keep) writeFileSync(keep, JSON.stringify(plan));
  } catch (error) {
    await house.clear().catch((left: unknown) => say(`and clearing up failed: ${left}`));
    throw error;
  }
  say(`ready after ${((Date.now() - start) / 1000).toFixed(1)} s`);
  return async () => {
    if (keep) {
      say(`left as it is: ${house.folder}`);
      return;
    }
    const begin = Date.now();
    await house.clear();
    say(
      `cleared up in ${((Date.now() - begin) / 1000).toFixed(1)} s; ${((Date.now() - start) / 1000).toFixed(1)} s in all`,
    );
  };
}
