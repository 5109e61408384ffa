/** The recorded pointer, drawn where it was. */
import type { ServerRecord } from "../viewer/wire";

type CursorRecord = Extract<ServerRecord, { type: "cursor" }>;

/** A plain arrow, for remote sides that leave the pointer to the viewer. */
const ARROW = "M1 1v15l4-3.6 2.6 6 2.3-1-2.6-5.9H13z";

export class Cursor {
  readonly #canvas = document.createElement("canvas");
  #hot = { x: 0, y: 0 };
  #at: { x: number; y: number } | null = null;
  #origin = { left: 0, top: 0, scale: 1 };

  constructor(stage: HTMLElement) {
    this.#canvas.className = "recorded-pointer";
    this.#canvas.setAttribute("aria-hidden", "true");
    this.#canvas.hidden = true;
    stage.append(this.#canvas);
    this.standard();
  }

  picture({ hot_x, hot_y, w, h, rgba }: CursorRecord): void {
    this.#hot = { x: hot_x, y: hot_y };
    this.#canvas.width = Math.max(1, w);
    this.#canvas.height = Math.max(1, h);
    if (w > 0 && h > 0) {
      const pixels = new ImageData(new Uint8ClampedArray(rgba), w, h);
      this.#canvas.getContext("2d")?.putImageData(pixels, 0, 0);
    }
    this.#draw();
  }

  standard(): void {
    this.#hot = { x: 1, y: 1 };
    this.#canvas.width = 16;
    this.#canvas.height = 22;
    const context = this.#canvas.getContext("2d");
    if (context) {
      const path = new Path2D(ARROW);
      context.fillStyle = "#ffffff";
      context.strokeStyle = "#000000";
      context.fill(path);
      context.stroke(path);
    }
    this.#draw();
  }

  move(x: number, y: number): void {
    this.#at = { x, y };
    this.#draw();
  }

  /** Where the surface is on the stage, and CSS pixels for one of its. */
  place(left: number, top: number, scale: number): void {
    this.#origin = { left, top, scale };
    this.#draw();
  }

  #draw(): void {
    this.#canvas.hidden = this.#at === null;
    if (!this.#at) return;
    const { left, top, scale } = this.#origin;
    const x = left + (this.#at.x - this.#hot.x) * scale;
    const y = top + (this.#at.y - this.#hot.y) * scale;
    this.#canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  }
}
