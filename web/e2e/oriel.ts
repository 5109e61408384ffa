/** A person with a browser at a running Oriel: signs in, opens desktops, uses shells. By roles and labels only. */
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, BrowserContext, CDPSession, Page } from "playwright-core";
import { expect, inject } from "vitest";
import { launch } from "../src/viewer/testing/browser.mjs";
import { House, type Person, until } from "./house";

export type Desktop = { id: string; name: string; state: string; kinds: string[] };
export type Kind = "rdp" | "vnc" | "ssh";

/** The house that setup.ts has built. */
export const plan = inject("plan");
export const house = House.at(plan);
export const address = house.address;

export class Visit {
  /** What the browser complained about: a content-policy violation, an exception. */
  readonly complaints: string[] = [];

  private constructor(
    private readonly browser: Browser,
    readonly context: BrowserContext,
  ) {}

  static async start({ layout = "de", dark = false } = {}): Promise<Visit> {
    const browser = await launch();
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      permissions: ["clipboard-read", "clipboard-write"],
      locale: "en-GB",
      colorScheme: dark ? "dark" : "light",
    });
    context.setDefaultTimeout(90_000);
    await context.addInitScript((chosen) => {
      if (location.protocol !== "about:") localStorage.setItem("oriel.keyboard", chosen);
    }, layout);
    const visit = new Visit(browser, context);
    context.on("page", (page) => visit.#listen(page));
    return visit;
  }

  #listen(page: Page): void {
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      // Answers that are errors on purpose, and a server that was switched off, are not faults of a page.
      const expected = /Failed to load resource|WebSocket connection to .* failed|ERR_CONNECTION_REFUSED/;
      if (message.type() === "error" && !expected.test(message.text())) this.complaints.push(message.text());
    });
  }

  async page(path = "/"): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(address + path);
    return page;
  }

  async signIn(person: Person = plan.admin): Promise<Page> {
    const page = await this.page();
    await fillSignIn(page, person);
    await page.getByRole("heading", { name: "My desktops" }).waitFor();
    return page;
  }

  /** The desktop that these tests use. */
  async desktop(page: Page): Promise<Desktop> {
    const desktops = await page.evaluate(async () => {
      const answer = await fetch("/api/v1/desktops");
      return ((await answer.json()) as { desktops: Desktop[] }).desktops;
    });
    const found = desktops.find((one) => one.name === plan.desktop);
    if (!found) throw new Error(`${plan.desktop} is not among ${desktops.map((one) => one.name)}`);
    return found;
  }

  async view(desktop: Desktop, kind: Kind): Promise<Viewer> {
    return this.watch(await this.page(`/viewer/?desktop=${desktop.id}&kind=${kind}`));
  }

  /** Waits until a viewer's page shows its desktop. */
  async watch(page: Page): Promise<Viewer> {
    await page.waitForFunction(() => ["live", "ended"].includes(window.oriel?.phase ?? ""), null, {
      timeout: 200_000,
    });
    const phase = await page.evaluate(() => window.oriel?.phase);
    if (phase !== "live") throw new Error(`the viewer ended: ${await page.locator("body").innerText()}`);
    return new Viewer(page, await this.context.newCDPSession(page));
  }

  async shell(desktop: Desktop): Promise<Shell> {
    const viewer = await this.view(desktop, "ssh");
    const shell = new Shell(viewer.page);
    await shell.run("stty -echo; unset PROMPT_COMMAND; PS1=");
    return shell;
  }

  async close(): Promise<void> {
    await this.browser.close();
  }
}

/** What a person does at the door. */
export async function fillSignIn(page: Page, person: Person): Promise<void> {
  await page.getByLabel("Name").fill(person.name);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** Nothing serious or critical, by axe-core. */
export async function accessible(page: Page, what: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const bad = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) =>
      [`${id}: ${help}`, ...nodes.map(({ html }) => html.slice(0, 200))].join("\n   "),
    );
  expect(bad, `axe-core on ${what}`).toEqual([]);
}

export async function eventually(what: string, look: () => Promise<boolean>, seconds = 120): Promise<void> {
  await until(what, seconds * 1000, async () => (await look()) || undefined);
}

/** A number worth reading in the log. */
export function measured(what: string, ms: number): void {
  process.stdout.write(`e2e: ${what}: ${Math.round(ms)} ms\n`);
}

export function measuredMemory(what: string, { all, own }: { all: number; own: number }): void {
  process.stdout.write(`e2e: ${what}: ${all.toFixed(1)} MiB resident, ${own.toFixed(1)} of them its own\n`);
}

/** Physical keys of a German keyboard for the characters that tests type. */
const GERMAN: Readonly<Record<string, readonly [code: string, level: "" | "shift" | "altgr"]>> = {
  ä: ["Quote", ""],
  ö: ["Semicolon", ""],
  ü: ["BracketLeft", ""],
  ß: ["Minus", ""],
  y: ["KeyZ", ""],
  z: ["KeyY", ""],
  " ": ["Space", ""],
  "-": ["Slash", ""],
  ".": ["Period", ""],
  "/": ["Digit7", "shift"],
  "&": ["Digit6", "shift"],
  ">": ["IntlBackslash", "shift"],
  "<": ["IntlBackslash", ""],
  "'": ["Backslash", "shift"],
  "\n": ["Enter", ""],
  "€": ["KeyE", "altgr"],
  "@": ["KeyQ", "altgr"],
  "{": ["Digit7", "altgr"],
  "}": ["Digit0", "altgr"],
};

export class Viewer {
  constructor(
    readonly page: Page,
    private readonly devtools: CDPSession,
  ) {}

  /** Types as someone at a German keyboard does: physical keys, Shift and AltGr. */
  async type(text: string): Promise<void> {
    for (const character of text) {
      const [code, level] =
        GERMAN[character] ??
        (/[a-z]/.test(character)
          ? [`Key${character.toUpperCase()}`, ""]
          : /[A-Z]/.test(character)
            ? [`Key${character}`, "shift"]
            : [`Digit${character}`, ""]);
      const modifier = {
        "": null,
        shift: ["ShiftLeft", "Shift", 1],
        altgr: ["AltRight", "AltGraph", 2],
      } as const;
      const held = modifier[level as "" | "shift" | "altgr"];
      const modifiers = level === "shift" ? 8 : 0;
      if (held) await this.key("keyDown", held[0], held[1], { location: held[2], modifiers });
      const key = character === "\n" ? "Enter" : character;
      await this.key("keyDown", code, key, { modifiers });
      await this.key("keyUp", code, key, { modifiers });
      if (held) await this.key("keyUp", held[0], held[1], { location: held[2] });
      await this.page.waitForTimeout(30);
    }
  }

  key(type: "keyDown" | "keyUp", code: string, key: string, more: object = {}): Promise<unknown> {
    return this.devtools.send("Input.dispatchKeyEvent", { type, code, key, ...more });
  }

  async stats(): Promise<Record<string, number>> {
    return (await this.page.evaluate(() => window.oriel?.stats())) as Record<string, number>;
  }

  /** Waits until the picture has rested for a while. */
  async settled(rest = 1500): Promise<void> {
    await until("a picture that rests", 60_000, async () => {
      const last = await this.page.evaluate(() => window.oriel?.marks.last_frame ?? Number.NaN);
      return Date.now() - last > rest || undefined;
    });
  }

  /** The picture as it is now, or one that the page keeps in `samples`. */
  async picture(sample?: number): Promise<Picture> {
    const png = await this.page.evaluate(async (sample) => {
      const kept = (window as unknown as { samples?: { picture: Promise<Blob | null> }[] }).samples;
      const blob = await (sample === undefined ? window.oriel?.snapshot() : kept?.[sample]?.picture);
      const bytes = new Uint8Array((await blob?.arrayBuffer()) ?? new ArrayBuffer(0));
      let text = "";
      for (let at = 0; at < bytes.length; at += 8192)
        text += String.fromCharCode(...bytes.subarray(at, at + 8192));
      return btoa(text);
    }, sample);
    return decode(this.page, png);
  }
}

export type Picture = { width: number; height: number; grid: number[][] };

/** Averages of a PNG (base64) over cells of 32 by 32 pixels: enough to compare, small enough to hand over. */
export async function decode(page: Page, png: string): Promise<Picture> {
  return page.evaluate(async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no canvas");
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    const grid: number[][] = [];
    for (let y = 0; y + 32 <= bitmap.height; y += 32) {
      for (let x = 0; x + 32 <= bitmap.width; x += 32) {
        const sum = [0, 0, 0];
        for (let dy = 0; dy < 32; dy += 1) {
          for (let dx = 0; dx < 32; dx += 1) {
            const at = ((y + dy) * bitmap.width + x + dx) * 4;
            for (let part = 0; part < 3; part += 1) sum[part] = (sum[part] ?? 0) + (data[at + part] ?? 0);
          }
        }
        grid.push(sum.map((value) => value / 1024));
      }
    }
    return { width: bitmap.width, height: bitmap.height, grid };
  }, png);
}

/** How many cells of two pictures differ by more than `slack` in any colour; all of them when the sizes do. */
export function differing(a: Picture, b: Picture, slack: number): number {
  if (a.width !== b.width || a.height !== b.height) return Math.max(a.grid.length, b.grid.length);
  return a.grid.filter((cell, index) =>
    cell.some((value, part) => Math.abs(value - (b.grid[index]?.[part] ?? 0)) > slack),
  ).length;
}

/** A guest's shell through Oriel's own terminal. */
export class Shell {
  #count = 0;

  constructor(readonly page: Page) {}

  /** Whether a command writes this; one that fails does not. */
  async answers(command: string, wanted: string): Promise<boolean> {
    return (await this.run(`{ ${command}; } || true`)) === wanted;
  }

  /** Runs a command and gives what it wrote; fails when the command does. */
  async run(command: string): Promise<string> {
    this.#count += 1;
    const mark = `${Date.now().toString(36)}${this.#count}`;
    // The marks are put together by the shell, so that its echo of the line is not taken for them.
    await this.page.getByRole("main").locator("textarea").focus();
    await this.page.keyboard.insertText(
      `printf 'be''gin-${mark}\\n'; ${command}${command.endsWith("&") ? "" : ";"} printf 'e''nd-${mark}-%s.\\n' $?`,
    );
    await this.page.keyboard.press("Enter");
    await this.page.waitForFunction((end) => window.oriel?.terminalText().includes(end), `end-${mark}-`, {
      timeout: 120_000,
    });
    const text = (await this.page.evaluate(() => window.oriel?.terminalText())) ?? "";
    const [, body = "", code = ""] = new RegExp(`begin-${mark}\\n([^]*?)end-${mark}-(\\d+)`).exec(text) ?? [];
    if (code !== "0") throw new Error(`${command}: exit status ${code}: ${body}`);
    return body.trimEnd();
  }
}
