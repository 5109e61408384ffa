import { describe, expect, it } from "vitest";
import { arrange, locate, sameLayout, type Wanted } from "./layout";

const window = (width: number, height: number, place: Wanted["place"] = null, scale = 100): Wanted => ({
  width,
  height,
  scale,
  place,
});
const places = (windows: Wanted[]) =>
  arrange(windows)?.monitors.map(({ x, y, w, h }) => [x, y, w, h].join(" "));

describe("several monitors", () => {
  it("lie side by side in the order in which they were added, and the first is primary", () => {
    const layout = arrange([window(1001, 640), window(800, 900, null, 150)]);
    expect(layout).toEqual({
      width: 1800,
      height: 900,
      monitors: [
        { x: 0, y: 0, w: 1000, h: 640, scale: 100, primary: true },
        { x: 1000, y: 0, w: 800, h: 900, scale: 150, primary: false },
      ],
    });
    expect(sameLayout(layout, arrange([window(1001, 640), window(800, 900, null, 150)]))).toBe(true);
    expect(sameLayout(layout, arrange([window(1001, 640)]))).toBe(false);
  });

  it("stand as the screens do, where the browser says it", () => {
    const main = window(1920, 1080, { left: 0, top: 0 });
    // To the left and higher; lower by more than fits is as low as an edge can be shared.
    expect(places([main, window(1080, 1920, { left: -1080, top: -400 })])).toEqual([
      "1080 400 1920 1080",
      "0 0 1080 1920",
    ]);
    expect(places([main, window(800, 600, { left: 1920, top: 5000 })])).toEqual([
      "0 0 1920 1080",
      "1920 1016 800 600",
    ]);
    // Of two on one screen the first comes first; where one is not known, none counts.
    expect(places([main, window(800, 600, { left: 0, top: 0 })])?.[0]).toBe("0 0 1920 1080");
    expect(places([main, window(800, 600, { left: -800, top: 0 }), window(800, 600)])?.[0]).toBe(
      "0 0 1920 1080",
    );
  });

  it("have sizes and scales that machines take, and are not more than a surface holds", () => {
    expect(places([window(50, 50), window(9, 9)])).toEqual(["0 0 200 200", "200 0 200 200"]);
    expect(
      arrange([window(800, 600, null, 67), window(800, 600, null, 999)])?.monitors.map((one) => one.scale),
    ).toEqual([100, 100]);
    expect(arrange([window(3840, 2160), window(3840, 2160)])).not.toBeNull();
    expect(arrange([window(3840, 2160), window(3840, 2160), window(800, 600)])).toBeNull();
    expect(arrange(Array.from({ length: 8 }, () => window(640, 480)))).not.toBeNull();
    expect(arrange(Array.from({ length: 9 }, () => window(640, 480)))).toBeNull();
    expect(arrange([])).toBeNull();
  });
});

describe("a point of a window", () => {
  const part = { x: 1000, y: 100, w: 800, h: 600 };
  const surface = { width: 1800, height: 900 };
  it("has the window's place added", () => {
    expect(locate(part, surface, 0, 0)).toEqual({ x: 1000, y: 100 });
    expect(locate(part, surface, 0.5, 0.999)).toEqual({ x: 1400, y: 699 });
  });
  it("goes on into the neighbour when a drag leaves the window, and never off the surface", () => {
    expect(locate(part, surface, -0.25, -0.05)).toEqual({ x: 800, y: 70 });
    expect(locate(part, surface, 1, 9)).toEqual({ x: 1799, y: 899 });
    expect(locate(part, surface, -9, -9)).toEqual({ x: 0, y: 0 });
  });
});
