/** The transfers of a page. Each is a row with its progress, and can be stopped; those of one direction share one way, one after the other. */
import { ApiError } from "../api";
import { el, icon } from "../ui/dom";
import { type FilesClient, words } from "./client";
import { download, type Sink } from "./download";
import { join, numbered, shownName, size, timeLeft } from "./names";
import { Pace } from "./pace";
import type { Watcher } from "./retry";
import { tagOf, upload } from "./upload";

const DONE_MS = 4000;
/** Names with a number that are tried before the person is asked anew. */
const COPIES_MAX = 20;

export type TransfersActions = {
  /** A file has come to a folder. */
  arrived(folder: string): void;
  /** All that was to be uploaded has been tried. `asking`: so many wait for an answer of the person. */
  finished(done: number, failed: number, asking: number): void;
};

type Way = "up" | "down";
/** How a file goes up: `copy` 0 under its own name, others under a number. */
type Manner = { replace: boolean; copy: number; resumes?: boolean };
const PLAIN: Manner = { replace: false, copy: 0 };
type Work = {
  way: Way;
  name: string;
  bytes: number;
  /** Something of it may be there from a try before. */
  resumes?: boolean;
  run(watcher: Watcher, stopped: AbortSignal): Promise<void>;
  /** It was stopped, or failed and is dismissed. */
  giveUp(): Promise<void>;
  done(): void;
  /** Behind what has arrived already; where there is no such way, it begins anew by hand. */
  again?(): void;
  /** Something is there already; the row is what asks about it. */
  taken?(row: HTMLElement): void;
};

const DOING = { up: "Uploading", down: "Downloading" } as const;
const DID = { up: "uploaded", down: "saved" } as const;

export class Transfers {
  readonly element = el("ul", { class: "transfers", "aria-label": "Transfers" });
  readonly #turns: Record<Way, Promise<void>> = { up: Promise.resolve(), down: Promise.resolve() };
  readonly #running: Record<Way, number> = { up: 0, down: 0 };
  #done = 0;
  #failed = 0;
  #asking = 0;

  constructor(
    private readonly client: FilesClient,
    private readonly actions: TransfersActions,
  ) {
    window.addEventListener("beforeunload", (event) => {
      if (this.#running.up + this.#running.down > 0) event.preventDefault();
    });
  }

  /** `there`: what the folder is known to have: asked about before anything goes. The server knows the rest. */
  upload(files: File[], folder: string, there: ReadonlySet<string>): void {
    for (const file of files) {
      if (there.has(file.name)) {
        const row = el("li");
        this.element.append(row);
        this.#ask(row, file, folder, PLAIN);
      } else this.#upload(file, folder, PLAIN);
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

  /** In the row of the transfer. `giveUp`: for what has arrived under a name that is not taken after all. */
  #ask(row: HTMLElement, file: File, folder: string, manner: Manner, giveUp?: () => void): void {
    const name = shownName(numbered(file.name, manner.copy));
    const answer = (label: string, press: () => void) =>
      el(
        "button",
        {
          type: "button",
          class: "button tight",
          "aria-label": `${label} ${name}`,
          click: () => {
            row.remove();
            press();
          },
        },
        label,
      );
    row.className = "question";
    row.setAttribute("role", "alert");
    row.replaceChildren(
      el("span", {}, `“${name}” is there already.`),
      el(
        "span",
        { class: "buttons" },
        answer("Replace", () =>
          this.#upload(file, folder, { ...manner, replace: true, resumes: giveUp !== undefined }),
        ),
        answer("Keep both", () => {
          giveUp?.();
          this.#upload(file, folder, { replace: false, copy: manner.copy + 1 });
        }),
        answer("Skip", () => giveUp?.()),
      ),
    );
  }

  #upload(file: File, folder: string, manner: Manner): void {
    const name = numbered(file.name, manner.copy);
    const path = join(folder, name);
    const giveUp = () => this.client.abandon(path, tagOf(file));
    const forget = () => void giveUp().catch(() => undefined);
    this.#start({
      way: "up",
      name,
      bytes: file.size,
      resumes: manner.resumes,
      run: (watcher, stopped) => upload(this.client, path, file, manner.replace, watcher, stopped),
      giveUp,
      done: () => this.actions.arrived(folder),
      again: () => this.#upload(file, folder, { ...manner, resumes: true }),
      taken: (row) => {
        // Whoever said "Keep both" need not count for us.
        if (manner.copy > 0 && manner.copy < COPIES_MAX) {
          row.remove();
          forget();
          this.#upload(file, folder, { replace: false, copy: manner.copy + 1 });
          return;
        }
        this.#asking += 1;
        this.#ask(row, file, folder, manner, forget);
      },
    });
  }

  #start(work: Work): void {
    const { way, bytes: total } = work;
    const name = shownName(work.name);
    const stop = new AbortController();
    let begun = false;
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
      click: () => {
        stop.abort();
        if (begun) return;
        // It waits for others: its turn only passes it by.
        row.remove();
        this.#running[way] -= 1;
        if (work.resumes) void work.giveUp().catch(() => undefined);
      },
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
      if (stop.signal.aborted) return;
      begun = true;
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
        } else if (work.taken && error instanceof ApiError && error.code === "file_exists") work.taken(row);
        else {
          if (way === "up") this.#failed += 1;
          this.#fail(row, name, error, work);
        }
      }
      this.#running[way] -= 1;
      if (way === "up" && this.#running.up === 0) {
        this.actions.finished(this.#done, this.#failed, this.#asking);
        [this.#done, this.#failed, this.#asking] = [0, 0, 0];
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
