/**
 * Where the remote surface is in the window: its scale, its zoom under pinching fingers, and which surface pixel an
 * event is at. It also tells the remote side the window's size.
 */
/**
 * `match`: the surface takes the window's size in device pixels; `large`: in CSS pixels, for remote sides that cannot
 * draw larger on sharp screens; `fit` and `actual` leave the surface's size alone.
 */
export type ScaleMode = "match" | "large" | "fit" | "actual";

export type Placement = { width: number; height: number; left: number; top: number; scale: number };

/** The window may be this much larger than the surface, in device pixels, and still count as matched. */
const MATCH_SLACK = 16;
const ZOOM_MAX = 6;
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
  #zoom = 1;
  #pan = { x: 0, y: 0 };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = "";

  constructor(
    private readonly stage: HTMLElement,
    private readonly canvas: HTMLCanvasElement,
    private readonly onScale: (scale: number) => void,
    private readonly onWanted: (width: number, height: number, scale: number) => void,
  ) {
    new ResizeObserver(() => {
      this.layout();
      this.#askSoon();
    }).observe(stage);
    // Moving to a screen of another density changes no CSS size.
    window
      .matchMedia(`(resolution: ${devicePixelRatio}dppx)`)
      .addEventListener("change", () => this.#askSoon());
  }

  /** The size the remote surface should have, in device pixels, and the scale in per cent. */
  wanted(): { width: number; height: number; scale: number } {
    const density = this.mode === "large" ? 1 : devicePixelRatio;
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
    const { width, height } = this.surface;
    if (width === 0 || height === 0) return;
    const window = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    const placed = place(this.surface, window, devicePixelRatio, this.mode);
    const style = this.canvas.style;
    style.width = `${placed.width}px`;
    style.height = `${placed.height}px`;
    style.left = `${placed.left}px`;
    style.top = `${placed.top}px`;
    style.transform =
      this.#zoom === 1 ? "" : `translate(${this.#pan.x}px, ${this.#pan.y}px) scale(${this.#zoom})`;
    const device = placed.scale * devicePixelRatio * this.#zoom;
    style.imageRendering = device >= 2 && Number.isInteger(device) ? "pixelated" : "auto";
    this.stage.classList.toggle("pannable", this.mode === "actual");
    this.onScale(placed.scale * this.#zoom);
  }

  /** The surface pixel under a point of the window, kept within the surface. */
  locate = (clientX: number, clientY: number): { x: number; y: number } => {
    const box = this.canvas.getBoundingClientRect();
    const at = (value: number, length: number, pixels: number) =>
      Math.min(Math.max(0, pixels - 1), Math.max(0, Math.floor((value / Math.max(1, length)) * pixels)));
    return {
      x: at(clientX - box.left, box.width, this.surface.width),
      y: at(clientY - box.top, box.height, this.surface.height),
    };
  };

  /** The point of the window over a surface pixel. */
  toWindow(x: number, y: number): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: box.left + ((x + 0.5) / Math.max(1, this.surface.width)) * box.width,
      y: box.top + ((y + 0.5) / Math.max(1, this.surface.height)) * box.height,
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
    const least = (length: number) => -length * (zoom - 1);
    this.#pan = {
      x: Math.min(0, Math.max(least(this.canvas.offsetWidth), x)),
      y: Math.min(0, Math.max(least(this.canvas.offsetHeight), y)),
    };
    this.layout();
  }

  density = (): number => {
    const box = this.canvas.getBoundingClientRect();
    return this.surface.width / Math.max(1, box.width);
  };

  /** Forgets what was asked for, so that a new connection is asked again. */
  forget(): void {
    const { width, height, scale } = this.wanted();
    this.#asked = `${width}x${height}@${scale}`;
  }

  #askSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.mode === "fit" || this.mode === "actual") return;
      const { width, height, scale } = this.wanted();
      const asked = `${width}x${height}@${scale}`;
      if (asked === this.#asked) return;
      this.#asked = asked;
      this.onWanted(width, height, scale);
    }, RESIZE_DEBOUNCE_MS);
  }
}
