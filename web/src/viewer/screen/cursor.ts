/**
 * The remote pointer. As a CSS cursor it moves with the hand at no delay; a picture too large for browsers, or one
 * that the page's content policy does not let in, is drawn over the canvas instead.
 */
import type { ServerRecord } from "../wire";

/** Browsers ignore larger cursors (and those above 32 px near the window's edge). */
const CSS_SIDE_MAX = 128;
/** Pointers kept ready: desktops have a few dozen. */
const KEPT_MAX = 64;

type CursorRecord = Extract<ServerRecord, { type: "cursor" }>;
type Picture = { record: CursorRecord; canvas: HTMLCanvasElement; url: Promise<string | null> };

export class Cursor {
  readonly #drawn: HTMLCanvasElement;
  readonly #kept = new Map<string, Picture>();
  #picture: Picture | null = null;
  #wanted = "";
  #scale = 1;
  #at = { x: 0, y: 0 };
  /** True once the page's policy turned out to refuse blob: pictures. */
  #refused = false;

  constructor(
    private readonly target: HTMLElement,
    overlay: HTMLElement,
  ) {
    this.#drawn = document.createElement("canvas");
    this.#drawn.className = "pointer";
    this.#drawn.hidden = true;
    this.#drawn.setAttribute("aria-hidden", "true");
    overlay.append(this.#drawn);
    target.addEventListener("pointermove", (event) => {
      this.#at = { x: event.clientX, y: event.clientY };
      this.#place();
    });
    target.addEventListener("pointerleave", () => {
      if (this.#drawn.dataset.always !== "true") this.#drawn.style.visibility = "hidden";
    });
  }

  /** CSS pixels for one pixel of the remote surface. */
  scale(scale: number): void {
    if (Math.abs(scale - this.#scale) < 0.001) return;
    this.#scale = scale;
    if (this.#picture) void this.#apply(this.#picture);
  }

  set(record: CursorRecord): void {
    if (record.w === 0 || record.h === 0) {
      this.#picture = null;
      this.#show("none", null);
      return;
    }
    const key = `${record.hot_x},${record.hot_y},${record.w},${record.h},${hash(record.rgba)}`;
    let picture = this.#kept.get(key);
    if (!picture) {
      picture = draw(record);
      this.#kept.set(key, picture);
      if (this.#kept.size > KEPT_MAX) {
        const [oldest, dropped] = this.#kept.entries().next().value ?? [];
        if (oldest !== undefined && dropped) {
          this.#kept.delete(oldest);
          void dropped.url.then((url) => url && URL.revokeObjectURL(url));
        }
      }
    }
    this.#picture = picture;
    void this.#apply(picture);
  }

  standard(): void {
    this.#picture = null;
    this.#show("default", null);
  }

  /** Draws the pointer at a place of the window whatever the mouse does: trackpad manner on touch screens. */
  pin(clientX: number, clientY: number): void {
    this.#drawn.dataset.always = "true";
    if (!this.#picture) {
      this.#picture = arrow();
    }
    this.#at = { x: clientX, y: clientY };
    this.#show(this.target.style.cursor || "default", this.#picture);
    this.#place();
  }

  async #apply(picture: Picture): Promise<void> {
    const { w, h, hot_x, hot_y } = picture.record;
    const shown = this.#scale;
    const fits = w * shown <= CSS_SIDE_MAX && h * shown <= CSS_SIDE_MAX;
    const url = fits && !this.#refused ? await picture.url : null;
    if (this.#picture !== picture) return;
    if (fits && !this.#refused && !url) this.#refused = true;
    if (!url) {
      this.#show("none", picture);
      return;
    }
    const density = Math.round((1 / shown) * 100) / 100;
    const spot = `${Math.round(hot_x * shown)} ${Math.round(hot_y * shown)}`;
    const image = density === 1 ? `url("${url}")` : `image-set(url("${url}") ${density}x)`;
    this.#show(`${image} ${spot}, default`, this.#drawn.dataset.always === "true" ? picture : null);
  }

  #show(css: string, drawn: Picture | null): void {
    this.#wanted = css;
    this.target.style.cursor = this.#wanted;
    this.#drawn.hidden = drawn === null;
    if (!drawn) return;
    this.#drawn.width = drawn.canvas.width;
    this.#drawn.height = drawn.canvas.height;
    this.#drawn.getContext("2d")?.drawImage(drawn.canvas, 0, 0);
    this.#place();
  }

  #place(): void {
    const record = this.#picture?.record;
    if (this.#drawn.hidden || !record) return;
    this.#drawn.style.visibility = "visible";
    this.#drawn.style.width = `${record.w * this.#scale}px`;
    this.#drawn.style.height = `${record.h * this.#scale}px`;
    const x = this.#at.x - record.hot_x * this.#scale;
    const y = this.#at.y - record.hot_y * this.#scale;
    this.#drawn.style.transform = `translate(${x}px, ${y}px)`;
  }
}

function draw(record: CursorRecord): Picture {
  const canvas = document.createElement("canvas");
  canvas.width = record.w;
  canvas.height = record.h;
  const pixels = new ImageData(new Uint8ClampedArray(record.rgba), record.w, record.h);
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  return { record, canvas, url: address(canvas) };
}

/** An address for the picture; `null` when the page's policy refuses it, which only loading it tells. */
async function address(canvas: HTMLCanvasElement): Promise<string | null> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
  if (!blob) return null;
  const url = URL.createObjectURL(blob);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return url;
  } catch {
    URL.revokeObjectURL(url);
    return null;
  }
}

/** A plain arrow for screens whose remote side shows none. */
function arrow(): Picture {
  const canvas = document.createElement("canvas");
  canvas.width = 18;
  canvas.height = 26;
  const context = canvas.getContext("2d");
  if (context) {
    context.fillStyle = "#fff";
    context.strokeStyle = "#000";
    context.lineWidth = 1.5;
    context.beginPath();
    for (const [x, y] of [
      [1, 1],
      [1, 20],
      [6, 16],
      [9, 24],
      [12, 23],
      [9, 15],
      [15, 15],
    ] as const) {
      context.lineTo(x, y);
    }
    context.closePath();
    context.fill();
    context.stroke();
  }
  const record: CursorRecord = { type: "cursor", hot_x: 1, hot_y: 1, w: 18, h: 26, rgba: new Uint8Array(0) };
  return { record, canvas, url: Promise.resolve(null) };
}

/** FNV-1a, 32 bits: enough to know a pointer again. */
function hash(bytes: Uint8Array): number {
  let value = 0x811c_9dc5;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x0100_0193);
  return value >>> 0;
}
