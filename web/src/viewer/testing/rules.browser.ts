/**
 * A pool's rules, the whole way and all of it real: Oriel's own pages and API (`examples/recorded`) in Chromium, with a TigerVNC server
 * as its desktop. What is copied stays where the rules say, the picture has its person's name over it, and a browser that nobody
 * touches for a minute is locked until the person is back.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./browser.mjs";
import { PATIENCE_MS, start, stopAll, until, xvnc } from "./servers";

const PROGRAM = fileURLToPath(new URL("../../../../target/release/examples/recorded", import.meta.url));
const PICTURES = process.env.ORIEL_PICTURES;
/** The shortest time that a pool can say. */
const LOCK_MS = 60_000;

type Plan = { url: string; person: string; password: string; desktop: string };

let home = "";
let display = "";
let browser: Browser;
let plan: Plan;

/** A screen, and a program that takes part in its clipboard. */
async function vnc(): Promise<number> {
  const { port, display: own } = await xvnc(1200);
  display = own;
  start("vncconfig", ["-display", display, "-nowin"]);
  return port;
}

async function signIn(page: Page): Promise<void> {
  await page.getByLabel("Name").fill(plan.person);
  await page.getByLabel("Password").fill(plan.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("heading", { name: "My desktops" }).waitFor();
}

const live = (page: Page) =>
  page.waitForFunction(() => window.oriel?.phase === "live", undefined, { timeout: PATIENCE_MS });

const picture = async (page: Page, name: string) => {
  if (PICTURES) await page.screenshot({ path: join(PICTURES, `${name}.png`) });
};

if (!existsSync(PROGRAM))
  console.warn(`rules.browser.ts is skipped: build ${PROGRAM} first (cargo build --release --examples)`);

describe.skipIf(!existsSync(PROGRAM))("the rules of a pool", () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "oriel-rules-"));
    mkdirSync(join(home, "data"));
    const program = start(PROGRAM, [
      ...["--data", join(home, "data"), "--recording", "off", "--vnc", String(await vnc())],
      ...["--ssh", "9", "--ssh-key", "/dev/null", "--ssh-user", userInfo().username, "--command", "true"],
      ...["--policy", "clipboard=to_machine,watermark,idle_lock=1"],
    ]);
    let said = "";
    program.stdout?.on("data", (piece) => {
      said += piece;
    });
    plan = JSON.parse(await until("the program", () => (said.includes("\n") ? said : ""))) as Plan;
    browser = await launch();
  }, 2 * PATIENCE_MS);

  afterAll(async () => {
    await browser?.close();
    stopAll();
    rmSync(home, { recursive: true, force: true });
  });

  it(
    "hold in a real browser",
    async () => {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 800 },
        permissions: ["clipboard-read", "clipboard-write"],
      });
      const page = await context.newPage();
      await page.goto(plan.url);
      await signIn(page);
      await page.goto(`${plan.url}/viewer/?desktop=${plan.desktop}&kind=vnc`);
      await live(page);
      await page.mouse.click(600, 500);
      await page.locator(".watermark text").filter({ hasText: plan.person }).waitFor({ state: "attached" });
      await picture(page, "rules-watermark");

      // To the machine, but not back.
      await page.evaluate(() => navigator.clipboard.writeText("from the person"));
      await page.keyboard.press("Control+Alt+Shift");
      await page.getByRole("button", { name: "Clipboard", exact: true }).click();
      await page.getByText("let you paste into it", { exact: false }).waitFor();
      await page.getByLabel("Clipboard of the desktop").fill("from the person");
      await page.getByRole("button", { name: "Put on the desktop's clipboard" }).click();
      const environment = { ...process.env, DISPLAY: display };
      await until("the machine's clipboard", () => {
        try {
          const text = execFileSync("xclip", ["-o", "-selection", "clipboard"], {
            env: environment,
            timeout: 5000,
          });
          return text.toString() === "from the person";
        } catch {
          return false;
        }
      });
      const copying = spawn("xclip", ["-i", "-selection", "clipboard", "-quiet"], { env: environment });
      copying.stdin.end("from the machine");
      await new Promise((resolve) => setTimeout(resolve, 1500));
      copying.kill();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("from the person");
      expect(await page.getByLabel("Clipboard of the desktop").inputValue()).toBe("from the person");
      await page.keyboard.press("Escape");

      // Nobody is there.
      const began = performance.now();
      await page.mouse.move(620, 520);
      await page.getByText("this browser locks soon", { exact: false }).waitFor({ timeout: LOCK_MS });
      await page.getByRole("heading", { name: "Locked" }).waitFor({ timeout: LOCK_MS });
      expect(performance.now() - began).toBeGreaterThan(LOCK_MS * 0.95);
      const other = await context.newPage();
      await other.goto(`${plan.url}/`);
      await other.getByRole("heading", { name: "Locked" }).waitFor();
      await picture(other, "rules-locked");
      await page.getByRole("link", { name: "Unlock" }).click();
      await page.getByLabel("Password").fill("not this one");
      await page.getByRole("button", { name: "Unlock" }).click();
      await page.getByText("is not right", { exact: false }).waitFor();
      await page.getByLabel("Password").fill(plan.password);
      await page.getByRole("button", { name: "Unlock" }).click();
      await live(page);
      await context.close();
    },
    4 * LOCK_MS,
  );
});
