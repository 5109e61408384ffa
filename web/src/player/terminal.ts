/** A recorded terminal in xterm.js. Loaded only for shells. */
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { DARK, FONT, withConstructedStyles } from "../viewer/terminal";
import { el } from "../viewer/ui/dom";
import { Watermark } from "../viewer/ui/watermark";
import { type CastEvent, chunkEvents } from "./container";
import { Keys } from "./keys";
import type { Stage } from "./stage";
import { visible } from "./typed";

/** Letters of the terminal's font: width and line height for one pixel of size. */
const CELL = { width: 0.603, height: 1.2 };
const LETTERS = { least: 6, most: 26 };

export class TerminalStage implements Stage<CastEvent> {
  readonly element = el("main", { class: "stage terminal", "aria-label": "Recorded terminal" });
  readonly seeksToKeys = false;
  readonly watermark = new Watermark();
  readonly keys = new Keys();
  readonly #terminal: Terminal;

  constructor() {
    this.#terminal = new Terminal({
      fontFamily: FONT,
      fontSize: 14,
      disableStdin: true,
      cursorBlink: false,
      scrollback: 10_000,
      theme: DARK,
      minimumContrastRatio: 4.5,
      allowProposedApi: false,
    });
    new ResizeObserver(() => this.#fit()).observe(this.element);
  }

  /** After the stage is in the page. */
  open(): void {
    withConstructedStyles(() => this.#terminal.open(this.element));
    this.#fit();
  }

  moments(block: ArrayBuffer): CastEvent[] {
    return chunkEvents(block);
  }

  reset(): void {
    this.#terminal.reset();
    this.keys.clear();
  }

  show(moments: CastEvent[]): void {
    let text = "";
    for (const moment of moments) {
      if (moment.kind === "output") {
        text += moment.text;
        continue;
      }
      if (moment.kind === "input") {
        this.keys.add(moment.ms, "typed", visible(moment.text));
        continue;
      }
      if (moment.kind === "watermark") {
        this.watermark.person = moment.text;
        continue;
      }
      // What came before was drawn for the size of before.
      if (text) this.#terminal.write(text);
      text = "";
      const { columns, rows } = moment;
      this.#terminal.write("", () => {
        this.#terminal.resize(Math.max(2, columns), Math.max(1, rows));
        this.#fit();
      });
    }
    if (text) this.#terminal.write(text);
  }

  settled(): Promise<void> {
    return new Promise((resolve) => this.#terminal.write("", resolve));
  }

  /** The lines on the screen and above it, for tests. */
  text(): string {
    const buffer = this.#terminal.buffer.active;
    const lines: string[] = [];
    for (let line = 0; line < buffer.length; line += 1)
      lines.push(buffer.getLine(line)?.translateToString(true) ?? "");
    return lines.join("\n").trimEnd();
  }

  #fit(): void {
    const { clientWidth, clientHeight } = this.element;
    if (clientWidth === 0) return;
    const { cols, rows } = this.#terminal;
    const size = Math.min(
      (clientWidth - 32) / (cols * CELL.width),
      (clientHeight - 24) / (rows * CELL.height),
    );
    const letters = Math.floor(Math.min(LETTERS.most, Math.max(LETTERS.least, size)));
    if (this.#terminal.options.fontSize !== letters) this.#terminal.options.fontSize = letters;
  }
}
