/** The player on recordings of a screen and of a terminal: what is on the canvas at which moment, and by which hand. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { squareAt } from "../src/testing/recordings.mjs";
import { accessible, browsing, heading, picture } from "./browser";

const visit = browsing();

type Hooks = {
  position: number;
  duration: number;
  playing: boolean;
  atEnd: boolean;
  seek(ms: number): Promise<void>;
  pixel(x: number, y: number): Promise<number[]>;
  text(): string;
};
type Window = { oriel?: Hooks };

/** Waits until it is so; strings are compiled in the page, which its policy forbids, so everything is a function. */
const position = (page: Page) => page.evaluate(() => (window as unknown as Window).oriel?.position ?? -1);
const past = (page: Page, ms: number) =>
  expect.poll(() => position(page), { timeout: 15_000 }).toBeGreaterThan(ms);
const at = (page: Page, ms: number) => expect.poll(() => position(page), { timeout: 5_000 }).toBe(ms);
const seek = (page: Page, ms: number) =>
  page.evaluate((to) => (window as unknown as Window).oriel?.seek(to), ms);
const pixel = (page: Page, x: number, y: number) =>
  page.evaluate(([px, py]) => (window as unknown as Window).oriel?.pixel(px, py), [x, y] as const);
const text = (page: Page) => page.evaluate(() => (window as unknown as Window).oriel?.text() ?? "");

/** Opens the player from the list, as a person does. */
async function play(person: string, at: number) {
  const visited = await visit("admin", "/recordings");
  const { page, context } = visited;
  await heading(page, "Recordings").waitFor();
  const link = page.getByRole("link", { name: `Play the recording of ${person}` }).nth(at);
  const [player] = await Promise.all([context.waitForEvent("page"), link.click()]);
  const errors: string[] = [];
  player.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  player.on("pageerror", (error) => errors.push(String(error)));
  await player.getByRole("slider", { name: "Place in the recording" }).waitFor();
  return { ...visited, player, errors };
}

test("a screen plays, stands still, jumps back and forth, and skips what is idle", async () => {
  const { player, context, errors } = await play("admin", 0);
  await past(player, 700);
  await player.getByRole("button", { name: "Pause" }).click();
  const stopped = await position(player);
  await player.waitForTimeout(300);
  expect(await position(player)).toBe(stopped);
  // Second 30, back to 5, on to 33: each place's own colour, at the middle of the square.
  for (const second of [30, 5, 33, 12]) {
    const half = second * 2;
    const [x, y] = [40 + (half % 40) * 18 + 20, 120 + ((half * 37) % 240) + 20];
    await seek(player, second * 1000);
    await expect.poll(() => pixel(player, x, y), { timeout: 10_000 }).toEqual(squareAt(second));
  }
  await accessible(player, "player");
  await picture(player, "player-screen");
  // Eleven idle seconds pass at once.
  await seek(player, 14_800);
  await player.getByRole("button", { name: "Play" }).click();
  await past(player, 26_000);
  // By keyboard.
  await player.getByRole("button", { name: "Pause" }).click();
  const slider = player.getByRole("slider", { name: "Place in the recording" });
  await slider.focus();
  await player.keyboard.press("Home");
  await at(player, 0);
  await player.keyboard.press("ArrowRight");
  await at(player, 5000);
  await player.getByLabel("Speed").selectOption("8");
  await player.keyboard.press("Escape");
  await player.getByRole("button", { name: "Play" }).click();
  await past(player, 39_000);
  // It still runs: the player waits at its end.
  await player.getByText("Live", { exact: true }).waitFor();
  expect(errors).toEqual([]);
  await context.close();
});

test("a terminal plays and its words are found", async () => {
  const { player, context, errors } = await play("mira", 0);
  await expect.poll(() => text(player), { timeout: 10_000 }).toContain("uname");
  await player.getByRole("button", { name: "Find" }).click();
  await player.getByRole("searchbox", { name: "Find in this terminal" }).fill("warm-UP");
  await player.getByText("1 place").waitFor();
  await player.getByRole("button", { name: /frame 1 of 240/ }).click();
  await expect.poll(() => text(player)).toContain("warm-up");
  // One list at a time.
  await player.getByRole("button", { name: "Typed" }).click();
  await player
    .getByRole("complementary", { name: "Typed and copied" })
    .getByText("uname -a⟨Enter⟩")
    .waitFor();
  await player.getByRole("complementary", { name: "Search" }).waitFor({ state: "hidden" });
  await player.getByRole("button", { name: "Find" }).click();
  await accessible(player, "player of a terminal");
  await picture(player, "player-terminal");
  // Back to where it was not yet.
  await seek(player, 1250);
  await expect.poll(() => text(player)).not.toContain("render");
  expect(await text(player)).toContain("uname");
  expect(errors).toEqual([]);
  await context.close();
});

test("what was typed is shown while it plays, listed, and found", async () => {
  const { player, context, errors } = await play("admin", 0);
  await past(player, 100);
  await player.getByRole("button", { name: "Pause" }).click();
  await seek(player, 5000);
  await player.locator(".keystrokes", { hasText: "hunter2⟨Enter⟩" }).waitFor();
  await player.getByRole("button", { name: "Typed" }).click();
  const list = player.getByRole("complementary", { name: "Typed and copied" });
  await list.getByText("hunter2⟨Enter⟩").waitFor();
  await accessible(player, "player with what was typed");
  await picture(player, "player-typed");
  await player.getByLabel("Show keys").uncheck();
  await player.locator(".keystrokes.gone").waitFor({ state: "attached" });
  await player.getByLabel("Show keys").check();
  await player.locator(".keystrokes:not(.gone)").waitFor();
  // It is gone three seconds later.
  await seek(player, 8400);
  await player.locator(".keystrokes.gone").waitFor({ state: "attached" });
  await list.getByRole("searchbox").fill("MACHINE's");
  await list.getByText("1 place").waitFor();
  await list.getByRole("button", { name: /copied: from the machine's clipboard/ }).click();
  await at(player, 9000);
  expect(errors).toEqual([]);
  await context.close();
});

test("recordings are found by name, and older ones page by page", async () => {
  const { page, context } = await visit("admin", "/recordings");
  const rows = () => page.getByRole("link", { name: /^Play the recording of/ }).count();
  await heading(page, "Recordings").waitFor();
  await expect.poll(rows).toBe(3);
  await page.getByRole("button", { name: "Show older ones" }).click();
  await expect.poll(rows).toBe(4);
  await page.getByLabel("Person").fill("admin");
  await expect.poll(rows).toBe(1);
  await page.getByLabel("Find", { exact: true }).fill("nothing like it");
  await page.getByText("Nothing like this was recorded").waitFor();
  await context.close();
});

test("a recording is exported from the player, with its progress and a link to what was made", async () => {
  const { player, context, errors } = await play("admin", 0);
  await player.getByRole("link", { name: "Export" }).click();
  const dialogue = player.getByRole("dialog", { name: "Export the recording of studio-1" });
  await dialogue.waitFor();
  await dialogue.getByRole("button", { name: "Export" }).click();
  await dialogue.getByRole("progressbar", { name: "MP4 (H.264), pauses short" }).waitFor();
  const link = dialogue.getByRole("link", { name: "Download MP4 (H.264), pauses short" });
  await link.waitFor({ timeout: 15_000 });
  await accessible(player, "export");
  await picture(player, "export");
  expect(await link.getAttribute("href")).toMatch(/exports\/[0-9a-f-]+\/content$/);
  await dialogue.getByRole("button", { name: "Delete MP4" }).click();
  await link.waitFor({ state: "detached" });
  expect(errors).toEqual([]);
  await context.close();
});

test("a recording that is not there is told in words", async () => {
  const { page, url, context } = await visit("admin", "/recordings");
  await page.goto(`${url}/player/?recording=gone`);
  await heading(page, "This recording cannot be played").waitFor();
  await page.getByText("there is no such recording", { exact: false }).waitFor();
  await context.close();
});
