/** Other people's pointers over the screen: an arrow and a name in the colour of their seat. */
import { seatClass } from "../people";
import { el } from "../ui/dom";

/** A pointer that has rested so long is in the way. */
const REST_MS = 15_000;

type Shown = {
  element: HTMLElement;
  name: HTMLElement;
  x: number;
  y: number;
  rest: ReturnType<typeof setTimeout>;
};

export class Others {
  readonly #shown = new Map<number, Shown>();

  constructor(
    private readonly stage: HTMLElement,
    private readonly toWindow: (x: number, y: number) => { x: number; y: number },
  ) {
    const own = (stage.ownerDocument.defaultView ?? window) as Window & typeof globalThis;
    new own.ResizeObserver(() => this.layout()).observe(stage);
  }

  point(seat: number, name: string, x: number, y: number): void {
    let shown = this.#shown.get(seat);
    if (!shown) {
      const label = el("span", { class: "name" });
      const element = el("div", { class: `other ${seatClass(seat)}`, "aria-hidden": "true" }, arrow(), label);
      this.stage.append(element);
      shown = { element, name: label, x, y, rest: setTimeout(() => undefined, 0) };
      this.#shown.set(seat, shown);
    }
    shown.x = x;
    shown.y = y;
    shown.name.textContent = name;
    const { element } = shown;
    clearTimeout(shown.rest);
    element.classList.remove("gone");
    shown.rest = setTimeout(() => element.classList.add("gone"), REST_MS);
    this.#place(shown);
  }

  /** Only these seats are taken. */
  keep(seats: readonly number[]): void {
    for (const [seat, shown] of this.#shown) {
      if (seats.includes(seat)) continue;
      clearTimeout(shown.rest);
      shown.element.remove();
      this.#shown.delete(seat);
    }
  }

  layout(): void {
    for (const shown of this.#shown.values()) this.#place(shown);
  }

  #place({ element, x, y }: Shown): void {
    const at = this.toWindow(x, y);
    element.style.transform = `translate(${at.x}px, ${at.y}px)`;
  }
}

const SVG = "http://www.w3.org/2000/svg";

function arrow(): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 20");
  svg.setAttribute("class", "arrow");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M1 1v15l4.2-3.8L8 18.6l2.6-1.1-2.7-6.3 5.6-.4z");
  svg.append(path);
  return svg;
}
