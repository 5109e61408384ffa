/**
 * Turns screen records into pixels. Pictures decode in parallel as they arrive; a frame is drawn in one go when all
 * its pictures are decoded and all earlier frames are drawn.
 *
 * ```text
 *  records ─▶ open frame (operations, decoding) ─frame end─▶ waits its turn ─▶ drawn ─▶ shown(sequence)
 * ```
 *
 * Copies read the canvas as it is at their place in the order, so operations run strictly in order. A picture that
 * does not decode is left out and told; the frame is shown without it, since holding it would freeze the screen.
 */
import type { Rect, ServerRecord, TileCodec, VideoTrouble } from "../wire";
import { isBlank } from "./blank";
import { noTiles, type PaintStats } from "./messages";
import { VideoStreams } from "./video";
import { type Drawable, Views } from "./views";

type Context = OffscreenCanvasRenderingContext2D;
type Operation = (context: Context) => void;
/** `touched`: around all that it changes. */
type Frame = { operations: Operation[]; decoding: Promise<void>[]; touched: Rect | null };

export type PainterEvents = {
  size(width: number, height: number): void;
  /** A frame was drawn that changed pixels within this rectangle. */
  drawn(touched: Rect): void;
  /** `blank`: since the last reset there has been one colour only. */
  shown(sequence: number, blank: boolean, stats: PaintStats): void;
  problem(text: string): void;
  videoTrouble(trouble: VideoTrouble): void;
};

const MIME: Readonly<Record<Exclude<TileCodec, "raw">, string>> = {
  png: "image/png",
  jpeg: "image/jpeg",
  webp: "image/webp",
};

/** RGB bytes as an opaque picture. */
export function rgbToImage(rgb: Uint8Array, width: number, height: number): ImageData {
  const image = new ImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  // Little endian, as every machine that runs a browser today: 0xAABBGGRR.
  for (let pixel = 0, at = 0; pixel < out.length; pixel += 1, at += 3) {
    out[pixel] =
      (0xff00_0000 |
        ((rgb[at + 2] as number) << 16) |
        ((rgb[at + 1] as number) << 8) |
        (rgb[at] as number)) >>>
      0;
  }
  return image;
}

/** The smallest rectangle around both. */
function around(one: Rect, other: Rect): Rect {
  const x = Math.min(one.x, other.x);
  const y = Math.min(one.y, other.y);
  const right = Math.max(one.x + one.w, other.x + other.w);
  const bottom = Math.max(one.y + one.h, other.y + other.h);
  return { x, y, w: right - x, h: bottom - y };
}

export class Painter {
  readonly #context: Context;
  readonly #events: PainterEvents;
  readonly #video: VideoStreams;
  readonly #views: Views;
  #open: Frame = { operations: [], decoding: [], touched: null };
  #turn: Promise<void> = Promise.resolve();
  /** Frames of an earlier connection are void. */
  #era = 0;
  #blank = true;
  #stats: PaintStats = { frames: 0, tiles: noTiles(), decode_ms: 0, broken: 0 };

  constructor(context: Context, events: PainterEvents) {
    this.#context = context;
    this.#events = events;
    this.#video = new VideoStreams(events);
    this.#views = new Views((area, text) => this.#video.lose(area, text));
  }

  reset(): void {
    this.#era += 1;
    this.#blank = true;
    this.#open = { operations: [], decoding: [], touched: null };
    this.#video.close();
    this.#views.clear();
  }

  /** When every frame so far is drawn or void. */
  settled(): Promise<void> {
    return this.#turn;
  }

  record(record: ServerRecord): void {
    const { operations } = this.#open;
    switch (record.type) {
      case "resize":
        this.#touch({ x: 0, y: 0, w: record.width, h: record.height });
        operations.push((context) => {
          context.canvas.width = record.width;
          context.canvas.height = record.height;
          this.#events.size(record.width, record.height);
        });
        break;
      case "fill":
        this.#stats.tiles.fill += 1;
        this.#touch(record);
        operations.push((context) => {
          context.fillStyle = `rgb(${record.r} ${record.g} ${record.b})`;
          context.fillRect(record.x, record.y, record.w, record.h);
        });
        break;
      case "copy": {
        this.#stats.tiles.copy += 1;
        const { from_x, from_y, x, y, w, h } = record;
        if (w === 0 || h === 0) break;
        this.#touch(record);
        operations.push((context) => context.drawImage(context.canvas, from_x, from_y, w, h, x, y, w, h));
        break;
      }
      case "tile":
        this.#stats.tiles[record.codec] += 1;
        if (record.w === 0 || record.h === 0) break;
        this.#touch(record);
        if (record.codec === "raw") {
          const image = rgbToImage(record.bytes, record.w, record.h);
          operations.push((context) => context.putImageData(image, record.x, record.y));
        } else {
          this.#picture(record, record.codec, record.bytes);
        }
        break;
      case "video":
        this.#stats.tiles.video += 1;
        for (const part of record.regions ?? [record]) this.#touch(part);
        this.#videoFrame(record);
        break;
      case "frame_end":
        this.#close(record.sequence);
        break;
      default:
        break;
    }
  }

  #touch(rect: Rect): void {
    this.#open.touched = this.#open.touched ? around(this.#open.touched, rect) : rect;
  }

  #picture(rect: Rect, codec: Exclude<TileCodec, "raw">, bytes: Uint8Array<ArrayBuffer>): void {
    let picture: ImageBitmap | null = null;
    this.#open.decoding.push(
      createImageBitmap(new Blob([bytes], { type: MIME[codec] }), {
        premultiplyAlpha: "none",
        colorSpaceConversion: "none",
      }).then(
        (bitmap) => {
          picture = bitmap;
        },
        () => {
          this.#stats.broken += 1;
          this.#events.problem(`a ${codec} picture could not be decoded`);
        },
      ),
    );
    this.#open.operations.push((context) => {
      if (!picture) return;
      context.drawImage(picture, rect.x, rect.y, rect.w, rect.h);
      picture.close();
    });
  }

  #videoFrame(record: Extract<ServerRecord, { type: "video" }>): void {
    const seen = record.regions?.length !== 0;
    let drawable: Drawable | null = null;
    let passed = false;
    const decoded = this.#video.decode(record).then(async (frame) => {
      if (!frame) return;
      // Later than its frame: newer pixels may be there by now. The stream was given up, and begins anew.
      if (passed || !seen) {
        frame.close();
        return;
      }
      const made = await this.#views.take(record, frame);
      if (passed) made?.close();
      else drawable = made;
    });
    // Decoded for the frames that follow; nothing waits for it.
    if (!seen) return;
    this.#open.decoding.push(this.#video.within(record, decoded));
    this.#open.operations.push((context) => {
      passed = true;
      drawable?.draw(context);
    });
  }

  #close(sequence: number): void {
    const frame = this.#open;
    const era = this.#era;
    const arrived = performance.now();
    this.#open = { operations: [], decoding: [], touched: null };
    const decoded = frame.decoding.length > 0 ? Promise.all(frame.decoding) : null;
    this.#turn = this.#turn
      .then(() => decoded)
      .then(() => {
        if (era !== this.#era) return;
        for (const operation of frame.operations) operation(this.#context);
        this.#stats.frames += 1;
        this.#stats.decode_ms = performance.now() - arrived;
        if (this.#blank) this.#blank = isBlank(this.#context.canvas);
        if (frame.touched) this.#events.drawn(frame.touched);
        this.#events.shown(sequence, this.#blank, this.#stats);
      })
      .catch((error: unknown) => this.#events.problem(`a frame could not be drawn: ${String(error)}`));
  }
}
