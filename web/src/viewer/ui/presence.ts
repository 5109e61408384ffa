/** A chip that is in view as long as others are: who watches, or, for a guest, whose desktop it is and what they may do. */
import type { People } from "../people";
import { el } from "./dom";

export type PresenceActions = {
  /** Show who is here. */
  open(): void;
  askControl(): void;
  giveBack(): void;
  leave(): void;
};

export class Presence {
  readonly element = el("div", { class: "presence gone", role: "status" });
  readonly #text: HTMLElement;
  readonly #buttons = el("span", { class: "buttons" });
  readonly #leave: HTMLButtonElement;
  /** What is offered beside "Leave". */
  #offered: "" | "ask" | "give" = "";
  #asked: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly guest: boolean,
    private readonly actions: PresenceActions,
  ) {
    this.#text = guest
      ? el("span", { class: "words" })
      : el("button", { type: "button", class: "words", click: () => actions.open() });
    this.#leave = button("Leave", () => actions.leave());
    if (guest) this.#buttons.append(this.#leave);
    this.element.append(el("span", { class: "disc", "aria-hidden": "true" }), this.#text, this.#buttons);
  }

  show(people: People): void {
    const words = this.guest ? guestWords(people) : people.watching;
    this.element.classList.toggle("gone", words === "");
    if (this.#text.textContent !== words) this.#text.textContent = words;
    const { me } = people;
    this.element.classList.toggle("control", this.guest ? me?.control === true : / controls?\b/.test(words));
    if (this.guest) this.#offer(me?.control === true, me?.may_control === true);
  }

  /** Only what changes is made anew: "Asked" stays, and so does the focus. */
  #offer(control: boolean, mayControl: boolean): void {
    const offered = control ? "give" : mayControl ? "ask" : "";
    if (offered === this.#offered) return;
    this.#offered = offered;
    clearTimeout(this.#asked);
    const old = this.#leave.previousElementSibling;
    const focused = old !== null && old === document.activeElement;
    old?.remove();
    if (offered === "give") this.#leave.before(button("Give back control", () => this.actions.giveBack()));
    else if (offered === "ask") this.#leave.before(this.#askButton());
    // Not at another button, which one more Enter would press; and not at the machine.
    if (!focused) return;
    this.element.tabIndex = -1;
    this.element.focus();
    // A later click on the chip leaves the keys with the machine.
    this.element.addEventListener("blur", () => this.element.removeAttribute("tabindex"), { once: true });
  }

  #askButton(): HTMLButtonElement {
    const ask = button("Ask for control", () => {
      this.actions.askControl();
      ask.disabled = true;
      ask.textContent = "Asked";
      this.#asked = setTimeout(() => {
        ask.disabled = false;
        ask.textContent = "Ask for control";
      }, 30_000);
    });
    return ask;
  }
}

function button(label: string, click: () => void): HTMLButtonElement {
  return el("button", { type: "button", class: "button chip", click }, label);
}

function guestWords(people: People): string {
  const { me, owner } = people;
  if (!me || !owner) return "";
  const whose = owner.name ? `${owner.name}’s desktop` : "Somebody’s desktop";
  if (!owner.here) return `${whose} · ${owner.name || "its owner"} is away`;
  return `${whose} · ${me.control ? "you have control" : "view only"}`;
}
