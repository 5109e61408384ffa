/** What is being typed at the place that is played: over the picture's lower edge, as long as it is fresh. */
import { el } from "../viewer/ui/dom";

/** How long something stays, in milliseconds of the recording. */
const FRESH_MS = 3000;
/** The end of longer text is shown. */
const SHOWN_CHARS = 80;

export class Keys {
  // The list beside the picture says the same, and can be read in peace.
  readonly element = el("p", { class: "keystrokes gone", "aria-hidden": "true" });
  on = true;
  #text = "";
  #last = Number.NEGATIVE_INFINITY;

  add(ms: number, kind: "typed" | "pasted" | "copied", words: string): void {
    const goes = ms - this.#last <= FRESH_MS && !this.#text.endsWith("⟨Enter⟩");
    const text = kind === "typed" ? words : ` ${kind}: ${words} `;
    this.#text = (goes ? this.#text + text : text).slice(-SHOWN_CHARS);
    this.#last = ms;
  }

  clear(): void {
    this.#text = "";
    this.#last = Number.NEGATIVE_INFINITY;
  }

  at(ms: number): void {
    const shown = this.on && this.#text !== "" && ms - this.#last <= FRESH_MS;
    this.element.classList.toggle("gone", !shown);
    if (shown && this.element.textContent !== this.#text) this.element.textContent = this.#text;
  }
}
