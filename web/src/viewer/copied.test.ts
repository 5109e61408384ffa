import { describe, expect, it } from "vitest";
import { isTooMuch } from "./clean";
import { pngSize } from "./copied";
import { Keyboard } from "./input/keyboard";
import { CLIPBOARD_PICTURE_BYTES_MAX } from "./wire";

function head(width: number, height: number, length = 64): Uint8Array {
  const png = new Uint8Array(length);
  png.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  new DataView(png.buffer).setUint32(16, width);
  new DataView(png.buffer).setUint32(20, height);
  return png;
}

describe("pictures", () => {
  it("are known by their head, and bounded", () => {
    expect(pngSize(head(800, 600))).toEqual({ width: 800, height: 600 });
    expect(pngSize(head(4096, 2560))).not.toBe(null);
    for (const png of [
      head(0, 5),
      head(4097, 2560),
      head(0xffffffff, 0xffffffff),
      head(1, 1).subarray(0, 20),
      head(1, 1, CLIPBOARD_PICTURE_BYTES_MAX + 1),
      new TextEncoder().encode("<svg onload=alert(1)>........."),
    ])
      expect(pngSize(png)).toBe(null);
  });
});

describe("HTML", () => {
  it("is bounded before it is parsed", () => {
    const row = `<tr>${"<td>1<br>2</td>".repeat(10)}</tr>`;
    expect(isTooMuch(`<html><body><table>${row.repeat(1000)}</table></body></html>`)).toBe(false);
    expect(isTooMuch(`<table>${row.repeat(3000)}</table>`)).toBe(true);
    expect(isTooMuch("<b>x</b>".repeat(20_000))).toBe(false);
    for (const piece of [
      "<b>",
      "<DIV></span>",
      "<p><i a=1></p>",
      "<table><tr><td>",
      "<x-y/>",
      "<svg/onload=1>",
    ])
      expect(isTooMuch(piece.repeat(1000))).toBe(true);
    expect(isTooMuch("</b>".repeat(100_000))).toBe(false);
    expect(isTooMuch("< a <5 <".repeat(100_000))).toBe(false);
  });
});

describe("pasting", () => {
  it("holds the key until the picture has gone ahead, also where it went up meanwhile", () => {
    const sent: string[] = [];
    const keyboard = new Keyboard(
      {
        key: (down, code) => sent.push(`${down ? "+" : "-"}${code.toString(16)}`),
        text: () => undefined,
        release: () => undefined,
        menu: () => undefined,
      },
      "other",
    );
    const key = (code: string, name: string, ctrlKey: boolean) =>
      ({
        ...{ code, key: name, location: 0, repeat: false, isComposing: false, keyCode: 0, timeStamp: 0 },
        ...{ ctrlKey, altKey: false, shiftKey: false, metaKey: false, getModifierState: () => false },
      }) as unknown as KeyboardEvent;
    keyboard.down(key("ControlLeft", "Control", true));
    keyboard.down(key("KeyV", "v", true));
    keyboard.pasting();
    keyboard.up(key("KeyV", "v", true));
    expect(sent).toEqual(["+1d"]);
    sent.push("picture");
    keyboard.pasted();
    expect(sent).toEqual(["+1d", "picture", "+2f", "-2f"]);
  });
});
