/**
 * The terminal: xterm.js shows the remote side's bytes untouched. Loaded only for shells.
 *
 * Both directions are counted from the start of the stream, so that a connection that was cut continues without a
 * lost or doubled byte: we tell how much we have shown, the server tells how much of our typing it has.
 */
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { type ITheme, Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { TypedLog } from "./typed";

export type TerminalSink = {
  input(bytes: Uint8Array<ArrayBuffer>): boolean;
  resize(columns: number, rows: number): void;
  ack(offset: bigint): void;
};

const SCROLLBACK_LINES = 10_000;
/** Shown bytes are acknowledged in steps of this many, and when nothing more waits to be shown. */
const ACK_BYTES = 32 * 1024;
const RESIZE_DEBOUNCE_MS = 100;
/** A large paste goes in pieces: input is never a record of megabytes. */
const INPUT_PIECE_BYTES = 32 * 1024;
export const FONT =
  'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace';

export const DARK: ITheme = {
  background: "#14161a",
  foreground: "#e3e6ea",
  cursor: "#e3e6ea",
  selectionBackground: "#3d5a80",
  black: "#23272e",
  red: "#f07178",
  green: "#a5cf6b",
  yellow: "#f0c674",
  blue: "#7aa6f7",
  magenta: "#c792ea",
  cyan: "#6fd0d0",
  white: "#d5d9df",
  brightBlack: "#7d8590",
  brightRed: "#ff8b92",
  brightGreen: "#bde68a",
  brightYellow: "#ffd98f",
  brightBlue: "#9dbfff",
  brightMagenta: "#dbb0f7",
  brightCyan: "#92e6e6",
  brightWhite: "#ffffff",
};

const LIGHT: ITheme = {
  background: "#fbfbfa",
  foreground: "#24292f",
  cursor: "#24292f",
  cursorAccent: "#fbfbfa",
  selectionBackground: "#b6d3f7",
  black: "#24292f",
  red: "#b3261e",
  green: "#2c6e31",
  yellow: "#7a5200",
  blue: "#1f5fbf",
  magenta: "#8430a8",
  cyan: "#0f6d76",
  white: "#5c636b",
  brightBlack: "#6b727b",
  brightRed: "#c9372c",
  brightGreen: "#34803a",
  brightYellow: "#8d6000",
  brightBlue: "#2a6fdb",
  brightMagenta: "#9b3fc1",
  brightCyan: "#137f89",
  brightWhite: "#3b4148",
};

const CONTRAST: ITheme = {
  ...DARK,
  background: "#000000",
  foreground: "#ffffff",
  cursor: "#ffff00",
  cursorAccent: "#000000",
  selectionBackground: "#0050c0",
};

/** What the terminal looks like; `system` follows the system's light or dark. */
export type ThemeName = "system" | "dark" | "light" | "contrast";

export function themeName(text: string): ThemeName {
  return text === "dark" || text === "light" || text === "contrast" ? text : "system";
}

/**
 * xterm.js writes its rules into `<style>` elements, which `default-src 'self'` refuses even while empty. While it
 * opens, it gets inert elements in their place that pass their text to constructed style sheets, which are allowed.
 */
export function withConstructedStyles(open: () => void): void {
  const create = document.createElement;
  document.createElement = function createElement(
    this: Document,
    name: string,
    options?: ElementCreationOptions,
  ) {
    if (name.toLowerCase() !== "style") return create.call(this, name, options);
    const element = create.call(this, "template");
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets.push(sheet);
    let text = "";
    Object.defineProperty(element, "textContent", {
      get: () => text,
      set: (value: string | null) => {
        text = value ?? "";
        sheet.replaceSync(text);
      },
    });
    return element;
  } as typeof document.createElement;
  try {
    open();
  } finally {
    // The prototype's method comes back.
    Reflect.deleteProperty(document, "createElement");
  }
}

/** Smaller letters are no letters. */
const FONT_PIXELS_MIN = 7;

export class TerminalView {
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #search = new SearchAddon();
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  #theme: ThemeName = "system";
  readonly #typed = new TypedLog();
  readonly #encoder = new TextEncoder();
  /** Bytes of the stream given to the terminal, shown by it, and acknowledged. */
  #given = 0n;
  #shown = 0n;
  #acknowledged = 0n;
  /** Bytes of the stream to leave out because they are on the screen already. */
  #skip = 0n;
  #era = 0;
  #live = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  copyOnSelect = false;
  #font = 14;
  /** The size of the terminal that is looked on at; one's own takes the window's. */
  #fixed: { columns: number; rows: number } | null = null;

  constructor(
    place: HTMLElement,
    private readonly sink: TerminalSink,
    private readonly copied: (text: string) => void,
    private readonly finding: () => void,
  ) {
    this.#terminal = new Terminal({
      fontFamily: FONT,
      fontSize: 14,
      lineHeight: 1.15,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      scrollback: SCROLLBACK_LINES,
      theme: this.#colours(),
      minimumContrastRatio: 4.5,
      macOptionIsMeta: false,
      allowProposedApi: false,
    });
    this.#dark.addEventListener("change", () => {
      this.theme = this.#theme;
    });
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.loadAddon(this.#search);
    // What is on the screen is the machine's: a page that it leads to learns nothing of this one.
    this.#terminal.loadAddon(
      new WebLinksAddon((_event, address) => void window.open(address, "_blank", "noopener,noreferrer")),
    );
    withConstructedStyles(() => this.#terminal.open(place));
    this.#webgl();
    this.#fit.fit();

    this.#terminal.onData((text) => this.#type(this.#encoder.encode(text)));
    this.#terminal.onBinary((text) =>
      this.#type(Uint8Array.from(text, (letter) => letter.charCodeAt(0) & 0xff)),
    );
    this.#terminal.onResize(({ cols, rows }) => this.sink.resize(cols, rows));
    this.#terminal.onSelectionChange(() => {
      const text = this.#terminal.getSelection();
      if (this.copyOnSelect && text) this.copied(text);
    });
    this.#terminal.attachCustomKeyEventHandler((event) => this.#shortcut(event));
    new ResizeObserver(() => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#refit(), RESIZE_DEBOUNCE_MS);
    }).observe(place);
  }

  get columns(): number {
    return this.#terminal.cols;
  }

  get rows(): number {
    return this.#terminal.rows;
  }

  /** How much of the stream is on the screen or about to be, for hello: none of it should come again. */
  get received(): bigint {
    return this.#given;
  }

  focus(): void {
    this.#terminal.focus();
  }

  /** The lines on the screen and above it, for tests. */
  text(): string {
    const buffer = this.#terminal.buffer.active;
    const lines: string[] = [];
    for (let line = 0; line < buffer.length; line += 1)
      lines.push(buffer.getLine(line)?.translateToString(true) ?? "");
    return lines.join("\n").trimEnd();
  }

  set theme(name: ThemeName) {
    this.#theme = name;
    this.#terminal.options.theme = this.#colours();
  }

  #colours(): ITheme {
    if (this.#theme === "contrast") return CONTRAST;
    const dark = this.#theme === "system" ? this.#dark.matches : this.#theme === "dark";
    return dark ? DARK : LIGHT;
  }

  /** Marks the next place with the text, upwards from the last; false when there is none. */
  find(text: string, down: boolean): boolean {
    return down ? this.#search.findNext(text) : this.#search.findPrevious(text);
  }

  fontSize(pixels: number): void {
    this.#font = pixels;
    this.#terminal.options.fontSize = pixels;
    this.#refit();
  }

  /** The terminal is somebody else's and has this size: letters shrink until it fits into the window. */
  size(columns: number, rows: number): void {
    this.#fixed = { columns, rows };
    this.#refit();
  }

  #refit(): void {
    const given = this.#fixed;
    if (!given) {
      this.#fit.fit();
      return;
    }
    for (let pixels = this.#font; pixels >= FONT_PIXELS_MIN; pixels -= 1) {
      this.#terminal.options.fontSize = pixels;
      const room = this.#fit.proposeDimensions();
      if (!room || (room.cols >= given.columns && room.rows >= given.rows)) break;
    }
    this.#terminal.resize(given.columns, given.rows);
  }

  /** A new WebSocket: its acknowledgements start anew, and typing waits for the server's count. */
  opened(): void {
    this.#era += 1;
    this.#acknowledged = this.#given;
    this.#skip = 0n;
    this.#live = false;
  }

  /** The server's hello: `same`, the connection is the one before; it has `received` bytes of our typing. */
  greeted(same: boolean, received: bigint): void {
    if (!same) {
      this.#typed.clear();
      if (this.#shown > 0n) this.#terminal.reset();
      this.#given = 0n;
      this.#shown = 0n;
      this.#acknowledged = 0n;
    }
    this.#live = true;
    const rest = this.#typed.since(received);
    if (rest.length > 0) this.sink.input(rest);
  }

  start(offset: bigint): void {
    if (offset > this.#given) {
      this.#terminal.reset();
      this.#given = offset;
      this.#shown = offset;
      this.#skip = 0n;
    } else {
      this.#skip = this.#given - offset;
    }
  }

  /** What the terminal showed before the stream's next byte; not part of its count. */
  repaint(bytes: Uint8Array<ArrayBuffer>): void {
    this.#terminal.write(bytes);
  }

  data(bytes: Uint8Array<ArrayBuffer>): void {
    let fresh = bytes;
    if (this.#skip > 0n) {
      const skipped = this.#skip < BigInt(bytes.length) ? this.#skip : BigInt(bytes.length);
      this.#skip -= skipped;
      fresh = bytes.subarray(Number(skipped));
    }
    if (fresh.length === 0) return;
    this.#given += BigInt(fresh.length);
    const upTo = this.#given;
    const era = this.#era;
    this.#terminal.write(fresh, () => {
      // The bytes are on the screen whatever happened to their WebSocket.
      if (upTo > this.#shown) this.#shown = upTo;
      if (era !== this.#era) return;
      if (this.#shown - this.#acknowledged < BigInt(ACK_BYTES) && this.#shown < this.#given) return;
      this.#acknowledged = this.#shown;
      this.sink.ack(this.#shown);
    });
  }

  /** Types bytes as a key of the tool bar would. */
  send(text: string): void {
    this.#type(this.#encoder.encode(text));
    this.#terminal.scrollToBottom();
  }

  paste(text: string): void {
    this.#terminal.paste(text);
  }

  #type(bytes: Uint8Array<ArrayBuffer>): void {
    for (let at = 0; at < bytes.length; at += INPUT_PIECE_BYTES) {
      const piece = bytes.slice(at, at + INPUT_PIECE_BYTES);
      this.#typed.add(piece);
      // Before hello and while cut, typing is kept and goes out with the next hello.
      if (this.#live) this.sink.input(piece);
    }
  }

  /** The WebSocket is gone. */
  cut(): void {
    this.#live = false;
  }

  /** Ctrl+Shift+C, Ctrl+Shift+F and Ctrl+Shift+V, as in every terminal. */
  #shortcut(event: KeyboardEvent): boolean {
    if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey || event.altKey) return true;
    if (event.code === "KeyC") {
      const text = this.#terminal.getSelection();
      if (text) this.copied(text);
      event.preventDefault();
      return false;
    }
    if (event.code === "KeyF") {
      this.finding();
      event.preventDefault();
      return false;
    }
    // The browser's own paste follows and reaches xterm.js as a paste event.
    return event.code !== "KeyV";
  }

  #webgl(): void {
    try {
      const webgl = new WebglAddon();
      // The browser took the context (too many, or the driver fell over): xterm.js goes on with elements.
      webgl.onContextLoss(() => webgl.dispose());
      this.#terminal.loadAddon(webgl);
    } catch {
      // No WebGL 2 here: the same.
    }
  }
}
