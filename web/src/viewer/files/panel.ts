/**
 * The files of the machine: a list, and what one does with it. Drop files on it to upload them. Names come from the machine;
 * they are put on the page as text only.
 */
import { ApiError } from "../api";
import { el } from "../ui/dom";
import { type Entry, type FilesClient, join, parent } from "./client";
import { upload } from "./upload";

const UNITS = ["B", "KB", "MB", "GB", "TB"];

export function size(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Control characters are shown as what they are: a name must not look like another. */
export function shownName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return name.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

function words(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  const detail = error.detail || error.title;
  return error.nextStep ? `${detail}: ${error.nextStep}.` : `${detail}.`;
}

export class FilesPanel {
  readonly element: HTMLElement;
  readonly #where = el("p", { class: "where" });
  readonly #list = el("ul", { class: "files", "aria-label": "Files" });
  readonly #note = el("p", { class: "note", role: "status" });
  readonly #transfers = el("ul", { class: "transfers", "aria-label": "Uploads" });
  #path = "";
  #busy = Promise.resolve();
  #asked = 0;

  constructor(private readonly client: FilesClient) {
    const pick = el("input", { type: "file", multiple: true, hidden: true });
    pick.addEventListener("change", () => {
      this.#take([...(pick.files ?? [])]);
      pick.value = "";
    });
    const button = (label: string, press: () => void) =>
      el("button", { type: "button", class: "button", click: press }, label);
    this.element = el(
      "div",
      { class: "files-panel" },
      el("h2", {}, "Files"),
      this.#where,
      this.#list,
      this.#note,
      el(
        "div",
        { class: "buttons" },
        button("Upload", () => pick.click()),
        button("New folder", () => void this.#newFolder()),
        button("Reload", () => void this.show()),
      ),
      this.#transfers,
      pick,
    );
    this.element.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      this.element.classList.add("over");
    });
    this.element.addEventListener("dragleave", () => this.element.classList.remove("over"));
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.element.classList.remove("over");
      this.#take([...(event.dataTransfer?.files ?? [])]);
    });
  }

  /** Asks for the list again. */
  async show(path = this.#path): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    this.#note.textContent = "Asking the machine…";
    try {
      const listing = await this.client.list(path);
      // A later click was faster.
      if (asked !== this.#asked) return;
      this.#path = listing.path;
      this.#where.textContent = shownName(
        join(listing.root === "/" ? "" : listing.root, listing.path) || "/",
      );
      const up = listing.path ? [this.#up()] : [];
      const folders = listing.files.filter((entry) => entry.kind === "folder");
      const others = listing.files.filter((entry) => entry.kind !== "folder");
      this.#list.replaceChildren(...up, ...[...folders, ...others].map((entry) => this.#row(entry)));
      this.#note.textContent = listing.cut
        ? "There are more files than are listed here."
        : listing.files.length === 0
          ? "Nothing here yet. Drop files to upload them."
          : "Drop files here to upload them.";
    } catch (error) {
      if (asked === this.#asked) this.#note.textContent = words(error);
    }
  }

  #up(): HTMLElement {
    const back = el(
      "button",
      { type: "button", class: "entry", click: () => void this.show(parent(this.#path)) },
      "..",
    );
    back.setAttribute("aria-label", "The folder above");
    return el("li", { class: "folder" }, back);
  }

  #row(entry: Entry): HTMLElement {
    const path = join(this.#path, entry.name);
    const name = shownName(entry.name);
    const row = el("li", { class: entry.kind });
    if (entry.kind === "folder" || entry.kind === "link") {
      row.append(
        el("button", { type: "button", class: "entry", click: () => void this.#enter(entry, path) }, name),
      );
    } else if (entry.kind === "file") {
      row.append(el("a", { class: "entry", href: this.client.address(path), download: entry.name }, name));
    } else row.append(el("span", { class: "entry" }, name));
    const facts = entry.kind === "file" ? size(entry.size) : "";
    const tool = (label: string, text: string, press: () => void) =>
      el(
        "button",
        { type: "button", class: "small", "aria-label": `${label} ${name}`, title: label, click: press },
        text,
      );
    row.append(
      el("span", { class: "facts", title: entry.modified_at ?? "" }, facts),
      tool("Rename", "✎", () => void this.#rename(entry, path)),
      tool("Delete", "✕", () => void this.#remove(entry, path)),
    );
    return row;
  }

  /** A link may lead to a file. */
  async #enter(entry: Entry, path: string): Promise<void> {
    if (entry.kind === "folder") return this.show(path);
    try {
      await this.client.list(path);
      await this.show(path);
    } catch {
      el("a", { href: this.client.address(path), download: entry.name }).click();
    }
  }

  async #do(work: Promise<void>): Promise<void> {
    try {
      await work;
      await this.show();
    } catch (error) {
      this.#note.textContent = words(error);
    }
  }

  async #newFolder(): Promise<void> {
    const name = prompt("The new folder's name")?.trim();
    if (name) await this.#do(this.client.folder(join(this.#path, name)));
  }

  async #rename(entry: Entry, path: string): Promise<void> {
    const name = prompt("The new name", entry.name)?.trim();
    if (name && name !== entry.name) await this.#do(this.client.rename(path, join(this.#path, name)));
  }

  async #remove(entry: Entry, path: string): Promise<void> {
    if (confirm(`Delete ${shownName(entry.name)}?`)) await this.#do(this.client.remove(path));
  }

  /** One after the other: they share one way. */
  #take(files: File[]): void {
    const folder = this.#path;
    for (const file of files) {
      const stop = new AbortController();
      const bar = el("progress", {
        max: Math.max(file.size, 1),
        value: 0,
        "aria-label": shownName(file.name),
      });
      const state = el("span", { class: "facts" }, "waiting");
      const cancel = el("button", { type: "button", class: "small", click: () => stop.abort() }, "✕");
      cancel.setAttribute("aria-label", `Stop uploading ${shownName(file.name)}`);
      const row = el("li", {}, el("span", { class: "entry" }, shownName(file.name)), state, cancel, bar);
      this.#transfers.append(row);
      this.#busy = this.#busy.then(async () => {
        try {
          const progress = (bytes: number) => {
            bar.value = bytes;
            state.textContent = `${size(bytes)} of ${size(file.size)}`;
          };
          await upload(this.client, join(folder, file.name), file, progress, stop.signal);
          row.remove();
          if (this.#path === folder) await this.show();
        } catch (error) {
          if (stop.signal.aborted) return row.remove();
          // Dropping the same file again continues it.
          state.textContent = words(error);
          cancel.addEventListener("click", () => row.remove());
        }
      });
    }
  }
}
