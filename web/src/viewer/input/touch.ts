/**
 * Fingers. Two manners, chosen in the menu:
 * - *direct*: a tap clicks there, a drag drags there;
 * - *trackpad*: a finger moves the pointer as on a laptop's pad, a tap clicks where the pointer is, a tap and a
 *   second touch at once drags.
 * In both a long press is the right button, as are two fingers that tap; three that tap are the middle one. Two fingers scroll, and
 * two that spread zoom the view, which they move then.
 *
 * ```text
 *  idle ─finger─▶ pressed ─moves─▶ moving ─up─▶ idle
 *                    ├─ up soon ─▶ click ─▶ idle
 *                    ├─ held ────▶ right click ─▶ spent ─▶ idle
 *                    └─ second finger ─▶ two (scroll | zoom) ─▶ all up ─▶ idle
 *                                         └─ up soon ─▶ lifting ─▶ right, middle click ─▶ idle
 * ```
 */
import type { Locate, PointerSink } from "./pointer";

export type TouchManner = "direct" | "trackpad";

export type TouchView = {
  /** Zooms the view about a point of the window, and moves it; `factor` 1 only moves. */
  pinch(factor: number, clientX: number, clientY: number, dx: number, dy: number): void;
  /** How many surface pixels one CSS pixel is. */
  density(): number;
  size(): { width: number; height: number };
  /** Shows where the pointer is, in trackpad manner. */
  showPointer(x: number, y: number): void;
};

const LONG_PRESS_MS = 500;
const TAP_MS = 300;
/** A finger trembles this many CSS pixels without moving. */
const SLACK = 9;
const LEFT = 1;
const MIDDLE = 2;
const RIGHT = 4;

type Finger = { id: number; x: number; y: number; startX: number; startY: number; since: number };

export class Touch {
  manner: TouchManner = "direct";
  readonly #fingers = new Map<number, Finger>();
  #state: "idle" | "pressed" | "moving" | "two" | "lifting" | "spent" = "idle";
  /** When the first finger came, and how many there were at most since. */
  #began = 0;
  #most = 0;
  #gesture: "none" | "scroll" | "zoom" = "none";
  #buttons = 0;
  #at = { x: 0, y: 0 };
  #long: ReturnType<typeof setTimeout> | undefined;
  #lastTap = 0;
  #scroll = { x: 0, y: 0 };

  constructor(
    target: HTMLElement,
    private readonly locate: Locate,
    private readonly sink: PointerSink,
    private readonly view: TouchView,
    private readonly onPress: () => void,
  ) {
    const only = (handle: (event: PointerEvent) => void) => (event: PointerEvent) => {
      if (event.pointerType !== "touch") return;
      event.preventDefault();
      handle(event);
    };
    target.addEventListener("pointerdown", only(this.#down));
    target.addEventListener("pointermove", only(this.#move));
    target.addEventListener("pointerup", only(this.#up));
    target.addEventListener("pointercancel", only(this.#up));
  }

  #down = (event: PointerEvent) => {
    const { clientX: x, clientY: y } = event;
    this.#fingers.set(event.pointerId, {
      id: event.pointerId,
      x,
      y,
      startX: x,
      startY: y,
      since: event.timeStamp,
    });
    this.#most = Math.max(this.#most, this.#fingers.size);
    if (this.#fingers.size === 1) {
      this.#began = event.timeStamp;
      this.#most = 1;
      this.onPress();
      this.#state = "pressed";
      if (this.manner === "direct") this.#at = this.locate(x, y);
      const dragging = this.manner === "trackpad" && event.timeStamp - this.#lastTap < TAP_MS;
      this.#point(dragging ? LEFT : 0);
      this.#long = setTimeout(() => {
        if (this.#state !== "pressed" || this.#buttons !== 0) return;
        this.#state = "spent";
        navigator.vibrate?.(10);
        this.#click(RIGHT);
      }, LONG_PRESS_MS);
      return;
    }
    clearTimeout(this.#long);
    if (this.#buttons !== 0) this.#point(0);
    // A finger that comes when something happened already begins nothing new but a gesture.
    if (this.#state !== "pressed" && this.#state !== "two") this.#most = Number.POSITIVE_INFINITY;
    this.#state = "two";
    this.#gesture = "none";
    for (const finger of this.#fingers.values()) {
      finger.startX = finger.x;
      finger.startY = finger.y;
    }
  };

  #move = (event: PointerEvent) => {
    const finger = this.#fingers.get(event.pointerId);
    if (!finger) return;
    const before = this.#middle();
    const dx = event.clientX - finger.x;
    const dy = event.clientY - finger.y;
    finger.x = event.clientX;
    finger.y = event.clientY;
    if (this.#state === "two") {
      this.#moveTwo(before);
      return;
    }
    if (this.#state === "pressed") {
      if (Math.hypot(finger.x - finger.startX, finger.y - finger.startY) < SLACK) return;
      clearTimeout(this.#long);
      this.#state = "moving";
      if (this.manner === "direct") this.#point(LEFT);
    }
    if (this.#state !== "moving") return;
    if (this.manner === "direct") {
      this.#at = this.locate(finger.x, finger.y);
    } else {
      // Slow fingers aim, quick ones travel.
      const speed = Math.min(3, 1 + Math.hypot(dx, dy) / 16) * this.view.density();
      const { width, height } = this.view.size();
      this.#at = {
        x: Math.min(width - 1, Math.max(0, this.#at.x + dx * speed)),
        y: Math.min(height - 1, Math.max(0, this.#at.y + dy * speed)),
      };
    }
    this.#point(this.#buttons);
  };

  #up = (event: PointerEvent) => {
    const finger = this.#fingers.get(event.pointerId);
    if (!finger) return;
    this.#fingers.delete(event.pointerId);
    clearTimeout(this.#long);
    const cancelled = event.type === "pointercancel";
    if (this.#state === "pressed" && !cancelled && this.#fingers.size === 0) {
      if (this.#buttons !== 0) this.#point(0);
      else this.#click(LEFT);
      this.#lastTap = event.timeStamp;
    } else if (this.#buttons !== 0) {
      this.#point(0);
    }
    const several = this.#state === "two" || this.#state === "lifting";
    const soon = !cancelled && event.timeStamp - this.#began < TAP_MS && this.#gesture === "none";
    if (several && this.#fingers.size === 0 && soon) {
      if (this.#most === 2) this.#click(RIGHT);
      else if (this.#most === 3) this.#click(MIDDLE);
    }
    if (this.#fingers.size === 0) this.#state = "idle";
    else if (several) this.#state = soon ? "lifting" : "spent";
  };

  #moveTwo(before: { x: number; y: number; spread: number }): void {
    if (this.#fingers.size !== 2) return;
    const now = this.#middle();
    const [a, b] = [...this.#fingers.values()];
    if (!a || !b) return;
    if (this.#gesture === "none") {
      const start = Math.hypot(a.startX - b.startX, a.startY - b.startY);
      const travel = Math.hypot((a.startX + b.startX) / 2 - now.x, (a.startY + b.startY) / 2 - now.y);
      if (Math.abs(now.spread - start) > SLACK * 2) this.#gesture = "zoom";
      else if (travel > SLACK) this.#gesture = "scroll";
      else return;
    }
    if (this.#gesture === "zoom") {
      this.view.pinch(
        now.spread / Math.max(1, before.spread),
        now.x,
        now.y,
        now.x - before.x,
        now.y - before.y,
      );
      return;
    }
    // Content follows the fingers: fingers up scroll down. 40 CSS pixels are a notch.
    this.#scroll.x += (before.x - now.x) * 3;
    this.#scroll.y += (before.y - now.y) * 3;
    const dx = Math.trunc(this.#scroll.x);
    const dy = Math.trunc(this.#scroll.y);
    this.#scroll.x -= dx;
    this.#scroll.y -= dy;
    if (this.manner === "direct") this.#at = this.locate(now.x, now.y);
    if (dx || dy) this.sink.wheel(this.#at.x, this.#at.y, dx, dy);
  }

  #middle(): { x: number; y: number; spread: number } {
    const [a, b] = [...this.#fingers.values()];
    if (!a || !b) return { x: a?.x ?? 0, y: a?.y ?? 0, spread: 1 };
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, spread: Math.hypot(a.x - b.x, a.y - b.y) };
  }

  #point(buttons: number): void {
    this.#buttons = buttons;
    this.sink.pointer(this.#at.x, this.#at.y, buttons);
    if (this.manner === "trackpad") this.view.showPointer(this.#at.x, this.#at.y);
  }

  #click(button: number): void {
    this.#point(button);
    this.#point(0);
  }
}
