/** Whose picture this is and when, over all of it: seen on every photograph, and hindering nobody. */

const SVG = "http://www.w3.org/2000/svg";
/** One word's place in the pattern, in pixels. */
const CELL = { width: 420, height: 170 };

function shape<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>>,
  ...children: Node[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

export class Watermark {
  readonly element: SVGElement;
  readonly #words = shape("text", { x: 12, y: CELL.height / 2 });
  #person = "";

  constructor() {
    const place = { id: "watermark", patternUnits: "userSpaceOnUse", patternTransform: "rotate(-22)" };
    const pattern = shape("pattern", { ...place, ...CELL }, this.#words);
    this.element = shape(
      "svg",
      { class: "watermark gone", "aria-hidden": "true" },
      shape("defs", {}, pattern),
      shape("rect", { width: "100%", height: "100%", fill: "url(#watermark)" }),
    );
  }

  get name(): string {
    return this.#person;
  }

  /** Empty for none. */
  set person(name: string) {
    this.#person = name;
    this.element.classList.toggle("gone", name === "");
  }

  /** The moment that is shown. */
  at(time: Date): void {
    if (!this.#person) return;
    const two = (value: number) => String(value).padStart(2, "0");
    const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
    const words = `${this.#person} · ${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
    if (this.#words.textContent !== words) this.#words.textContent = words;
  }
}
