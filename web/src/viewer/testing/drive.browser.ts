/**
 * The drive of an RDP session, the whole way and all of it real: Oriel's own pages and API (`examples/recorded`) in Chromium, with
 * Debian's xrdp as its desktop. What is dropped on the tab is read inside the machine, and what the machine writes is downloaded.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./browser.mjs";
import { PATIENCE_MS, stopAll, until } from "./servers";
import { needs, open, type Plan, ready, serve } from "./session";
import { type Xrdp, xrdp } from "./xrdp";

const PICTURES = process.env.ORIEL_PICTURES;
/** One empty page. */
const PDF = `%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj
trailer<</Root 1 0 R>>
%%EOF
`;

let home = "";
let machine: Xrdp;
let browser: Browser;
let plan: Plan;

const sum = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

async function openFiles(page: Page): Promise<void> {
  await page.keyboard.press("Control+Alt+Shift");
  await page.getByRole("button", { name: "Files", exact: true }).click();
  // The machine connects the drive a moment after signing in.
  await until("the drive", async () => {
    if (await page.locator(".crumb").count()) return true;
    await page.getByRole("button", { name: "Reload" }).click();
    return false;
  });
}

/** As a file manager drops it on the tab. */
async function drop(page: Page, name: string, bytes: Buffer): Promise<void> {
  const transfer = await page.evaluateHandle(
    ([called, base64]) => {
      const carried = new DataTransfer();
      const raw = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      carried.items.add(new File([raw], called));
      return carried;
    },
    [name, bytes.toString("base64")] as const,
  );
  for (const event of ["dragenter", "dragover", "drop"])
    await page.dispatchEvent("main", event, { dataTransfer: transfer });
}

if (!ready) console.warn(`drive.browser.ts is skipped: it needs ${needs}`);

describe.skipIf(!ready)("the drive of a real RDP session", () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "oriel-drive-"));
    mkdirSync(join(home, "xrdp"));
    // The machine's account must get to its configuration.
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

  it("what is dropped is read inside, and what is written there comes down", async () => {
    const page = await open(browser, plan);
    await openFiles(page);
    const bytes = randomBytes(4 << 20);
    await drop(page, "Größe & 日本 1.bin", bytes);
    await page.getByText("uploaded").first().waitFor({ timeout: PATIENCE_MS });
    expect(await machine.run("ls -1; sha256sum < 'Größe & 日本 1.bin'")).toBe(
      `Größe & 日本 1.bin\nPrint\n${sum(bytes)}  -\n`,
    );

    const hostile = "<img src=x onerror=alert(1)>";
    const wrote = await machine.run(
      `head -c 3000000 /dev/urandom > 'aus der Maschine ü.bin'; sha256sum < 'aus der Maschine ü.bin'; echo x > '${hostile}'
       mkdir 'in side'; echo deep > 'in side/deep'`,
    );
    expect(wrote).toMatch(/^[0-9a-f]{64} {2}-\n.*(Invalid|Input|annot create)/s);
    await page.getByRole("button", { name: "Reload" }).click();
    const entry = page.getByRole("button", { name: "aus der Maschine ü.bin", exact: true });
    await entry.waitFor();
    if (PICTURES) await page.screenshot({ path: join(PICTURES, "drive.png") });
    const [download] = await Promise.all([page.waitForEvent("download"), entry.click()]);
    expect(download.suggestedFilename()).toBe("aus der Maschine ü.bin");
    expect(sum(readFileSync(await download.path()))).toBe(wrote.slice(0, 64));

    // Deleted and renamed inside, and by the person.
    await machine.run("rm 'aus der Maschine ü.bin'; mv 'Größe & 日本 1.bin' renamed.bin");
    await page.getByRole("button", { name: "Reload" }).click();
    await page.getByRole("button", { name: "renamed.bin", exact: true }).waitFor();
    expect(await entry.count()).toBe(0);
    await page.getByRole("button", { name: "in side", exact: true }).click();
    await page.getByRole("button", { name: "Delete deep" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText("Nothing is here yet").waitFor();
    expect(
      await machine.run(
        "for i in 1 2 3 4 5 6 7 8; do [ -e 'in side/deep' ] || break; sleep 1; done; ls -1 'in side'",
      ),
    ).toBe("");

    await page.context().close();
  }, 240_000);

  it("what is printed comes as a PDF, to be opened or saved", async () => {
    const page = await open(browser, plan);
    await machine.run("for i in 1 2 3 4 5 6 7 8 9 10; do [ -d Print ] && break; sleep 1; done");
    // Written as print systems write: in pieces, under a name that people gave.
    const bytes = Buffer.from(PDF, "latin1");
    writeFileSync(join(home, "print.pdf"), bytes);
    chmodSync(join(home, "print.pdf"), 0o644);
    await machine.run(`cat '${join(home, "print.pdf")}' > 'Print/Brief an Zoë.pdf'`);
    const card = page.locator(".prints section");
    await card.getByText("Brief an Zoë.pdf").waitFor({ timeout: PATIENCE_MS });
    if (PICTURES) await page.screenshot({ path: join(PICTURES, "printed.png") });
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      card.getByRole("link", { name: "Save" }).click(),
    ]);
    expect(saved.suggestedFilename()).toBe("Brief an Zoë.pdf");
    expect(sum(readFileSync(await saved.path()))).toBe(sum(bytes));
    expect(await card.count()).toBe(0);

    await machine.run("echo '<script>alert(1)</script>' > Print/hostile.pdf; echo text > Print/no-print.txt");
    await card.getByText("hostile.pdf").waitFor({ timeout: PATIENCE_MS });
    expect(await card.count()).toBe(1);
    await card.getByRole("button", { name: "Open" }).click();
    await card.getByText("It is not a PDF").waitFor();
    await card.getByRole("button", { name: "Dismiss" }).click();

    await machine.run(`cat '${join(home, "print.pdf")}' > Print/again.pdf`);
    const [tab] = await Promise.all([
      page.context().waitForEvent("page"),
      card.getByRole("button", { name: "Open" }).click(),
    ]);
    await until("the print in its tab", async () => tab.url().startsWith("blob:"));
    expect(await card.count()).toBe(0);
    await page.context().close();
  }, 240_000);

  it("a pool says that nothing is printed", async () => {
    const strict = await serve(home, machine, "printing=off");
    const page = await open(browser, strict);
    await openFiles(page);
    expect(
      await machine.run("ls -1 | grep -c Print; mkdir Print; printf '%%PDF-1.4' > Print/a.pdf; ls Print"),
    ).toBe("0\na.pdf\n");
    await page.waitForTimeout(1000);
    expect(await page.locator(".prints section").count()).toBe(0);
    await page.context().close();
  }, 240_000);

  it("a pool says which way files go", async () => {
    const strict = await serve(home, machine, "files=upload");
    const page = await open(browser, strict);
    await openFiles(page);
    await drop(page, "given.txt", Buffer.from("given"));
    await page.getByText("uploaded").first().waitFor({ timeout: PATIENCE_MS });
    // The machine reads it, and can put nothing there to be had.
    const said = await machine.run("cat given.txt; echo x > mine; ls -1");
    expect(said).toMatch(/^given(?!.*\nmine\n)/s);
    // Printing is a rule of its own.
    await machine.run("printf '%%PDF-1.4 strict' > Print/strict.pdf");
    await page.getByText("strict.pdf").waitFor({ timeout: PATIENCE_MS });
    const status = (path: string, method = "GET") =>
      page.evaluate(async ([address, how]) => (await fetch(address, { method: how })).status, [
        `/api/v1/desktops/${strict.desktop}/files${path}`,
        method,
      ] as const);
    expect(await status("?place=drive")).toBe(200);
    expect(await status("/content?place=drive&path=given.txt")).toBe(403);
    expect(await status("/content?place=drive&path=Print/strict.pdf")).toBe(200);
    expect(await status("/content?place=drive&path=../../etc/passwd")).toBe(400);
    await page.context().close();
  }, 240_000);
});
