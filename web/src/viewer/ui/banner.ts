/** A slim line at the top: the connection is being taken up again, or something worth a sentence happened. */
import { el, icon } from "./dom";

const NOTICE_MS = 6000;

export class Banner {
  readonly element: HTMLElement;
  readonly #text = el("span", {});
  readonly #actions = el("span", { class: "buttons" });
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tick: ReturnType<typeof setInterval> | undefined;
  #cut = false;
  #counting = false;

  constructor(private readonly retryNow: () => void) {
    this.element = el("div", { class: "banner gone", role: "status" }, this.#text, this.#actions);
  }

  /** The picture is old: says so until the connection is back. `next`: when the next attempt is due, page clock. */
  cut(next: number): void {
    clearInterval(this.#tick);
    clearTimeout(this.#timer);
    this.#cut = true;
    this.#counting = false;
    const say = () => {
      const seconds = Math.ceil((next - performance.now()) / 1000);
      this.#text.textContent =
        seconds > 1 ? `Connection lost. Trying again in ${seconds} s.` : "Connection lost. Trying again…";
    };
    say();
    this.#tick = setInterval(say, 1000);
    const now = el("button", { type: "button", class: "button", click: () => this.retryNow() }, "Try now");
    this.#actions.replaceChildren(now);
    this.element.classList.add("warn");
    this.element.classList.remove("gone");
  }

  back(): void {
    if (!this.#cut) return;
    this.#cut = false;
    clearInterval(this.#tick);
    this.element.classList.add("gone");
    this.element.classList.remove("warn");
  }

  /** Counts down to something that happens in so many seconds unless {@link calm} comes before. */
  countdown(words: (seconds: number) => string, seconds: number): void {
    if (this.#cut) return;
    clearInterval(this.#tick);
    clearTimeout(this.#timer);
    const end = performance.now() + seconds * 1000;
    const say = () => {
      this.#text.textContent = words(Math.max(0, Math.ceil((end - performance.now()) / 1000)));
    };
    say();
    this.#tick = setInterval(say, 1000);
    this.#actions.replaceChildren();
    this.#counting = true;
    this.element.classList.add("warn");
    this.element.classList.remove("gone");
  }

  calm(): void {
    if (!this.#counting || this.#cut) return;
    this.#counting = false;
    clearInterval(this.#tick);
    this.element.classList.add("gone");
    this.element.classList.remove("warn");
  }

  notice(text: string): void {
    if (this.#cut || this.#counting) return;
    clearTimeout(this.#timer);
    this.#text.textContent = text;
    const close = el("button", {
      type: "button",
      class: "plain",
      "aria-label": "Close",
      click: () => this.#hide(),
    });
    close.append(icon("close"));
    this.#actions.replaceChildren(close);
    this.element.classList.remove("gone", "warn");
    this.#timer = setTimeout(() => this.#hide(), NOTICE_MS);
  }

  #hide(): void {
    if (!this.#cut) this.element.classList.add("gone");
  }
}
