/**
 * The tool bar: a small handle at the top edge, a bar under it, and one panel at a time under that. It hides itself
 * when neither pointer nor focus is in it. Ctrl+Alt+Shift opens it from the keyboard; Escape goes back, step by step.
 */
import { el, type IconName, icon } from "./dom";

export type ToolbarActions = {
  /** The bar closed: give the focus back to the screen. */
  left(): void;
};

const HIDE_AFTER_MS = 2500;

type Panel = { button: HTMLButtonElement; content: HTMLElement; shown?: () => void };

export class Toolbar {
  readonly element: HTMLElement;
  readonly #bar: HTMLElement;
  readonly #title = el("span", { class: "title" });
  readonly #tools = el("div", { class: "tools" });
  readonly #handle: HTMLButtonElement;
  readonly #panels: Panel[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    label: string,
    private readonly actions: ToolbarActions,
  ) {
    this.#handle = el("button", {
      type: "button",
      class: "handle",
      "aria-label": "Tools",
      "aria-expanded": "false",
      title: "Tools (Ctrl+Alt+Shift)",
      click: () => (this.open ? this.close() : this.show()),
    });
    this.#bar = el("div", { class: "bar", role: "toolbar", "aria-label": label }, this.#title, this.#tools);
    this.#bar.inert = true;
    this.element = el("header", { class: "toolbar" }, this.#bar, this.#handle);
    this.element.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse") this.show();
    });
    this.element.addEventListener("pointerleave", () => this.#hideSoon());
    this.element.addEventListener("focusout", () => this.#hideSoon());
    this.element.addEventListener("keydown", this.#key);
  }

  get open(): boolean {
    return this.element.classList.contains("open");
  }

  title(text: string): void {
    this.#title.textContent = text;
    this.#title.title = text;
  }

  /** A tool that does one thing. */
  button(name: IconName, label: string, press: () => void): HTMLButtonElement {
    const button = el("button", {
      type: "button",
      class: "tool",
      "aria-label": label,
      title: label,
      click: press,
    });
    button.append(icon(name));
    this.#tools.append(button);
    return button;
  }

  /** A tool that opens a panel. */
  panel(name: IconName, label: string, content: HTMLElement, shown?: () => void): HTMLButtonElement {
    const id = `panel-${this.#panels.length}`;
    content.id = id;
    content.classList.add("panel");
    content.setAttribute("role", "group");
    content.setAttribute("aria-label", label);
    content.hidden = true;
    const button = this.button(name, label, () => this.#toggle(panel));
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-controls", id);
    const panel: Panel = { button, content, shown };
    this.#panels.push(panel);
    this.element.append(content);
    return button;
  }

  /** Opens the bar; with `focus`, for the keyboard. */
  show(focus = false): void {
    clearTimeout(this.#timer);
    this.element.classList.add("open");
    this.#bar.inert = false;
    this.#handle.setAttribute("aria-expanded", "true");
    if (focus) this.#buttons()[0]?.focus();
    else this.#hideSoon();
  }

  /** Opens a panel by its button, as a click on it would. */
  reveal(button: HTMLButtonElement): void {
    this.show();
    const panel = this.#panels.find((one) => one.button === button);
    if (panel?.content.hidden) this.#toggle(panel);
  }

  close(): void {
    clearTimeout(this.#timer);
    const inside = this.element.contains(document.activeElement);
    for (const panel of this.#panels) this.#fold(panel);
    this.element.classList.remove("open");
    this.#bar.inert = true;
    this.#handle.setAttribute("aria-expanded", "false");
    if (inside) this.actions.left();
  }

  #toggle(panel: Panel): void {
    const open = panel.content.hidden;
    for (const other of this.#panels) this.#fold(other);
    if (!open) return;
    panel.content.hidden = false;
    panel.button.setAttribute("aria-expanded", "true");
    panel.shown?.();
  }

  #fold(panel: Panel): void {
    panel.content.hidden = true;
    panel.button.setAttribute("aria-expanded", "false");
  }

  #busy(): boolean {
    return (
      this.element.matches(":hover") ||
      this.#panels.some((panel) => !panel.content.hidden) ||
      (this.element.contains(document.activeElement) && this.element.querySelector(":focus-visible") !== null)
    );
  }

  #hideSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.open && !this.#busy()) this.close();
    }, HIDE_AFTER_MS);
  }

  #buttons(): HTMLButtonElement[] {
    return [...this.#tools.querySelectorAll<HTMLButtonElement>("button:not([hidden])")];
  }

  #key = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      const open = this.#panels.find((panel) => !panel.content.hidden);
      if (open) {
        this.#fold(open);
        open.button.focus();
      } else this.close();
      return;
    }
    const buttons = this.#buttons();
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    if (at < 0) return;
    const to =
      event.key === "ArrowRight"
        ? (at + 1) % buttons.length
        : event.key === "ArrowLeft"
          ? (at + buttons.length - 1) % buttons.length
          : event.key === "Home"
            ? 0
            : event.key === "End"
              ? buttons.length - 1
              : -1;
    if (to < 0) return;
    event.preventDefault();
    buttons[to]?.focus();
  };
}
