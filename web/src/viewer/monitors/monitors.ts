/**
 * All windows of one session: the first, which has the session, and one for each further monitor. It decides what layout the machine is
 * asked for, and which part of the surface each window shows once the machine has taken it.
 */
import type { Part } from "../screen/messages";
import type { View } from "../screen/view";
import { MONITORS_MAX, type ViewerRecord } from "../wire";
import { arrange, type Layout, sameLayout, type Wanted } from "./layout";
import { Screens } from "./screens";
import { ADDRESS, MonitorWindow, ready, type WindowActions } from "./window";

/** Machines take a new screen within a second or two; what has not come by then does not. */
const TAKEN_MS_MAX = 8000;

export type MonitorsActions = Omit<WindowActions, "changed" | "closed"> & {
  send(record: ViewerRecord): void;
  parts(parts: Part[]): void;
  watched(on: boolean): void;
  /** A sentence for the person. */
  say(text: string): void;
  /** There is one more window. */
  opened(own: Window): void;
  /** A window came or went. */
  changed(): void;
};

const WAITING = "Waiting for the machine to give this window a screen…";
const REFUSED =
  "The machine has not taken one more screen. Some take it only when they are connected anew; others have one screen alone: close this window then.";

export class Monitors {
  readonly windows: MonitorWindow[] = [];
  readonly #screens = new Screens();
  /** What the machine was asked for last. */
  #asked: Layout | null = null;
  /** What it has: the surface is the box around it. */
  #taken: Layout | null = null;
  #surface = { width: 0, height: 0 };
  /** Why no window has a picture. */
  #closed = "";
  /** The machine has had its time. */
  #late = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #next = 1;
  /** The screens that the windows are on, as last seen. */
  #places = "";
  /** The windows have more pixels than a desktop may have, and the person knows. */
  #over = false;

  constructor(
    private readonly view: View,
    private readonly actions: MonitorsActions,
  ) {
    document.addEventListener("visibilitychange", () => this.#watch());
    // They are empty without this page.
    window.addEventListener("pagehide", () => {
      for (const one of [...this.windows]) one.close();
    });
  }

  /** Opens a window for one more monitor; from a click. */
  async add(): Promise<void> {
    if (!this.#layout([...this.#wanted(), { width: 800, height: 600, scale: 100, place: null }])) {
      const many = this.windows.length + 2 > MONITORS_MAX;
      this.actions.say(
        many
          ? `A desktop has at most ${MONITORS_MAX} monitors.`
          : "These windows have as many pixels as a desktop may have: make one smaller, then add a monitor.",
      );
      return;
    }
    // Before the window is opened, which uses the click up; the answer may come late.
    const asked = this.#screens.ask();
    const opened = window.open(ADDRESS, "_blank", "popup,width=1024,height=720");
    if (!opened) {
      this.actions.say(
        "The browser has blocked the window. Allow pop-up windows for this address (see its address bar), then add the monitor again.",
      );
      return;
    }
    const page = await ready(opened);
    if (!page) {
      opened.close();
      this.actions.say("The window for the monitor could not be opened. Try again.");
      return;
    }
    const { actions } = this;
    const others = [window, ...this.windows.map(({ own }) => own)];
    const one: MonitorWindow = new MonitorWindow(this.#next++, opened, page, {
      ...actions,
      changed: () => this.#relayout(),
      closed: () => this.#remove(one),
    });
    this.windows.push(one);
    actions.opened(opened);
    one.say(this.#closed || WAITING);
    actions.changed();
    this.#relayout();
    one.focus();
    await asked;
    if (opened.closed) return;
    this.#screens.move(opened, others);
    this.#relayout();
  }

  /** The first window has another size: true when that is told here. */
  resized(): boolean {
    if (this.windows.length === 0) return false;
    this.#relayout();
    return true;
  }

  /** What the hello says instead of the first window's size, and the record that follows it. */
  greeting(): { width: number; height: number; scale: number; record: ViewerRecord } | null {
    const layout = this.windows.length === 0 ? null : this.#layout(this.#wanted());
    if (!layout) return null;
    this.#ask(layout);
    const record = asRecord(layout);
    return { width: record.width, height: record.height, scale: record.scale, record };
  }

  /** The surface has this size now. */
  surface(width: number, height: number): void {
    this.#surface = { width, height };
    const is = (layout: Layout | null) => layout?.width === width && layout.height === height;
    if (is(this.#asked)) this.#taken = this.#asked;
    else if (!is(this.#taken)) this.#taken = null;
    this.#show();
  }

  part(id: number, bitmap: ImageBitmap): void {
    const one = this.windows.find((window) => window.id === id);
    if (one) one.show(bitmap);
    else bitmap.close();
  }

  /** Why there is no picture in any window; empty where there is. */
  close(words: string): void {
    if (this.#closed === words) return;
    this.#closed = words;
    this.#show();
  }

  /** Finds windows that went, or were moved, without saying so. */
  sweep(): void {
    for (const one of [...this.windows]) if (one.own.closed) one.close();
    // Nothing tells that a window was moved to another screen.
    const places = JSON.stringify(this.#wanted().map(({ place }) => place));
    if (places === this.#places) return;
    this.#places = places;
    this.#relayout();
  }

  #wanted(): Wanted[] {
    const first = { ...this.view.wanted(), place: this.#screens.place(window) };
    return [first, ...this.windows.map((one) => ({ ...one.wanted, place: this.#screens.place(one.own) }))];
  }

  #layout(wanted: Wanted[]): Layout | null {
    return arrange(wanted);
  }

  #relayout(): void {
    this.#watch();
    if (this.windows.length === 0) return;
    const layout = this.#layout(this.#wanted());
    if (!layout) {
      if (!this.#over)
        this.actions.say("These windows have more pixels than a desktop may have: make one smaller.");
      this.#over = true;
      return;
    }
    this.#over = false;
    if (sameLayout(layout, this.#asked)) return;
    this.#ask(layout);
    this.actions.send(asRecord(layout));
  }

  #ask(layout: Layout): void {
    this.#asked = layout;
    this.#late = false;
    // Of the same size, nothing would say that it is so.
    this.surface(this.#surface.width, this.#surface.height);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#late = true;
      this.#show();
    }, TAKEN_MS_MAX);
  }

  #remove(one: MonitorWindow): void {
    this.windows.splice(this.windows.indexOf(one), 1);
    this.actions.changed();
    if (this.windows.length > 0) {
      this.#relayout();
      return;
    }
    clearTimeout(this.#timer);
    this.#asked = null;
    this.#taken = null;
    this.#show();
    this.#watch();
    this.actions.send({ type: "resize", ...this.view.wanted() });
  }

  /** Each window its part, where the machine has the layout. */
  #show(): void {
    const several = this.windows.length > 0;
    const monitors = this.#taken?.monitors;
    const usable = several && monitors !== undefined && monitors.length <= this.windows.length + 1;
    this.view.show(usable ? (monitors[0] ?? null) : null, several);
    const parts: Part[] = [];
    this.windows.forEach((one, index) => {
      const { view } = one.pane;
      const part = usable ? monitors[index + 1] : undefined;
      view.surface = { ...this.#surface };
      view.show(part ?? null, true);
      one.pane.others.layout();
      if (part && !this.#closed) parts.push({ id: one.id, x: part.x, y: part.y, w: part.w, h: part.h });
      if (this.#closed) one.say(this.#closed);
      else if (part) one.say("");
      else one.say(this.#late ? REFUSED : WAITING, this.#late);
    });
    this.actions.parts(parts);
  }

  #watch(): void {
    this.actions.watched(document.hidden && this.windows.some(({ hidden }) => !hidden));
  }
}

function asRecord(layout: Layout): Extract<ViewerRecord, { type: "resize" }> {
  const scale = layout.monitors.find(({ primary }) => primary)?.scale ?? 100;
  return { type: "resize", ...layout, scale };
}
