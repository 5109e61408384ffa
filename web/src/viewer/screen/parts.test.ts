import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { meet, Parts } from "./parts";

/** What was drawn for each picture: the part's corner on the surface. */
let drawn: string[] = [];

class Canvas {
  constructor(
    readonly width: number,
    readonly height: number,
  ) {}
  getContext() {
    return {
      canvas: this,
      drawImage: (_: unknown, x: number, y: number, w: number, h: number) =>
        drawn.push(`${x} ${y} ${w} ${h}`),
    };
  }
  transferToImageBitmap = () => ({ width: this.width, height: this.height });
}

beforeEach(() => {
  drawn = [];
  vi.stubGlobal("OffscreenCanvas", Canvas);
});
afterEach(() => vi.unstubAllGlobals());

describe("windows of other monitors", () => {
  const left = { id: 1, x: 100, y: 0, w: 50, h: 50 };
  const right = { id: 2, x: 150, y: 10, w: 60, h: 40 };

  it("get their part at once, when it changed, and never a second picture before the first is shown", () => {
    const sent: number[] = [];
    const parts = new Parts(new OffscreenCanvas(210, 50), (id) => sent.push(id));
    parts.set([left, right]);
    expect(sent).toEqual([1, 2]);
    expect(drawn).toEqual(["100 0 50 50", "150 10 60 40"]);
    // The first window's alone; it has not shown the one before.
    for (let count = 0; count < 5; count += 1) parts.changed({ x: 90, y: 0, w: 20, h: 20 });
    expect(sent).toEqual([1, 2]);
    parts.taken(1);
    expect(sent).toEqual([1, 2, 1]);
    parts.taken(1);
    parts.taken(2);
    expect(sent).toEqual([1, 2, 1]);
    parts.changed({ x: 160, y: 0, w: 5, h: 20 });
    expect(sent).toEqual([1, 2, 1, 2]);
    parts.changed({ x: 0, y: 0, w: 100, h: 50 });
    expect(sent).toEqual([1, 2, 1, 2]);
  });

  it("that are laid out anew still show what is on the way to them first", () => {
    const sent: string[] = [];
    const parts = new Parts(new OffscreenCanvas(210, 50), (id, { width }) => sent.push(`${id}:${width}`));
    parts.set([left]);
    parts.set([{ ...left, w: 40 }, right]);
    expect(sent).toEqual(["1:50", "2:60"]);
    parts.taken(1);
    expect(sent).toEqual(["1:50", "2:60", "1:40"]);
    parts.set([]);
    parts.taken(1);
    parts.changed({ x: 0, y: 0, w: 210, h: 50 });
    expect(sent).toHaveLength(3);
  });
});

it("rectangles meet where they share pixels", () => {
  const one = { x: 10, y: 10, w: 10, h: 10 };
  expect(meet(one, { x: 19, y: 19, w: 1, h: 1 })).toBe(true);
  expect(meet(one, { x: 20, y: 10, w: 5, h: 5 })).toBe(false);
  expect(meet(one, { x: 0, y: 0, w: 10, h: 30 })).toBe(false);
});
