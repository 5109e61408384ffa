/** What was printed on the machine, as cards: open it, save it, or put it away. It takes no focus: keys go on to the desktop. */
import { size as bytes, shownName } from "../files/names";
import { el } from "./dom";

/** More are put away by themselves, the oldest first. */
const CARDS_MAX = 4;

export type PrintActions = {
  /** Opens the PDF, from where the browser prints it. Rejects with a sentence. */
  open: (name: string) => Promise<void>;
  /** Where the browser saves it from. */
  address: (name: string) => string;
};

export class Prints {
  readonly element = el("div", { class: "prints" });

  constructor(private readonly actions: PrintActions) {}

  /** A PDF of so many bytes is there; one of the same name is replaced. */
  offer(name: string, size: number): void {
    for (const old of this.element.children) if (old.getAttribute("data-name") === name) old.remove();
    const trouble = el("p", { class: "wrong", role: "alert" });
    const card = el("section", { class: "request", "data-name": name });
    const open = async () => {
      trouble.textContent = "";
      try {
        await this.actions.open(name);
        card.remove();
      } catch (error) {
        trouble.textContent = error instanceof Error ? error.message : String(error);
      }
    };
    card.append(
      el(
        "div",
        { role: "status" },
        el("h2", {}, "Printed"),
        el("p", {}, `${shownName(name)}, ${bytes(size)}. Open it to print it on a printer of yours.`),
      ),
      trouble,
      el(
        "div",
        { class: "buttons" },
        el("button", { type: "button", class: "button primary", click: () => void open() }, "Open"),
        el(
          "a",
          { class: "button", href: this.actions.address(name), download: name, click: () => card.remove() },
          "Save",
        ),
        el("button", { type: "button", class: "button", click: () => card.remove() }, "Dismiss"),
      ),
    );
    this.element.append(card);
    while (this.element.children.length > CARDS_MAX) this.element.firstElementChild?.remove();
  }

  clear(): void {
    this.element.replaceChildren();
  }
}
