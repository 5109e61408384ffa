/**
 * Fingers and pens as they are, for machines that take them so: what it takes never becomes a pointer ({@link Mouse}, `Touch`), whose
 * listeners come after its own. Moves go once an animation frame, all of them in one record; what begins and ends goes at once.
 */
import { CONTACTS_MAX, type Contact, type ContactState, Pen } from "../wire";
import type { Locate } from "./pointer";

export type ContactSink = {
  contacts(pen: boolean, after_ms: number, contacts: Contact[]): void;
};

/** `PointerEvent.buttons` of a pen: its tip, the button at its side, its other end. */
const TIP = 1;
const BARREL = 2;
const ERASER = 32;
const PRESSURE_MAX = 1024;
/** What browsers say of a finger whose pressure they do not know (Pointer Events 3, §4.1). */
const UNKNOWN_PRESSURE = 0.5;

type Known = { id: number; pen: boolean };

export class Contacts {
  /** What the machine takes; 0: none. */
  #fingers = 0;
  #pens = 0;
  /** Whether fingers are meant to touch, and not to point. */
  touches = true;
  /** By the browser's number. */
  readonly #known = new Map<number, Known>();
  /** Those that the machine no longer hears of; they must not become a pointer half-way. */
  readonly #lost = new Set<number>();
  readonly #moved = new Map<number, Contact>();
  readonly #last = { finger: 0, pen: 0 };
  #frame = 0;

  constructor(
    private readonly target: HTMLElement,
    private readonly locate: Locate,
    private readonly density: () => number,
    private readonly sink: ContactSink,
    private readonly onPress: () => void,
  ) {
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave"] as const)
      target.addEventListener(type, this.#take);
  }

  /** What the machine takes from now on. */
  takes(fingers: number, pens: number): void {
    if (fingers === this.#fingers && pens === this.#pens) return;
    this.#fingers = Math.min(fingers, CONTACTS_MAX);
    this.#pens = pens;
    for (const id of this.#known.keys()) this.#lost.add(id);
    this.#known.clear();
    this.#moved.clear();
  }

  #take = (event: PointerEvent) => {
    const pen = event.pointerType === "pen";
    if (!pen && event.pointerType !== "touch") return;
    const ends =
      event.type === "pointerup" || event.type === "pointercancel" || event.type === "pointerleave";
    if (this.#lost.has(event.pointerId)) {
      this.#stop(event);
      if (ends) this.#lost.delete(event.pointerId);
      return;
    }
    const known = this.#known.get(event.pointerId) ?? this.#begin(event, pen);
    if (!known) return;
    this.#stop(event);
    const state = this.#state(event, pen);
    const contact = this.#contact(event, known, state);
    if (state === "away" || state === "cancelled") this.#known.delete(event.pointerId);
    if (event.type === "pointermove") {
      this.#moved.set(event.pointerId, contact);
      this.#wait();
      return;
    }
    if (event.type === "pointerdown") {
      // A finger that taps asks for no keyboard on the screen.
      if (pen) this.onPress();
      this.target.setPointerCapture(event.pointerId);
    }
    this.#flush();
    this.#send(pen, [contact], event.timeStamp);
  };

  /** A finger begins when it touches, a pen when it is near. */
  #begin(event: PointerEvent, pen: boolean): Known | null {
    const here = [...this.#known.values()].filter((one) => one.pen === pen);
    if (here.length >= (pen ? this.#pens : this.#fingers)) return null;
    if (pen ? event.type !== "pointermove" && event.type !== "pointerdown" : event.type !== "pointerdown")
      return null;
    if (!pen && !this.touches) return null;
    let id = 0;
    while (here.some((one) => one.id === id)) id += 1;
    const known = { id, pen };
    if (here.length === 0) this.#last[pen ? "pen" : "finger"] = event.timeStamp;
    this.#known.set(event.pointerId, known);
    return known;
  }

  #state(event: PointerEvent, pen: boolean): ContactState {
    if (event.type === "pointercancel") return "cancelled";
    if (event.type === "pointerleave") return "away";
    if (!pen) return event.type === "pointerup" ? "away" : "touches";
    return (event.buttons & (TIP | BARREL | ERASER)) === 0 ? "hovers" : "touches";
  }

  #contact(event: PointerEvent, { id, pen }: Known, state: ContactState): Contact {
    const known = pen || event.pressure !== UNKNOWN_PRESSURE;
    const density = this.density();
    const held = (button: number, flag: number) => ((event.buttons & button) === 0 ? 0 : flag);
    return {
      id,
      state,
      ...this.locate(event.clientX, event.clientY),
      w: pen ? 0 : Math.round(event.width * density),
      h: pen ? 0 : Math.round(event.height * density),
      pressure: known ? Math.round(event.pressure * PRESSURE_MAX) : 0,
      rotation: pen ? event.twist % 360 : 0,
      tilt_x: pen ? event.tiltX : 0,
      tilt_y: pen ? event.tiltY : 0,
      flags: pen ? held(BARREL, Pen.barrel) | held(ERASER, Pen.eraser) : 0,
    };
  }

  #stop(event: PointerEvent): void {
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  #wait(): void {
    if (this.#frame !== 0) return;
    // That of the target's window: another one gets no frames while it is hidden.
    const own = this.target.ownerDocument.defaultView ?? window;
    this.#frame = own.requestAnimationFrame((now) => {
      this.#frame = 0;
      this.#flush(now);
    });
  }

  #flush(now = performance.now()): void {
    const moved = [...this.#moved].map(([key, contact]) => ({ pen: this.#known.get(key)?.pen, contact }));
    this.#moved.clear();
    for (const pen of [false, true]) {
      const own = moved.filter((one) => one.pen === pen).map(({ contact }) => contact);
      if (own.length > 0) this.#send(pen, own, now);
    }
  }

  #send(pen: boolean, contacts: Contact[], now: number): void {
    const kind = pen ? "pen" : "finger";
    const after = Math.min(0xffff, Math.max(0, Math.round(now - this.#last[kind])));
    this.#last[kind] = Math.max(now, this.#last[kind]);
    this.sink.contacts(pen, after, contacts);
  }
}
