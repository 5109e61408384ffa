/** Finding text in a recorded terminal: every chunk is read once, then a search is a look through one text. */
import { el } from "../viewer/ui/dom";
import { clock } from "./bar";
import { chunkEvents, plain } from "./container";
import type { Playback } from "./playback";
import type { Source } from "./source";

const HITS_MAX = 200;
const AROUND = 40;

type Piece = { start: number; ms: number };

/** The text of a terminal and when each piece of it was shown. */
export class Transcript {
  text = "";
  readonly #pieces: Piece[] = [];

  add(ms: number, text: string): void {
    const clean = plain(text);
    if (clean === "") return;
    this.#pieces.push({ start: this.text.length, ms });
    this.text += clean;
  }

  #when(at: number): number {
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#pieces[middle] as Piece).start <= at) low = middle;
      else high = middle - 1;
    }
    return this.#pieces[low]?.ms ?? 0;
  }

  /** Where the words are, without regard to case: when, and what is around them. */
  find(words: string, most = HITS_MAX): { ms: number; before: string; hit: string; after: string }[] {
    const wanted = words.toLowerCase();
    if (wanted === "") return [];
    const folded = this.text.toLowerCase();
    const hits = [];
    for (
      let at = folded.indexOf(wanted);
      at >= 0 && hits.length < most;
      at = folded.indexOf(wanted, at + 1)
    ) {
      const lineStart = this.text.lastIndexOf("\n", at - 1) + 1;
      const lineEnd = this.text.indexOf("\n", at);
      const end = at + words.length;
      hits.push({
        // The end of the words: by then they are on the screen.
        ms: this.#when(end - 1),
        before: this.text.slice(Math.max(lineStart, at - AROUND), at),
        hit: this.text.slice(at, end),
        after: this.text.slice(end, Math.min(lineEnd < 0 ? this.text.length : lineEnd, end + AROUND)),
      });
    }
    return hits;
  }
}

export class Search {
  readonly element: HTMLElement;
  readonly #words = el("input", {
    type: "search",
    placeholder: "Find in this terminal",
    "aria-label": "Find in this terminal",
  });
  readonly #count = el("p", { class: "count", role: "status" });
  readonly #hits = el("ol", { class: "hits" });
  readonly #transcript = new Transcript();
  #read = 0;
  #reading: Promise<void> | null = null;

  constructor(
    private readonly source: Source,
    // biome-ignore lint/suspicious/noExplicitAny: what it plays does not matter here
    private readonly playback: Playback<any>,
  ) {
    const form = el("form", { role: "search" }, this.#words);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#search();
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    this.#words.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => void this.#search(), 250);
    });
    this.element = el("aside", { class: "search", "aria-label": "Search" }, form, this.#count, this.#hits);
    this.element.hidden = true;
  }

  toggle(): boolean {
    this.element.hidden = !this.element.hidden;
    if (!this.element.hidden) {
      this.#words.focus();
      void this.#readAll();
    }
    return !this.element.hidden;
  }

  async #readAll(): Promise<void> {
    this.#reading ??= (async () => {
      try {
        for (; this.#read < this.playback.index.chunks.length; this.#read += 1) {
          const chunk = this.playback.index.chunks[this.#read];
          if (!chunk) break;
          for (const event of chunkEvents(await this.source.chunk(chunk))) {
            if (event.kind === "output") this.#transcript.add(event.ms, event.text);
          }
        }
      } finally {
        this.#reading = null;
      }
    })();
    return this.#reading;
  }

  async #search(): Promise<void> {
    const words = this.#words.value;
    this.#count.textContent = words ? "Searching…" : "";
    try {
      await this.#readAll();
    } catch (error) {
      this.#count.textContent = String(error instanceof Error ? error.message : error);
      return;
    }
    if (words !== this.#words.value) return;
    const hits = this.#transcript.find(words);
    this.#count.textContent =
      words === ""
        ? ""
        : hits.length === 1
          ? "1 place"
          : `${hits.length}${hits.length === HITS_MAX ? "+" : ""} places`;
    this.#hits.replaceChildren(
      ...hits.map(({ ms, before, hit, after }) => {
        const go = () => {
          this.playback.pause();
          void this.playback.seek(ms);
        };
        const line = el("code", {}, before, el("mark", {}, hit), after);
        return el("li", {}, el("button", { type: "button", click: go }, el("time", {}, clock(ms)), line));
      }),
    );
  }
}
