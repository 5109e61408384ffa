/**
 * What is drawn of a decoded video picture: the picture itself, or, of those whose colours come in a view of their own,
 * what {@link Combiner} makes of both. Where that cannot be (no WebGL2, pictures whose bytes the browser keeps to itself)
 * the main view is drawn as it is, in 4:2:0.
 */
import { MONITORS_MAX, type Rect, VideoCodec } from "../wire";
import { Combiner, type Layout, type Planes } from "./combiner";
import type { VideoRecord } from "./video";

/** Something to draw, once. */
export type Drawable = {
  draw(context: OffscreenCanvasRenderingContext2D): void;
  /** Lets go of one that is not drawn. */
  close(): void;
};

/** `regions`: what of the rectangle is drawn; all of it, scaled, when absent. */
type ViewRecord = VideoRecord & { regions?: Rect[] };

/** What was kept of a stream is gone: it has to begin anew. */
export type Lost = (area: Rect, text: string) => void;

/** Rows of a macroblock, and its columns: colours of a pixel are in the same rows. */
const ROWS = 16;
/** Areas whose streams are remembered to have views. */
const AREAS_MAX = 64;
/** Buffers that wait for another picture. */
const SPARE_MAX = 4;

const LAYOUTS: Readonly<Record<number, Layout>> = {
  [VideoCodec.main]: "main",
  [VideoCodec.chroma]: "v1",
  [VideoCodec.chromaV2]: "v2",
};

/** Whether this browser can put pictures in 4:4:4 together, as far as that can be known before there is one. */
export function combinesViews(): boolean {
  if (typeof VideoFrame === "undefined" || !("copyTo" in VideoFrame.prototype)) return false;
  if (typeof OffscreenCanvas === "undefined") return false;
  if (hasWebGl === undefined) {
    const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
    gl?.getExtension("WEBGL_lose_context")?.loseContext();
    hasWebGl = gl !== null;
  }
  return hasWebGl;
}

let hasWebGl: boolean | undefined;

/** The macroblock rows that `parts` touch, of a picture of this height: the first pixel row and how many. */
export function band(parts: readonly Rect[], height: number): { top: number; rows: number } | null {
  const even = height & ~1;
  let [top, bottom] = [even, 0];
  for (const { y, h } of parts) {
    top = Math.min(top, Math.max(y, 0) & -ROWS);
    bottom = Math.max(bottom, Math.ceil((y + h) / ROWS) * ROWS);
  }
  bottom = Math.min(bottom, even);
  return bottom > top ? { top, rows: bottom - top } : null;
}

export class Views {
  #combiner: Combiner | null | undefined;
  #spare: Uint8Array<ArrayBuffer>[] = [];
  /** Areas that had views. */
  readonly #combined = new Set<string>();

  constructor(private readonly lost: Lost) {}

  /** Everything is begun anew. */
  clear(): void {
    this.#combiner?.clear();
    this.#combined.clear();
  }

  /** What is drawn of a record's picture, which is taken over; `null` for nothing. */
  async take(record: ViewRecord, frame: VideoFrame): Promise<Drawable | null> {
    const area = `${record.x},${record.y},${record.w},${record.h}`;
    const layout = this.#layoutOf(area, record);
    if (!layout) return whole(record, frame);
    const combiner = this.#ready();
    if (!combiner?.fits(frame.codedWidth, frame.codedHeight)) return this.#alone(layout, record, frame);
    const parts = (record.regions ?? [record]).map(({ x, y, w, h }) => {
      return { x: x - record.x, y: y - record.y, w, h };
    });
    let planes: Planes | null = null;
    let why = `pictures are ${frame.format ?? "its own"}`;
    try {
      planes = await this.#planes(frame, parts);
    } catch (error) {
      why = String(error);
    }
    if (!planes) {
      // For good: a chroma view must not meet a main view that is not its own.
      this.#giveUp(why);
      return this.#alone(layout, record, frame);
    }
    frame.close();
    const { data } = planes;
    return {
      draw: (context) => {
        const picture = combiner.picture(area, planes, layout, parts);
        this.#give(data);
        if (!picture) {
          this.#check(combiner, record);
          return;
        }
        for (const { x, y, w, h } of parts) {
          context.drawImage(picture, x, y, w, h, x + record.x, y + record.y, w, h);
        }
        picture.close();
      },
      close: () => this.#give(data),
    };
  }

  /** A picture in 4:2:0 among the views of others is a main view: the next colours may belong to it. */
  #layoutOf(area: string, record: ViewRecord): Layout | null {
    const layout = LAYOUTS[record.codec];
    if (!layout) return record.regions && this.#combined.has(area) ? "main" : null;
    if (this.#combined.size >= AREAS_MAX) this.#combined.clear();
    this.#combined.add(area);
    return layout;
  }

  #ready(): Combiner | null {
    if (this.#combiner === undefined) {
      this.#combiner = Combiner.start(MONITORS_MAX);
      if (!this.#combiner) this.#giveUp("it has no WebGL2");
    }
    return this.#combiner;
  }

  /** From now on the main views are drawn as they are. */
  #giveUp(why: string): void {
    console.warn("this browser shows video without its full colours:", why);
    this.#combiner = null;
  }

  /** Without the views put together. */
  #alone(layout: Layout, record: ViewRecord, frame: VideoFrame): Drawable | null {
    if (layout === "main") return whole(record, frame);
    frame.close();
    return null;
  }

  /** Another context is made when the stream begins anew. */
  #check(combiner: Combiner, area: Rect): void {
    if (!combiner.isLost) return;
    if (this.#combiner === combiner) this.#combiner = undefined;
    this.lost(area, "the browser took the video's canvas away");
  }

  /** The rows around `parts`; `null` where the browser keeps them to itself. */
  async #planes(frame: VideoFrame, parts: readonly Rect[]): Promise<Planes | null> {
    if (frame.format !== "I420" && frame.format !== "NV12") return null;
    // The picture as the machine coded it: whole macroblocks, also where less is visible, since the chroma view has colours of the
    // last ones beyond. What a decoder calls coded may be larger.
    const { right, bottom } =
      frame.visibleRect ?? new DOMRectReadOnly(0, 0, frame.codedWidth, frame.codedHeight);
    const width = Math.min(Math.ceil(right / ROWS) * ROWS, frame.codedWidth) & ~1;
    const height = Math.min(Math.ceil(bottom / ROWS) * ROWS, frame.codedHeight) & ~1;
    // Parts that lie beside the picture draw nothing, wherever they are.
    const within = band(parts, height) ?? { top: 0, rows: Math.min(ROWS, height) };
    const rect = { x: 0, y: within.top, width, height: within.rows };
    const size = frame.allocationSize({ rect });
    const at = this.#spare.findIndex((buffer) => buffer.length >= size);
    const data = at < 0 ? new Uint8Array(size) : (this.#spare.splice(at, 1)[0] as Uint8Array<ArrayBuffer>);
    const layout = await frame.copyTo(data, { rect });
    return { width, height, ...within, data, layout };
  }

  #give(buffer: Uint8Array<ArrayBuffer>): void {
    this.#spare.push(buffer);
    if (this.#spare.length > SPARE_MAX) this.#spare.shift();
  }
}

/** A picture as it was decoded. */
function whole({ x, y, w, h, regions }: ViewRecord, frame: VideoFrame): Drawable {
  return {
    draw: (context) => {
      if (!regions) context.drawImage(frame, x, y, w, h);
      for (const part of regions ?? []) {
        context.drawImage(frame, part.x - x, part.y - y, part.w, part.h, part.x, part.y, part.w, part.h);
      }
      frame.close();
    },
    close: () => frame.close(),
  };
}
