/** What a person sees instead of a picture: the steps on the way there, or why there is none and what to do. */
import type { Step } from "../api";
import type { Ending, Phase } from "../session";
import { el, icon } from "./dom";

const START_LABELS: Readonly<Record<string, string>> = {
  placing: "Finding a place for it",
  cloning: "Preparing its disk",
  booting: "Starting the machine",
  waiting_for_rdp: "Waiting for its desktop",
};

const DIAL_STEPS: readonly (readonly [string, string])[] = [
  ["dialling", "Reaching the machine"],
  ["authenticating", "Signing in"],
  ["connected", "Waiting for the first picture"],
];

/** `home` is empty for who has none here. */
export type WaitingActions = { retry(): void; signIn: string; home: string };

type Row = { label: string; state: Step["state"] };

export class Waiting {
  readonly element: HTMLElement;
  readonly #name = el("p", { class: "name" });
  readonly #title = el("h1", {});
  readonly #steps = el("ol", { class: "steps" });
  readonly #text = el("p", { class: "text" });
  readonly #buttons = el("div", { class: "buttons" });
  #started: Step[] = [];
  #question: { text: string; answer(yes: boolean): void } | null = null;

  constructor(private readonly actions: WaitingActions) {
    const card = el(
      "section",
      { class: "card", "aria-live": "polite" },
      this.#name,
      this.#title,
      this.#steps,
      this.#text,
    );
    card.append(this.#buttons);
    this.element = el("div", { class: "waiting" }, card);
  }

  /** Asks the person whether they may be recorded; the connection waits for the answer. */
  ask(text: string, answer: (yes: boolean) => void): void {
    this.#question = { text, answer };
    this.#showQuestion();
  }

  /** The question is void: another WebSocket asks anew. */
  unask(): void {
    this.#question = null;
  }

  /** The person has been asked and has not answered. */
  get asks(): boolean {
    return this.#question !== null;
  }

  #showQuestion(): void {
    const question = this.#question;
    if (!question) return;
    const button = (label: string, yes: boolean, primary: boolean) =>
      el(
        "button",
        {
          class: primary ? "button primary" : "button",
          type: "button",
          click: () => {
            if (this.#question !== question) return;
            this.#question = null;
            this.#buttons.replaceChildren();
            question.answer(yes);
          },
        },
        label,
      );
    this.#title.textContent = "May this connection be recorded?";
    this.#list([]);
    this.#say(question.text);
    const yes = button("Record and connect", true, true);
    this.#buttons.replaceChildren(yes, button("Connect without recording", false, false));
    yes.focus();
  }

  /** `seen`: there has been a picture, which a cut leaves in view under the banner. */
  show(phase: Phase, desktop: string, terminal: boolean, seen: boolean): void {
    // A terminal is live before its shell is opened; whoever is asked has to see the question.
    const hidden = !this.asks && (phase.name === "live" || (phase.name === "cut" && seen));
    this.element.classList.toggle("gone", hidden);
    this.element.inert = hidden;
    if (hidden) return;
    this.#name.textContent = desktop;
    this.element.classList.toggle("failed", phase.name === "ended");
    if (phase.name === "ended") {
      this.#end(phase.ending);
      return;
    }
    if (this.#question) {
      this.#showQuestion();
      return;
    }
    const back = el("a", { class: "button", href: this.actions.home }, "My desktops");
    if (phase.name !== "starting") this.#buttons.replaceChildren();
    else if (!this.#buttons.hasChildNodes() || this.#buttons.childElementCount > 1)
      this.#buttons.replaceChildren(back);
    let rows: Row[] = [];
    let text = "";
    if (phase.name === "starting") {
      this.#started = phase.desktop?.start_steps ?? [];
      rows = this.#startRows();
      text = "This page connects by itself as soon as the machine is ready.";
      this.#title.textContent = "Your desktop is starting";
    } else {
      this.#title.textContent = "Connecting";
      const status = phase.name === "opening" ? phase.status : null;
      if (status === "waiting") text = (phase.name === "opening" && phase.text) || "Waiting for the machine";
      else if (phase.name === "opening") text = phase.text;
      const now = DIAL_STEPS.findIndex(([code]) => code === status);
      rows = this.#startRows().map((row) => ({ ...row, state: "done" }));
      DIAL_STEPS.forEach(([code, label], index) => {
        const shown = terminal && code === "connected" ? "Opening the shell" : label;
        const at = Math.max(0, now);
        rows.push({ label: shown, state: index < at ? "done" : index === at ? "now" : "todo" });
      });
    }
    this.#list(rows);
    this.#say(text);
  }

  #startRows(): Row[] {
    return this.#started.map(({ step, state }) => ({
      label: START_LABELS[step] ?? step.replaceAll("_", " "),
      state,
    }));
  }

  #list(rows: Row[]): void {
    const spoken = { done: "done", now: "in progress", todo: "to do" } as const;
    this.#steps.hidden = rows.length === 0;
    this.#steps.replaceChildren(
      ...rows.map(({ label, state }) => {
        const mark = el("span", { class: "mark" });
        if (state === "done") mark.append(icon("done"));
        const now = state === "now" ? "step" : undefined;
        return el(
          "li",
          { class: state, "aria-current": now },
          mark,
          label,
          el("span", { class: "aside" }, `, ${spoken[state]}`),
        );
      }),
    );
  }

  #say(text: string): void {
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.#text.hidden = text === "";
  }

  #end({ title, text, action }: Ending): void {
    this.#started = [];
    this.#title.textContent = title;
    this.#list([]);
    this.#say(text);
    const buttons: HTMLElement[] = [];
    if (action === "sign in") {
      buttons.push(el("a", { class: "button primary", href: this.actions.signIn }, "Sign in"));
    } else if (action === "unlock") {
      buttons.push(el("a", { class: "button primary", href: this.actions.signIn }, "Unlock"));
    } else if (action !== "none") {
      const label = action === "take back" ? "Use it here" : "Connect again";
      buttons.push(
        el("button", { class: "button primary", type: "button", click: () => this.actions.retry() }, label),
      );
    }
    const { home } = this.actions;
    if (home !== "") buttons.push(el("a", { class: "button", href: home }, "My desktops"));
    this.#buttons.replaceChildren(...buttons);
    buttons[0]?.focus();
  }
}
