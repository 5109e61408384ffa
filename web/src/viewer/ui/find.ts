/** Looking for text in the terminal, upwards as one reads back. */
import { el } from "./dom";

export class FindPanel {
  readonly element: HTMLElement;
  readonly #box: HTMLInputElement;
  readonly #note = el("p", { class: "note", role: "status" });

  constructor(private readonly find: (text: string, down: boolean) => boolean) {
    this.#box = el("input", {
      type: "search",
      "aria-label": "Text to find",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.#box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#go(event.shiftKey);
    });
    const button = (label: string, down: boolean) =>
      el("button", { type: "button", class: "button", click: () => this.#go(down) }, label);
    this.element = el(
      "div",
      { class: "find" },
      el("h2", {}, "Find"),
      this.#box,
      el("div", { class: "buttons" }, button("Further up", false), button("Further down", true)),
      this.#note,
    );
  }

  shown(): void {
    this.#box.focus();
    this.#box.select();
  }

  #go(down: boolean): void {
    const text = this.#box.value;
    this.#note.textContent = text && !this.find(text, down) ? "Not found." : "";
  }
}
