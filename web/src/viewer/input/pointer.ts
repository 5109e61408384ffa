/**
 * Mouse and pen: one move per animation frame, buttons at once. The wheel: pixels, lines and pages as 120ths of a
 * notch, with the fractions of smooth wheels kept until they make a unit.
 */
export type PointerSink = {
  pointer(x: number, y: number, buttons: number): void;
  wheel(x: number, y: number, dx: number, dy: number): void;
};

/** Where an event is on the remote surface. */
export type Locate = (clientX: number, clientY: number) => { x: number; y: number };

/** `PointerEvent.buttons` has the right button in bit 1 and the middle in bit 2; the wire the other way round. */
export function wireButtons(buttons: number): number {
  return (buttons & 0b11001) | ((buttons & 0b10) << 1) | ((buttons & 0b100) >> 1);
}

/** Units of a notch on the wire, and how browsers count one. */
const NOTCH = 120;
const NOTCH_PIXELS = 100;
const NOTCH_LINES = 3;

/** Collects wheel movement and gives whole units. */
export class WheelSum {
  #x = 0;
  #y = 0;

  add(dx: number, dy: number, mode: number): void {
    const unit = mode === 1 ? NOTCH / NOTCH_LINES : mode === 2 ? NOTCH * 3 : NOTCH / NOTCH_PIXELS;
    this.#x += dx * unit;
    this.#y += dy * unit;
  }

  take(): { dx: number; dy: number } {
    const limit = (value: number) => Math.min(0x7fff, Math.max(-0x8000, Math.trunc(value)));
    const dx = limit(this.#x);
    const dy = limit(this.#y);
    this.#x -= dx;
    this.#y -= dy;
    // What is beyond the wire's range in one frame is no scrolling any more.
    if (Math.abs(this.#x) > NOTCH) this.#x = 0;
    if (Math.abs(this.#y) > NOTCH) this.#y = 0;
    return { dx: dx || 0, dy: dy || 0 };
  }
}

export class Mouse {
  readonly #wheel = new WheelSum();
  #at = { x: 0, y: 0 };
  #buttons = 0;
  #moved = false;
  #scrolled = false;
  #frame = 0;

  constructor(
    private readonly target: HTMLElement,
    private readonly locate: Locate,
    private readonly sink: PointerSink,
    private readonly onPress: () => void,
  ) {
    target.addEventListener("pointermove", this.#move);
    target.addEventListener("pointerdown", this.#press);
    target.addEventListener("pointerup", this.#press);
    target.addEventListener("pointercancel", this.#cancel);
    target.addEventListener("wheel", this.#turn, { passive: false });
    target.addEventListener("contextmenu", (event) => event.preventDefault());
    // Back and forward buttons would leave the page.
    target.addEventListener("mousedown", (event) => event.preventDefault());
    target.addEventListener("mouseup", (event) => event.button > 2 && event.preventDefault());
    target.addEventListener("auxclick", (event) => event.preventDefault());
  }

  /** Buttons are up without an event (release). */
  forget(): void {
    this.#buttons = 0;
  }

  #move = (event: PointerEvent) => {
    if (event.pointerType === "touch") return;
    this.#at = this.locate(event.clientX, event.clientY);
    const buttons = wireButtons(event.buttons);
    // A chorded button changes state in a pointermove.
    if (buttons !== this.#buttons) {
      this.#buttons = buttons;
      this.#send();
      return;
    }
    if (this.#frame === 0) this.#send();
    else this.#moved = true;
    this.#wait();
  };

  #press = (event: PointerEvent) => {
    if (event.pointerType === "touch") return;
    event.preventDefault();
    if (event.type === "pointerdown") {
      this.onPress();
      this.target.setPointerCapture(event.pointerId);
    }
    this.#at = this.locate(event.clientX, event.clientY);
    this.#buttons = wireButtons(event.buttons);
    this.#send();
  };

  #cancel = (event: PointerEvent) => {
    if (event.pointerType === "touch" || this.#buttons === 0) return;
    this.#buttons = 0;
    this.#send();
  };

  #turn = (event: WheelEvent) => {
    event.preventDefault();
    // Ctrl+wheel is the browser's zoom and a touch pad's pinch; the remote side gets it as a plain wheel.
    this.#at = this.locate(event.clientX, event.clientY);
    const sideways = event.shiftKey && event.deltaX === 0;
    this.#wheel.add(sideways ? event.deltaY : event.deltaX, sideways ? 0 : event.deltaY, event.deltaMode);
    if (this.#frame === 0) this.#scroll();
    else this.#scrolled = true;
    this.#wait();
  };

  #wait(): void {
    if (this.#frame !== 0) return;
    // That of the target's window: another one gets no frames while it is hidden.
    const own = this.target.ownerDocument.defaultView ?? window;
    this.#frame = own.requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#scrolled) this.#scroll();
      if (this.#moved) {
        this.#send();
        this.#wait();
      }
    });
  }

  #scroll(): void {
    this.#scrolled = false;
    const { dx, dy } = this.#wheel.take();
    if (dx !== 0 || dy !== 0) this.sink.wheel(this.#at.x, this.#at.y, dx, dy);
  }

  #send(): void {
    this.#moved = false;
    this.sink.pointer(this.#at.x, this.#at.y, this.#buttons);
  }
}
