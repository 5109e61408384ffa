/**
 * Sharing, the whole way and all of it real: Oriel's own pages and API (`examples/recorded`) in Chromium, with a TigerVNC
 * server and an OpenSSH server as its desktop. A person invites, somebody comes by the link, is given control and types; an
 * administrator looks on after the person said yes. Every server is started here and stopped by its id.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./browser.mjs";
import { PATIENCE_MS, sshd, start, stopAll, until, xvnc } from "./servers";

const PROGRAM = fileURLToPath(new URL("../../../../target/release/examples/recorded", import.meta.url));
/** A folder for pictures of the pages, when somebody wants to look at them. */
const PICTURES = process.env.ORIEL_PICTURES;

type Plan = { url: string; person: string; admin: string; password: string; desktop: string };

let home = "";
let display = "";
let browser: Browser;
let plan: Plan;
const contexts: BrowserContext[] = [];

const paint = (colour: string) =>
  execFileSync("xsetroot", ["-solid", colour], { env: { ...process.env, DISPLAY: display } });
const typed = () => readFileSync(join(home, "typed"), "utf8");

/** A screen whose left half writes down what is typed. */
async function vnc(): Promise<number> {
  const { port, display: own } = await xvnc(1000);
  display = own;
  const script = `stty -icanon; echo type here; exec dd bs=1 of=${home}/typed`;
  start("xterm", ["-display", display, "-geometry", "70x40+20+80", "-e", "sh", "-c", script]);
  await until("xterm", () => existsSync(join(home, "typed")));
  return port;
}

/** Somebody's browser, signed in where they were sent to. */
async function visit(name: string, address = "/", size = { width: 1280, height: 800 }): Promise<Page> {
  const context = await browser.newContext({
    viewport: size,
    permissions: ["clipboard-read", "clipboard-write"],
  });
  contexts.push(context);
  const page = await context.newPage();
  await page.goto(`${plan.url}${address}`);
  if (address !== "/") await page.getByRole("link", { name: "Sign in", exact: true }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(plan.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  if (address === "/") await page.getByRole("heading", { name: "My desktops" }).waitFor();
  return page;
}

async function view(page: Page, kind: string): Promise<void> {
  await page.goto(`${plan.url}/viewer/?desktop=${plan.desktop}&kind=${kind}`);
  await live(page);
}

const live = (page: Page) =>
  page.waitForFunction(() => window.oriel?.phase === "live", undefined, { timeout: PATIENCE_MS });

async function shows(page: Page, wanted: readonly number[]): Promise<void> {
  let seen: unknown;
  await until(`the colour ${wanted}`, async () => {
    // The right edge, where the terminal is not.
    const rgb = await page.evaluate(() => {
      const { width, height } = (window.oriel?.stats() ?? {}) as { width: number; height: number };
      return window.oriel?.pixel(width - 20, height - 20);
    });
    seen = rgb;
    return rgb?.every((value, at) => Math.abs(value - (wanted[at] ?? 0)) <= 6);
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is ${JSON.stringify(seen)}`);
  });
}

async function share(
  page: Page,
  role: "view" | "control",
  whom: "people" | "guest" = "people",
): Promise<string> {
  await page.mouse.move((page.viewportSize()?.width ?? 0) / 2, 4);
  await page.getByRole("button", { name: "Share", exact: true }).click();
  await page.getByLabel("It is for").selectOption(whom);
  await page.getByLabel("People with the link may").selectOption(role);
  await page.getByRole("button", { name: "Create a link" }).click();
  return page.getByLabel("The invitation’s link").inputValue();
}

/** As Bob, who has no account. */
async function knock(page: Page, link: string): Promise<void> {
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByLabel("Your name").fill("Bob");
  await page.getByRole("button", { name: "Knock" }).click();
}

const picture = async (page: Page, name: string) => {
  if (PICTURES) await page.screenshot({ path: join(PICTURES, `${name}.png`) });
};
const chip = (page: Page) => page.locator(".presence");

if (!existsSync(PROGRAM))
  console.warn(`shared.browser.ts is skipped: build ${PROGRAM} first (cargo build --release --examples)`);

describe.skipIf(!existsSync(PROGRAM))("a shared desktop", () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "oriel-shared-"));
    const [screen, shell] = [await vnc(), await sshd(home)];
    const data = join(home, "data");
    mkdirSync(data);
    const program = start(PROGRAM, [
      ...["--data", data, "--recording", "off", "--vnc", String(screen), "--ssh", String(shell.port)],
      ...["--policy", "sharing=control,share_guests"],
      ...["--ssh-user", userInfo().username, "--ssh-key", shell.key],
      ...["--command", "echo a shared shell; while read line; do echo you said $line; done"],
    ]);
    let said = "";
    program.stdout?.on("data", (piece) => {
      said += piece;
    });
    plan = JSON.parse((await until("the program", () => /^.*(?=\n)/.exec(said)))[0]) as Plan;
    browser = await launch();
  }, 2 * PATIENCE_MS);

  afterAll(async () => {
    await browser?.close();
    stopAll();
    rmSync(home, { recursive: true, force: true });
  });

  it("is seen by who has the link, who is given control, points and types", {
    timeout: 4 * PATIENCE_MS,
  }, async () => {
    const owner = await visit(plan.person);
    await view(owner, "vnc");
    paint("#285028");
    await shows(owner, [0x28, 0x50, 0x28]);
    const link = await share(owner, "view");
    await picture(owner, "share-dialogue");

    const guest = await visit(plan.admin, new URL(link).pathname + new URL(link).search, {
      width: 900,
      height: 640,
    });
    await live(guest);
    await shows(guest, [0x28, 0x50, 0x28]);
    await chip(guest).getByText(`${plan.person}’s desktop · view only`).waitFor();
    await chip(owner).getByText(`${plan.admin} watches`).waitFor();
    // The whole of the owner's screen, in a smaller window.
    const size = (page: Page) => page.evaluate(() => window.oriel?.stats().width);
    expect(await size(guest)).toBe(await size(owner));

    // Both see where the other points; the guest's keys go nowhere.
    await owner.getByRole("button", { name: "Share", exact: true }).click();
    await owner.mouse.click(1000, 650);
    await guest.mouse.move(300, 300);
    await owner.locator(".other.seat-1").getByText(plan.admin).waitFor();
    await owner.mouse.move(900, 600);
    await guest.locator(".other.seat-0").getByText(plan.person).waitFor();
    await guest.keyboard.type("no");
    await picture(guest, "guest-watches");

    await chip(guest).getByRole("button", { name: "Ask for control" }).click();
    const question = owner.getByRole("alertdialog");
    await question.getByText(`${plan.admin} asks for control`).waitFor();
    await picture(owner, "control-question");
    await question.getByRole("button", { name: "Give control" }).click();
    await chip(guest).getByText("you have control").waitFor();
    await chip(owner).getByText(`${plan.admin} controls`).waitFor();
    await guest.mouse.move(200, 300);
    await guest.mouse.click(200, 300);
    await guest.keyboard.type("hello");
    await until("the guest's keys", () => typed().includes("hello"));
    await owner.mouse.move(260, 330);
    await owner.keyboard.type("there");
    await until("the owner's keys", () => typed().includes("hellothere"));
    await picture(owner, "guest-controls");

    // Control is taken back; then the invitation.
    await chip(owner).getByRole("button").first().click();
    await owner.getByRole("button", { name: "Take control back" }).click();
    await chip(guest).getByText("view only").waitFor();
    await owner.getByRole("button", { name: "Withdraw" }).click();
    await guest.getByRole("heading", { name: "You are not watching any more" }).waitFor();
    await picture(guest, "guest-is-gone");
    expect(await chip(owner).isVisible()).toBe(false);
    expect(typed()).not.toContain("no");
    for (const context of contexts.splice(0)) await context.close();
  });

  it("is looked on at by an administrator when the person says yes", {
    timeout: 4 * PATIENCE_MS,
  }, async () => {
    const owner = await visit(plan.person);
    await view(owner, "vnc");
    paint("#603060");
    await shows(owner, [0x60, 0x30, 0x60]);
    const admin = await visit(plan.admin);
    await admin.goto(`${plan.url}/sessions`);
    await admin
      .getByRole("button", { name: `Look on at the connection of ${plan.person}`, exact: false })
      .click();
    await picture(admin, "shadow-dialogue");
    const tab = admin.context().waitForEvent("page");
    await admin.getByRole("button", { name: "Watch", exact: true }).click();
    const helper = await tab;
    await helper.getByText(`Asking ${plan.person}`, { exact: false }).waitFor();
    await picture(helper, "helper-waits");
    const question = owner.getByRole("alertdialog");
    await question.getByText(`${plan.admin} wants to watch`).waitFor();
    await picture(owner, "shadow-question");
    await question.getByRole("button", { name: "Let them watch" }).click();
    await live(helper);
    await shows(helper, [0x60, 0x30, 0x60]);
    await chip(owner).getByText(`${plan.admin} watches`).waitFor();
    await admin.getByText(`with ${plan.admin} (administrator)`).waitFor();
    await picture(admin, "sessions");
    // Sent away.
    await chip(owner).getByRole("button").first().click();
    await owner.getByRole("button", { name: `Send ${plan.admin} away` }).click();
    await helper.getByRole("heading", { name: "You are not watching any more" }).waitFor();
    for (const context of contexts.splice(0)) await context.close();
  });

  it("is seen by a guest without an account whom its person lets in", {
    timeout: 4 * PATIENCE_MS,
  }, async () => {
    const owner = await visit(plan.person);
    await view(owner, "vnc");
    paint("#305070");
    await shows(owner, [0x30, 0x50, 0x70]);
    const link = await share(owner, "view", "guest");
    expect(link).toContain("/join/guest?kind=vnc#");
    await picture(owner, "share-with-a-guest");

    const context = await browser.newContext({ viewport: { width: 900, height: 640 } });
    contexts.push(context);
    const guest = await context.newPage();
    const asked: string[] = [];
    guest.on("request", (request) => asked.push(request.url()));
    await knock(guest, link);
    await guest.getByText("waiting to be let in", { exact: false }).waitFor();
    await picture(guest, "guest-knocks");
    const question = owner.getByRole("alertdialog");
    await question.getByText("Bob (guest) wants to watch").waitFor();
    await picture(owner, "knock-question");
    await question.getByRole("button", { name: "No" }).click();
    await guest.getByRole("heading", { name: "You were not let in" }).waitFor();
    await picture(guest, "guest-is-refused");

    await guest.getByRole("button", { name: "Connect again" }).click();
    await question.getByRole("button", { name: "Let them in" }).click();
    await live(guest);
    await shows(guest, [0x30, 0x50, 0x70]);
    await chip(owner).getByText("Bob (guest) watches").waitFor();
    expect(await guest.getByRole("button", { name: "Ask for control" }).count()).toBe(0);
    // The secret is in no address that was asked for, and nothing but the knock was.
    const secret = new URL(link).hash.slice(1);
    expect(asked.some((address) => address.includes("/api/") && address.includes(secret))).toBe(false);
    const calls = asked.filter((address) => address.includes("/api/v1/"));
    expect(new Set(calls.map((address) => new URL(address).pathname))).toEqual(
      new Set(["/api/v1/guests/knock"]),
    );

    await chip(owner).getByRole("button").first().click();
    await owner.getByRole("button", { name: "Send Bob away" }).click();
    await guest.getByRole("heading", { name: "You are not watching any more" }).waitFor();
    await knock(guest, link);
    await guest.getByRole("heading", { name: "This invitation is not open" }).waitFor();
    for (const context of contexts.splice(0)) await context.close();
  });

  it("may be a shell", { timeout: 4 * PATIENCE_MS }, async () => {
    const owner = await visit(plan.person);
    await view(owner, "ssh");
    const text = (page: Page) => page.evaluate(() => window.oriel?.terminalText() ?? "");
    await until("the shell", async () => (await text(owner)).includes("a shared shell"));
    await owner.keyboard.type("first\n");
    await until("the echo", async () => (await text(owner)).includes("you said first"));
    const link = await share(owner, "control");
    const guest = await visit(plan.admin, new URL(link).pathname + new URL(link).search, {
      width: 700,
      height: 480,
    });
    await live(guest);
    await until("what was before", async () => (await text(guest)).includes("you said first"));
    await guest.locator(".stage").click();
    await guest.keyboard.type("second\n");
    await until("the guest's line", async () => (await text(owner)).includes("you said second"));
    const size = (page: Page) => page.evaluate(() => window.oriel?.stats().width);
    expect(await size(guest)).toBe(await size(owner));
    await picture(guest, "guest-shell");
    await chip(guest).getByRole("button", { name: "Leave" }).click();
    await guest.getByRole("heading", { name: "You have left" }).waitFor();
    for (const context of contexts.splice(0)) await context.close();
  });
});
