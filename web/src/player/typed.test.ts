import { describe, expect, it } from "vitest";
import { encodeServer, type ServerRecord } from "../viewer/wire";
import { collect, type Line, visible } from "./typed";

/** A chunk's block with this payload behind its times. */
function block(payload: Uint8Array): ArrayBuffer {
  const bytes = new Uint8Array(24 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x6365524f, true);
  bytes[4] = 2;
  view.setUint32(12, 8 + payload.length, true);
  bytes.set(payload, 24);
  return bytes.buffer;
}

function entries(all: Array<[number, ServerRecord]>): ArrayBuffer {
  const parts = all.map(([ms, record]) => {
    const message = encodeServer(record);
    const head = new Uint8Array(8);
    new DataView(head.buffer).setUint32(0, ms, true);
    new DataView(head.buffer).setUint32(4, message.length, true);
    return [...head, ...message];
  });
  return block(new Uint8Array(parts.flat()));
}

describe("what was typed", () => {
  it("is a line for what follows at once", () => {
    const lines: Line[] = [];
    const typed = (text: string): ServerRecord => ({ type: "typed", text });
    collect(
      lines,
      entries([
        [500, typed("l")],
        [600, typed("s")],
        [700, typed("⟨Enter⟩")],
        [800, typed("x")],
        [900, { type: "pasted", text: "from here" }],
        [1000, { type: "words", text: "not this" }],
        [1100, { type: "copied", text: "from there" }],
        [1200, typed("y")],
        [5000, typed("z")],
      ]),
      false,
    );
    expect(lines.map(({ ms, kind, text }) => [ms, kind, text])).toEqual([
      [500, "typed", "ls⟨Enter⟩"],
      [800, "typed", "x"],
      [900, "pasted", "from here"],
      [1100, "copied", "from there"],
      [1200, "typed", "y"],
      [5000, "typed", "z"],
    ]);
  });

  it("is read from terminals with its keys named", () => {
    const lines: Line[] = [];
    const text = '[0.5,"o","$ "]\n[1.0,"i","ls\\r"]\n[9.0,"i","\\u0003"]\n';
    collect(lines, block(new TextEncoder().encode(text)), true);
    expect(lines.map(({ ms, text }) => [ms, text])).toEqual([
      [1000, "ls⟨Enter⟩"],
      [9000, "⟨Ctrl+c⟩"],
    ]);
    // Blanks are where something was left out.
    const blank: Line[] = [];
    collect(blank, block(new TextEncoder().encode('[0.5,"o","$ "]\n                \n')), true);
    expect(blank).toEqual([]);
    expect(visible("ä\x1b[A\x7f\x9b")).toBe("ä⟨Esc⟩[A⟨Backspace⟩⟨0x9b⟩");
  });
});
