/** One window's picture of the surface with what a hand does to it: placing, pointer, fingers, and other people's pointers. */
import { type ContactSink, Contacts } from "../input/contacts";
import { Mouse, type PointerSink } from "../input/pointer";
import { Touch } from "../input/touch";
import { Cursor } from "./cursor";
import { Others } from "./others";
import { View } from "./view";

export type PaneActions = {
  /** The window's size has changed: what the surface should be like now. */
  wanted(width: number, height: number, scale: number): void;
  /** A press: keys go to this window's picture. */
  focus(): void;
};

export class Pane {
  readonly view: View;
  readonly cursor: Cursor;
  readonly touch: Touch;
  readonly contacts: Contacts;
  readonly others: Others;

  /** The stage is in its window already. `whole`: the canvas has all of the surface, and not this window's part alone. */
  constructor(
    readonly stage: HTMLElement,
    readonly canvas: HTMLCanvasElement,
    whole: boolean,
    pointers: PointerSink & ContactSink,
    actions: PaneActions,
  ) {
    const cursor = new Cursor(canvas, stage);
    const view = new View(stage, canvas, whole, (scale) => cursor.scale(scale), actions.wanted);
    this.cursor = cursor;
    this.view = view;
    this.others = new Others(stage, (x, y) => view.toWindow(x, y));
    // Before the others: what it takes does not reach them.
    this.contacts = new Contacts(canvas, view.locate, view.density, pointers, actions.focus);
    new Mouse(canvas, view.locate, pointers, actions.focus);
    this.touch = new Touch(
      canvas,
      view.locate,
      pointers,
      {
        pinch: (factor, x, y, dx, dy) => view.pinch(factor, x, y, dx, dy),
        density: view.density,
        size: () => view.surface,
        showPointer: (x, y) => {
          view.reveal(x, y);
          const point = view.toWindow(x, y);
          cursor.pin(point.x, point.y);
        },
      },
      () => undefined,
    );
  }
}
