/** One browser for a file of tests, and how a person walks in it: by role and label only. */
import { mkdirSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject } from "vitest";
import { startMock } from "../src/testing/mock-api.mjs";

export const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
export const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } } as const;
export interface Look {
  scheme: "light" | "dark";
  size: keyof typeof SIZES;
}

/** Set to a folder to keep a picture of every page. */
const pictures = process.env.ORIEL_PAGES_PICTURES;

export interface Visit {
  page: Page;
  context: BrowserContext;
  url: string;
  /** What the browser complained of; answers that are errors on purpose are not in it. */
  complaints: string[];
}

export function browsing() {
  let browser: Browser;
  let mock: Awaited<ReturnType<typeof startMock>>;
  beforeAll(async () => {
    mock = await startMock({ dist: inject("dist") });
    browser = await chromium.launch({
      executablePath: process.env.ORIEL_CHROMIUM ?? "/usr/bin/chromium",
      args: ARGS,
    });
  });
  afterAll(async () => {
    await browser?.close();
    await mock?.close();
  });

  return async function visit(who: string | null, path = "/", look: Partial<Look> = {}): Promise<Visit> {
    const { scheme = "light", size = "desktop" } = look;
    const context = await browser.newContext({
      viewport: SIZES[size],
      colorScheme: scheme,
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      const expected = message.text().startsWith("Failed to load resource");
      if ((message.type() === "error" || message.type() === "warning") && !expected)
        complaints.push(message.text());
    });
    await page.goto(mock.url + path);
    if (who) await signIn(page, who);
    return { page, context, url: mock.url, complaints };
  };
}

export async function signIn(page: Page, who: string, password = "password") {
  await page.getByLabel("Name").fill(who);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

export const heading = (page: Page, name: string | RegExp) => page.getByRole("heading", { level: 1, name });
export const dialogue = (page: Page, name: string | RegExp) => page.getByRole("dialog", { name });
export const button = (page: Page, name: string | RegExp) =>
  page.getByRole("button", { name, exact: typeof name === "string" });
export const card = (page: Page, name: string) => page.getByRole("article", { name });

/** Nothing serious or critical, by axe-core. */
export async function accessible(page: Page, what: string) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const bad = violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => `${v.id}: ${v.help}\n${v.nodes.map((n) => `   ${n.html.slice(0, 200)}`).join("\n")}`);
  expect(bad, `axe-core on ${what}`).toEqual([]);
}

export async function fits(page: Page, what: string) {
  const over = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(over, `${what} is wider than the screen`).toBeLessThanOrEqual(0);
}

export async function picture(page: Page, name: string) {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: `${pictures}/${name}.png` });
}
