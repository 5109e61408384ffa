/**
 * RDP's graphics pipeline in a real Chromium: FreeRDP's shadow server shares a screen, the real gateway (`oriel-bench
 * serve`) forwards its H.264, and the built viewer decodes and draws it. Every server is started here and stopped by its id.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./browser.mjs";
import { buildViewer } from "./build.mjs";
import { MockServer } from "./mock-server.mjs";

const BENCH = fileURLToPath(new URL("../../../../target/release/oriel-bench", import.meta.url));
const WIDTH = 1280;
const HEIGHT = 720;
const PATIENCE_MS = 60_000;

const children: ChildProcess[] = [];
let home = "";
let display = "";
let dist = "";
let browser: Browser;
let mock: MockServer;
let address = "";

function start(program: string, args: string[], environment: Record<string, string> = {}): ChildProcess {
  const child = spawn(program, args, {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", program === BENCH ? "inherit" : "ignore"],
  });
  children.push(child);
  return child;
}

async function until<T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; ) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not happen within ${PATIENCE_MS} ms`);
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

const listens = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    }).on("error", () => resolve(false));
  });

function paint(colour: string): void {
  execFileSync("xsetroot", ["-solid", colour], { env: { ...process.env, DISPLAY: display } });
}

async function open(setUp?: (context: BrowserContext) => Promise<unknown>): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: WIDTH, height: HEIGHT } });
  await setUp?.(context);
  const page = await context.newPage();
  await page.goto(`${address}/viewer/?desktop=d1&kind=rdp`);
  await page.waitForFunction(() => window.oriel?.phase === "live", undefined, { timeout: PATIENCE_MS });
  return page;
}

const pixel = (page: Page, x: number, y: number) =>
  page.evaluate(([px, py]) => window.oriel?.pixel(px, py), [x, y] as const);

const tiles = (page: Page) => page.evaluate(() => window.oriel?.stats().tiles as Record<string, number>);

/** Waits until a pixel has a colour, within what H.264 loses. */
async function becomes(page: Page, x: number, y: number, wanted: readonly number[]): Promise<void> {
  let seen: unknown;
  await until(`the colour ${wanted} at ${x}, ${y}`, async () => {
    const rgb = (await pixel(page, x, y)) ?? [0, 0, 0];
    seen = rgb;
    return rgb.every((value, at) => Math.abs(value - (wanted[at] ?? 0)) <= 6);
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is ${JSON.stringify(seen)}`);
  });
}

if (!existsSync(BENCH))
  console.warn(`rdp.browser.ts is skipped: build ${BENCH} first (cargo build --release)`);

describe.skipIf(!existsSync(BENCH))("H.264 of a real RDP server", () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "oriel-shadow-"));
    display = `:${await until("a free display", () =>
      Array.from({ length: 200 }, (_, at) => 400 + at).find((at) => !existsSync(`/tmp/.X11-unix/X${at}`)),
    )}`;
    start("Xvfb", [display, "-screen", "0", `${WIDTH}x${HEIGHT}x24`, "-nolisten", "tcp", "-noreset"]);
    await until("Xvfb", () => existsSync(`/tmp/.X11-unix/X${display.slice(1)}`));
    paint("#884422");
    const port = await freePort();
    const environment = { DISPLAY: display, HOME: home, XDG_CONFIG_HOME: join(home, "config") };
    start(
      "freerdp-shadow-cli",
      [`/port:${port}`, "/bind-address:127.0.0.1", "/sec:tls", "-auth"],
      environment,
    );
    await until("freerdp-shadow-cli", () => listens(port));
    const files = readdirSync(home, { recursive: true, encoding: "utf8" });
    const certificate = files.find((file) => file.endsWith(".crt"));
    const der = execFileSync("openssl", [
      "x509",
      "-outform",
      "der",
      "-in",
      join(home, certificate ?? "no certificate"),
    ]);
    const pin = [...createHash("sha256").update(der).digest()];
    const server = JSON.stringify({ Rdp: { address: `127.0.0.1:${port}`, pin, own: true } });
    const gateway = start(BENCH, ["serve", "--server", server]);
    gateway.once("exit", (code) => {
      if (code) console.error(`the gateway ended with ${code}`);
    });
    let said = "";
    gateway.stdout?.on("data", (piece) => {
      said += piece;
    });
    dist = process.env.ORIEL_DIST ?? mkdtempSync(join(tmpdir(), "oriel-viewer-"));
    if (!process.env.ORIEL_DIST) await buildViewer(dist);
    mock = new MockServer(dist);
    address = await mock.listen();
    mock.relay = await until("the gateway", () => Number.parseInt(said, 10));
    browser = await launch();
  }, 2 * PATIENCE_MS);

  afterAll(async () => {
    await browser?.close();
    await mock?.close();
    for (const child of children.reverse()) child.kill("SIGTERM");
    for (const folder of [home, process.env.ORIEL_DIST ? "" : dist]) {
      if (folder) rmSync(folder, { recursive: true, force: true });
    }
  });

  it("is forwarded and drawn in its colours, frame after frame", { timeout: 3 * PATIENCE_MS }, async () => {
    const page = await open();
    // Full range and BT.709: primaries, black, white and greys come out as they went in.
    for (const [name, rgb] of [
      ["#884422", [0x88, 0x44, 0x22]],
      ["#ff0000", [255, 0, 0]],
      ["#00ff00", [0, 255, 0]],
      ["#0000ff", [0, 0, 255]],
      ["#ffffff", [255, 255, 255]],
      ["#000000", [0, 0, 0]],
      ["#404040", [64, 64, 64]],
      ["#c0c0c0", [192, 192, 192]],
    ] as const) {
      paint(name);
      await becomes(page, 200, 300, rgb);
      await becomes(page, WIDTH - 20, HEIGHT - 20, rgb);
    }
    expect((await tiles(page)).video).toBeGreaterThanOrEqual(8);
    await page.context().close();
  });

  it("is there at once for who comes back or opens it in another window", {
    timeout: 3 * PATIENCE_MS,
  }, async () => {
    const page = await open();
    paint("#336699");
    await becomes(page, 200, 300, [0x33, 0x66, 0x99]);
    await page.evaluate(() => window.oriel?.cut());
    await page.waitForFunction(() => window.oriel?.phase === "live", undefined, { timeout: PATIENCE_MS });
    await becomes(page, 200, 300, [0x33, 0x66, 0x99]);
    paint("#996633");
    await becomes(page, 200, 300, [0x99, 0x66, 0x33]);
    await page.context().close();
  });

  it("is not asked for where the browser has no decoder", { timeout: 3 * PATIENCE_MS }, async () => {
    const page = await open((context) =>
      context.addInitScript(() => Reflect.deleteProperty(globalThis, "VideoDecoder")),
    );
    paint("#226644");
    await becomes(page, 200, 300, [0x22, 0x66, 0x44]);
    expect((await tiles(page)).video).toBe(0);
    await page.context().close();
  });
});
