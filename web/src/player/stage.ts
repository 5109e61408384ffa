/** What a recording is shown on. Both kinds take moments in order and begin anew where a player jumps back. */

import { RemoteScreen } from "../viewer/screen/remote";
import { place } from "../viewer/screen/view";
import { el } from "../viewer/ui/dom";
import { Watermark } from "../viewer/ui/watermark";
import { decodeServer, SCREEN_TYPES, split } from "../viewer/wire";
import { chunkEntries, type Entry } from "./container";
import { Keys } from "./keys";
import { Cursor } from "./pointer";

/** Something that happened at a moment. */
export type Moment = { ms: number };

export interface Stage<M extends Moment> {
  readonly element: HTMLElement;
  /** Everything in a chunk, in order. */
  moments(block: ArrayBuffer): M[];
  /** True when a player may begin at chunks that begin with a whole picture; else only at the first. */
  readonly seeksToKeys: boolean;
  /** What lay over the picture when it was seen. */
  readonly watermark: Watermark;
  /** What is being typed. */
  readonly keys: Keys;
  reset(): void;
  /** Shows these, at once. */
  show(moments: M[]): void;
  /** Resolves when everything so far is on the screen. */
  settled(): Promise<void>;
}

export class ScreenStage implements Stage<Entry> {
  readonly element = el("main", { class: "stage", "aria-label": "Recorded screen" });
  readonly seeksToKeys = true;
  readonly watermark = new Watermark();
  readonly keys = new Keys();
  readonly remote: RemoteScreen;
  readonly #canvas = el("canvas", { class: "screen" });
  readonly #cursor: Cursor;
  #surface = { width: 0, height: 0 };

  constructor(problem: (text: string) => void) {
    this.element.append(this.#canvas);
    this.#cursor = new Cursor(this.element);
    this.remote = new RemoteScreen(this.#canvas, {
      size: (width, height) => {
        this.#surface = { width, height };
        this.#layout();
      },
      shown: () => undefined,
      problem,
      // What cannot be decoded is said as a problem; what lost its place goes on with the next key frame.
      videoTrouble: (trouble) => {
        if (trouble === "undecodable") problem("this browser cannot decode its video");
      },
    });
    new ResizeObserver(() => this.#layout()).observe(this.element);
  }

  moments(block: ArrayBuffer): Entry[] {
    return chunkEntries(block);
  }

  reset(): void {
    this.remote.reset();
    this.#cursor.standard();
    this.keys.clear();
  }

  show(moments: Entry[]): void {
    for (const { ms, message } of moments) {
      // The worker takes its buffer along; the chunk stays.
      const own = message.slice().buffer;
      let pixels = false;
      for (const raw of split(own)) {
        if (SCREEN_TYPES.has(raw.type)) {
          pixels = true;
          continue;
        }
        const record = decodeServer(raw);
        if (record?.type === "cursor") this.#cursor.picture(record);
        else if (record?.type === "cursor_default") this.#cursor.standard();
        else if (record?.type === "watermark") this.watermark.person = record.text;
        else if (record?.type === "cursor_move") this.#cursor.move(record.x, record.y);
        else if (record?.type === "typed" || record?.type === "pasted" || record?.type === "copied")
          this.keys.add(ms, record.type, record.text);
      }
      if (pixels) this.remote.message(own);
    }
  }

  settled(): Promise<void> {
    return this.remote.settled();
  }

  #layout(): void {
    const window = { width: this.element.clientWidth, height: this.element.clientHeight };
    if (this.#surface.width === 0 || window.width === 0) return;
    const placed = place(this.#surface, window, devicePixelRatio, "fit");
    const style = this.#canvas.style;
    style.width = `${placed.width}px`;
    style.height = `${placed.height}px`;
    style.left = `${placed.left}px`;
    style.top = `${placed.top}px`;
    this.#cursor.place(placed.left, placed.top, placed.scale);
  }
}
