/** A slim line at the top: the connection is being taken up again, or something worth a sentence happened. */
import type { Notice } from "../wire";
import { el, icon } from "./dom";

const NOTICE_MS = 6000;
/** Messages that wait to be closed; of more the oldest go. */
const MESSAGES_MAX = 10;

type Countdown = { text: string; end: number };

export class Banner {
  readonly element: HTMLElement;
  readonly #text = el("span", { role: "status" });
  /** Beside what is announced: a sentence that changes each second would be read each second. */
  readonly #left = el("span", { class: "left", "aria-hidden": "true" });
  readonly #notice = el("span", { class: "beside", role: "status" });
  readonly #retry: HTMLElement;
  readonly #close: HTMLElement;
  /** What is about to happen: another kind may come first, or go, and this one still runs. */
  readonly #counts = new Map<Notice, Countdown>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tick: ReturnType<typeof setTimeout> | undefined;
  #beside = "";
  /** What people said, until it is closed. */
  #messages: string[] = [];
  /** When the next attempt is due, while the connection is cut; page clock. */
  #next: number | null = null;

  constructor(retryNow: () => void) {
    this.#retry = el("button", { type: "button", class: "button", click: retryNow }, "Try now");
    this.#close = el("button", {
      type: "button",
      class: "plain",
      "aria-label": "Close",
      click: () => this.#closed(),
    });
    this.#close.append(icon("close"));
    const words = el("span", { class: "words" }, el("span", {}, this.#text, this.#left), this.#notice);
    const actions = el("span", { class: "buttons" }, this.#retry, this.#close);
    this.element = el("div", { class: "banner gone" }, words, actions);
    this.#draw();
  }

  /** The picture is old: says so until the connection is back. `next`: when the next attempt is due, page clock. */
  cut(next: number): void {
    this.#next = next;
    this.#draw();
  }

  back(): void {
    if (this.#next === null) return;
    this.#next = null;
    this.#draw();
  }

  /** Counts down to something that happens in so many seconds unless {@link calm} comes before. */
  countdown(kind: Notice, text: string, seconds: number): void {
    this.#counts.set(kind, { text, end: performance.now() + seconds * 1000 });
    this.#draw();
  }

  /** What the server says will happen in so many seconds; with none left, it no longer does. */
  announce(notice: Notice, seconds: number): void {
    if (seconds === 0) {
      this.calm(notice);
      return;
    }
    if (notice === "lock") {
      this.countdown(
        notice,
        "Nobody is here: this browser locks soon. Press a key or move the pointer to go on.",
        seconds,
      );
    } else if (notice === "idle") {
      this.countdown(
        notice,
        "Nobody is here: this connection ends soon. Press a key or move the pointer to stay.",
        seconds,
      );
    } else if (notice === "booked") {
      this.countdown(
        notice,
        "Others need this desktop: it is taken back and made anew. Save your work elsewhere.",
        seconds,
      );
    } else if (seconds > 90) {
      this.notice(`This connection ends in ${Math.round(seconds / 60)} minutes. Save your work.`);
    } else this.countdown(notice, "This connection ends soon. Save your work now.", seconds);
  }

  /** It no longer happens; without a kind, nothing does. */
  calm(kind?: Notice): void {
    if (kind !== undefined) this.#counts.delete(kind);
    else this.#counts.clear();
    this.#draw();
  }

  /** A sentence for a while; beside what counts. */
  notice(text: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#forget(), NOTICE_MS);
    this.#beside = text;
    this.#draw();
  }

  /** What somebody says, until it is closed: of several one after another. */
  message(text: string): void {
    this.#messages = [...this.#messages, text].slice(-MESSAGES_MAX);
    this.#draw();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#beside = "";
    this.#draw();
  }

  /** A message goes when somebody has read it; what is said for a while goes with it. */
  #closed(): void {
    this.#messages = this.#messages.slice(1);
    this.#forget();
  }

  /** A cut connection comes first, then what happens first. */
  #draw(): void {
    const now = performance.now();
    for (const [kind, { end }] of this.#counts) if (end <= now) this.#counts.delete(kind);
    const [first] = [...this.#counts.values()].sort((one, other) => one.end - other.end);
    const cut = this.#next === null ? null : { text: "Connection lost. Trying again…", end: this.#next };
    const main = cut ?? first;
    clearTimeout(this.#tick);
    if (main) this.#tick = setTimeout(() => this.#draw(), 1000);
    const hidden = this.element.classList.contains("gone");
    const [message] = this.#messages;
    const beside = message ?? this.#beside;
    const hide = !main && !beside;
    this.element.classList.toggle("gone", hide);
    this.element.classList.toggle("warn", main !== undefined);
    // Its words stay while it fades.
    if (hide) return;
    // What stands there already is not announced again.
    const say = (where: HTMLElement, text: string) => {
      if (hidden || where.textContent !== text) where.textContent = text;
    };
    say(this.#text, main?.text ?? "");
    say(this.#notice, beside);
    const seconds = main ? Math.ceil((main.end - now) / 1000) : 0;
    // An attempt that is due soon, or under way, has nothing to count.
    this.#left.textContent = seconds > (cut ? 1 : 0) ? `${seconds} s` : "";
    this.#retry.hidden = cut === null;
    this.#close.hidden = main !== undefined && message === undefined;
  }
}
