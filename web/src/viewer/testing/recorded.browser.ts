/**
 * Recordings, the whole way and all of it real: Oriel's own pages and API (`examples/recorded`) in Chromium, with a TigerVNC
 * server, a FreeRDP shadow server and an OpenSSH server as its desktop. A person is asked, agrees and watches; an administrator plays
 * what was recorded, while it is still being recorded. Every server is started here and stopped by its id.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./browser.mjs";
import { freePort, listens, PATIENCE_MS, sshd, start, stopAll, until } from "./servers";

const PROGRAM = fileURLToPath(new URL("../../../../target/release/examples/recorded", import.meta.url));
/** A folder for pictures of the pages, when somebody wants to look at them. */
const PICTURES = process.env.ORIEL_PICTURES;
/** What the shell prints: a line each fifth of a second, then silence, then it asks for a password, without an echo. */
const COMMAND =
  'for n in $(seq 1 20); do printf "\\033[32mstep %s\\033[0m of 20\\r\\n" $n; sleep 0.2; done; echo "a needle in the hay"; sleep 8; echo "after a pause"; stty -echo; printf "Password: "; read -r it; stty echo; echo "thanks for $(printf "%s" "$it" | wc -c) letters"; sleep 600';

type Plan = { url: string; person: string; admin: string; password: string; desktop: string };
type Player = {
  position: number;
  duration: number;
  atEnd: boolean;
  seek(ms: number): Promise<void>;
  pixel(x: number, y: number): Promise<number[]>;
  text(): string;
};

let home = "";
let browser: Browser;
let plan: Plan;

const freeDisplay = (from: number) =>
  until("a free display", () =>
    Array.from({ length: 200 }, (_, at) => from + at).find(
      (at) => !existsSync(`/tmp/.X11-unix/X${at}`) && !existsSync(`/tmp/.X${at}-lock`),
    ),
  );

const paint = (display: string, colour: string) =>
  execFileSync("xsetroot", ["-solid", colour], { env: { ...process.env, DISPLAY: display } });

async function vnc(): Promise<{ display: string; port: number }> {
  const number = await freeDisplay(600);
  const port = await freePort();
  const options = "-geometry 800x600 -depth 24 -SecurityTypes None -localhost".split(" ");
  start("Xtigervnc", [`:${number}`, ...options, "-rfbport", String(port)]);
  await until("Xtigervnc", () => listens(port));
  paint(`:${number}`, RED);
  return { display: `:${number}`, port };
}

async function rdp(): Promise<{ display: string; port: number; pin: string }> {
  const number = await freeDisplay(800);
  const display = `:${number}`;
  start("Xvfb", [display, "-screen", "0", "1280x720x24", "-nolisten", "tcp", "-noreset"]);
  await until("Xvfb", () => existsSync(`/tmp/.X11-unix/X${number}`));
  paint(display, RED);
  const port = await freePort();
  const folder = join(home, "shadow");
  mkdirSync(folder);
  const environment = { DISPLAY: display, HOME: folder, XDG_CONFIG_HOME: join(folder, "config") };
  start("freerdp-shadow-cli", [`/port:${port}`, "/bind-address:127.0.0.1", "/sec:tls", "-auth"], environment);
  await until("freerdp-shadow-cli", () => listens(port));
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const certificate = join(folder, files.find((file) => file.endsWith(".crt")) ?? "no certificate");
  const der = execFileSync("openssl", ["x509", "-outform", "der", "-in", certificate]);
  return { display, port, pin: createHash("sha256").update(der).digest("hex") };
}

const RED = "#c81e1e";
const GREEN = "#1e8c3c";
const BLUE = "#1e46c8";
const rgb = (colour: string) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));

async function signIn(name: string): Promise<{ context: BrowserContext; page: Page }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(plan.url);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(plan.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("heading", { name: "My desktops" }).waitFor();
  return { context, page };
}

/** A person opens a connection and is asked first. */
async function watch(page: Page, kind: string, answer: string): Promise<void> {
  await page.goto(`${plan.url}/viewer/?desktop=${plan.desktop}&kind=${kind}`);
  await page.getByRole("heading", { name: "May this connection be recorded?" }).waitFor();
  await page.getByRole("button", { name: answer, exact: true }).click();
  await page.waitForFunction(() => window.oriel?.phase === "live", undefined, { timeout: PATIENCE_MS });
}

/** What the player lists as typed and copied. */
async function listed(player: Page): Promise<string> {
  await player.getByRole("button", { name: "Typed" }).click();
  const list = player.getByRole("complementary", { name: "Typed and copied" });
  await list.getByText(/^What was typed and copied$|^Nothing was typed or copied here/).waitFor();
  const text = (await list.locator("ol").textContent()) ?? "";
  await player.getByRole("button", { name: "Typed" }).click();
  return text;
}

/** Somebody who plays recordings and may not see what is typed in them. */
async function auditorSees(id: string | null, secret: string): Promise<void> {
  const vera = await signIn("vera");
  await vera.page.goto(`${plan.url}/player/?recording=${id}`);
  await vera.page.getByRole("slider", { name: "Place in the recording" }).waitFor();
  expect(await vera.page.getByRole("button", { name: "Typed" }).count()).toBe(0);
  const content = await vera.context.request.get(`${plan.url}/api/v1/recordings/${id}/content`);
  expect((await content.body()).includes(secret)).toBe(false);
  const admin = await signIn(plan.admin);
  const whole = await admin.context.request.get(`${plan.url}/api/v1/recordings/${id}/content`);
  expect((await whole.body()).includes(secret)).toBe(true);
  await vera.context.close();
  await admin.context.close();
}

/** What the player says or does. */
function look<K extends keyof Player>(page: Page, name: K, ...args: number[]) {
  return page.evaluate(
    ([member, ...rest]) => {
      const player = (window as unknown as { oriel?: Record<string, unknown> }).oriel;
      const found = player?.[member as string];
      return typeof found === "function" ? found(...rest) : found;
    },
    [name, ...args] as const,
  ) as Promise<Player[K] extends (...given: never[]) => infer R ? Awaited<R> : Player[K]>;
}

/** Waits until a pixel of the recording has a colour; H.264 loses a little. */
async function shows(page: Page, x: number, y: number, colour: string, loss = 0): Promise<void> {
  const wanted = rgb(colour);
  let seen: number[] = [];
  await until(`${colour} at ${x}, ${y}`, async () => {
    seen = (await look(page, "pixel", x, y)) ?? [];
    return seen.length === 3 && seen.every((value, at) => Math.abs(value - (wanted[at] ?? 0)) <= loss);
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is ${JSON.stringify(seen)}`);
  });
}

/** The length of a recording that runs, once so much is kept. */
const reaches = (page: Page, ms: number) =>
  until(`${ms} ms of recording`, async () => ((await look(page, "duration")) ?? 0) >= ms);

const count = (page: Page) =>
  page.evaluate(async () => {
    const answer = await fetch("/api/v1/recordings");
    return ((await answer.json()) as { recordings: unknown[] }).recordings.length;
  });

/** Ends all connections, which would go on for a minute without their people. */
async function endAll(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const me = (await (await fetch("/api/v1/me")).json()) as { csrf: string };
    const answer = await fetch("/api/v1/sessions");
    const { sessions } = (await answer.json()) as { sessions: { id: string }[] };
    for (const { id } of sessions)
      await fetch(`/api/v1/sessions/${id}`, { method: "DELETE", headers: { "X-Oriel-CSRF": me.csrf } });
  });
  await until("the end of all connections", () =>
    page.evaluate(async () => {
      const answer = await fetch("/api/v1/sessions");
      return ((await answer.json()) as { sessions: unknown[] }).sessions.length === 0;
    }),
  );
}

async function play(admin: { context: BrowserContext; page: Page }, kind: string): Promise<Page> {
  await admin.page.goto(`${plan.url}/recordings`);
  const row = admin.page.getByRole("row").filter({ hasText: kind });
  const link = row.getByRole("link", { name: /Play the recording/ }).first();
  const [player] = await Promise.all([admin.context.waitForEvent("page"), link.click()]);
  const errors: string[] = [];
  player.on("pageerror", (error) => errors.push(String(error)));
  player.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  player.on("close", () => expect(errors).toEqual([]));
  await player.getByRole("slider", { name: "Place in the recording" }).waitFor();
  return player;
}

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES) await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

if (!existsSync(PROGRAM))
  console.warn(`recorded.browser.ts is skipped: build ${PROGRAM} first (cargo build --release --examples)`);

describe.skipIf(!existsSync(PROGRAM))("recordings of real machines", () => {
  let screen = "";
  let shadow = "";

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "oriel-recorded-"));
    const [console, desktop, shell] = [await vnc(), await rdp(), await sshd(home)];
    [screen, shadow] = [console.display, desktop.display];
    mkdirSync(join(home, "data"));
    const program = start(PROGRAM, [
      ...["--data", join(home, "data"), "--recording", "ask", "--vnc", String(console.port)],
      ...["--rdp", String(desktop.port), "--rdp-pin", desktop.pin],
      ...["--ssh", String(shell.port), "--ssh-key", shell.key, "--ssh-user", userInfo().username],
      ...["--command", COMMAND, "--policy", "recording_keys,recording_clipboard"],
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

  it("a console that the person agreed to record plays while it runs", async () => {
    const anna = await signIn(plan.person);
    await watch(anna.page, "vnc", "Record and connect");
    const began = Date.now();
    const told =
      "Recorded, with the keys that are pressed, passwords too, and what goes through the clipboard";
    await anna.page.getByText(told, { exact: true }).waitFor();
    await picture(anna.page, "viewer-recorded-keys");
    await anna.page.keyboard.type("hunter2");
    await anna.page.keyboard.press("Enter");
    const clipboard = { env: { ...process.env, DISPLAY: screen }, input: "from the machine's clipboard" };
    execFileSync("xclip", ["-selection", "clipboard", "-loops", "0"], {
      ...clipboard,
      stdio: ["pipe", "ignore", "ignore"],
    });
    await anna.page.waitForTimeout(5000);
    paint(screen, GREEN);
    const green = Date.now() - began;
    await anna.page.waitForTimeout(6000);
    paint(screen, BLUE);

    // Whoever is no administrator sees no recording: not the list, not one, not its content.
    const admin = await signIn(plan.admin);
    const player = await play(admin, "Console");
    const id = new URL(player.url()).searchParams.get("recording");
    for (const path of ["", `/${id}`, `/${id}/index`, `/${id}/content`]) {
      const answer = await anna.context.request.get(`${plan.url}/api/v1/recordings${path}`);
      expect(answer.status(), path).toBe(403);
    }

    // It is still being written, and plays: back to red, on to green, to the end, which is blue.
    await player.getByText(/Live|Still running/).waitFor();
    await reaches(player, green + 2000);
    await look(player, "seek", 1500);
    await shows(player, 400, 300, RED);
    await look(player, "seek", green + 3500);
    await shows(player, 400, 300, GREEN);
    await look(player, "seek", 1500);
    await shows(player, 400, 300, RED);
    await reaches(player, green + 5000);
    await shows(player, 400, 300, BLUE);
    // What happens now is seen a moment later.
    paint(screen, RED);
    await shows(player, 400, 300, RED);
    await picture(player, "player-console");
    const typed = await listed(player);
    expect(typed).toContain("hunter2⟨Enter⟩");
    expect(typed).toContain("copied: from the machine's clipboard");
    await auditorSees(id, "from the machine's clipboard");

    // Encrypted at rest.
    const folder = join(home, "data", "recordings", id ?? "none");
    const parts = readdirSync(folder);
    expect(parts.length).toBeGreaterThan(2);
    for (const part of parts) {
      expect(readFileSync(join(folder, part)).includes("ORec"), part).toBe(false);
    }
    await anna.context.close();
    await admin.page.goto(`${plan.url}/recordings`);
    await picture(admin.page, "recordings");
    await admin.context.close();
  }, 180_000);

  it("H.264 of a desktop is recorded as it came and decoded by the player", async () => {
    const anna = await signIn(plan.person);
    paint(shadow, RED);
    await watch(anna.page, "rdp", "Record and connect");
    const began = Date.now();
    await anna.page.keyboard.type("over RDP");
    await anna.page.waitForTimeout(4000);
    paint(shadow, GREEN);
    const green = Date.now() - began;
    await anna.page.waitForTimeout(13_000);
    paint(shadow, BLUE);
    const stats = await anna.page.evaluate(() => window.oriel?.stats().tiles as Record<string, number>);
    expect(stats.video, JSON.stringify(stats)).toBeGreaterThan(0);

    const admin = await signIn(plan.admin);
    const player = await play(admin, "Desktop");
    await reaches(player, green + 13_000);
    for (const [ms, colour] of [
      [2000, RED],
      [green + 8000, GREEN],
      [1500, RED],
    ] as const) {
      await look(player, "seek", ms);
      await shows(player, 640, 360, colour, 8);
    }
    await player.getByLabel("Speed").selectOption("8");
    await shows(player, 640, 360, BLUE, 8);
    await picture(player, "player-desktop");
    expect(await listed(player)).toContain("over RDP");
    await anna.context.close();
    await admin.context.close();
  }, 180_000);

  it("a shell plays, skips its pause and is searched", async () => {
    const anna = await signIn(plan.person);
    await watch(anna.page, "ssh", "Record and connect");
    await anna.page.waitForTimeout(16_000);
    await anna.page.keyboard.type("a secret");
    await anna.page.keyboard.press("Enter");
    await anna.page.waitForTimeout(2000);
    const admin = await signIn(plan.admin);
    const player = await play(admin, "Shell");
    await reaches(player, 14_000);
    await look(player, "seek", 1500);
    await until("the first steps", async () => (await look(player, "text")).includes("step 2 of 20"));
    expect(await look(player, "text")).not.toContain("needle");
    // Eight seconds of silence pass in less.
    await player.getByLabel("Speed").selectOption("4");
    const began = Date.now();
    await until("what came after the pause", async () =>
      (await look(player, "text")).includes("after a pause"),
    );
    expect(Date.now() - began).toBeLessThan(6000);
    await player.getByRole("button", { name: "Find" }).click();
    await player.getByRole("searchbox", { name: "Find in this terminal" }).fill("NEEDLE");
    await player.getByText("1 place").waitFor();
    await player.getByRole("button", { name: /a needle in the hay/ }).click();
    await until("the needle", async () => (await look(player, "text")).includes("a needle"));
    expect(await look(player, "text")).not.toContain("after a pause");
    await picture(player, "player-shell");
    // Nothing showed it, and it is in the recording: the documents say so.
    expect(await listed(player)).toContain("a secret⟨Enter⟩");
    await look(player, "seek", (await look(player, "duration")) ?? 0);
    await until("its end", async () => (await look(player, "text")).includes("thanks for 8 letters"));
    expect(await look(player, "text")).not.toContain("a secret");
    await anna.context.close();
    await admin.context.close();
  }, 120_000);

  it("who does not agree is not recorded", async () => {
    const [anna, admin] = [await signIn(plan.person), await signIn(plan.admin)];
    await endAll(admin.page);
    const before = await count(admin.page);
    await watch(anna.page, "vnc", "Connect without recording");
    await anna.page.waitForTimeout(1000);
    expect(await count(admin.page)).toBe(before);
    await endAll(admin.page);
    // What was recorded has ended by now, and is whole.
    const states = await admin.page.evaluate(async () => {
      const answer = await fetch("/api/v1/recordings");
      return ((await answer.json()) as { recordings: { state: string }[] }).recordings.map(
        (one) => one.state,
      );
    });
    expect(states).toEqual(["ended", "ended", "ended"]);
    await admin.page.goto(`${plan.url}/recordings`);
    await admin.page.getByText("Complete", { exact: true }).first().waitFor();
    await picture(admin.page, "recordings-ended");
    await anna.context.close();
    await admin.context.close();
  }, 120_000);

  it("where the rules say nothing of keys none are kept", async () => {
    const admin = await signIn(plan.admin);
    await endAll(admin.page);
    const change = await admin.page.evaluate(async () => {
      const me = (await (await fetch("/api/v1/me")).json()) as { csrf: string };
      const answer = await fetch("/api/v1/pools/lab", {
        method: "PATCH",
        headers: { "X-Oriel-CSRF": me.csrf, "Content-Type": "application/json" },
        body: JSON.stringify({ policy: {} }),
      });
      return answer.status;
    });
    expect(change).toBe(200);
    const anna = await signIn(plan.person);
    await watch(anna.page, "vnc", "Record and connect");
    await anna.page.getByText("Recorded", { exact: true }).waitFor();
    await anna.page.keyboard.type("hunter2");
    execFileSync("xclip", ["-selection", "clipboard", "-loops", "0"], {
      env: { ...process.env, DISPLAY: screen },
      input: "not for recordings",
      stdio: ["pipe", "ignore", "ignore"],
    });
    await anna.page.waitForTimeout(4000);
    paint(screen, GREEN);
    const player = await play(admin, "Console");
    const id = new URL(player.url()).searchParams.get("recording");
    await reaches(player, 3000);
    expect(await listed(player)).toBe("");
    const content = await admin.context.request.get(`${plan.url}/api/v1/recordings/${id}/content`);
    expect((await content.body()).includes("not for recordings")).toBe(false);
    await endAll(admin.page);
    await anna.context.close();
    await admin.context.close();
  }, 120_000);
});
