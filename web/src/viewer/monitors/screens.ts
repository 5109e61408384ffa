/**
 * The person's screens, where the browser says them (Window Management API: Chromium, with the person's permission). Everything works
 * without: windows then open where the browser puts them, and lie in a row.
 */
import type { Place } from "./layout";

type Screen = {
  left: number;
  top: number;
  width: number;
  height: number;
  availLeft: number;
  availTop: number;
  availWidth: number;
  availHeight: number;
};
type Details = { screens: readonly Screen[] };
type Managing = Window & { getScreenDetails?: () => Promise<Details> };

export class Screens {
  #details: Details | null = null;

  /** There may be more than one, as far as the browser says it. */
  static get several(): boolean {
    return (window.screen as unknown as { isExtended?: boolean }).isExtended === true;
  }

  /** Asks for them; the browser may ask the person. Only from a click, and where there are several. */
  async ask(): Promise<void> {
    if (this.#details || !Screens.several) return;
    this.#details = (await (window as Managing).getScreenDetails?.().catch(() => null)) ?? null;
  }

  /** The screen on which the middle of a window is. */
  #of(other: Window): Screen | null {
    const x = other.screenX + other.outerWidth / 2;
    const y = other.screenY + other.outerHeight / 2;
    const holds = ({ left, top, width, height }: Screen) =>
      x >= left && y >= top && x < left + width && y < top + height;
    return this.#details?.screens.find(holds) ?? null;
  }

  place(other: Window): Place | null {
    const screen = this.#of(other);
    return screen && { left: screen.left, top: screen.top };
  }

  /** Moves a new window to a screen on which none of the others is. */
  move(fresh: Window, others: readonly Window[]): void {
    const taken = others.map((other) => this.#of(other));
    const free = this.#details?.screens.find((screen) => !taken.includes(screen));
    if (!free) return;
    fresh.moveTo(free.availLeft, free.availTop);
    fresh.resizeTo(free.availWidth, free.availHeight);
  }
}
