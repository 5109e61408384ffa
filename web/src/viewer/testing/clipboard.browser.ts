/**
 * The clipboard of an RDP session, the whole way and all of it real: Oriel's own pages and API (`examples/recorded`) in Chromium with its
 * clipboard, and programs of a desktop of Debian's xrdp with theirs.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./browser.mjs";
import { PATIENCE_MS, stopAll, until } from "./servers";
import { needs, open, type Plan, ready, serve } from "./session";
import { type Xrdp, xrdp } from "./xrdp";

const runs = ready && existsSync("/usr/bin/xclip");
const WIDTH = 40;
const HEIGHT = 30;

let home = "";
let machine: Xrdp;
let browser: Browser;
let plan: Plan;

/** A bitmap file of one colour, as programs of the machine copy it. */
function bitmap([r, g, b]: readonly [number, number, number]): Buffer {
  const stride = (WIDTH * 3 + 3) & ~3;
  const file = Buffer.alloc(54 + stride * HEIGHT);
  file.write("BM", 0, "latin1");
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(WIDTH, 18);
  file.writeInt32LE(HEIGHT, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  for (let y = 0; y < HEIGHT; y += 1)
    for (let x = 0; x < WIDTH; x += 1) file.set([b, g, r], 54 + y * stride + x * 3);
  return file;
}

/** A program of the machine copies bytes as a type. */
const copyThere = (bytes: Buffer, type: string) =>
  machine.run(
    `base64 -d > $HOME/copy <<'END'\n${bytes.toString("base64")}\nEND\nxclip -selection clipboard -t ${type} -i $HOME/copy`,
  );

const pasteThere = async (type: string) =>
  Buffer.from(
    await machine.run(`timeout 10 xclip -selection clipboard -t ${type} -o 2>/dev/null | base64 -w0`),
    "base64",
  );

/** What this computer's clipboard has: its types, its text, and the size and middle of its picture. */
const here = (page: Page) =>
  page.evaluate(async () => {
    const [item] = await navigator.clipboard.read();
    const types = [...(item?.types ?? [])];
    const text = types.includes("text/plain") ? await (await item?.getType("text/plain"))?.text() : undefined;
    const blob = types.includes("image/png") ? await item?.getType("image/png") : undefined;
    if (!blob) return { types, text };
    const picture = await createImageBitmap(blob);
    const context = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
    context?.drawImage(picture, 0, 0);
    const middle = context?.getImageData(picture.width / 2, picture.height / 2, 1, 1).data;
    return { types, text, size: [picture.width, picture.height], rgb: [...(middle ?? [])].slice(0, 3) };
  });

/** Puts a picture of one colour on this computer's clipboard. */
const copyHere = (page: Page, colour: string) =>
  page.evaluate(
    async ([width, height, fill]) => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [width, height];
      const context = canvas.getContext("2d");
      if (context) context.fillStyle = fill;
      context?.fillRect(0, 0, width, height);
      const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
      if (blob) await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    },
    [WIDTH, HEIGHT, colour] as const,
  );

if (!runs) console.warn(`clipboard.browser.ts is skipped: it needs xclip, ${needs}`);

describe.skipIf(!runs)("the clipboard of a real RDP session", () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "oriel-clipboard-"));
    mkdirSync(join(home, "xrdp"));
    chmodSync(home, 0o755);
    machine = await xrdp(join(home, "xrdp"));
    plan = await serve(home, machine, "default");
    browser = await launch();
  }, 2 * PATIENCE_MS);

  afterAll(async () => {
    await browser?.close();
    stopAll();
    machine?.remove();
    rmSync(home, { recursive: true, force: true });
  });

  it("pictures and text go both ways", async () => {
    const page = await open(browser, plan, ["clipboard-read", "clipboard-write"]);
    await until("a desktop", async () => (await machine.run("echo up")) === "up\n");
    await page.bringToFront();

    await copyThere(bitmap([200, 40, 10]), "image/bmp");
    const picture = await until("the machine's picture", async () => {
      const found = await here(page).catch(() => null);
      return found?.size ? found : null;
    });
    expect(picture).toEqual({
      types: ["image/png"],
      text: undefined,
      size: [WIDTH, HEIGHT],
      rgb: [200, 40, 10],
    });
    // What came from there is no news there: its programs still have it as they copied it.
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
    await page.waitForTimeout(1000);
    expect((await machine.run("xclip -selection clipboard -t TARGETS -o")).trim()).toMatch(/image\/bmp/);
    expect((await pasteThere("image/bmp")).equals(bitmap([200, 40, 10]))).toBe(true);

    await copyHere(page, "#1060c0");
    await page.keyboard.press("Control+v");
    const pasted = await until("this computer's picture", async () => {
      const bytes = await pasteThere("image/bmp");
      return bytes.length > 0 && !bytes.equals(bitmap([200, 40, 10])) ? bytes : null;
    });
    // Its file header is xrdp's own.
    const wanted = bitmap([0x10, 0x60, 0xc0]);
    expect(pasted.subarray(54, wanted.length).equals(wanted.subarray(54))).toBe(true);

    // HTML goes along with its text, which is what this machine takes of it.
    await page.evaluate(() =>
      navigator.clipboard.write([
        new ClipboardItem({
          "text/plain": new Blob(["fett ä"], { type: "text/plain" }),
          "text/html": new Blob(["<b>fett ä</b>"], { type: "text/html" }),
        }),
      ]),
    );
    await page.keyboard.press("Control+v");
    await until(
      "the text",
      async () => (await pasteThere("UTF8_STRING")).toString("utf8") === "fett ä" || null,
    );
    await copyThere(Buffer.from("zurück €"), "UTF8_STRING");
    await until("the machine's text", async () => (await here(page).catch(() => null))?.text === "zurück €");
    await page.context().close();
  }, 240_000);

  it("files go both ways", async () => {
    const page = await open(browser, plan, ["clipboard-read", "clipboard-write"]);
    await until("a desktop", async () => (await machine.run("echo up")) === "up\n");
    await page.bringToFront();
    await page.locator("main").click();

    // As a file manager copies it here.
    const mine = randomBytes(1 << 20);
    await page.evaluate((base64) => {
      const carried = new DataTransfer();
      const raw = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      carried.items.add(new File([raw], "mine ü.bin"));
      const at = document.activeElement ?? document.body;
      at.dispatchEvent(
        new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true }),
      );
    }, mine.toString("base64"));
    await page.getByText("uploaded").first().waitFor({ timeout: PATIENCE_MS });
    const list = await until(
      "its address there",
      async () => (await pasteThere("text/uri-list")).toString("utf8").trim() || null,
    );
    expect(list).toMatch(/^file:\/\/.*\/\.clipboard\/mine/);
    expect(await machine.run("cat $HOME/thinclient_drives/.clipboard/mine* | sha256sum")).toBe(
      `${createHash("sha256").update(mine).digest("hex")}  -\n`,
    );

    // And there.
    const sum = await machine.run(
      "head -c 500000 /dev/urandom > $HOME/theirs.bin; sha256sum < $HOME/theirs.bin; printf 'file://%s/theirs.bin\\r\\n' $HOME > $HOME/list",
    );
    await machine.run("xclip -selection clipboard -t text/uri-list -i $HOME/list > /dev/null 2>&1");
    const folder = page.getByRole("button", { name: "Copied", exact: true });
    await until("the folder of what was copied", async () => {
      await page.getByRole("button", { name: "Reload" }).click();
      return (await folder.count()) > 0;
    });
    await folder.click();
    const entry = page.getByRole("button", { name: "theirs.bin", exact: true });
    await entry.waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), entry.click()]);
    const bytes = readFileSync(await download.path());
    expect(`${createHash("sha256").update(bytes).digest("hex")}  -\n`).toBe(sum);
    await page.context().close();
  }, 240_000);

  it("a pool says which way it goes, and how much", async () => {
    const strict = await serve(home, machine, "clipboard=to_person,clipboard_kib=2");
    const page = await open(browser, strict, ["clipboard-read", "clipboard-write"]);
    await until("a desktop", async () => (await machine.run("echo up")) === "up\n");
    await page.bringToFront();
    await copyThere(bitmap([1, 2, 3]), "image/bmp");
    await until(
      "the machine's picture",
      async () => (await here(page).catch(() => null))?.size !== undefined,
    );
    await copyHere(page, "#00ff00");
    await page.keyboard.press("Control+v");
    await page.waitForTimeout(1500);
    expect((await pasteThere("image/bmp")).equals(bitmap([1, 2, 3]))).toBe(true);
    // Noise is larger than the limit as PNG.
    const noise = bitmap([0, 0, 0]);
    for (let at = 54; at < noise.length; at += 1) noise[at] = Math.floor(Math.random() * 256);
    await page.evaluate(() => navigator.clipboard.writeText("mine"));
    await copyThere(noise, "image/bmp");
    await page.waitForTimeout(2000);
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("mine");
    await page.context().close();
  }, 240_000);
});
