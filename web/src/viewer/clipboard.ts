/**
 * Text on both clipboards. Browsers differ in what they allow:
 * - writing works in a focused page, in some only right after a key or click: what came meanwhile is kept and written then;
 * - reading works by itself only with the person's permission; the paste event of Ctrl+V works always.
 * The panel shows what the desktop copied last and takes what should go there, so nothing depends on permissions.
 */
import { el } from "./ui/dom";
import { CLIPBOARD_BYTES_MAX, encodeText, TEXT_BYTES_MAX } from "./wire";

export type ClipboardSink = {
  clipboard(bytes: Uint8Array<ArrayBuffer>): void;
  /** Types text where the remote clipboard does not reach (a console). */
  type(text: string): void;
};

/** Which way text may go, and how much of it at once. */
export type ClipboardRules = { toMachine: boolean; toPerson: boolean; bytesMax: number };

type Permission = "granted" | "prompt" | "denied" | "unknown";

export class Clipboard {
  readonly element: HTMLElement;
  readonly #box: HTMLTextAreaElement;
  readonly #note = el("p", { class: "note" });
  readonly #allow: HTMLButtonElement;
  /** What both sides hold as far as we know: sending it again would be an echo. */
  #known = "";
  #unwritten: string | null = null;
  readonly #sendButton: HTMLButtonElement;
  readonly #typeButton: HTMLButtonElement;
  readonly #copyButton: HTMLButtonElement;
  #rules: ClipboardRules = { toMachine: true, toPerson: true, bytesMax: CLIPBOARD_BYTES_MAX };

  constructor(
    private readonly sink: ClipboardSink,
    private readonly notice: (text: string) => void,
  ) {
    this.#box = el("textarea", {
      rows: 6,
      spellcheck: "false",
      autocomplete: "off",
      "aria-label": "Clipboard of the desktop",
      placeholder: "Text to paste in the desktop",
    });
    const send = el("button", {
      type: "button",
      class: "button primary",
      click: () => this.offer(this.#box.value, true),
    });
    send.textContent = "Put on the desktop's clipboard";
    const copy = el(
      "button",
      { type: "button", class: "button", click: () => void this.#copy() },
      "Copy to this computer",
    );
    const type = el("button", { type: "button", class: "button", click: () => this.#type() }, "Type it");
    type.title = "Types the text key by key: for consoles and sign-in screens without a clipboard";
    this.#sendButton = send;
    this.#copyButton = copy;
    this.#typeButton = type;
    this.#allow = el(
      "button",
      { type: "button", class: "button", click: () => void this.#ask() },
      "Share the clipboard by itself",
    );
    this.element = el(
      "div",
      {},
      el("h2", {}, "Clipboard"),
      this.#box,
      el("div", { class: "buttons" }, send, copy, type),
      this.#note,
      this.#allow,
    );
    window.addEventListener("focus", () => void this.read());
    for (const gesture of ["pointerdown", "keydown"] as const) {
      window.addEventListener(gesture, () => void this.#writeKept(), { capture: true });
    }
    void this.refresh();
  }

  set rules(rules: ClipboardRules) {
    this.#rules = rules;
    this.#sendButton.hidden = !rules.toMachine;
    this.#typeButton.hidden = !rules.toMachine;
    this.#copyButton.hidden = !rules.toPerson;
    this.#box.readOnly = !rules.toMachine;
    this.#box.placeholder = rules.toMachine
      ? "Text to paste in the desktop"
      : "What the desktop copies comes here";
    void this.refresh();
  }

  /** The desktop copied something. */
  async received(bytes: Uint8Array): Promise<void> {
    const text = new TextDecoder().decode(bytes);
    this.#known = text;
    this.#box.value = text;
    this.#unwritten = text;
    await this.#writeKept();
  }

  /** This computer's clipboard holds `text`: the desktop should too. */
  offer(text: string, always = false): void {
    if (!this.#rules.toMachine || text === "" || (!always && text === this.#known)) return;
    if (encodeText(text, CLIPBOARD_BYTES_MAX).length > this.#rules.bytesMax) {
      const kib = Math.floor(this.#rules.bytesMax / 1024);
      this.notice(`The rules of this desktop keep back what is larger than ${kib} KiB: it was not pasted.`);
      return;
    }
    this.#known = text;
    this.#unwritten = null;
    this.#box.value = text;
    const bytes = encodeText(text, CLIPBOARD_BYTES_MAX);
    if (bytes.length === CLIPBOARD_BYTES_MAX) this.notice("The text is over 1 MiB: its end was left out.");
    this.sink.clipboard(bytes);
  }

  /** Reads this computer's clipboard where that is allowed without asking. */
  async read(): Promise<void> {
    if ((await permission()) !== "granted" || !document.hasFocus()) return;
    try {
      this.offer(await navigator.clipboard.readText());
    } catch {
      // No text there, or taken back: the paste event still works.
    }
  }

  async refresh(): Promise<void> {
    const state = await permission();
    const { toMachine, toPerson } = this.#rules;
    this.#allow.hidden = state !== "prompt" || !toMachine;
    if (toMachine !== toPerson) {
      this.#note.textContent = toMachine
        ? "The rules of this desktop let you paste into it; what is copied there stays there."
        : "The rules of this desktop let you copy from it; what you copied here stays here.";
      return;
    }
    this.#note.textContent =
      state === "granted"
        ? "Text is shared by itself: copy on one side, paste on the other."
        : state === "prompt"
          ? "Ctrl+V in the desktop pastes what you copied here. To share by itself, allow this page to see the clipboard."
          : state === "denied"
            ? "This browser was told not to show this page the clipboard (see the lock in the address bar). Ctrl+V in the desktop still pastes what you copied here, and so does the box above."
            : "Ctrl+V in the desktop pastes what you copied here. What the desktop copied is in the box above and is put on this computer's clipboard at your next click.";
  }

  async #ask(): Promise<void> {
    try {
      this.offer(await navigator.clipboard.readText(), true);
    } catch {
      // The answer was no; the note says what works without.
    }
    await this.refresh();
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.#box.value);
      this.#unwritten = null;
    } catch {
      this.#box.focus();
      this.#box.select();
      this.notice("This browser does not let the page copy: press Ctrl+C, the text is marked.");
    }
  }

  #type(): void {
    const text = this.#box.value;
    let rest = text;
    while (rest) {
      const bytes = encodeText(rest, TEXT_BYTES_MAX);
      const piece = new TextDecoder().decode(bytes);
      if (!piece) break;
      this.sink.type(piece);
      rest = rest.slice(piece.length);
    }
  }

  async #writeKept(): Promise<void> {
    const text = this.#unwritten;
    if (text === null || !document.hasFocus() || !navigator.clipboard?.writeText) return;
    try {
      await navigator.clipboard.writeText(text);
      if (this.#unwritten === text) this.#unwritten = null;
    } catch {
      // Not without a gesture here: the next key or click tries again.
    }
  }
}

async function permission(): Promise<Permission> {
  if (!navigator.clipboard?.readText || !navigator.permissions?.query) return "unknown";
  try {
    const { state } = await navigator.permissions.query({ name: "clipboard-read" as PermissionName });
    return state;
  } catch {
    return "unknown";
  }
}
