/**
 * A machine behind a PiKVM in a real Chromium: a device in memory (`examples/device`) that speaks kvmd's API over TLS, the real
 * program (`oriel serve`) before it, and Oriel's own pages. What the machine gets is what the device's USB side would report.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./browser.mjs";
import { PATIENCE_MS, start, stopAll, until } from "./servers";

const built = (name: string) => fileURLToPath(new URL(`../../../../target/release/${name}`, import.meta.url));
const PROGRAM = built("oriel");
const DEVICE = built("examples/device");
const PICTURES = process.env.ORIEL_PICTURES;
const ADMIN = { name: "root", password: "seven green lamps in a row" };
const WIDTH = 640;
const HEIGHT = 480;

interface Seen {
  /** Reports of the USB keyboard and mouse, in hexadecimal, since the device began. */
  keys: string[];
  mouse: string[];
  printed: string[];
  power: boolean;
  relay: boolean;
  connected: boolean;
  image: string | null;
  clients: number;
}

/** What a program prints, line by line. */
class Lines {
  readonly all: string[] = [];
  constructor(child: ChildProcess) {
    let rest = "";
    child.stdout?.on("data", (piece) => {
      const lines = `${rest}${piece}`.split("\n");
      rest = lines.pop() ?? "";
      this.all.push(...lines);
    });
  }
}

class Device {
  constructor(
    readonly child: ChildProcess,
    readonly lines: Lines,
    readonly port: number,
  ) {}

  static async start(...video: string[]): Promise<Device> {
    // It is told things on its standard input.
    const child = spawn(DEVICE, video, { stdio: ["pipe", "pipe", "ignore"] });
    const lines = new Lines(child);
    const first = await until("the device", () => lines.all[0]);
    return new Device(child, lines, (JSON.parse(first) as { port: number }).port);
  }

  get seen(): Seen {
    return JSON.parse(this.lines.all.at(-1) ?? "{}") as Seen;
  }

  /** All connections end, as when its service restarts. */
  breaks(): void {
    this.child.stdin?.write("break\n");
  }

  async sees(what: string, look: (seen: Seen) => boolean): Promise<void> {
    await until(what, () => look(this.seen)).catch((error: unknown) => {
      throw new Error(`${String(error)}; it saw ${JSON.stringify(this.seen)}`);
    });
  }
}

let home = "";
let url = "";
let browser: Browser;
let context: BrowserContext;
let still: Device;
let moving: Device;

function oriel(args: string[], input = ""): string {
  return execFileSync(PROGRAM, args, { input, encoding: "utf8", env: environment() });
}

function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(ORIEL|XDG)_/.test(name));
  return {
    ...Object.fromEntries(own),
    ORIEL_DATA: join(home, "data"),
    ORIEL_CACHE: join(home, "cache"),
    ORIEL_LIBVIRT_URI: "none",
    ORIEL_ACCELERATOR: "tcg",
    ORIEL_LISTEN: "127.0.0.1:0",
    ORIEL_EXTERNAL_ALLOW: "127.0.0.0/8",
  };
}

async function open(name: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  const id = await page.evaluate(async (wanted) => {
    const answer = await fetch("/api/v1/desktops");
    const { desktops } = (await answer.json()) as { desktops: { id: string; name: string }[] };
    return desktops.find((one) => one.name === wanted)?.id;
  }, name);
  await page.goto(`${url}/viewer/?desktop=${id}&kind=vnc`);
  await page.waitForFunction(() => window.oriel?.phase === "live", undefined, { timeout: PATIENCE_MS });
  return page;
}

/** The four quarters of the device's picture. */
async function shows(page: Page, slack: number): Promise<void> {
  for (const [x, y, wanted] of [
    [160, 120, [255, 0, 0]],
    [480, 120, [0, 255, 0]],
    [160, 360, [0, 0, 255]],
    [480, 360, [255, 255, 255]],
  ] as const) {
    let rgb: number[] = [];
    await until(`the colour at ${x}, ${y}`, async () => {
      rgb = (await page.evaluate(([px, py]) => window.oriel?.pixel(px, py), [x, y] as const)) ?? [];
      return rgb.length === 3 && rgb.every((value, at) => Math.abs(value - (wanted[at] ?? 0)) <= slack);
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it is ${JSON.stringify(rgb)}`);
    });
  }
}

const tiles = (page: Page) => page.evaluate(() => window.oriel?.stats().tiles as Record<string, number>);

const picture = async (page: Page, name: string) => {
  if (PICTURES) await page.screenshot({ path: join(PICTURES, `${name}.png`) });
};

/** Where a pixel of the machine's picture is on the page. */
async function place(page: Page, x: number, y: number): Promise<[number, number]> {
  const box = await page.locator("canvas").first().boundingBox();
  if (!box) throw new Error("no picture on the page");
  return [box.x + ((x + 0.5) * box.width) / WIDTH, box.y + ((y + 0.5) * box.height) / HEIGHT];
}

const missing = [PROGRAM, DEVICE].filter((path) => !existsSync(path));
if (missing.length > 0)
  console.warn(
    `physical.browser.ts is skipped: build ${missing} first (cargo build --release --bins --examples)`,
  );

describe.skipIf(missing.length > 0)("a machine behind a PiKVM", () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "oriel-pikvm-"));
    mkdirSync(join(home, "data"));
    const video = join(home, "quarters.h264");
    const half = `${WIDTH / 2}x${HEIGHT / 2}`;
    const colours = ["red", "0x00ff00", "blue", "white"];
    execFileSync("ffmpeg", [
      ...["-hide_banner", "-loglevel", "error"],
      ...colours.flatMap((colour) => ["-f", "lavfi", "-i", `color=${colour}:s=${half}:r=20:d=5`]),
      ...["-filter_complex", "[0][1]hstack[a];[2][3]hstack[b];[a][b]vstack,format=yuv420p"],
      ...["-c:v", "libx264", "-profile:v", "baseline", "-g", "100", "-bf", "0"],
      ...["-x264-params", "aud=1:repeat-headers=1", "-f", "h264", video],
    ]);
    still = await Device.start();
    moving = await Device.start(video);
    const serve = start(PROGRAM, ["serve"], environment() as Record<string, string>);
    const lines = new Lines(serve);
    url = (await until("the program", () => lines.all.find((line) => line.startsWith("ready: "))))
      .slice("ready: ".length)
      .trim()
      .replace(/\/$/, "")
      .replace("127.0.0.1", "localhost");
    oriel(["user", "create", ADMIN.name, "--role", "admin", "--password-stdin"], ADMIN.password);
    oriel(["pool", "create", "rack", "--kind", "external"]);
    oriel(["pool", "allow", "rack", ADMIN.name]);
    writeFileSync(join(home, "password"), "admin\n");
    for (const [name, device] of [
      ["still", still],
      ["moving", moving],
    ] as const) {
      const at = `https://127.0.0.1:${device.port}`;
      oriel([
        "device",
        "add",
        at,
        "--pool",
        "rack",
        "--name",
        name,
        "--password-file",
        join(home, "password"),
      ]);
    }
    browser = await launch();
    context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.goto(url);
    await page.getByLabel("Name").fill(ADMIN.name);
    await page.getByLabel("Password").fill(ADMIN.password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page
      .getByRole("heading", { name: "My desktops" })
      .waitFor({ timeout: PATIENCE_MS })
      .catch(async (error: unknown) => {
        throw new Error(`${String(error)}; the page says ${await page.locator("body").innerText()}`);
      });
    await page.close();
  }, 3 * PATIENCE_MS);

  afterAll(async () => {
    await browser?.close();
    for (const device of [still, moving]) device?.child.kill("SIGTERM");
    stopAll();
    rmSync(home, { recursive: true, force: true });
  });

  it("shows JPEG, and keys and positions arrive at its USB side", { timeout: 3 * PATIENCE_MS }, async () => {
    const page = await open("still");
    await shows(page, 8);
    expect((await tiles(page)).video).toBe(0);
    await picture(page, "pikvm-viewer");

    const keys = still.seen.keys.length;
    await page.keyboard.down("Shift");
    await page.keyboard.press("a");
    await page.keyboard.up("Shift");
    await still.sees("Shift and A", (seen) => seen.keys.length >= keys + 4);
    expect(still.seen.keys.slice(keys, keys + 4)).toEqual([
      "0200000000000000",
      "0200040000000000",
      "0200000000000000",
      "0000000000000000",
    ]);

    // The corners of the picture are those of the machine's screen.
    for (const [x, y, report] of [
      [0, 0, "00000000000000"],
      [WIDTH - 1, HEIGHT - 1, "00ff7fff7f0000"],
    ] as const) {
      await page.mouse.move(...(await place(page, WIDTH / 2, HEIGHT / 2)));
      await page.mouse.move(...(await place(page, x, y)));
      await still.sees(`the pointer at ${x}, ${y}`, (seen) => seen.mouse.at(-1) === report);
    }
    await page.mouse.down();
    await still.sees("the button", (seen) => seen.mouse.at(-1) === "01ff7fff7f0000");
    await page.mouse.up();
    await page.mouse.wheel(0, 240);
    await still.sees("the wheel, towards the person", (seen) =>
      seen.mouse.slice(-4).some((report) => /^00.{8}f[0-9a-f]00$/.test(report)),
    );

    // The device's service restarts: the tab stays, and goes on by itself.
    still.breaks();
    await still.sees("nobody", (seen) => seen.clients === 0);
    await still.sees("the session again", (seen) => seen.clients === 1);
    const again = still.seen.keys.length;
    await until("a key after that", async () => {
      await page.keyboard.press("b");
      return still.seen.keys.slice(again).includes("0000050000000000");
    });
    // What is down when somebody leaves comes up, long before their connection ends.
    await page.keyboard.down("c");
    await still.sees("a key that is down", (seen) => seen.keys.at(-1) === "0000060000000000");
    await page.close();
    await still.sees("no key", (seen) => seen.keys.at(-1) === "0000000000000000");
  });

  it("shows H.264 as the device sends it", { timeout: 3 * PATIENCE_MS }, async () => {
    const page = await open("moving");
    await shows(page, 40);
    expect((await tiles(page)).video).toBeGreaterThan(0);
    const keys = moving.seen.keys.length;
    await page.keyboard.press("Enter");
    await moving.sees("Enter", (seen) => seen.keys.slice(keys).includes("0000280000000000"));
    await page.close();
  });

  it("its picture, buttons and drive are on its page, which asks first", {
    timeout: 3 * PATIENCE_MS,
  }, async () => {
    const page = await context.newPage();
    await page.goto(`${url}/pools/rack`);
    await picture(page, "pikvm-machines");
    await page.getByRole("button", { name: "Actions for still" }).click();
    await page.getByRole("menuitem", { name: "Device" }).click();
    const main = page.getByRole("main");
    await main.getByText("Power off", { exact: true }).waitFor({ timeout: PATIENCE_MS });
    await main.locator("canvas.shown").waitFor({ timeout: PATIENCE_MS });
    await main.getByRole("button", { name: "Power on" }).click();
    await still.sees("the power button", (seen) => seen.power);
    await main.getByText("Power on: done, the power light is on.").waitFor({ timeout: PATIENCE_MS });
    await picture(page, "pikvm-device");
    const { violations } = await new AxeBuilder({ page }).include("main").analyze();
    const bad = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(bad.map(({ id, help }) => `${id}: ${help}`)).toEqual([]);

    // Not without being asked.
    const asks = () =>
      until("the question", async () => {
        await main.getByRole("button", { name: "Cut power" }).click();
        return page.getByText("what is not saved is lost").isVisible();
      });
    await asks();
    await picture(page, "pikvm-confirm");
    expect(still.seen.power).toBe(true);
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    expect(still.seen.power).toBe(true);
    await asks();
    await page.getByRole("dialog").getByRole("button", { name: "Cut power" }).click();
    await still.sees("power cut", (seen) => !seen.power);

    const file = { name: "tools.iso", mimeType: "application/octet-stream", buffer: Buffer.alloc(3_000_000) };
    await page.locator('input[type="file"]').setInputFiles(file);
    await main.getByText("2.9 MiB of 2.9 MiB, done").waitFor({ timeout: PATIENCE_MS });
    await main.getByRole("combobox", { name: "In its drive" }).selectOption("tools.iso");
    await main.getByRole("button", { name: "Insert" }).click();
    await still.sees("the image", (seen) => seen.connected && seen.image === "tools.iso");

    await page.goto(`${url}/devices`);
    await page
      .getByRole("article", { name: "still" })
      .locator("canvas.shown")
      .waitFor({ timeout: PATIENCE_MS });
    await picture(page, "pikvm-wall");
    await page.close();
  });
});
