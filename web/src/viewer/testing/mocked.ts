/** The built viewer in a real Chromium, against the mock server: what its tests share. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { launch } from "./browser.mjs";
import { buildViewer } from "./build.mjs";
import { MockServer } from "./mock-server.mjs";

let browser: Browser;
let address = "";
const pages: Page[] = [];
/** A new one for each test. */
export let mock: MockServer;
/** Console errors of a test's pages: a content-policy violation is one. */
export let errors: string[] = [];

/** Builds the viewer and starts the browser for the tests of a file, and a server for each of them. */
export function serveViewer(): void {
  let dist = "";
  beforeAll(async () => {
    dist = process.env.ORIEL_DIST ?? mkdtempSync(join(tmpdir(), "oriel-viewer-"));
    if (!process.env.ORIEL_DIST) await buildViewer(dist);
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    if (dist && !process.env.ORIEL_DIST) rmSync(dist, { recursive: true });
  });
  beforeEach(async () => {
    errors = [];
    mock = new MockServer(dist);
    address = await mock.listen();
  });
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
    await mock.close();
  });
}

export async function open(kind = "rdp", options: BrowserContextOptions = {}, desktop = "d1"): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1000, height: 640 }, ...options });
  const page = await context.newPage();
  pages.push(page);
  page.on("console", (message) => {
    // A refused WebSocket or an answer of 4xx is told there too, and belongs to the test.
    if (message.type() === "error" && !/Failed to load resource|WebSocket/.test(message.text()))
      errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(`${address}/viewer/?desktop=${desktop}&kind=${kind}`);
  return page;
}

/** Opens it where this runs before our page does: what an older browser lacks is taken away. */
export async function openAfter(script: () => unknown): Promise<Page> {
  const context = await browser.newContext();
  await context.addInitScript(script);
  const page = await context.newPage();
  pages.push(page);
  await page.goto(`${address}/viewer/?desktop=d1&kind=rdp`);
  return page;
}

export const live = (page: Page) => page.waitForFunction(() => window.oriel?.phase === "live");
export const pixel = (page: Page, x: number, y: number) =>
  page.evaluate(([px, py]) => window.oriel?.pixel(px, py), [x, y] as const);

/** Generous: what does not happen at all fails as surely after this. */
export const PATIENCE_MS = 20_000;

export async function until<T>(
  what: () => Promise<T | undefined | false | null> | T | undefined | false | null,
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const value = await what();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
