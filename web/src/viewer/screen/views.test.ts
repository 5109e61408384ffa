import { describe, expect, it } from "vitest";
import { combined, split } from "../testing/full";
import { band } from "./views";

/** Red and blue in turn: upright, lying, and a field of single pixels. */
const patterns: Record<string, (x: number, y: number) => boolean> = {
  upright: (x) => x % 2 === 0,
  lying: (_, y) => y % 2 === 0,
  chequered: (x, y) => (x + y) % 2 === 0,
  single: (x, y) => x % 2 === 0 && y % 2 === 0,
};
const [RED, BLUE] = [
  [230, 20, 10],
  [10, 30, 240],
] as const;

describe("views of a picture in 4:4:4", () => {
  it.each(["v1", "v2"] as const)("of %s give each pixel its own colour", (layout) => {
    for (const [name, pattern] of Object.entries(patterns)) {
      const colour = (x: number, y: number) => (pattern(x, y) ? RED : BLUE);
      const { main, chroma } = split(48, 32, layout, colour);
      const full = combined(main, chroma, layout);
      const half = combined(main, chroma, "main");
      let [worst, blurred] = [0, 0];
      for (let at = 0; at < 48 * 32; at += 1) {
        const wanted = colour(at % 48, Math.floor(at / 48));
        for (const channel of [0, 1, 2] as const) {
          worst = Math.max(worst, Math.abs((full[at * 4 + channel] as number) - wanted[channel]));
          blurred = Math.max(blurred, Math.abs((half[at * 4 + channel] as number) - wanted[channel]));
        }
      }
      // The means are rounded, and four of their rounding errors meet in the fourth.
      expect(worst, name).toBeLessThan(12);
      expect(blurred, name).toBeGreaterThan(60);
    }
  });

  it("are read by the macroblock rows of what they change", () => {
    const part = (y: number, h: number) => ({ x: 3, y, w: 5, h });
    expect(band([part(17, 1)], 64)).toEqual({ top: 16, rows: 16 });
    expect(band([part(15, 2), part(40, 9)], 64)).toEqual({ top: 0, rows: 64 });
    expect(band([part(50, 100)], 55)).toEqual({ top: 48, rows: 6 });
    expect(band([part(-9, 4)], 64)).toBeNull();
    expect(band([part(70, 4)], 64)).toBeNull();
    expect(band([], 64)).toBeNull();
  });
});
