/** Oriel's own program (`examples/recorded`) with an xrdp desktop behind it, and a browser's page of a session there. */
import { existsSync, mkdtempSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { freePort, PATIENCE_MS, start, until } from "./servers";
import { missing, type Xrdp } from "./xrdp";

export const PROGRAM = fileURLToPath(
  new URL("../../../../target/release/examples/recorded", import.meta.url),
);
export const ready = existsSync(PROGRAM) && missing.length === 0 && userInfo().uid === 0;
/** What a test says when it is skipped. */
export const needs = ["root", PROGRAM, ...missing].join(", ");

export type Plan = { url: string; person: string; password: string; desktop: string };

/** `home`: a folder for its data. `policy`: the rules of the desktop's pool. */
export async function serve(home: string, machine: Xrdp, policy: string): Promise<Plan> {
  const data = mkdtempSync(join(home, "data-"));
  const program = start(PROGRAM, [
    ...["--data", data, "--recording", "off", "--vnc", String(await freePort())],
    ...[
      "--ssh",
      String(await freePort()),
      "--ssh-key",
      "/dev/null",
      "--ssh-user",
      "nobody",
      "--command",
      "true",
    ],
    ...["--rdp", String(machine.port), "--rdp-pin", machine.pin],
    ...["--rdp-user", machine.user, "--rdp-password", machine.password, "--policy", policy],
  ]);
  let said = "";
  program.stdout?.on("data", (piece) => {
    said += piece;
  });
  return JSON.parse(await until("the program", () => (said.includes("\n") ? said : ""))) as Plan;
}

export async function open(browser: Browser, at: Plan, permissions: string[] = []): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, permissions });
  const page = await context.newPage();
  await page.goto(at.url);
  await page.getByLabel("Name").fill(at.person);
  await page.getByLabel("Password").fill(at.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("heading", { name: "My desktops" }).waitFor();
  await page.goto(`${at.url}/viewer/?desktop=${at.desktop}&kind=rdp`);
  await page.waitForFunction(() => window.oriel?.phase === "live", undefined, { timeout: PATIENCE_MS });
  return page;
}
