/** What the person sees of the microphone: the question, the sign while it is open, and the tool bar's button. */
import type { Microphone, MicrophoneState } from "../microphone/microphone";
import { el, icon } from "./dom";

const SIGNS: Readonly<Partial<Record<MicrophoneState, string>>> = {
  opening: "Waiting for the browser's microphone",
  on: "Microphone on",
  muted: "Microphone muted",
};

export class MicrophoneSigns {
  /** Stays in view while the machine can hear. */
  readonly sign = el("p", { class: "recorded microphone gone", role: "status" });
  /** Takes no focus: a key meant for the desktop is no answer. */
  readonly question: HTMLElement;
  readonly #words = el("span");

  constructor(
    private readonly microphone: Microphone,
    private readonly button: HTMLButtonElement,
    answered: () => void,
  ) {
    this.sign.append(el("span", { class: "dot", "aria-hidden": "true" }), this.#words);
    const yes = el("button", { type: "button", class: "button primary" }, "Turn the microphone on");
    const no = el("button", { type: "button", class: "button" }, "No");
    yes.addEventListener("click", () => {
      void this.microphone.on();
      answered();
    });
    no.addEventListener("click", () => {
      this.microphone.off();
      answered();
    });
    const card = el(
      "section",
      { role: "alertdialog", "aria-labelledby": "question-microphone", "aria-live": "assertive" },
      el("h2", { id: "question-microphone" }, "A program wants to hear you"),
      el(
        "p",
        {},
        "It listens on this desktop. Whatever your microphone hears goes there until you turn it off.",
      ),
      el("div", { class: "buttons" }, yes, no),
    );
    this.question = el("div", { class: "request" }, card);
    this.question.hidden = true;
    this.show();
  }

  /** The tool bar's button: on, mute, and on again. */
  press(): void {
    if (this.microphone.state === "on") this.microphone.mute();
    else void this.microphone.on();
  }

  show(): void {
    const { state, wanted } = this.microphone;
    this.question.hidden = state !== "asked";
    const words = SIGNS[state] ?? "";
    this.sign.classList.toggle("gone", !words);
    this.sign.classList.toggle("muted", state !== "on");
    if (this.#words.textContent !== words) this.#words.textContent = words;
    this.button.hidden = !wanted;
    const label =
      state === "on"
        ? "Mute the microphone"
        : state === "muted"
          ? "Unmute the microphone"
          : "Turn the microphone on";
    this.button.title = label;
    this.button.setAttribute("aria-label", label);
    this.button.setAttribute("aria-pressed", String(state === "on"));
    this.button.replaceChildren(icon(state === "on" ? "microphone" : "deaf"));
  }
}
