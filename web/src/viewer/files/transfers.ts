/** The transfers of a page. Each is a row with its progress, and can be stopped; those of one direction share one way, one after the other. */
import { el, icon } from "../ui/dom";
import { type FilesClient, words } from "./client";
import { download, type Sink } from "./download";
import { join, shownName, size, timeLeft } from "./names";
import { Pace } from "./pace";
import type { Watcher } from "./retry";
import { tagOf, upload } from "./upload";

const DONE_MS = 4000;

export type TransfersActions = {
  /** A file has come to a folder. */
  arrived(folder: string): void;
  /** All that was to be uploaded has been tried. */
  finished(done: number, failed: number): void;
};

type Way = "up" | "down";
type Work = {
  way: Way;
  name: string;
  bytes: number;
  run(watcher: Watcher, stopped: AbortSignal): Promise<void>;
  /** It was stopped, or failed and is dismissed. */
  giveUp(): Promise<void>;
  done(): void;
  /** Behind what has arrived already; where there is no such way, it begins anew by hand. */
  again?(): void;
};

const DOING = { up: "Uploading", down: "Downloading" } as const;
const DID = { up: "uploaded", down: "saved" } as const;

export class Transfers {
  readonly element = el("ul", { class: "transfers", "aria-label": "Transfers" });
  readonly #turns: Record<Way, Promise<void>> = { up: Promise.resolve(), down: Promise.resolve() };
  readonly #running: Record<Way, number> = { up: 0, down: 0 };
  #done = 0;
  #failed = 0;

  constructor(
    private readonly client: FilesClient,
    private readonly actions: TransfersActions,
  ) {
    window.addEventListener("beforeunload", (event) => {
      if (this.#running.up + this.#running.down > 0) event.preventDefault();
    });
  }

  /** `there`: what the folder has already; a file in its place is replaced only when the person says so. */
  upload(files: File[], folder: string, there: ReadonlySet<string>): void {
    for (const file of files) {
      if (there.has(file.name)) this.#ask(file, folder);
      else this.#upload(file, folder);
    }
  }

  /** Into a file that the person has chosen. */
  download(path: string, name: string, bytes: number, to: FileSystemFileHandle): void {
    let sink: FileSystemWritableFileStream | null = null;
    this.#start({
      way: "down",
      name,
      bytes,
      run: async (watcher, stopped) => {
        sink = await to.createWritable();
        await download(this.client, path, sink as Sink, watcher, stopped);
        await sink.close();
        sink = null;
      },
      giveUp: async () => {
        await sink?.abort();
        sink = null;
      },
      done: () => undefined,
    });
  }

  #ask(file: File, folder: string): void {
    const name = shownName(file.name);
    const answer = (label: string, press: () => void) =>
      el(
        "button",
        { type: "button", class: "button tight", "aria-label": `${label} ${name}`, click: press },
        label,
      );
    const row = el(
      "li",
      { class: "question", role: "alert" },
      el("span", {}, `“${name}” is there already.`),
      el(
        "span",
        { class: "buttons" },
        answer("Replace", () => {
          row.remove();
          this.#upload(file, folder);
        }),
        answer("Leave", () => row.remove()),
      ),
    );
    this.element.append(row);
  }

  #upload(file: File, folder: string): void {
    const path = join(folder, file.name);
    this.#start({
      way: "up",
      name: file.name,
      bytes: file.size,
      run: (watcher, stopped) => upload(this.client, path, file, watcher, stopped),
      giveUp: () => this.client.abandon(path, tagOf(file)),
      done: () => this.actions.arrived(folder),
      again: () => this.#upload(file, folder),
    });
  }

  #start(work: Work): void {
    const { way, bytes: total } = work;
    const name = shownName(work.name);
    const stop = new AbortController();
    const bar = el("progress", {
      max: Math.max(total, 1),
      value: 0,
      "aria-label": `${DOING[way]} ${name}`,
    });
    const facts = el("span", { class: "facts" }, "Waiting");
    const cancel = el("button", {
      type: "button",
      class: "small",
      "aria-label": `Stop ${DOING[way].toLowerCase()} ${name}`,
      title: "Stop",
      click: () => stop.abort(),
    });
    cancel.append(icon("close"));
    const arrow = icon(way);
    arrow.classList.add("way");
    const row = el("li", { class: way }, arrow, el("span", { class: "entry", title: name }, name), facts);
    row.append(cancel, bar);
    this.element.append(row);
    const watcher = this.#watch(row, bar, facts, total);
    this.#running[way] += 1;
    this.#turns[way] = this.#turns[way].then(async () => {
      try {
        await work.run(watcher, stop.signal);
        if (way === "up") this.#done += 1;
        row.classList.add("done");
        facts.textContent = `${size(total)} ${DID[way]}`;
        bar.value = bar.max;
        cancel.remove();
        setTimeout(() => row.remove(), DONE_MS);
        work.done();
      } catch (error) {
        if (stop.signal.aborted) {
          row.remove();
          await work.giveUp().catch(() => undefined);
        } else {
          if (way === "up") this.#failed += 1;
          this.#fail(row, name, error, work);
        }
      }
      this.#running[way] -= 1;
      if (way === "up" && this.#running.up === 0) {
        this.actions.finished(this.#done, this.#failed);
        [this.#done, this.#failed] = [0, 0];
      }
    });
  }

  #watch(row: HTMLElement, bar: HTMLProgressElement, facts: HTMLElement, total: number): Watcher {
    const pace = new Pace();
    return {
      progress: (bytes) => {
        bar.value = bytes;
        pace.add(bytes, performance.now());
        const { speed } = pace;
        const rest = speed > 0 ? ` · ${size(speed)}/s · ${timeLeft((total - bytes) / speed)} left` : "";
        facts.textContent = `${size(bytes)} of ${size(total)}${rest}`;
        row.classList.remove("paused");
      },
      waiting: () => {
        pace.rest();
        facts.textContent = `Cut off at ${size(bar.value)}. Trying again…`;
        row.classList.add("paused");
      },
    };
  }

  #fail(row: HTMLElement, name: string, error: unknown, work: Work): void {
    const button = (label: string, press: () => void) =>
      el(
        "button",
        {
          type: "button",
          class: "button tight",
          "aria-label": `${label}: ${name}`,
          click: () => {
            row.remove();
            press();
          },
        },
        label,
      );
    const { again } = work;
    const buttons = el("span", { class: "buttons" });
    // What has arrived stays there: trying again goes on behind it.
    if (again) buttons.append(button("Go on", () => again()));
    buttons.append(button("Dismiss", () => void work.giveUp().catch(() => undefined)));
    row.className = "question failed";
    row.setAttribute("role", "alert");
    row.replaceChildren(el("span", {}, el("b", { class: "entry" }, name), ` ${words(error)}`), buttons);
  }
}
