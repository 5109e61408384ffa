/** What was typed and copied, with its time: a list beside the picture, where a pool's rules kept it. */
import { el } from "../viewer/ui/dom";
import { decodeServer, split } from "../viewer/wire";
import { clock } from "./bar";
import { chunkEntries, chunkEvents } from "./container";
import type { Playback } from "./playback";
import type { Source } from "./source";

export type Line = { ms: number; last: number; kind: "typed" | "pasted" | "copied"; text: string };

/** Pieces that follow each other so soon are one line. */
const TOGETHER_MS = 2000;
const LINE_CHARS_MAX = 200;
const LINES_MAX = 20_000;
/** Of those that are found, so many are in the page. */
const SHOWN_LINES_MAX = 1000;
/** What is shown of a piece of clipboard. */
const SHOWN_CHARS_MAX = 2000;

const KEYS: Record<string, string> = {
  "\r": "Enter",
  "\n": "Enter",
  "\t": "Tab",
  "\x1b": "Esc",
  "\b": "Backspace",
  "\x7f": "Backspace",
};

/** Control characters as keys, as in the server's words (crates/screen/src/recording/typed.rs). */
export function visible(text: string): string {
  let out = "";
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    if (KEYS[letter]) out += `⟨${KEYS[letter]}⟩`;
    else if (code < 0x20) out += `⟨Ctrl+${String.fromCodePoint(code | 0x60)}⟩`;
    else out += code >= 0x80 && code < 0xa0 ? `⟨0x${code.toString(16)}⟩` : letter;
  }
  return out;
}

/** Adds what a chunk says. False when there is no room for more. */
export function collect(lines: Line[], block: ArrayBuffer, terminal: boolean): boolean {
  const add = (ms: number, kind: Line["kind"], text: string) => {
    const last = lines.at(-1);
    const together =
      kind === "typed" &&
      last?.kind === "typed" &&
      ms - last.last <= TOGETHER_MS &&
      last.text.length < LINE_CHARS_MAX &&
      !last.text.endsWith("⟨Enter⟩");
    if (together) {
      last.text += text;
      last.last = ms;
    } else if (lines.length < LINES_MAX) {
      lines.push({ ms, last: ms, kind, text: text.slice(0, SHOWN_CHARS_MAX) });
    }
  };
  if (terminal) {
    for (const event of chunkEvents(block)) {
      if (event.kind === "input") add(event.ms, "typed", visible(event.text));
    }
    return lines.length < LINES_MAX;
  }
  for (const { ms, message } of chunkEntries(block)) {
    for (const raw of split(message.slice().buffer)) {
      if (raw.type < 0x60 || raw.type > 0x62) continue;
      const record = decodeServer(raw);
      if (record?.type === "typed" || record?.type === "pasted" || record?.type === "copied")
        add(ms, record.type, record.text);
    }
  }
  return lines.length < LINES_MAX;
}

export class Typed {
  readonly element: HTMLElement;
  readonly #words = el("input", {
    type: "search",
    placeholder: "Find in what was typed",
    "aria-label": "Find in what was typed",
  });
  readonly #state = el("p", { class: "count", role: "status" });
  readonly #list = el("ol", { class: "hits typed" });
  readonly #lines: Line[] = [];
  #read = 0;
  #reading: Promise<void> | null = null;

  constructor(
    private readonly source: Source,
    // biome-ignore lint/suspicious/noExplicitAny: what it plays does not matter here
    private readonly playback: Playback<any>,
    private readonly terminal: boolean,
  ) {
    const form = el("form", { role: "search" }, this.#words);
    form.addEventListener("submit", (event) => event.preventDefault());
    this.#words.addEventListener("input", () => this.#draw());
    this.element = el(
      "aside",
      { class: "search", "aria-label": "Typed and copied" },
      form,
      this.#state,
      this.#list,
    );
    this.element.hidden = true;
  }

  toggle(): boolean {
    this.element.hidden = !this.element.hidden;
    if (!this.element.hidden) void this.#show();
    return !this.element.hidden;
  }

  async #show(): Promise<void> {
    this.#state.textContent = "Reading…";
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = null;
    });
    try {
      await this.#reading;
    } catch (error) {
      this.#state.textContent = String(error instanceof Error ? error.message : error);
      return;
    }
    this.#draw();
  }

  #draw(): void {
    const wanted = this.#words.value.toLowerCase();
    const found = this.#lines.filter(({ text }) => text.toLowerCase().includes(wanted));
    this.#state.textContent =
      this.#lines.length === 0
        ? "Nothing was typed or copied here, or the rules of this connection did not keep it."
        : wanted === ""
          ? "What was typed and copied"
          : found.length === 1
            ? "1 place"
            : `${found.length} places`;
    this.#list.replaceChildren(
      ...found.slice(0, SHOWN_LINES_MAX).map(({ ms, kind, text }) => {
        const go = () => {
          this.playback.pause();
          void this.playback.seek(ms);
        };
        const what = kind === "typed" ? "" : `${kind}: `;
        const line = el("code", {}, what, text);
        return el("li", {}, el("button", { type: "button", click: go }, el("time", {}, clock(ms)), line));
      }),
    );
    if (found.length > SHOWN_LINES_MAX)
      this.#list.append(el("li", {}, `${found.length - SHOWN_LINES_MAX} more: write what to find above.`));
  }

  async #readAll(): Promise<void> {
    for (; this.#read < this.playback.index.chunks.length; this.#read += 1) {
      const chunk = this.playback.index.chunks[this.#read];
      if (!chunk || !collect(this.#lines, await this.source.chunk(chunk), this.terminal)) break;
    }
  }
}
