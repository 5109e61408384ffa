/**
 * What is on both clipboards: text, HTML and pictures. Browsers differ in what they allow:
 * - writing works in a focused page, in some only right after a key or click: what came meanwhile is kept and written then;
 * - reading works by itself only with the person's permission; the paste event of Ctrl+V works always.
 * The panel shows what the desktop copied last and takes what should go there, so nothing depends on permissions.
 */
import { type Copied, NOTHING, ofPaste, pngSize, print, read, write } from "./copied";
import { el } from "./ui/dom";
import { CLIPBOARD_BYTES_MAX, CLIPBOARD_PICTURE_BYTES_MAX, encodeText, Format, TEXT_BYTES_MAX } from "./wire";

export type ClipboardSink = {
  /** Parts of a copy come before its text. */
  clipboard(format: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** Types text where the remote clipboard does not reach (a console). */
  type(text: string): void;
};

/** Which way the clipboard may go, and how much of it at once. */
export type ClipboardRules = { toMachine: boolean; toPerson: boolean; bytesMax: number };

type Permission = "granted" | "prompt" | "denied" | "unknown";

export class Clipboard {
  readonly element: HTMLElement;
  readonly #box: HTMLTextAreaElement;
  readonly #note = el("p", { class: "note" });
  readonly #allow: HTMLButtonElement;
  readonly #picture = el("p", { class: "note", role: "status" });
  /** What both sides hold as far as we know: sending it again would be an echo. A picture by its print. */
  #known = "";
  #knownPicture: Promise<string> = Promise.resolve("");
  /** Parts of what the desktop copied, whose text has not come. */
  #coming: Copied = { ...NOTHING };
  /** What the desktop copied last. */
  #held: Copied = NOTHING;
  #unwritten: Copied | null = null;
  /** Those that the clipboard may be asked of. */
  #windows: Window[] = [];
  /** Counts what either side copied: cleaning takes a moment, and something newer may have come. */
  #copies = 0;
  readonly #sendButton: HTMLButtonElement;
  readonly #typeButton: HTMLButtonElement;
  readonly #copyButton: HTMLButtonElement;
  #rules: ClipboardRules = { toMachine: true, toPerson: true, bytesMax: CLIPBOARD_BYTES_MAX };

  constructor(
    private readonly sink: ClipboardSink,
    private readonly notice: (text: string) => void,
    /** The machine takes HTML and pictures. */
    private readonly rich: boolean,
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
      click: () => void this.offer({ ...NOTHING, text: this.#box.value }, true),
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
    this.#picture.hidden = true;
    this.element = el(
      "div",
      {},
      el("h2", {}, "Clipboard"),
      this.#box,
      this.#picture,
      el("div", { class: "buttons" }, send, copy, type),
      this.#note,
      this.#allow,
    );
    this.attend(window);
    void this.refresh();
  }

  /** Another window of this page: browsers give the clipboard to the one that has the focus. */
  attend(own: Window): void {
    this.#windows = [...this.#windows.filter(({ closed }) => !closed), own];
    own.addEventListener("focus", () => void this.read());
    for (const gesture of ["pointerdown", "keydown"] as const) {
      own.addEventListener(gesture, () => void this.#writeKept(), { capture: true });
    }
  }

  #board(): globalThis.Clipboard | undefined {
    return this.#windows.find((own) => !own.closed && own.document.hasFocus())?.navigator.clipboard;
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

  /** The desktop copied something: a part of it, or its text, with which it is complete. */
  async received(format: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (format === Format.html) this.#coming.html = new TextDecoder().decode(bytes);
    // Bytes of its own: those of a message are a view into it.
    else if (format === Format.png) this.#coming.png = bytes.slice();
    if (format !== Format.text) return;
    const came = { ...this.#coming, text: new TextDecoder().decode(bytes) };
    this.#coming = { ...NOTHING };
    this.#known = came.text;
    this.#knownPicture = came.png ? print(came.png) : Promise.resolve("");
    this.#copies += 1;
    const turn = this.#copies;
    const copied = { ...came, html: came.html && (await cleaned(came.html)) };
    if (turn !== this.#copies) return;
    this.#held = copied;
    this.#show(copied);
    this.#unwritten = copied;
    await this.#writeKept();
  }

  #show({ text, png }: Copied): void {
    this.#box.value = text;
    const size = png && pngSize(png);
    this.#picture.hidden = !size;
    if (size) this.#picture.textContent = `A picture of ${size.width} × ${size.height} pixels.`;
  }

  /** This computer's clipboard holds this: the desktop should too. */
  async offer(copied: Copied, always = false): Promise<void> {
    const { text, html, png } = this.rich ? copied : { ...NOTHING, text: copied.text };
    if (!this.#rules.toMachine || (text === "" && html === "" && !png)) return;
    if (!always) {
      if (text !== "" && text === this.#known) return;
      const seen = png && text === "" ? await print(png) : "";
      if (seen !== "" && seen === (await this.#knownPicture)) return;
    }
    const parts = this.#parts(html, png);
    if (text !== "" && encodeText(text, CLIPBOARD_BYTES_MAX).length > this.#rules.bytesMax) {
      const kib = Math.floor(this.#rules.bytesMax / 1024);
      this.notice(`The rules of this desktop keep back what is larger than ${kib} KiB: it was not pasted.`);
      return;
    }
    if (text === "" && parts.length === 0) return;
    this.#known = text;
    this.#knownPicture = png ? print(png) : Promise.resolve("");
    this.#unwritten = null;
    this.#copies += 1;
    this.#held = { text, html, png };
    this.#show(this.#held);
    const bytes = encodeText(text, CLIPBOARD_BYTES_MAX);
    if (bytes.length === CLIPBOARD_BYTES_MAX) this.notice("The text is over 1 MiB: its end was left out.");
    for (const [format, part] of parts) this.sink.clipboard(format, part);
    this.sink.clipboard(Format.text, bytes);
  }

  /** What goes beside a text. What is too large is left out; a picture, which people look for, not without a word. */
  #parts(html: string, png: Uint8Array<ArrayBuffer> | null): [number, Uint8Array<ArrayBuffer>][] {
    const parts: [number, Uint8Array<ArrayBuffer>][] = [];
    const { bytesMax } = this.#rules;
    const document = new TextEncoder().encode(html);
    if (html !== "" && document.length <= Math.min(bytesMax, CLIPBOARD_BYTES_MAX))
      parts.push([Format.html, document]);
    if (!png) return parts;
    // A limit below that of text holds for pictures as well.
    const pictureMax = bytesMax < CLIPBOARD_BYTES_MAX ? bytesMax : CLIPBOARD_PICTURE_BYTES_MAX;
    if (png.length > pictureMax)
      this.notice(
        `Pictures of up to ${Math.floor(pictureMax / 1024)} KiB can be pasted here: this one is larger.`,
      );
    else if (!pngSize(png)) this.notice("The picture has too many pixels to be pasted here.");
    else parts.push([Format.png, png]);
    return parts;
  }

  /** What a paste event brings. Null where it was passed on at once; else it has been when that is done. */
  pasted(data: DataTransfer): Promise<void> | null {
    const { text, html, png } = ofPaste(data);
    if (!png || !this.rich) {
      void this.offer({ text, html, png: null });
      return null;
    }
    return png
      .arrayBuffer()
      .then((bytes) => this.offer({ text, html, png: new Uint8Array(bytes) }))
      .catch(() => this.notice("This browser does not show the page the picture."));
  }

  /** Reads this computer's clipboard where that is allowed without asking. */
  async read(): Promise<void> {
    const allowed = (await permission()) === "granted";
    const board = this.#board();
    if (!allowed || !board) return;
    try {
      await this.offer(await read(this.rich, board));
    } catch {
      // Nothing there that can be read, or taken back: the paste event still works.
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
        ? `${this.rich ? "Text and pictures are" : "Text is"} shared by itself: copy on one side, paste on the other.`
        : state === "prompt"
          ? "Ctrl+V in the desktop pastes what you copied here. To share by itself, allow this page to see the clipboard."
          : state === "denied"
            ? "This browser was told not to show this page the clipboard (see the lock in the address bar). Ctrl+V in the desktop still pastes what you copied here, and so does the box above."
            : "Ctrl+V in the desktop pastes what you copied here. What the desktop copied is in the box above and is put on this computer's clipboard at your next click.";
  }

  async #ask(): Promise<void> {
    try {
      await this.offer(await read(this.rich), true);
    } catch {
      // The answer was no; the note says what works without.
    }
    await this.refresh();
  }

  async #copy(): Promise<void> {
    try {
      const whole = this.#box.value === this.#held.text;
      await write(whole ? this.#held : { ...NOTHING, text: this.#box.value });
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
    const copied = this.#unwritten;
    const board = this.#board();
    if (copied === null || !board?.writeText) return;
    try {
      await write(copied, board);
      if (this.#unwritten === copied) this.#unwritten = null;
    } catch {
      // Not without a gesture here: the next key or click tries again.
    }
  }
}

/** Loaded when the first HTML comes; where it cannot be, the text goes alone. */
async function cleaned(html: string): Promise<string> {
  try {
    const { clean } = await import("./clean");
    return clean(html);
  } catch {
    return "";
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
