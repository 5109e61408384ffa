/**
 * Pictures in 4:4:4 as two views in 4:2:0, for tests: how a machine splits them (MS-RDPEGFX 3.3.8.3.2, 3.3.8.3.3), and, pixel
 * by pixel from the same pages, how they are put together again. What the viewer's shader makes is compared with that.
 */
import { execFileSync } from "node:child_process";
import type { Layout } from "../screen/combiner";
import type { Rect } from "../wire";

/** Planes of a view, one after the other: Y, U, V. Sides are multiples of 16. */
export type View = { width: number; height: number; bytes: Uint8Array<ArrayBuffer> };
type Rgb = readonly [number, number, number];

const clamp = (value: number) => Math.min(255, Math.max(0, value));

/** Full range, BT.709 (3.3.8.3.1). */
function toYuv([r, g, b]: Rgb): Rgb {
  return [
    clamp((54 * r + 183 * g + 18 * b) >> 8),
    clamp(((-29 * r - 99 * g + 128 * b) >> 8) + 128),
    clamp(((128 * r - 116 * g - 12 * b) >> 8) + 128),
  ];
}

function toRgb([y, u, v]: Rgb): Rgb {
  const [d, e] = [u - 128, v - 128];
  const luma = 256 * y;
  return [clamp((luma + 403 * e) >> 8), clamp((luma - 48 * d - 120 * e) >> 8), clamp((luma + 475 * d) >> 8)];
}

/** Reads and writes the samples of a view. */
class Samples {
  readonly #bytes: Uint8Array;
  readonly #width: number;
  readonly #luma: number;

  constructor({ width, height, bytes }: View) {
    this.#bytes = bytes;
    this.#width = width;
    this.#luma = width * height;
  }

  #at(plane: number, x: number, y: number): number {
    const width = plane === 0 ? this.#width : this.#width / 2;
    return (plane === 0 ? 0 : this.#luma + (plane - 1) * (this.#luma / 4)) + y * width + x;
  }

  get(plane: number, x: number, y: number): number {
    return this.#bytes[this.#at(plane, x, y)] ?? 0;
  }

  set(plane: number, x: number, y: number, value: number): void {
    this.#bytes[this.#at(plane, x, y)] = value;
  }
}

export const blankView = (width: number, height: number): View => ({
  width,
  height,
  bytes: new Uint8Array((width * height * 3) / 2),
});

/** A view whose samples within `part` (even everywhere) are another's. */
export function patched(under: View, over: View, { x, y, w, h }: Rect): View {
  const made = { ...under, bytes: under.bytes.slice() };
  const [from, to] = [new Samples(over), new Samples(made)];
  for (const [plane, scale] of [1, 2, 2].entries()) {
    for (let row = y / scale; row < (y + h) / scale; row += 1) {
      for (let column = x / scale; column < (x + w) / scale; column += 1) {
        to.set(plane, column, row, from.get(plane, column, row));
      }
    }
  }
  return made;
}

/** The main and the chroma view of a picture whose pixels `colour` gives. */
export function split(
  width: number,
  height: number,
  layout: Exclude<Layout, "main">,
  colour: (x: number, y: number) => Rgb,
): { main: View; chroma: View } {
  const [main, chroma] = [blankView(width, height), blankView(width, height)];
  const [first, second] = [new Samples(main), new Samples(chroma)];
  const yuv = Array.from({ length: width * height }, (_, at) =>
    toYuv(colour(at % width, Math.floor(at / width))),
  );
  const at = (x: number, y: number) => yuv[y * width + x] as Rgb;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [luma, u, v] = at(x, y);
      first.set(0, x, y, luma);
      if (x % 2 === 0 && y % 2 === 0) {
        const four = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
        for (const plane of [1, 2] as const) {
          const sum = four.reduce((all, one) => all + one[plane], 2);
          first.set(plane, x / 2, y / 2, sum >> 2);
        }
      } else if (layout === "v1" && y % 2 === 1) {
        const row = Math.floor(y / 16) * 16 + ((y % 16) >> 1);
        second.set(0, x, row, u);
        second.set(0, x, row + 8, v);
      } else if (layout === "v1") {
        second.set(1, x >> 1, y / 2, u);
        second.set(2, x >> 1, y / 2, v);
      } else if (x % 2 === 1) {
        second.set(0, x >> 1, y, u);
        second.set(0, width / 2 + (x >> 1), y, v);
      } else {
        const plane = x % 4 === 0 ? 1 : 2;
        second.set(plane, x >> 2, y >> 1, u);
        second.set(plane, width / 4 + (x >> 2), y >> 1, v);
      }
    }
  }
  return { main, chroma };
}

/** The picture of both views: red, green, blue and 255 for each pixel. */
export function combined(main: View, chroma: View, layout: Layout): Uint8Array {
  const { width, height } = main;
  const [first, second] = [new Samples(main), new Samples(chroma)];
  const colours = (x: number, y: number): readonly [number, number] => {
    if (layout === "v1" && y % 2 === 1) {
      const row = y - (y % 16) + ((y % 16) >> 1);
      return [second.get(0, x, row), second.get(0, x, row + 8)];
    }
    if (layout === "v1") return [second.get(1, x >> 1, y >> 1), second.get(2, x >> 1, y >> 1)];
    if (x % 2 === 1) return [second.get(0, x >> 1, y), second.get(0, (width + x) >> 1, y)];
    const plane = x % 4 === 0 ? 1 : 2;
    return [second.get(plane, x >> 2, y >> 1), second.get(plane, (width >> 2) + (x >> 2), y >> 1)];
  };
  const out = new Uint8Array(width * height * 4).fill(255);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let [u, v] = [first.get(1, x >> 1, y >> 1), first.get(2, x >> 1, y >> 1)];
      if (layout !== "main" && (x % 2 === 1 || y % 2 === 1)) {
        [u, v] = colours(x, y);
      } else if (layout !== "main") {
        const others = [colours(x + 1, y), colours(x, y + 1), colours(x + 1, y + 1)];
        // The mean of four and three of them give the fourth; small differences are the encoder's.
        const fourth = (mean: number, plane: 0 | 1) => {
          const found = clamp(others.reduce((rest, other) => rest - other[plane], 4 * mean));
          return Math.abs(found - mean) < 30 ? mean : found;
        };
        [u, v] = [fourth(u, 0), fourth(v, 1)];
      }
      out.set(toRgb([first.get(0, x, y), u, v]), (y * width + x) * 4);
    }
  }
  return out;
}

/** Views as the access units of one H.264 stream, the first of which stands alone; `visible`: what the stream says is shown of them. */
export function encode(
  views: readonly View[],
  visible: { width: number; height: number },
): { key: boolean; bytes: Uint8Array<ArrayBuffer> }[] {
  const [{ width, height }] = views as [View];
  const raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", `${width}x${height}`, "-i", "pipe:0"];
  const h264 = [
    "-c:v",
    "libx264",
    "-profile:v",
    "high",
    "-qp",
    "2",
    "-bf",
    "0",
    "-g",
    "1000",
    "-threads",
    "1",
  ];
  const crop = `crop-rect=0,0,${width - visible.width},${height - visible.height}`;
  const stream = execFileSync(
    "ffmpeg",
    ["-v", "error", ...raw, ...h264, "-x264-params", `aud=1:scenecut=0:${crop}`, "-f", "h264", "pipe:1"],
    { input: Buffer.concat(views.map((view) => view.bytes)) },
  );
  // Each begins with its delimiter.
  const delimiter = Buffer.from([0, 0, 0, 1, 9]);
  const units: { key: boolean; bytes: Uint8Array<ArrayBuffer> }[] = [];
  for (let from = stream.indexOf(delimiter); from >= 0; ) {
    const next = stream.indexOf(delimiter, from + 1);
    units.push({
      key: units.length === 0,
      bytes: Uint8Array.from(stream.subarray(from, next < 0 ? undefined : next)),
    });
    from = next;
  }
  return units;
}
