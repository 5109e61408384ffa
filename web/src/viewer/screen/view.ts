/**
 * Where the remote surface is in the window: its scale, its zoom under pinching fingers, and which surface pixel an
 * event is at. It also tells the remote side the window's size.
 */
import { locate } from "../monitors/layout";
import type { Rect } from "../wire";

/**
 * `match`: the surface takes the window's size in device pixels; `large`: in CSS pixels, for remote sides that cannot
 * draw larger on sharp screens; `fit` and `actual` leave the surface's size alone.
 */
export type ScaleMode = "match" | "large" | "fit" | "actual";

export type Placement = { width: number; height: number; left: number; top: number; scale: number };

/** The window may be this much larger than the surface, in device pixels, and still count as matched. */
const MATCH_SLACK = 16;
const ZOOM_MAX = 6;
/** So far from the window's edge a pointer is kept in a zoomed view, in CSS pixels. */
const EDGE = 48;
const RESIZE_DEBOUNCE_MS = 300;
/** The server refuses larger surfaces. */
const SIDE_MAX = 8192;
const SIDE_MIN = 200;

/** Where a surface goes in a window; sizes of the surface in its pixels, of the window in CSS pixels. */
export function place(
  surface: { width: number; height: number },
  window: { width: number; height: number },
  density: number,
  mode: ScaleMode,
): Placement {
  const natural = { width: surface.width / density, height: surface.height / density };
  const spareX = (window.width - natural.width) * density;
  const spareY = (window.height - natural.height) * density;
  const matches = spareX >= -1 && spareY >= -1 && spareX <= MATCH_SLACK && spareY <= MATCH_SLACK;
  const fit = Math.min(window.width / natural.width, window.height / natural.height);
  const factor = mode === "actual" || matches || !Number.isFinite(fit) ? 1 : fit;
  const width = natural.width * factor;
  const height = natural.height * factor;
  // Whole device pixels, or every line of text is blurred.
  const snap = (value: number) => Math.round(Math.max(0, value) * density) / density;
  return {
    width,
    height,
    left: snap((window.width - width) / 2),
    top: snap((window.height - height) / 2),
    scale: factor / density,
  };
}

export class View {
  mode: ScaleMode = "match";
  surface = { width: 0, height: 0 };
  /** The part of the surface that is this window's monitor; all of it where there is one window. */
  #part: Rect | null = null;
  /** There are windows of other monitors: each has the size of its window. */
  #several = false;
  readonly #own: Window & typeof globalThis;
  #zoom = 1;
  #pan = { x: 0, y: 0 };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = "";

  constructor(
    private readonly stage: HTMLElement,
    private readonly canvas: HTMLCanvasElement,
    /** The canvas has all of the surface; otherwise this window's part. */
    private readonly whole: boolean,
    private readonly onScale: (scale: number) => void,
    private readonly onWanted: (width: number, height: number, scale: number) => void,
  ) {
    // The window of the stage: an observer of another one rests while that is hidden.
    this.#own = (stage.ownerDocument.defaultView ?? window) as Window & typeof globalThis;
    new this.#own.ResizeObserver(() => {
      this.layout();
      this.#askSoon();
    }).observe(stage);
    // Moving to a screen of another density changes no CSS size.
    this.#own
      .matchMedia(`(resolution: ${this.#own.devicePixelRatio}dppx)`)
      .addEventListener("change", () => this.#askSoon());
  }

  get #mode(): ScaleMode {
    return this.#several && this.mode !== "large" ? "match" : this.mode;
  }

  /** This window's part of the surface, `null` for all of it. `several`: other monitors have windows. */
  show(part: Rect | null, several: boolean): void {
    if (several !== this.#several || JSON.stringify(part) !== JSON.stringify(this.#part)) {
      this.#part = part;
      this.#several = several;
      this.#zoom = 1;
      this.#pan = { x: 0, y: 0 };
    }
    this.layout();
  }

  #shown(): Rect {
    return this.#part ?? { x: 0, y: 0, w: this.surface.width, h: this.surface.height };
  }

  /** What of the surface the canvas has. */
  #held(): Rect {
    return this.whole ? { x: 0, y: 0, w: this.surface.width, h: this.surface.height } : this.#shown();
  }

  /** The size the remote surface should have, in device pixels, and the scale in per cent. */
  wanted(): { width: number; height: number; scale: number } {
    const density = this.#mode === "large" ? 1 : this.#own.devicePixelRatio;
    const side = (css: number) => Math.min(SIDE_MAX, Math.max(SIDE_MIN, Math.round(css * density)));
    return {
      // RDP wants even widths.
      width: side(this.stage.clientWidth) & ~1,
      height: side(this.stage.clientHeight),
      scale: Math.round(density * 100),
    };
  }

  resized(width: number, height: number): void {
    this.surface = { width, height };
    this.layout();
  }

  setMode(mode: ScaleMode): void {
    this.mode = mode;
    this.#zoom = 1;
    this.#pan = { x: 0, y: 0 };
    this.layout();
    this.#asked = "";
    this.#askSoon();
  }

  layout(): void {
    const part = this.#shown();
    const held = this.#held();
    if (part.w === 0 || part.h === 0) return;
    const { devicePixelRatio } = this.#own;
    const window = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    const placed = place({ width: part.w, height: part.h }, window, devicePixelRatio, this.#mode);
    const style = this.canvas.style;
    const left = (part.x - held.x) * placed.scale;
    const top = (part.y - held.y) * placed.scale;
    const beside = this.whole && this.#part !== null;
    const width = beside ? held.w * placed.scale : placed.width;
    const height = beside ? held.h * placed.scale : placed.height;
    style.width = `${width}px`;
    style.height = `${height}px`;
    style.left = `${placed.left - left}px`;
    style.top = `${placed.top - top}px`;
    // Beside a part that does not fill the window there is nothing, and not the neighbour.
    const right = width - left - placed.width;
    const bottom = height - top - placed.height;
    style.clipPath = beside ? `inset(${top}px ${right}px ${bottom}px ${left}px)` : "";
    style.transform =
      this.#zoom === 1 ? "" : `translate(${this.#pan.x}px, ${this.#pan.y}px) scale(${this.#zoom})`;
    const device = placed.scale * devicePixelRatio * this.#zoom;
    style.imageRendering = device >= 2 && Number.isInteger(device) ? "pixelated" : "auto";
    this.stage.classList.toggle("pannable", this.#mode === "actual");
    this.onScale(placed.scale * this.#zoom);
  }

  /** The surface pixel under a point of the window, kept within the surface. */
  locate = (clientX: number, clientY: number): { x: number; y: number } => {
    const box = this.canvas.getBoundingClientRect();
    const across = (clientX - box.left) / Math.max(1, box.width);
    const down = (clientY - box.top) / Math.max(1, box.height);
    return locate(this.#held(), this.surface, across, down);
  };

  /** The point of the window over a surface pixel. */
  toWindow(x: number, y: number): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect();
    const held = this.#held();
    return {
      x: box.left + ((x - held.x + 0.5) / Math.max(1, held.w)) * box.width,
      y: box.top + ((y - held.y + 0.5) / Math.max(1, held.h)) * box.height,
    };
  }

  pinch(factor: number, clientX: number, clientY: number, dx: number, dy: number): void {
    const zoom = Math.min(ZOOM_MAX, Math.max(1, this.#zoom * factor));
    const grown = zoom / this.#zoom;
    const box = this.canvas.getBoundingClientRect();
    // The point between the fingers stays between the fingers.
    const x = this.#pan.x + dx + (clientX - box.left) * (1 - grown);
    const y = this.#pan.y + dy + (clientY - box.top) * (1 - grown);
    this.#zoom = zoom;
    const held = this.#held();
    const part = this.#shown();
    // The part's edges stay at the window's, or beyond.
    const over = (from: number, to: number, length: number, pixels: number) =>
      (length / Math.max(1, pixels)) * (zoom - 1) * (to - from);
    const { offsetWidth, offsetHeight } = this.canvas;
    this.#pan = {
      x: Math.min(
        -over(held.x, part.x, offsetWidth, held.w),
        Math.max(-over(held.x, part.x + part.w, offsetWidth, held.w), x),
      ),
      y: Math.min(
        -over(held.y, part.y, offsetHeight, held.h),
        Math.max(-over(held.y, part.y + part.h, offsetHeight, held.h), y),
      ),
    };
    this.layout();
  }

  /** Moves a zoomed view so that a surface pixel is in the window, and not at its very edge. */
  reveal(x: number, y: number): void {
    if (this.#zoom === 1) return;
    const at = this.toWindow(x, y);
    const stage = this.stage.getBoundingClientRect();
    const over = (value: number, from: number, to: number) => {
      const edge = Math.min(EDGE, (to - from) / 4);
      return value < from + edge ? from + edge - value : value > to - edge ? to - edge - value : 0;
    };
    const dx = over(at.x, stage.left, stage.right);
    const dy = over(at.y, stage.top, stage.bottom);
    if (dx !== 0 || dy !== 0) this.pinch(1, at.x, at.y, dx, dy);
  }

  density = (): number => {
    const box = this.canvas.getBoundingClientRect();
    return this.#held().w / Math.max(1, box.width);
  };

  /** Forgets what was asked for, so that a new connection is asked again. */
  forget(): void {
    const { width, height, scale } = this.wanted();
    this.#asked = `${width}x${height}@${scale}`;
  }

  #askSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#mode === "fit" || this.#mode === "actual") return;
      const { width, height, scale } = this.wanted();
      const asked = `${width}x${height}@${scale}`;
      if (asked === this.#asked) return;
      this.#asked = asked;
      this.onWanted(width, height, scale);
    }, RESIZE_DEBOUNCE_MS);
  }
}
