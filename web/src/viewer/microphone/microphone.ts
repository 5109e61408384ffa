/**
 * The person's microphone for a program on the machine: nothing is heard before they said yes by a click, and nothing after the program ended.
 *
 * ```text
 *  off ──machine wants──▶ asked ──click──▶ opening ──browser says yes──▶ on ◀──mute──▶ muted
 *   ▲                       │ no                │ no, or nothing there     │
 *   └──machine no longer────┴──────────◀────────┴──────────turn off────────┘
 * ```
 *
 * A wish is asked about once; whoever said no can turn it on by the tool bar's button for as long as the program listens.
 */
import type { Capture } from "./capture";
import { bytesOf, isFormat, type MicrophoneFormat } from "./pcm";

export type MicrophoneState = "off" | "asked" | "opening" | "on" | "muted";

/** More than this that waits for the network is not added to: it would be heard too late. In seconds of sound. */
export const BEHIND_S_MAX = 0.2;

export type MicrophoneEvents = {
  samples(format: MicrophoneFormat, bytes: Uint8Array<ArrayBuffer>): void;
  /** Bytes that wait to leave this browser. */
  waiting(): number;
  /** {@link Microphone.state} or {@link Microphone.wanted} is another. */
  changed(): void;
  /** A sentence for the person. */
  say(text: string): void;
};

type Start = (
  format: MicrophoneFormat,
  block: (bytes: Uint8Array<ArrayBuffer>) => void,
  lost: () => void,
) => Promise<Capture>;

export class Microphone {
  /** Blocks that left, and those left out because the network was behind. */
  readonly figures = { sent: 0, late: 0 };
  #state: MicrophoneState = "off";
  #wanted: MicrophoneFormat | null = null;
  #capture: Capture | null = null;
  #allowed = false;
  /** Each start and end makes a new era: what still opens for an old one is closed. */
  #era = 0;

  constructor(
    private readonly events: MicrophoneEvents,
    private readonly start: Start,
  ) {}

  get state(): MicrophoneState {
    return this.#state;
  }

  /** A program on the machine listens. */
  get wanted(): boolean {
    return this.#wanted !== null && this.#allowed;
  }

  /** The rules; without them nothing is asked. */
  set allowed(allowed: boolean) {
    if (this.#allowed === allowed) return;
    this.#allowed = allowed;
    if (!allowed) this.#end();
    else if (this.#wanted && this.#state === "off") this.#to("asked");
    else this.events.changed();
  }

  /** What the machine wants from now on; `null`: nothing. */
  want(format: MicrophoneFormat | null): void {
    const before = this.#wanted;
    const wanted = format && isFormat(format) ? format : null;
    if (wanted?.channels === before?.channels && wanted?.rate === before?.rate) return;
    this.#wanted = wanted;
    if (!wanted) {
      this.#end();
      return;
    }
    if (!before) {
      if (this.#allowed) this.#to("asked");
      return;
    }
    // The program goes on, in another format.
    const era = this.#era;
    this.#capture?.change(wanted).catch(() => {
      if (era === this.#era)
        this.#fail("The microphone stopped: this browser cannot hear as the machine wants now.");
    });
  }

  /** The person clicked: on, or on again after mute. Call it from the click itself. */
  async on(): Promise<void> {
    if (this.#state === "muted") {
      this.#capture?.mute(false);
      this.#to("on");
      return;
    }
    const format = this.#wanted;
    if (!format || !this.#allowed || this.#state === "on" || this.#state === "opening") return;
    const era = ++this.#era;
    this.#to("opening");
    try {
      const opened = await this.start(
        format,
        (bytes) => this.#block(era, bytes),
        () =>
          era === this.#era &&
          this.#fail("The microphone is gone. Plug it in, or allow it, and turn it on again."),
      );
      if (era !== this.#era) {
        opened.end();
        return;
      }
      this.#capture = opened;
      this.#to("on");
      // It may have changed while the person was asked.
      const now = this.#wanted;
      if (now && (now.channels !== format.channels || now.rate !== format.rate)) await opened.change(now);
    } catch (error) {
      if (era === this.#era) this.#fail(reason(error));
    }
  }

  mute(): void {
    if (this.#state !== "on") return;
    this.#capture?.mute(true);
    this.#to("muted");
  }

  /** The person turns it off, or says no. */
  off(): void {
    this.#close();
    this.#to("off");
  }

  #block(era: number, bytes: Uint8Array<ArrayBuffer>): void {
    const format = this.#wanted;
    if (era !== this.#era || this.#state !== "on" || !format) return;
    if (this.events.waiting() > bytesOf(format, BEHIND_S_MAX)) {
      this.figures.late += 1;
      return;
    }
    this.figures.sent += 1;
    this.events.samples(format, bytes);
  }

  #close(): void {
    this.#era += 1;
    this.#capture?.end();
    this.#capture = null;
  }

  #end(): void {
    this.#close();
    this.#to("off");
  }

  #fail(text: string): void {
    this.#end();
    this.events.say(text);
  }

  #to(state: MicrophoneState): void {
    this.#state = state;
    this.events.changed();
  }
}

function reason(error: unknown): string {
  switch (error instanceof Error ? error.name : "") {
    case "NotAllowedError":
      return "The browser was told not to let this page hear you. Allow the microphone in the address bar, then turn it on again.";
    case "NotFoundError":
      return "This browser finds no microphone. Plug one in, then turn it on again.";
    case "NotReadableError":
      return "Another program has the microphone. Close it there, then turn it on again.";
    case "SecurityError":
      return "A browser gives a microphone to secure pages alone: open this one by https.";
    default:
      console.warn("microphone:", error);
      return "The microphone could not be opened. Try again, or another browser.";
  }
}
