/** The built viewer in a real Chromium, against the mock server: pixels, bytes, coming back, the terminal. */
import { readFileSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import type { Combiner, Layout, Planes } from "../screen/combiner";
import { encodeServer, VideoCodec } from "../wire";
import { heard, overhear } from "./ear";
import { combined, encode, patched, split, type View } from "./full";
import {
  bye,
  cursor,
  fill,
  H264,
  record,
  resize,
  status,
  tile,
  u32,
  video,
  videoPart,
} from "./mock-server.mjs";
import { errors, live, mock, open, openAfter, pixel, serveViewer, until } from "./mocked";

serveViewer();

const clipboardText = (page: Page) => page.evaluate(() => navigator.clipboard.readText());
const shown = (page: Page, sequence: number) =>
  page.waitForFunction((wanted) => (window.oriel?.marks.last_sequence ?? 0) >= wanted, sequence);

/** What an earlier test left on the clipboard has gone to the machine or never will: how much it was sent. */
async function clipboardRests(page: Page): Promise<number> {
  await page.evaluate(() => navigator.clipboard.writeText("before"));
  await until(async () => {
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
    // Longer than reading takes: one that is late would take the place of what comes next.
    await page.waitForTimeout(300);
    return mock.of("clipboard").some((one) => one.body.toString().endsWith("before"));
  });
  return mock.of("clipboard").length;
}

const keys = () => mock.of("key").map((one) => one.hex);

describe("pictures", () => {
  it("land where they should, in order, and are acknowledged", async () => {
    const page = await open();
    await live(page);
    expect(await pixel(page, 0, 0)).toEqual([255, 0, 0]);
    expect(await pixel(page, 1, 0)).toEqual([255, 128, 0]);
    expect(await pixel(page, 10, 10)).toEqual([52, 73, 94]);
    expect(await pixel(page, 66, 90)).toEqual([255, 0, 0]);
    // Copied over itself, eight pixels to the right.
    expect(await pixel(page, 85, 90)).toEqual([255, 0, 0]);
    const [r, g, b] = (await pixel(page, 92, 90)) ?? [0, 0, 0];
    expect(Math.abs(r) + Math.abs(g - 192) + Math.abs(b)).toBeLessThan(6);
    expect((await pixel(page, 100, 120))?.[2]).toBeGreaterThan(245);
    expect((await until(() => mock.of("ack")[0])).hex).toBe("01000000");
    expect(mock.of("hello")[0]?.hex.slice(0, 14)).toBe("01e80380026400");
    expect(errors).toEqual([]);
  });

  it("come as H.264 too", async () => {
    const page = await open();
    await live(page);
    const colours = [];
    for (const unit of H264) {
      await shown(page, mock.frame(video(600, 100, 64, 64, unit.key, unit.bytes)));
      colours.push(await pixel(page, 632, 132));
    }
    const strongest = colours.map((rgb) => rgb?.indexOf(Math.max(...rgb)));
    expect(strongest).toEqual([0, 1, 2]);
    expect(colours.every((rgb) => Math.max(...(rgb ?? [0])) > 230)).toBe(true);
    expect(errors).toEqual([]);
  });

  it("of video are drawn only where they changed, in order with tiles", async () => {
    const page = await open();
    await live(page);
    const [key, green, blue] = H264 as [(typeof H264)[0], (typeof H264)[0], (typeof H264)[0]];
    const at = (regions: [number, number, number, number][], unit: (typeof H264)[0]) =>
      videoPart(600, 100, 64, 64, unit.key, regions, unit.bytes);
    const strongest = async (x: number, y: number) => {
      const rgb = (await pixel(page, x, y)) ?? [0, 0, 0];
      return Math.max(...rgb) > 200 ? rgb.indexOf(Math.max(...rgb)) : -1;
    };
    await shown(page, mock.frame(fill(600, 100, 64, 64, 9, 9, 9), at([[600, 100, 32, 64]], key)));
    expect([await strongest(610, 110), await pixel(page, 640, 110)]).toEqual([0, [9, 9, 9]]);
    // Decoded and not drawn; then the next one, under a tile that came after it.
    await shown(
      page,
      mock.frame(at([], green), at([[632, 100, 32, 64]], blue), fill(640, 120, 10, 10, 1, 2, 3)),
    );
    expect([await strongest(610, 110), await strongest(640, 110)]).toEqual([0, 2]);
    expect(await pixel(page, 645, 125)).toEqual([1, 2, 3]);
    expect(mock.of("abilities")[0]?.hex).toBe("03000000");
    expect(mock.of("video_trouble")).toEqual([]);
  });

  it.each([
    ["v1", VideoCodec.chroma],
    ["v2", VideoCodec.chromaV2],
  ] as const)("of two views of %s keep the colours of single pixels", async (layout, codec) => {
    const [red, blue] = [
      [230, 20, 10],
      [10, 30, 240],
    ] as const;
    // One-pixel stripes, and the same with the colours the other way round: five macroblocks wide, and shown to within the last.
    const before = split(80, 48, layout, (x) => (x % 2 === 0 ? red : blue));
    const after = split(80, 48, layout, (x) => (x % 2 === 0 ? blue : red));
    const shownPart = { width: 72, height: 40 };
    const units = encode([before.main, before.chroma, after.main, after.chroma], shownPart);
    expect(units.map((unit) => unit.key)).toEqual([true, false, false, false]);
    const page = await open();
    await live(page);
    const view = (at: number, kind: number, regions: [number, number, number, number][]) =>
      videoPart(600, 100, 72, 40, at === 0, regions, units[at]?.bytes ?? [], kind);
    const colour = async (x: number) => {
      const [r, , b] = (await pixel(page, x, 137)) ?? [0, 0, 0];
      return r > 210 && b < 40 ? "red" : b > 210 && r < 40 ? "blue" : "mixed";
    };
    const stripes = async () => [await colour(602), await colour(603), await colour(652), await colour(653)];
    const all: [number, number, number, number] = [600, 100, 72, 40];
    const left: [number, number, number, number] = [600, 100, 32, 40];
    await shown(page, mock.frame(view(0, VideoCodec.main, [all]), view(1, codec, [all])));
    expect(await stripes()).toEqual(["red", "blue", "red", "blue"]);
    // The main view alone: means of the colours, where it says that it changed something.
    await shown(page, mock.frame(view(2, VideoCodec.main, [left])));
    expect(await stripes()).toEqual(["mixed", "mixed", "red", "blue"]);
    // And its colours later, alone.
    await shown(page, mock.frame(view(3, codec, [left])));
    expect(await stripes()).toEqual(["blue", "red", "red", "blue"]);
    expect(mock.of("video_trouble")).toEqual([]);
    expect(errors).toEqual([]);
  });

  it("of two views are put together as the reference does it, sample by sample", async () => {
    const page = await open();
    const source = readFileSync(new URL("../screen/combiner.ts", import.meta.url), "utf8");
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
    });
    await page.evaluate(
      `(() => { const exports = {}; ${outputText}; globalThis.combiner = exports.Combiner.start(2); })()`,
    );
    const [width, height] = [48, 32];
    let seed = 7;
    const noise = (): View => ({
      width,
      height,
      bytes: Uint8Array.from({ length: (width * height * 3) / 2 }, () => {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
        return seed >>> 24;
      }),
    });
    const whole = { x: 0, y: 0, w: width, h: height };
    /** Rows of a view from `top` on, as I420 or NV12. */
    const planes = ({ bytes }: View, top: number, packed: boolean) => {
      const luma = width * height;
      const [u, v] = [bytes.slice(luma, (luma * 5) / 4), bytes.slice((luma * 5) / 4)];
      const half = (plane: Uint8Array) => [...plane.slice((top / 2) * (width / 2))];
      const [us, vs] = [half(u), half(v)];
      const colours = packed ? us.flatMap((value, at) => [value, vs[at] ?? 0]) : [...us, ...vs];
      const luminance = [...bytes.slice(top * width, luma)];
      const first = { offset: luminance.length, stride: packed ? width : width / 2 };
      const second = { offset: luminance.length + us.length, stride: width / 2 };
      const layout = [{ offset: 0, stride: width }, first, ...(packed ? [] : [second])];
      return { width, height, top, rows: height - top, data: [...luminance, ...colours], layout };
    };
    const picture = async (given: ReturnType<typeof planes>, layout: Layout, parts: (typeof whole)[]) =>
      Uint8Array.from(
        await page.evaluate(
          ([said, how, where]) => {
            const { combiner } = globalThis as unknown as { combiner: Combiner };
            const made = combiner.picture(
              "a",
              { ...said, data: Uint8Array.from(said.data) } as Planes,
              how,
              where,
            );
            const context = new OffscreenCanvas(said.width, said.height).getContext("2d");
            if (!made || !context) return [];
            context.drawImage(made, 0, 0);
            return [...context.getImageData(0, 0, said.width, said.height).data];
          },
          [given, layout, parts] as const,
        ),
      );
    for (const layout of ["v1", "v2"] as const) {
      for (const packed of [false, true]) {
        const [main, chroma, later, colours] = [noise(), noise(), noise(), noise()];
        const label = `${layout} ${packed ? "NV12" : "I420"}`;
        const first = await picture(planes(main, 0, packed), "main", [whole]);
        expect(first, label).toEqual(combined(main, chroma, "main"));
        const full = await picture(planes(chroma, 0, packed), layout, [whole]);
        expect(full, label).toEqual(combined(main, chroma, layout));
        // Only a part of the second main view counts, whatever else is in its rows.
        const part = { x: 6, y: 18, w: 20, h: 12 };
        await picture(planes(later, 16, packed), "main", [part]);
        const again = await picture(planes(colours, 0, packed), layout, [whole]);
        expect(again, label).toEqual(combined(patched(main, later, part), colours, layout));
      }
    }
  });

  it("of video that cannot go on are told, and the next key frame begins anew", async () => {
    const page = await open();
    await live(page);
    const [key] = H264 as [(typeof H264)[0]];
    const broken = Uint8Array.from(key.bytes);
    broken.fill(0xff, 40);
    await shown(page, mock.frame(video(600, 100, 64, 64, true, broken)));
    expect((await until(() => mock.of("video_trouble")[0])).hex).toBe("00");
    await shown(page, mock.frame(video(600, 100, 64, 64, true, key.bytes)));
    expect((await pixel(page, 632, 132))?.[0]).toBeGreaterThan(230);
  });

  it("come without video to a browser that has no decoder", async () => {
    const page = await openAfter(() => Reflect.deleteProperty(globalThis, "VideoDecoder"));
    await live(page);
    expect(mock.of("abilities")[0]?.hex).toBe("00000000");
  });

  it("come as one view to a browser that cannot put two together", async () => {
    const page = await openAfter(() => {
      const real = OffscreenCanvas.prototype.getContext as (kind: string, how?: unknown) => unknown;
      Object.assign(OffscreenCanvas.prototype, {
        getContext(this: OffscreenCanvas, kind: string, how?: unknown) {
          return kind === "webgl2" ? null : real.call(this, kind, how);
        },
      });
    });
    await live(page);
    expect(mock.of("abilities")[0]?.hex).toBe("01000000");
  });

  it("that are broken leave the rest of the frame alone", async () => {
    const page = await open();
    await live(page);
    await shown(page, mock.frame(tile(0, 0, 16, 16, 1, [1, 2, 3]), fill(300, 30, 10, 10, 1, 2, 3)));
    expect(await pixel(page, 305, 35)).toEqual([1, 2, 3]);
    expect(await page.evaluate(() => window.oriel?.stats().broken)).toBe(1);
  });

  it("leave keys no reason to wait, even in a flood of pixels", async () => {
    // Nothing here depends on how fast this machine is: the flood is compared with the same page at rest, pictures with
    // the display's own refreshes, and rates are waited for.
    const press = async (page: Page) => {
      for (let count = 0; count < 40; count += 1) {
        await page.keyboard.press("a");
        await page.waitForTimeout(25);
      }
      const stats = await page.evaluate(() => window.oriel?.stats());
      return stats?.key_delay_ms as { count: number; p50: number; p95: number };
    };
    const resting = await open();
    await live(resting);
    const quiet = await press(resting);
    await resting.context().close();

    mock.animate = true;
    const page = await open();
    await live(page);
    await page.evaluate(() => {
      const counted = { painted: Number(window.oriel?.stats().frames), refreshes: 0 };
      const count = () => {
        counted.refreshes += 1;
        requestAnimationFrame(count);
      };
      requestAnimationFrame(count);
      Object.assign(window, { counted });
    });
    const flood = await press(page);
    const counts = async (atLeast: number) => {
      const handle = await page.waitForFunction((wanted) => {
        const { painted, refreshes } = (window as unknown as { counted: Record<string, number> }).counted;
        const now = Number(window.oriel?.stats().frames) - (painted ?? 0);
        return now >= wanted && { painted: now, refreshes: refreshes ?? 0 };
      }, atLeast);
      return handle.jsonValue() as Promise<{ painted: number; refreshes: number }>;
    };
    const { painted, refreshes } = await counts(60);
    console.log("key event to socket:", { quiet, flood }, "pictures and refreshes:", { painted, refreshes });
    expect(flood.count).toBeGreaterThanOrEqual(40);
    // A refresh's time at most is added, on one busy core too.
    expect(flood.p50).toBeLessThan(2 * quiet.p50 + 17);
    // No more pictures than the display shows; the worker's animation frames may run a little ahead of the page's.
    expect(painted).toBeLessThanOrEqual(1.5 * refreshes + 10);
    await page.waitForFunction(() => Number(window.oriel?.stats().fps) > 0);
    expect(await page.evaluate(() => window.oriel?.stats().frames_in_flight)).toBeLessThanOrEqual(3);
  });
});

describe("input", () => {
  it("types @ with AltGr and Q of a German keyboard", async () => {
    const page = await open();
    await live(page);
    const devtools = await page.context().newCDPSession(page);
    const key = (type: "keyDown" | "keyUp", code: string, name: string, more = {}) =>
      devtools.send("Input.dispatchKeyEvent", { type, code, key: name, ...more });
    await key("keyDown", "AltRight", "AltGraph", { location: 2, windowsVirtualKeyCode: 225 });
    await key("keyDown", "KeyQ", "@", { windowsVirtualKeyCode: 81, text: "@" });
    await key("keyUp", "KeyQ", "@", { windowsVirtualKeyCode: 81 });
    await key("keyUp", "AltRight", "AltGraph", { location: 2, windowsVirtualKeyCode: 225 });
    await until(() => keys().length === 4);
    expect(keys()).toEqual(["0138e003fe0000", "01100040000000", "00100040000000", "0038e003fe0000"]);
    expect(mock.of("text")).toEqual([]);
  });

  it("hands on what an input method wrote", async () => {
    const page = await open();
    await live(page);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Input.imeSetComposition", { text: "に", selectionStart: 1, selectionEnd: 1 });
    await devtools.send("Input.imeSetComposition", { text: "日本", selectionStart: 2, selectionEnd: 2 });
    await devtools.send("Input.insertText", { text: "日本" });
    await devtools.send("Input.insertText", { text: "ü" });
    const texts = () => mock.of("text").map((one) => one.body.toString());
    await until(() => texts().length === 2);
    expect(texts()).toEqual(["日本", "ü"]);
    expect(keys()).toEqual([]);
  });

  it("sends pointer, buttons and wheel where they are", async () => {
    const page = await open();
    await live(page);
    await page.mouse.move(300, 200);
    await page.mouse.down({ button: "right" });
    await page.mouse.up({ button: "right" });
    await page.mouse.wheel(0, 100);
    const last = () => mock.of("pointer").map((one) => one.hex);
    await until(() => mock.of("wheel").length === 1);
    expect(last().slice(-2)).toEqual(["2c01c8000400", "2c01c8000000"]);
    expect(mock.of("wheel")[0]?.hex).toBe("2c01c80000007800");
  });

  it("lets everything go when the window loses its focus", async () => {
    const page = await open();
    await live(page);
    await page.keyboard.down("Shift");
    await page.evaluate(() => window.dispatchEvent(new Event("blur")));
    await until(() => mock.of("release").length > 0);
  });

  it("asks for the window's size once it rests", async () => {
    const page = await open();
    await live(page);
    const widths = [980, 960, 940, 920, 900, 880];
    for (const width of widths) await page.setViewportSize({ width, height: 500 });
    await page.setViewportSize({ width: 861, height: 520 });
    await until(() => mock.of("resize").at(-1)?.hex === "5c0308026400");
    // Once, unless this machine itself rested in between.
    expect(mock.of("resize").length).toBeLessThan(widths.length);
    await page.waitForFunction(() => window.oriel?.stats().width === 860);
  });

  it("presses special keys from the tool bar, reached by keyboard", async () => {
    const page = await open();
    await live(page);
    await page.keyboard.press("Control+Alt+Shift");
    await page.getByRole("button", { name: "Special keys" }).press("Enter");
    mock.records.length = 0;
    await page.getByRole("button", { name: "Ctrl + Alt + Del" }).press("Enter");
    await until(() => keys().length === 6);
    expect(keys().map((key) => key.slice(0, 6))).toEqual([
      "011d00",
      "013800",
      "0153e0",
      "0053e0",
      "003800",
      "001d00",
    ]);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    mock.records.length = 0;
    await page.keyboard.press("b");
    await until(() => keys().length === 2);
  });

  it("shares text both ways", async () => {
    const page = await open("rdp", { permissions: ["clipboard-read", "clipboard-write"] });
    await live(page);
    mock.send(record(0x20, [0], Buffer.from("vom Desktop €")));
    await page.waitForFunction(() => navigator.clipboard.readText().then((text) => text === "vom Desktop €"));
    await page.evaluate(() => navigator.clipboard.writeText("von hier ü"));
    await page.keyboard.press("Control+v");
    const sent = await until(() => mock.of("clipboard")[0]);
    expect(sent.body.subarray(1).toString()).toBe("von hier ü");
    await until(() => keys().length === 4);
    const order = mock.records
      .filter((one) => one.type === "clipboard" || one.hex.startsWith("012f00"))
      .map((one) => one.type);
    expect(order).toEqual(["clipboard", "key"]);
  });

  it("shares HTML and pictures both ways, where the machine takes them", async () => {
    const page = await open("rdp", { permissions: ["clipboard-read", "clipboard-write"] });
    await live(page);
    const sent = await clipboardRests(page);
    const types = () =>
      page.evaluate(async () => (await navigator.clipboard.read()).flatMap((item) => [...item.types]));
    const html = "<b>fett</b>";
    mock.send(record(0x20, [1], Buffer.from(html)), record(0x20, [0], Buffer.from("fett")));
    await until(async () => (await clipboardText(page)) === "fett");
    expect(await types()).toEqual(["text/plain", "text/html"]);
    const png = await page.evaluate(async () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [3, 2];
      canvas.getContext("2d")?.fillRect(0, 0, 2, 2);
      const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
      return blob ? [...new Uint8Array(await blob.arrayBuffer())] : [];
    });
    mock.send(record(0x20, [2], Buffer.from(png)), record(0x20, [0]));
    await until(async () => (await types().catch((): string[] => [])).includes("image/png") || undefined);
    await page.mouse.move(500, 2);
    await page.getByRole("button", { name: "Clipboard", exact: true }).click();
    await page.getByText("A picture of 3 × 2 pixels.").waitFor();
    await page.keyboard.press("Escape");
    // It came from there: nothing goes back.
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
    await page.waitForTimeout(500);
    expect(mock.of("clipboard").slice(sent)).toEqual([]);
    await page.evaluate(() =>
      navigator.clipboard.write([
        new ClipboardItem({
          "text/plain": new Blob(["kursiv"], { type: "text/plain" }),
          "text/html": new Blob(["<i>kursiv</i>"], { type: "text/html" }),
        }),
      ]),
    );
    await page.locator("main").click();
    await page.keyboard.press("Control+v");
    const [first, second] = await until(() => {
      const pasted = mock.of("clipboard").slice(sent);
      return pasted.length > 1 ? pasted : undefined;
    });
    expect([first?.body[0], second?.body.toString()]).toEqual([1, "\u0000kursiv"]);
    expect(first?.body.subarray(1).toString()).toContain("<i>kursiv</i>");
  });

  it("cleans the HTML of a machine before it is on this computer's clipboard", async () => {
    const page = await open("rdp", { permissions: ["clipboard-read", "clipboard-write"] });
    await live(page);
    await clipboardRests(page);
    const asked: string[] = [];
    page.on("request", (request) => void asked.push(request.url()));
    const hostile = [
      "<html><head><script>window.hurt = 1</script><style>@import url(https://evil.test/a.css);</style>",
      '<base href="https://evil.test/"><meta http-equiv=refresh content="0;url=https://evil.test/"></head>',
      '<body onload="window.hurt = 2"><!--StartFragment--><b onclick="hurt()" style="color: red">fett</b>',
      "<img src=x onerror='window.hurt = 3'><img src='https://evil.test/who'><a href=\"java&#10;script:window.hurt = 4\">eins</a>",
      '<a href="/api/v1/evil">hier</a><i style="background: u\\72l(https://evil.test/who)">vier</i>',
      '<img alt="punkt" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">',
      '<a href="https://example.org/">zwei</a><svg><script>window.hurt = 5</script></svg>',
      '<iframe srcdoc="<script>parent.hurt = 6</script>"></iframe><object data="https://evil.test/"></object>',
      '<form action="https://evil.test/"><input name="password" autofocus onfocus="window.hurt = 7"></form>',
      "<table><tr><td>drei</td></tr></table>",
      "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=1 onerror=window.hurt=8>'>",
      "</table></mtext></math><noscript><p title='</noscript><img src=1 onerror=window.hurt=9>'></noscript>",
      "<!--EndFragment--></body></html>",
    ].join("");
    mock.send(record(0x20, [1], Buffer.from(hostile)), record(0x20, [0], Buffer.from("cleaned")));
    await until(async () => (await clipboardText(page)) === "cleaned");
    // As other programs get it: a page that reads without asking for that gets it cleaned once more.
    const raw = await page.evaluate(async () => {
      const reading = navigator.clipboard.read as (how: object) => Promise<ClipboardItems>;
      const [item] = await reading.call(navigator.clipboard, { unsanitized: ["text/html"] });
      return (await item?.getType("text/html"))?.text() ?? "";
    });
    expect(raw).toContain("fett</b>");
    expect(raw).toContain("<td>drei</td>");
    expect(raw).toContain('src="data:image/gif;base64,');
    expect(raw).toMatch(/color:\s*red/);
    expect(raw).toContain('href="https://example.org/"');
    expect(raw).not.toMatch(
      /\bon\w+=|script|evil|<(style|svg|math|iframe|object|form|input|base|meta http)|hurt/i,
    );
    // Nothing of it was shown, run or loaded here.
    await page.mouse.move(500, 2);
    await page.getByRole("button", { name: "Clipboard", exact: true }).click();
    expect(
      await page.evaluate(() => "hurt" in window || document.querySelector("b, iframe, img[src=x], td")),
    ).toBe(null);
    expect(asked.filter((url) => !url.includes("/assets/"))).toEqual([]);
  });

  it("turns fingers into clicks, right clicks and scrolling", async () => {
    const page = await open("rdp", { hasTouch: true, isMobile: true, viewport: { width: 390, height: 700 } });
    await live(page);
    await page.touchscreen.tap(100, 300);
    await until(() => mock.of("pointer").length >= 2);
    const buttons = () => mock.of("pointer").map((one) => one.body.readUInt16LE(4));
    expect(buttons().slice(-2)).toEqual([1, 0]);
    mock.records.length = 0;
    const devtools = await page.context().newCDPSession(page);
    const finger = (
      type: "touchStart" | "touchMove" | "touchEnd",
      ...touchPoints: { x: number; y: number; id: number }[]
    ) => devtools.send("Input.dispatchTouchEvent", { type, touchPoints });
    await finger("touchStart", { x: 100, y: 300, id: 0 });
    await page.waitForTimeout(650);
    await finger("touchEnd");
    await until(() => buttons().includes(4));
    await finger("touchStart", { x: 100, y: 300, id: 0 }, { x: 160, y: 300, id: 1 });
    for (let y = 300; y >= 200; y -= 20)
      await finger("touchMove", { x: 100, y, id: 0 }, { x: 160, y, id: 1 });
    await finger("touchEnd");
    const wheel = await until(() => mock.of("wheel").at(-1));
    expect(wheel.body.readInt16LE(6)).toBeGreaterThan(0);
  });
});

describe("the view", () => {
  it("zooms under two fingers and still knows where a tap is", async () => {
    const page = await open("rdp", { hasTouch: true, isMobile: true, viewport: { width: 400, height: 700 } });
    await live(page);
    const devtools = await page.context().newCDPSession(page);
    const two = (type: "touchStart" | "touchMove", apart: number) =>
      devtools.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: [
          { x: 200 - apart, y: 300, id: 0 },
          { x: 200 + apart, y: 300, id: 1 },
        ],
      });
    await two("touchStart", 40);
    for (let apart = 50; apart <= 100; apart += 10) await two("touchMove", apart);
    await devtools.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    const box = await page.locator("canvas.screen").boundingBox();
    expect(box?.width).toBeGreaterThan(600);
    mock.records.length = 0;
    await page.touchscreen.tap(200, 300);
    const down = await until(() => mock.of("pointer").find((one) => one.body.readUInt16LE(4) === 1));
    // The middle between the fingers stayed where it was.
    expect(Math.abs(down.body.readUInt16LE(0) - 200)).toBeLessThan(6);
    expect(Math.abs(down.body.readUInt16LE(2) - 300)).toBeLessThan(6);
  });

  it("fits a surface that the machine cannot resize, and points at the right pixel", async () => {
    mock.scene = "fixed";
    const page = await open();
    await live(page);
    const box = await page.locator("canvas.screen").boundingBox();
    expect(box).toMatchObject({ height: 640, y: 0 });
    expect(Math.round(box?.width ?? 0)).toBe(853);
    await page.mouse.click((box?.x ?? 0) + 853 / 2, 320);
    const down = await until(() => mock.of("pointer").find((one) => one.body.readUInt16LE(4) === 1));
    expect(Math.abs(down.body.readUInt16LE(0) - 400)).toBeLessThanOrEqual(1);
    expect(down.body.readUInt16LE(2)).toBe(300);
  });

  it("asks for CSS pixels when it should be enlarged", async () => {
    const page = await open("rdp", { deviceScaleFactor: 2 });
    await live(page);
    expect(mock.of("hello")[0]?.hex.slice(2, 14)).toBe("d0070005c800");
    await page.keyboard.press("Control+Alt+Shift");
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByRole("radio", { name: "Match, enlarged" }).check();
    expect((await until(() => mock.of("resize")[0])).hex).toBe("e80380026400");
    await page.waitForFunction(() => window.oriel?.stats().width === 1000);
    const box = await page.locator("canvas.screen").boundingBox();
    expect(box).toMatchObject({ width: 1000, height: 640 });
  });
});

describe("the remote pointer", () => {
  const style = (page: Page) =>
    page.locator("canvas.screen").evaluate((canvas) => getComputedStyle(canvas).cursor);

  it("is the browser's own cursor", async () => {
    const page = await open();
    await live(page);
    await until(() => mock.of("ack").length > 0);
    await page.waitForFunction(() =>
      getComputedStyle(document.querySelector(".screen") as Element).cursor.includes("blob:"),
    );
    mock.send(cursor(0, 0, 0, 0, []));
    await page.waitForFunction(
      () => getComputedStyle(document.querySelector(".screen") as Element).cursor === "none",
    );
    mock.send(record(0x14));
    await page.waitForFunction(
      () => getComputedStyle(document.querySelector(".screen") as Element).cursor === "default",
    );
    expect(errors).toEqual([]);
  });

  it("is drawn when it is too large, or the policy lets no picture in", async () => {
    mock.policy = "default-src 'self'";
    const page = await open();
    await live(page);
    await page.mouse.move(400, 300);
    await page.waitForFunction(
      () => (document.querySelector(".pointer") as HTMLCanvasElement | null)?.hidden === false,
    );
    expect(await style(page)).toBe("none");
  });
});

describe("a connection", () => {
  it("that is cut comes back by itself and says so meanwhile", async () => {
    const page = await open();
    await live(page);
    mock.refuseSockets = true;
    mock.cut();
    await page.getByText("Connection lost").waitFor();
    expect(await pixel(page, 0, 0)).toEqual([255, 0, 0]);
    await page.waitForTimeout(900);
    mock.refuseSockets = false;
    await live(page);
    expect(mock.connects.at(-1)?.resume).toBe("0192f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506");
    await page.getByText("Connection lost").waitFor({ state: "hidden" });
    const before = mock.of("ack").length;
    mock.frame(fill(0, 0, 1, 1, 9, 9, 9));
    await until(() => mock.of("ack").length > before);
    expect(errors).toEqual([]);
  });

  it("to a starting machine shows its steps and connects when it is up", async () => {
    mock.startSteps = 3;
    const page = await open();
    await page.getByRole("heading", { name: "Your desktop is starting" }).waitFor();
    await page.getByText("Preparing its disk").waitFor();
    await live(page);
  });

  it("to a machine that can't start says why", async () => {
    mock.failure = "there is no room on the disk: 2 GB are free and 20 are needed";
    const page = await open();
    await page
      .getByText("There is no room on the disk")
      .or(page.getByText("there is no room on the disk"))
      .waitFor();
    await page.getByRole("button", { name: "Connect again" }).waitFor();
  });

  it("that the server ends says why, and can be begun again", async () => {
    const page = await open();
    await live(page);
    mock.send(bye(2, "the machine refused the password; ask an administrator to recycle the desktop"));
    await page.getByRole("heading", { name: "The machine refused the sign-in" }).waitFor();
    await page.getByRole("button", { name: "Connect again" }).click();
    await live(page);
  });

  it("taken over elsewhere is not taken back by itself", async () => {
    const page = await open();
    await live(page);
    mock.send(bye(6, ""));
    await page.getByRole("button", { name: "Use it here" }).waitFor();
    await page.waitForTimeout(1200);
    expect(mock.connects).toHaveLength(1);
  });

  it("of someone signed out leads to the sign-in and back", async () => {
    mock.signedIn = false;
    const page = await open();
    const link = page.getByRole("link", { name: "Sign in", exact: true });
    await link.waitFor();
    expect(await link.getAttribute("href")).toBe("/?next=%2Fviewer%2F%3Fdesktop%3Dd1%26kind%3Drdp");
  });

  it("that stays silent shows how far it came", async () => {
    mock.scene = "silent";
    const page = await open();
    await until(() => mock.of("hello").length > 0);
    await page.getByText("Reaching the machine").first().waitFor();
    mock.send(status(3, "the machine is still starting its desktop"));
    await page.getByText("the machine is still starting its desktop").waitFor();
  });

  it("says its rules, and offers nothing that leads nowhere", async () => {
    const page = await open();
    await live(page);
    const tool = (name: string) => page.getByRole("button", { name, exact: true });
    mock.send(record(0x39, u32(4 | 8), u32(64)), record(0x3a, Buffer.from("anna")));
    await page
      .locator(".watermark text")
      .filter({ hasText: /anna · \d{4}-\d\d-\d\d/ })
      .waitFor({ state: "attached" });
    await page.mouse.move(500, 2);
    await tool("Clipboard").click();
    await page.getByText("let you copy from it", { exact: false }).waitFor();
    expect(await tool("Put on the desktop's clipboard").isVisible()).toBe(false);
    if (process.env.ORIEL_PAGES_PICTURES)
      await page.screenshot({ path: `${process.env.ORIEL_PAGES_PICTURES}/viewer-rules.png` });
    mock.send(record(0x39, u32(1), u32(64)));
    await page.getByText("View only", { exact: true }).waitFor();
    for (const name of ["Special keys", "Clipboard", "Sound"])
      expect(await tool(name).isVisible()).toBe(false);
    expect(errors).toEqual([]);
  });

  it("warns before it is locked, and its person comes back with a password", async () => {
    const page = await open();
    await live(page);
    mock.send(record(0x3b, [1], u32(300)));
    await page.getByText("This connection ends in 5 minutes", { exact: false }).waitFor();
    mock.send(record(0x3b, [0], u32(60)));
    await page.getByText("this browser locks soon", { exact: false }).waitFor();
    if (process.env.ORIEL_PAGES_PICTURES)
      await page.screenshot({ path: `${process.env.ORIEL_PAGES_PICTURES}/viewer-locks-soon.png` });
    mock.send(record(0x3b, [0], u32(0)));
    await until(async () => (await page.locator(".banner").getAttribute("class"))?.includes("gone"));
    mock.send(record(0x3b, [0], u32(2)), bye(10, "locked after 10 minutes without a key or a pointer"));
    await page.getByRole("heading", { name: "Locked" }).waitFor();
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    const unlock = page.getByRole("link", { name: "Unlock" });
    expect(await unlock.getAttribute("href")).toBe("/?next=%2Fviewer%2F%3Fdesktop%3Dd1%26kind%3Drdp");
    if (process.env.ORIEL_PAGES_PICTURES)
      await page.screenshot({ path: `${process.env.ORIEL_PAGES_PICTURES}/viewer-locked.png` });
    expect(errors).toEqual([]);
  });

  it("asks whether it may be recorded before it opens, and says that it is", async () => {
    mock.scene = "silent";
    const page = await open();
    await until(() => mock.of("hello").length > 0);
    const question = Buffer.from("may what is seen be recorded?");
    mock.send(record(0x38, [2], question));
    await page.getByRole("heading", { name: "May this connection be recorded?" }).waitFor();
    await page.getByText("May what is seen be recorded?").waitFor();
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    if (process.env.ORIEL_PAGES_PICTURES)
      await page.screenshot({ path: `${process.env.ORIEL_PAGES_PICTURES}/viewer-asked.png` });
    // Another status meanwhile does not take the question away.
    mock.send(status(3, "the machine is still starting"));
    await page.getByRole("button", { name: "Record and connect" }).click();
    expect((await until(() => mock.of("consent")[0])).hex).toBe("01");
    mock.send(record(0x38, [1], Buffer.from("this connection is recorded")));
    mock.frame(resize(800, 600), fill(0, 0, 800, 600, 30, 60, 90), fill(0, 0, 9, 9, 250, 0, 0));
    await live(page);
    const sign = page.getByText("Recorded", { exact: true });
    expect(await sign.isVisible()).toBe(true);
    expect(await page.locator("p", { has: sign }).getAttribute("title")).toBe("This connection is recorded.");
    if (process.env.ORIEL_PAGES_PICTURES)
      await page.screenshot({ path: `${process.env.ORIEL_PAGES_PICTURES}/viewer-recorded.png` });
    // Keys are said in view, not only where a pointer rests.
    const keys = "this connection is recorded, with the keys that are pressed, passwords too";
    mock.send(record(0x38, [1], Buffer.from(keys)));
    await page
      .getByText("Recorded, with the keys that are pressed, passwords too", { exact: true })
      .waitFor();
    if (process.env.ORIEL_PAGES_PICTURES)
      await page.screenshot({ path: `${process.env.ORIEL_PAGES_PICTURES}/viewer-recorded-keys.png` });
    mock.send(record(0x38, [1], Buffer.from("this connection is recorded")));
    await sign.waitFor();
    mock.send(record(0x38, [0]));
    await page.getByText("Recording has stopped", { exact: false }).waitFor();
    expect(await sign.isVisible()).toBe(false);
    expect(errors).toEqual([]);
  });

  it("shows its steps until there is something to see", async () => {
    mock.scene = "black";
    const page = await open();
    // Acknowledged and yet not shown: the machine must not wait for the person.
    await until(() => mock.of("ack").length > 0);
    const waits = page.getByText("Waiting for the first picture").first();
    await waits.waitFor();
    expect(await page.evaluate(() => [window.oriel?.phase, window.oriel?.marks.first_picture])).toEqual([
      "opening",
      null,
    ]);
    // A line of text on a large black screen is something.
    mock.frame(fill(40, 40, 12, 2, 200, 200, 200));
    await live(page);
    await waits.waitFor({ state: "hidden" });
    expect(errors).toEqual([]);
  });

  it("to a screen that stays black shows it after a while, and needs no second wait after a cut", async () => {
    mock.scene = "black";
    const page = await open();
    await live(page);
    const { started, first_picture } = await page.evaluate(
      () => window.oriel?.marks ?? { started: 0, first_picture: 0 },
    );
    expect((first_picture ?? 0) - started).toBeGreaterThanOrEqual(5000);
    const acknowledged = mock.of("ack").length;
    await page.evaluate(() => window.oriel?.cut());
    await until(() => mock.of("ack").length > acknowledged);
    // At once: the acknowledgement and the phase come from the same message.
    await page.waitForFunction(() => window.oriel?.phase === "live", null, { timeout: 4000 });
  });

  it("in a browser that is too old says so", async () => {
    const page = await openAfter(() =>
      Reflect.deleteProperty(HTMLCanvasElement.prototype, "transferControlToOffscreen"),
    );
    await page.getByRole("heading", { name: "This browser cannot show the desktop" }).waitFor();
  });

  it("with a server that breaks the protocol ends with a sentence", async () => {
    const page = await open();
    await live(page);
    mock.send(Buffer.from([0x31, 200, 0, 0, 0, 1]));
    await page.getByRole("heading", { name: "Protocol error" }).waitFor();
  });
});

describe("the terminal", () => {
  it("echoes, acknowledges and tells its size", async () => {
    const page = await open("ssh");
    await live(page);
    await page.keyboard.type("grüße\r");
    await page.waitForFunction(() => window.oriel?.terminalText().includes("grüße"));
    await until(
      () => mock.of("terminal_ack").at(-1)?.body.readBigUInt64LE(0) === BigInt(mock.terminalSent.length),
    );
    await page.setViewportSize({ width: 700, height: 400 });
    await until(() => mock.of("terminal_resize").length > 0);
    expect(errors).toEqual([]);
  });

  it("continues after a cut without a lost or doubled byte", async () => {
    const page = await open("ssh");
    await live(page);
    await page.keyboard.type("before ");
    await page.waitForFunction(() => window.oriel?.terminalText().includes("before"));
    mock.refuseSockets = true;
    mock.cut();
    await page.getByText("Connection lost").waitFor();
    // The machine goes on talking, and the person goes on typing.
    mock.shell("[meanwhile]");
    await page.keyboard.type("typed");
    mock.refuseSockets = false;
    await live(page);
    await page.waitForFunction(() => window.oriel?.terminalText().includes("typed"));
    const text = await page.evaluate(() => window.oriel?.terminalText());
    expect(text).toBe("ada@studio-1:~$ before [meanwhile]typed");
    expect(mock.terminalTyped.toString()).toBe("before typed");
  });

  it("takes a flood and acknowledges all of it", async () => {
    const page = await open("ssh");
    await live(page);
    const line = `${"x".repeat(99)}\r\n`;
    for (let count = 0; count < 40; count += 1) mock.shell(line.repeat(500));
    await until(
      () => mock.of("terminal_ack").at(-1)?.body.readBigUInt64LE(0) === BigInt(mock.terminalSent.length),
    );
  });
});

describe("accessibility", () => {
  const serious = async (page: Page) => {
    // What is still fading in has other colours than it will have.
    await page.evaluate(() =>
      Promise.all(
        document
          .getAnimations()
          .filter((one) => one instanceof CSSTransition)
          .map((one) => one.finished.catch(() => undefined)),
      ),
    );
    const { violations } = await new AxeBuilder({ page }).analyze();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => [id, nodes[0]?.html]);
  };
  it.each(["light", "dark"] as const)("finds nothing serious (%s)", async (colorScheme) => {
    mock.startSteps = 2;
    const page = await open("rdp", { colorScheme });
    await page.getByRole("heading", { name: "Your desktop is starting" }).waitFor();
    expect(await serious(page)).toEqual([]);
    await live(page);
    await page.keyboard.press("Control+Alt+Shift");
    for (const name of ["Special keys", "Clipboard", "Settings"]) {
      await page.getByRole("button", { name, exact: true }).click();
      expect(await serious(page)).toEqual([]);
    }
    mock.send(bye(1, "the machine does not answer on port 3389"));
    await page.getByRole("button", { name: "Connect again" }).waitFor();
    expect(await serious(page)).toEqual([]);
  });
});

describe("the microphone", () => {
  const RULES = { clipboard: 2 | 4, all: 2 | 4 | 8 | 16 | 32 | 64 | 128 };
  const rules = (bits: number) => Buffer.from(encodeServer({ type: "rules", bits, clipboard_kib: 1024 }));
  const wanted = (channels: number, rate: number) =>
    Buffer.from(encodeServer({ type: "microphone", channels, rate }));
  const figures = (page: Page) =>
    page.evaluate(() => window.oriel?.stats().microphone as { state: string; sent: number; late: number });
  const heard = () => mock.of("microphone");

  it("is asked for by a click, hears, is muted, and ends with the program", async () => {
    const page = await open("rdp", { permissions: ["microphone"] });
    await live(page);
    mock.send(rules(RULES.all));
    mock.send(wanted(1, 48_000));
    await page.getByRole("heading", { name: "A program wants to hear you" }).waitFor();
    // Nothing is heard before the person said so.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(heard()).toEqual([]);
    expect((await figures(page)).state).toBe("asked");
    await page.getByRole("button", { name: "Turn the microphone on" }).first().click();
    await page.getByText("Microphone on", { exact: true }).waitFor();
    await until(() => (heard().length > 50 ? true : undefined));
    const { body } = heard()[40] as { body: Buffer };
    expect([body[0], body.readUInt32LE(1), body.length]).toEqual([1, 48_000, 5 + 960 * 2]);
    // Chromium's false microphone beeps.
    const loudest = Math.max(
      ...heard().map(({ body: block }) => {
        let most = 0;
        for (let at = 5; at < block.length; at += 2) most = Math.max(most, Math.abs(block.readInt16LE(at)));
        return most;
      }),
    );
    expect(loudest).toBeGreaterThan(1000);
    // Another format is the same permission.
    mock.send(wanted(2, 44_100));
    await until(() => heard().find((one) => one.body[0] === 2 && one.body.length === 5 + 882 * 4));
    await page.keyboard.press("Control+Alt+Shift");
    await page.getByRole("button", { name: "Mute the microphone" }).press("Enter");
    await page.getByText("Microphone muted", { exact: true }).waitFor();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = heard().length;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(heard().length).toBe(before);
    mock.send(wanted(0, 0));
    await page.getByText("Microphone muted", { exact: true }).waitFor({ state: "hidden" });
    expect((await figures(page)).state).toBe("off");
    expect(errors).toEqual([]);
  });

  it("is never asked for where the rules say no, and a no is a no", async () => {
    const page = await open("rdp", { permissions: ["microphone"] });
    await live(page);
    mock.send(rules(RULES.clipboard));
    mock.send(wanted(1, 48_000));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await figures(page)).state).toBe("off");
    mock.send(rules(RULES.all));
    await page.getByRole("heading", { name: "A program wants to hear you" }).waitFor();
    await page.getByRole("button", { name: "No", exact: true }).click();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await figures(page)).state).toBe("off");
    expect(heard()).toEqual([]);
    expect(errors).toEqual([]);
  });
});

describe("sound", () => {
  /** 20 ms of a tone, in two channels at 44.1 kHz. */
  const tone = (piece: number) => {
    const samples = Buffer.alloc(882 * 4);
    for (let at = 0; at < 882; at += 1) {
      const value = Math.round(9000 * Math.sin(((piece * 882 + at) / 44_100) * 1000 * 2 * Math.PI));
      samples.writeInt16LE(value, at * 4);
      samples.writeInt16LE(value, at * 4 + 2);
    }
    return Buffer.from(
      encodeServer({
        type: "audio",
        codec: 0,
        channels: 2,
        rate: 44_100,
        time_ms: piece * 20,
        bytes: samples,
      }),
    );
  };
  const figures = (page: Page) =>
    page.evaluate(() => window.oriel?.stats().sound as { played: number; late: number; dry: number });

  it("is asked for once the page was touched, and comes out as it was", async () => {
    const page = await open();
    await page.addInitScript(overhear);
    await page.reload();
    await live(page);
    expect(mock.of("listen")).toEqual([]);
    await page.mouse.click(300, 300);
    expect((await until(() => mock.of("listen")[0])).hex).toBe("01");
    const start = performance.now();
    for (let piece = 0; piece < 100; piece += 1) {
      await new Promise((resolve) => setTimeout(resolve, start + piece * 20 - performance.now()));
      mock.send(tone(piece));
    }
    const { hz, db } = await page.evaluate(heard);
    expect(Math.abs(hz - 1000)).toBeLessThan(5);
    expect(db).toBeGreaterThan(-40);
    const { played, late, dry } = await figures(page);
    process.stdout.write(
      `sound: ${hz.toFixed(1)} Hz, ${db.toFixed(1)} dB, played ${played}, late ${late}, dry ${dry}\n`,
    );
    expect(played).toBeGreaterThan(80);
    // All of it at once is more than may wait.
    for (let piece = 0; piece < 50; piece += 1) mock.send(tone(piece));
    await page.waitForFunction((before) => {
      const sound = window.oriel?.stats().sound as { late: number } | undefined;
      return (sound?.late ?? 0) > before + 40;
    }, late);
    await page.keyboard.press("Control+Alt+Shift");
    await page.getByRole("button", { name: "Sound" }).press("Enter");
    expect((await until(() => mock.of("listen")[1])).hex).toBe("00");
    expect(errors).toEqual([]);
  });
});
