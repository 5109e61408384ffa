import type { Rect, VideoTrouble } from "../wire";

/** What the page and the screen worker say to each other. */
export type TileCount = {
  raw: number;
  png: number;
  jpeg: number;
  webp: number;
  video: number;
  copy: number;
  fill: number;
};

/** What the worker has done since it started; sent with every frame. */
export type PaintStats = {
  /** Frames shown. */
  frames: number;
  /** Pictures and operations by kind. */
  tiles: TileCount;
  /** From the end of a frame's arrival to its being drawn, milliseconds, of the last frame. */
  decode_ms: number;
  /** Pictures that could not be decoded. */
  broken: number;
};

/** What of the surface the window of another monitor shows. */
export type Part = Rect & { id: number };

export type ToWorker =
  | { type: "canvas"; canvas: OffscreenCanvas }
  /** A WebSocket message as it came; the worker takes the records that change pixels. */
  | { type: "message"; message: ArrayBuffer }
  /** A new WebSocket: unfinished frames are void, the last picture stays. */
  | { type: "reset" }
  /** The windows of other monitors from now on: each gets its part at once, and whenever it changes. */
  | { type: "parts"; parts: Part[] }
  /** That window shows the part it was sent: it may have the next one. */
  | { type: "taken"; id: number }
  /** Whether somebody sees the picture in another window while this page is hidden. */
  | { type: "watched"; on: boolean }
  | { type: "pixel"; id: number; x: number; y: number }
  | { type: "snapshot"; id: number }
  /** Answered when every frame so far is drawn. */
  | { type: "settle"; id: number }
  /** Answered at once: how long messages wait for the worker, milliseconds of the page's clock. */
  | { type: "probe"; sent: number };

export type FromWorker =
  | { type: "size"; width: number; height: number }
  /** A frame is on the canvas and may be acknowledged. `shown` is on the shared clock: milliseconds since the epoch.
   * `blank`: since the last reset there has been one colour only. */
  | { type: "shown"; sequence: number; shown: number; blank: boolean; stats: PaintStats }
  /** The part of another monitor's window as it is now. */
  | { type: "part"; id: number; bitmap: ImageBitmap }
  | { type: "problem"; text: string }
  | { type: "video_trouble"; trouble: VideoTrouble }
  | { type: "pixel"; id: number; rgb: [number, number, number] }
  | { type: "snapshot"; id: number; png: Blob | null }
  | { type: "settled"; id: number }
  | { type: "probed"; sent: number };

export function noTiles(): TileCount {
  return { raw: 0, png: 0, jpeg: 0, webp: 0, video: 0, copy: 0, fill: 0 };
}
