/**
 * The windows of other monitors, as the screen worker sees them: each gets a picture of its part when that changed. A window that has
 * not shown its last picture gets the newest when it has: never a queue.
 */
import type { Rect } from "../wire";
import type { Part } from "./messages";

type Sheet = { part: Part; context: OffscreenCanvasRenderingContext2D; busy: boolean; stale: boolean };

export const meet = (one: Rect, other: Rect): boolean =>
  one.x < other.x + other.w &&
  other.x < one.x + one.w &&
  one.y < other.y + other.h &&
  other.y < one.y + one.h;

export class Parts {
  #sheets: Sheet[] = [];

  constructor(
    private readonly surface: OffscreenCanvas,
    private readonly send: (id: number, bitmap: ImageBitmap) => void,
  ) {}

  /** These from now on; each gets its picture at once. */
  set(parts: readonly Part[]): void {
    const before = this.#sheets;
    this.#sheets = [];
    for (const part of parts) {
      const context = new OffscreenCanvas(part.w, part.h).getContext("2d", { alpha: false });
      if (!context) continue;
      const old = before.find((sheet) => sheet.part.id === part.id);
      this.#sheets.push({ part, context, busy: old?.busy ?? false, stale: false });
    }
    for (const sheet of this.#sheets) this.#picture(sheet);
  }

  changed(touched: Rect): void {
    for (const sheet of this.#sheets) if (meet(sheet.part, touched)) this.#picture(sheet);
  }

  /** A window has shown its picture. */
  taken(id: number): void {
    const sheet = this.#sheets.find(({ part }) => part.id === id);
    if (!sheet) return;
    sheet.busy = false;
    if (sheet.stale) this.#picture(sheet);
  }

  #picture(sheet: Sheet): void {
    sheet.stale = sheet.busy;
    if (sheet.busy) return;
    sheet.busy = true;
    const { x, y, w, h, id } = sheet.part;
    sheet.context.drawImage(this.surface, x, y, w, h, 0, 0, w, h);
    this.send(id, sheet.context.canvas.transferToImageBitmap());
  }
}
