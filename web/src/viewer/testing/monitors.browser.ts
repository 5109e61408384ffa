/** Windows for more monitors of one session, in a real Chromium, against the mock server. */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { fill } from "./mock-server.mjs";
import { errors, live, mock, open, PATIENCE_MS, pixel, serveViewer, until } from "./mocked";

serveViewer();

describe("several monitors", () => {
  const add = async (page: Page) => {
    await page.keyboard.press("Control+Alt+Shift");
    await page.getByRole("button", { name: "Add a monitor" }).click();
  };

  it("have a window each, with their part of one picture", async () => {
    const page = await open();
    await live(page);
    const opening = page.context().waitForEvent("page");
    await add(page);
    const other = await opening;
    other.on("pageerror", (error) => errors.push(String(error)));
    const asked = await until(() => mock.of("resize").find((one) => one.body.length === 7 + 2 * 11));
    const [width = 0, height = 0] = [0, 2].map((at) => asked.body.readUInt16LE(at));
    const [x = 0, y = 0, w = 0, h = 0] = [18, 20, 22, 24].map((at) => asked.body.readUInt16LE(at));
    const inside = await other.evaluate(() => ({ width: innerWidth, height: innerHeight }));
    expect([x, y, w, h]).toEqual([1000, 0, inside.width & ~1, inside.height]);
    expect([width, height]).toEqual([1000 + w, Math.max(640, h)]);
    mock.frame(
      fill(0, 0, 1000, height, 200, 10, 30),
      fill(x, 0, w, height, 10, 200, 30),
      fill(x + 20, 30, 40, 20, 1, 2, 3),
    );
    const seen = (at: readonly [number, number]) =>
      other.evaluate(([px, py]) => {
        const canvas = document.querySelector<HTMLCanvasElement>("canvas.screen");
        const copy = new OffscreenCanvas(Math.max(1, canvas?.width ?? 0), Math.max(1, canvas?.height ?? 0));
        const context = copy.getContext("2d");
        if (canvas) context?.drawImage(canvas, 0, 0);
        return [...(context?.getImageData(px, py, 1, 1).data.slice(0, 3) ?? [])].join(" ");
      }, at);
    await until(async () => (await seen([5, 5])) === "10 200 30");
    expect(await seen([25, 35])).toBe("1 2 3");
    expect(await seen([w - 1, h - 1])).toBe("10 200 30");
    expect(await other.locator("canvas.screen").isVisible()).toBe(true);
    expect(await pixel(page, 5, 5)).toEqual([200, 10, 30]);
    // What is done there has the surface's coordinates, and goes the one way.
    await other.mouse.click(30, 40);
    const down = await until(() => mock.of("pointer").find((one) => one.body.readUInt16LE(4) === 1));
    expect(Math.abs(down.body.readUInt16LE(0) - (x + 30))).toBeLessThanOrEqual(1);
    expect(Math.abs(down.body.readUInt16LE(2) - 40)).toBeLessThanOrEqual(1);
    await other.keyboard.press("a");
    await until(() => mock.of("key").length >= 2);
    // A page that comes back says its monitors before the machine is asked for anything.
    mock.records.length = 0;
    mock.cut();
    const again = await until(() => mock.of("resize")[0]);
    expect(again.hex).toBe(asked.hex);
    expect(mock.of("hello")[0]?.body.readUInt16LE(1)).toBe(width);
    // Closed, the machine has one monitor again.
    await live(page);
    await other.evaluate(() => window.close()).catch(() => undefined);
    const back = await until(() => mock.of("resize").find((one) => one.body.length === 6));
    expect(back.hex).toBe("e80380026400");
    expect(mock.connects).toHaveLength(2);
    expect(errors).toEqual([]);
  });

  it("say when the browser has blocked the window", async () => {
    const page = await open();
    await live(page);
    await page.evaluate(() => {
      window.open = () => null;
    });
    await add(page);
    await page.getByText("The browser has blocked the window.").waitFor();
  });

  it("say when the machine has one screen alone", async () => {
    mock.scene = "fixed";
    const page = await open();
    await live(page);
    const opening = page.context().waitForEvent("page");
    await add(page);
    const other = await opening;
    await other.getByText("The machine has not taken one more screen.").waitFor({ timeout: PATIENCE_MS });
    await page.evaluate(() => window.dispatchEvent(new Event("pagehide")));
    await until(() => other.isClosed());
  });
});
