/**
 * What the owner is asked while they work: whether somebody may come, or have control. It takes no focus, so that a key
 * meant for the desktop is no answer; without one it is no.
 */
import type { QuestionKind } from "../wire";
import { el } from "./dom";

type Asked = { card: HTMLElement; tick: ReturnType<typeof setInterval> };

const WORDS: Readonly<Record<QuestionKind, (name: string) => { title: string; text: string; yes: string }>> =
  {
    watch: (name) => ({
      title: `${name} wants to watch`,
      text: `${name} is an administrator, and will see your screen until you end it.`,
      yes: "Let them watch",
    }),
    help: (name) => ({
      title: `${name} wants to help`,
      text: `${name} is an administrator, and will see your screen and use its keyboard and pointer until you end it.`,
      yes: "Let them help",
    }),
    control: (name) => ({
      title: `${name} asks for control`,
      text: `${name} will use keyboard and pointer as you do, until you take it back.`,
      yes: "Give control",
    }),
    knock: (name) => ({
      title: `${name} (guest) wants to watch`,
      text: `Somebody without an account has your link and calls themselves ${name}; nobody knows whether they are. They will see your screen until you end it.`,
      yes: "Let them in",
    }),
    knock_help: (name) => ({
      title: `${name} (guest) wants to come, with control`,
      text: `Somebody without an account has your link and calls themselves ${name}; nobody knows whether they are. They will see your screen and use its keyboard and pointer until you end it.`,
      yes: "Let them in",
    }),
  };

export class Questions {
  readonly element = el("div", { class: "questions" });
  readonly #asked = new Map<number, Asked>();

  constructor(private readonly answer: (seat: number, yes: boolean) => void) {}

  ask(seat: number, kind: QuestionKind, seconds: number, name: string): void {
    this.withdraw(seat);
    if (seconds === 0) return;
    const { title, text, yes } = WORDS[kind](name || "Somebody");
    const end = performance.now() + seconds * 1000;
    // Outside what is announced: read out each second, it would drown the question.
    const left = el("span", { class: "left", "aria-hidden": "true" });
    const reply = (answer: boolean) => () => {
      this.withdraw(seat);
      this.answer(seat, answer);
    };
    const buttons = el(
      "div",
      { class: "buttons" },
      el("button", { type: "button", class: "button primary", click: reply(true) }, yes),
      el("button", { type: "button", class: "button", click: reply(false) }, "No"),
    );
    const id = `question-${seat}`;
    const question = el(
      "section",
      { role: "alertdialog", "aria-labelledby": id, "aria-live": "assertive" },
      el("h2", { id }, title),
      el("p", {}, text),
      buttons,
    );
    const card = el("div", { class: "request" }, left, question);
    const say = () => {
      const rest = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      left.textContent = `${rest} s`;
      if (rest === 0) this.withdraw(seat);
    };
    say();
    this.#asked.set(seat, { card, tick: setInterval(say, 1000) });
    this.element.append(card);
  }

  withdraw(seat: number): void {
    const asked = this.#asked.get(seat);
    if (!asked) return;
    clearInterval(asked.tick);
    asked.card.remove();
    this.#asked.delete(seat);
  }

  clear(): void {
    for (const seat of [...this.#asked.keys()]) this.withdraw(seat);
  }
}
