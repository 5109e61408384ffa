/**
 * Files of a machine, the whole way and all of it real: Oriel's own pages and API (`examples/recorded`) in Chromium, with an OpenSSH
 * server as its desktop, and a network between them that is cut in the middle. `ORIEL_FILE_MIB` is the size of the large file.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./browser.mjs";
import { freePort, Network, PATIENCE_MS, sshd, start, stopAll, until } from "./servers";

const PROGRAM = fileURLToPath(new URL("../../../../target/release/examples/recorded", import.meta.url));
const PICTURES = process.env.ORIEL_PICTURES;
const LARGE_BYTES = Number(process.env.ORIEL_FILE_MIB ?? 1024) * 1024 * 1024;

type Plan = { url: string; person: string; password: string; desktop: string };

let home = "";
let house = "";
let browser: Browser;
let network: Network;
let plan: Plan;

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** So many bytes that no part is like another. */
function fill(path: string, bytes: number): void {
  const noise =
    "openssl enc -aes-128-ctr -nosalt -K 00000000000000000000000000000000 -iv 00000000000000000000000000000000";
  execFileSync("bash", ["-c", `head -c ${bytes} /dev/zero | ${noise} > "$0"`, path]);
}

/** The person's shell, with the panel of files open. */
async function open(): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(plan.url);
  await page.getByLabel("Name").fill(plan.person);
  await page.getByLabel("Password").fill(plan.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("heading", { name: "My desktops" }).waitFor();
  await page.goto(`${plan.url}/viewer/?desktop=${plan.desktop}&kind=ssh`);
  await page.waitForFunction(() => window.oriel?.phase === "live", undefined, { timeout: PATIENCE_MS });
  await page.keyboard.press("Control+Alt+Shift");
  await page.getByRole("button", { name: "Files", exact: true }).click();
  await page.locator(".crumb").first().waitFor();
  return page;
}

/** The network is away for a moment, and the panel says so meanwhile: it may be back at once afterwards. */
const cutOff = async (page: Page) => {
  await Promise.all([page.getByText("Cut off at").waitFor({ timeout: PATIENCE_MS }), network.cut(1500)]);
};

const picture = async (page: Page, name: string) => {
  if (PICTURES) await page.screenshot({ path: join(PICTURES, `${name}.png`) });
};

if (!existsSync(PROGRAM))
  console.warn(`files.browser.ts is skipped: build ${PROGRAM} first (cargo build --release --examples)`);

describe.skipIf(!existsSync(PROGRAM))("files of a real machine", () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "oriel-files-"));
    house = join(home, "house");
    for (const folder of [house, join(house, "projects"), join(home, "data")]) mkdirSync(folder);
    const shell = await sshd(home, house);
    const program = start(PROGRAM, [
      ...["--data", join(home, "data"), "--recording", "off", "--vnc", String(await freePort())],
      ...["--ssh", String(shell.port), "--ssh-key", shell.key, "--ssh-user", userInfo().username],
      ...["--command", "echo ready; sleep 600"],
    ]);
    let said = "";
    program.stdout?.on("data", (piece) => {
      said += piece;
    });
    plan = JSON.parse(await until("the program", () => (said.includes("\n") ? said : ""))) as Plan;
    network = new Network(Number(new URL(plan.url).port));
    await network.open();
    plan.url = `http://localhost:${network.port}`;
    browser = await launch();
  }, 2 * PATIENCE_MS);

  afterAll(async () => {
    await browser?.close();
    network?.close();
    stopAll();
    rmSync(home, { recursive: true, force: true });
  });

  it("a large file goes up and comes down, and goes on where the network was cut", async () => {
    const large = join(home, "large.bin");
    fill(large, LARGE_BYTES);
    const page = await open();
    const said: string[] = [];
    const row = page.locator(".transfers li");
    const began = performance.now();
    await page.locator('input[type="file"]').setInputFiles(large);
    const reaches = (bytes: number) =>
      until(`${bytes} bytes`, async () => {
        const text = await row
          .last()
          .innerText({ timeout: 1000 })
          .catch(() => "");
        said.push(text.replace(/\s+/g, " "));
        const at = await row
          .locator("progress")
          .last()
          .evaluate((bar: HTMLProgressElement) => bar.value, undefined, { timeout: 1000 })
          .catch(() => LARGE_BYTES);
        return at >= bytes;
      });
    await reaches(LARGE_BYTES * 0.3);
    await picture(page, "files-upload");
    await cutOff(page);
    await picture(page, "files-cut");
    await reaches(LARGE_BYTES);
    await page.getByText("uploaded").first().waitFor({ timeout: PATIENCE_MS });
    const up = performance.now() - began;
    expect(
      said.some((text) => /\d+ (MB|GB) of .* · .*MB\/s · \d+ s left/.test(text)),
      said.join("\n"),
    ).toBe(true);
    // It went on, and did not begin anew: what was sent twice is a piece or two.
    expect(network.up).toBeLessThan(LARGE_BYTES + 40 * 1024 * 1024);
    const sum = await sha256(large);
    expect(await sha256(join(house, "large.bin"))).toBe(sum);
    // Nothing is left beside it.
    expect(readdirSync(house).sort()).toEqual(["large.bin", "projects"]);
    rmSync(large);

    const before = network.down;
    const downBegan = performance.now();
    // Nobody can answer the question where to save it, so it is answered with a file of the page's own.
    await page.evaluate(() => {
      const save = async () =>
        (await navigator.storage.getDirectory()).getFileHandle("saved", { create: true });
      Object.assign(window, { showSaveFilePicker: save });
    });
    await page.getByRole("button", { name: "large.bin", exact: true }).click();
    await reaches(LARGE_BYTES * 0.3);
    await picture(page, "files-download");
    await cutOff(page);
    await page
      .getByText("saved", { exact: false })
      .first()
      .waitFor({ timeout: 2 * PATIENCE_MS });
    const down = performance.now() - downBegan;
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.evaluate(async () => {
        const file = await (await navigator.storage.getDirectory()).getFileHandle("saved");
        const link = document.createElement("a");
        link.href = URL.createObjectURL(await file.getFile());
        link.download = "large.bin";
        link.click();
      }),
    ]);
    const saved = await download.path();
    expect(download.suggestedFilename()).toBe("large.bin");
    expect(statSync(saved).size).toBe(LARGE_BYTES);
    expect(await sha256(saved)).toBe(sum);
    expect(network.down - before).toBeLessThan(LARGE_BYTES + 40 * 1024 * 1024);
    await download.delete();
    const rate = (ms: number) => `${(LARGE_BYTES / 1e6 / (ms / 1000)).toFixed(0)} MB/s`;
    console.info(
      `${LARGE_BYTES} bytes up in ${up.toFixed(0)} ms (${rate(up)}), down in ${down.toFixed(0)} ms (${rate(down)}), cuts included`,
    );
    rmSync(join(house, "large.bin"));
    await page.evaluate(async () => (await navigator.storage.getDirectory()).removeEntry("saved"));
    await page.context().close();
  }, 240_000);

  it("files are made, renamed, dropped, saved and deleted with keys and mouse", async () => {
    const hostile = "<img src=x onerror=alert(1)>\u001b[31m\u202e.txt";
    writeFileSync(join(house, hostile), "harmless");
    writeFileSync(join(house, "notes.md"), "# notes\n");
    const page = await open();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on(
      "console",
      (message) =>
        message.type() === "error" &&
        !/Failed to load resource/.test(message.text()) &&
        errors.push(message.text()),
    );
    const list = page.getByRole("list", { name: "Files" });
    const file = (name: string) => list.getByRole("button", { name, exact: true });
    // Shown as text, with boxes for what would steer the page.
    await file("<img src=x onerror=alert(1)>\ufffd[31m\ufffd.txt").waitFor();
    expect(await list.locator("img").count()).toBe(0);
    await picture(page, "files-list");
    const axe = await new AxeBuilder({ page }).include(".files-panel").analyze();
    expect(axe.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);

    await page.getByRole("button", { name: "New folder" }).click();
    await page.keyboard.type("drawer");
    await picture(page, "files-new-folder");
    await page.keyboard.press("Enter");
    await file("drawer").waitFor();

    // Keys alone: down to the file, rename it, go into the folder and back.
    await file("drawer").focus();
    await page.keyboard.press("End");
    await page.keyboard.press("F2");
    await picture(page, "files-rename");
    await page.keyboard.type("journal");
    await page.keyboard.press("Enter");
    await file("journal.md").waitFor();
    expect(readFileSync(join(house, "journal.md"), "utf8")).toBe("# notes\n");
    await file("drawer").focus();
    await page.keyboard.press("Enter");
    await page.getByText("Nothing is here yet.").waitFor();
    await picture(page, "files-empty");

    // Dropped on the terminal.
    const drop = async (name: string, text: string) => {
      const data = await page.evaluateHandle(
        ([name, text]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([text], name, { lastModified: 5 }));
          return transfer;
        },
        [name, text] as const,
      );
      await page.dispatchEvent(".stage", "dragenter", { dataTransfer: data });
      await page.getByText(`Drop to upload to ${house}/drawer`).waitFor();
      await picture(page, "files-drop");
      await page.dispatchEvent(".stage", "drop", { dataTransfer: data });
    };
    await drop("todo.txt", "one");
    await file("todo.txt").waitFor();
    expect(readFileSync(join(house, "drawer/todo.txt"), "utf8")).toBe("one");
    await drop("todo.txt", "two");
    await page.getByText("“todo.txt” is there already.").waitFor();
    await picture(page, "files-replace");
    await page.getByRole("button", { name: "Replace todo.txt" }).click();
    await until("the other text", () => readFileSync(join(house, "drawer/todo.txt"), "utf8") === "two");

    const [download] = await Promise.all([page.waitForEvent("download"), file("todo.txt").click()]);
    expect(download.suggestedFilename()).toBe("todo.txt");
    expect(readFileSync(await download.path(), "utf8")).toBe("two");

    await file("todo.txt").focus();
    await page.keyboard.press("Delete");
    await page.getByText("Delete “todo.txt”?").waitFor();
    await picture(page, "files-delete");
    // What has the focus keeps it.
    await page.keyboard.press("Enter");
    await file("todo.txt").focus();
    await page.keyboard.press("Delete");
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText("Nothing is here yet.").waitFor();
    expect(readdirSync(join(house, "drawer"))).toEqual([]);

    // What cannot be done says why and what to do.
    writeFileSync(join(house, "drawer/late"), "");
    await page.locator(".crumb").first().click();
    await list.getByRole("button", { name: "Delete drawer" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText(/A folder must be empty to be deleted/).waitFor();
    await picture(page, "files-error");
    // Escape closes the panel and nothing else.
    await file("drawer").focus();
    await page.keyboard.press("Escape");
    await list.waitFor({ state: "hidden" });
    expect(errors).toEqual([]);
    await page.context().close();
  }, 120_000);
});
