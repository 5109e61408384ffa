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
  #asked: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly guest: boolean,
    private readonly actions: PresenceActions,
  ) {
    this.#text = guest
      ? el("span", { class: "words" })
      : el("button", { type: "button", class: "words", click: () => actions.open() });
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

  #offer(control: boolean, mayControl: boolean): void {
    clearTimeout(this.#asked);
    const button = (label: string, click: () => void) =>
      el("button", { type: "button", class: "button chip", click }, label);
    const buttons = [button("Leave", () => this.actions.leave())];
    if (control) buttons.unshift(button("Give back control", () => this.actions.giveBack()));
    else if (mayControl) {
      const ask = button("Ask for control", () => {
        this.actions.askControl();
        ask.disabled = true;
        ask.textContent = "Asked";
        this.#asked = setTimeout(() => this.#offer(control, mayControl), 30_000);
      });
      buttons.unshift(ask);
    }
    this.#buttons.replaceChildren(...buttons);
  }
}

function guestWords(people: People): string {
  const { me, owner } = people;
  if (!me || !owner) return "";
  const whose = owner.name ? `${owner.name}’s desktop` : "Somebody’s desktop";
  if (!owner.here) return `${whose} · ${owner.name || "its owner"} is away`;
  return `${whose} · ${me.control ? "you have control" : "view only"}`;
}
