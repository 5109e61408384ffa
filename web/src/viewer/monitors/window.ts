/**
 * A window of its own for one more monitor. Its page is empty: all that is in it is made and listened to by the viewer that opened it,
 * which has the one session and decodes the one stream. It gets pictures of its part and closes with the viewer.
 */

import type { ContactSink } from "../input/contacts";
import { detectPlatform, type Keyboard } from "../input/keyboard";
import type { PointerSink } from "../input/pointer";
import { listenToText } from "../input/textarea";
import { Pane } from "../screen/pane";
import { Banner } from "../ui/banner";
import { el, icon } from "../ui/dom";
import { toggleFullscreen } from "../ui/fullscreen";
import { Watermark } from "../ui/watermark";

export const ADDRESS = "/viewer/monitor.html";
/** The page of a window has to be there within this time. */
const OPEN_MS_MAX = 10_000;
const LOOK_MS = 40;

export type WindowActions = {
  keyboard: Keyboard;
  pointers: PointerSink & ContactSink;
  /** Its size has changed, or its screen. */
  changed(): void;
  closed(): void;
  /** A key went down, for those who measure. */
  down(event: KeyboardEvent): void;
  paste(event: ClipboardEvent): void;
  reconnect(): void;
  /** Connects anew. */
  anew(): void;
};

/** The page of a window that was just opened; `null` when it was closed meanwhile, or is not ours. */
export async function ready(opened: Window): Promise<Document | null> {
  const end = performance.now() + OPEN_MS_MAX;
  for (;;) {
    try {
      const { document } = opened;
      if (opened.location.pathname === ADDRESS && document.readyState === "complete") return document;
    } catch {
      // Another page's: a browser that shows its own, an error perhaps.
    }
    if (opened.closed || performance.now() > end) return null;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

export class MonitorWindow {
  readonly pane: Pane;
  readonly banner: Banner;
  readonly watermark = new Watermark();
  readonly #page: Document;
  readonly #area = el("textarea", {
    class: "typing",
    "aria-label": "Keyboard input for the desktop",
    autocapitalize: "off",
    autocomplete: "off",
    autocorrect: "off",
    spellcheck: "false",
    rows: 1,
  });
  readonly #stage = el("main", { class: "stage", "aria-label": "A monitor of the desktop" });
  readonly #canvas = el("canvas", { class: "screen" });
  readonly #picture: ImageBitmapRenderingContext | null;
  readonly #words = el("p", { class: "text" });
  readonly #again: HTMLButtonElement;
  readonly #card: HTMLElement;
  readonly #signs = el("div", { class: "signs" });
  #gone = false;

  constructor(
    readonly id: number,
    readonly own: Window,
    page: Document,
    private readonly actions: WindowActions,
  ) {
    this.#page = page;
    const { keyboard } = actions;
    this.#again = el(
      "button",
      { type: "button", class: "button", click: () => actions.anew() },
      "Connect anew",
    );
    this.#again.hidden = true;
    this.#card = el(
      "div",
      { class: "waiting" },
      el(
        "section",
        { class: "card", "aria-live": "polite" },
        this.#words,
        el("div", { class: "buttons" }, this.#again),
      ),
    );
    this.banner = new Banner(() => actions.reconnect());
    const full = el("button", {
      type: "button",
      class: "tool monitor-tool",
      "aria-label": "Full screen",
      title: "Full screen",
      click: () => void this.#fullscreen(),
    });
    full.append(icon("fullscreen"));
    full.hidden = !page.fullscreenEnabled;
    this.#stage.append(this.#canvas, this.#area);
    page.body.replaceChildren(
      this.#stage,
      this.watermark.element,
      this.#signs,
      this.banner.element,
      full,
      this.#card,
    );
    this.#picture = this.#canvas.getContext("bitmaprenderer");
    this.pane = new Pane(this.#stage, this.#canvas, false, actions.pointers, {
      wanted: () => actions.changed(),
      focus: () => this.focus(),
    });
    this.#area.addEventListener("keydown", (event) => this.#down(event));
    own.addEventListener("keydown", (event) => {
      if (event.target !== page.body || this.#stage.inert) return;
      this.focus();
      this.#down(event);
    });
    this.#area.addEventListener("keyup", (event) => {
      if (keyboard.up(event)) event.preventDefault();
    });
    this.#area.addEventListener("paste", (event) => actions.paste(event));
    this.#area.addEventListener("blur", () => keyboard.releaseAll());
    own.addEventListener("blur", () => keyboard.releaseAll());
    page.addEventListener("visibilitychange", () => {
      if (page.hidden) keyboard.releaseAll();
      actions.changed();
    });
    // Closed, or loaded anew: both empty it.
    own.addEventListener("pagehide", () => this.#leave());
    listenToText(this.#area, keyboard, detectPlatform(navigator.userAgent));
  }

  get hidden(): boolean {
    return this.#page.hidden;
  }

  set title(name: string) {
    this.#page.title = name;
  }

  /** Its window's size in pixels and scale in per cent. */
  get wanted(): { width: number; height: number; scale: number } {
    return this.pane.view.wanted();
  }

  focus(): void {
    this.#area.focus({ preventScroll: true });
  }

  /** What it shows now, and keeps. */
  show(bitmap: ImageBitmap): void {
    if (this.#gone || !this.#picture) {
      bitmap.close();
      return;
    }
    if (this.#canvas.width !== bitmap.width || this.#canvas.height !== bitmap.height) {
      this.#canvas.width = bitmap.width;
      this.#canvas.height = bitmap.height;
    }
    this.#picture.transferFromImageBitmap(bitmap);
  }

  /** Why there is no picture, over all of it; empty where there is one. */
  say(words: string, again = false): void {
    if (this.#words.textContent !== words) this.#words.textContent = words;
    const back = this.#stage.inert && words === "";
    this.#again.hidden = !again;
    this.#card.classList.toggle("gone", words === "");
    this.#card.inert = words === "";
    this.#stage.inert = words !== "";
    this.#canvas.hidden = words !== "";
    if (back && this.#page.hasFocus()) this.focus();
  }

  /** What of the picture is old, and what may be done with it. */
  state(stale: boolean, viewOnly: boolean): void {
    this.#stage.classList.toggle("stale", stale);
    this.#stage.classList.toggle("view-only", viewOnly);
  }

  /** The signs that the first window has: copies of them. */
  signs(...signs: Element[]): void {
    this.#signs.replaceChildren(...signs.map((sign) => sign.cloneNode(true)));
  }

  close(): void {
    this.#leave();
    this.own.close();
  }

  #down(event: KeyboardEvent): void {
    if (this.actions.keyboard.down(event)) event.preventDefault();
    this.actions.down(event);
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.actions.keyboard.releaseAll();
    this.actions.closed();
  }

  async #fullscreen(): Promise<void> {
    await toggleFullscreen(this.own);
    this.focus();
  }
}
