/** The files of the machine: where one is, what is there, and what one does with it. */
import { el, icon } from "../ui/dom";
import { type Entry, type FilesClient, type Listing, words } from "./client";
import { join, parent, shownName, size, wrongName } from "./names";
import { Transfers, type TransfersActions } from "./transfers";

/** Chromium's; not in TypeScript's library. */
type SavePicker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;
/** Files of this size and more are saved by this page where the browser lets it. */
const LARGE_BYTES = 32 * 1024 * 1024;
const ICON_OF = { file: "file", folder: "files", link: "link", other: "file" } as const;

type Held = { name: string | undefined; tool: string | null; place: number };

export class FilesPanel {
  readonly element: HTMLElement;
  readonly transfers: Transfers;
  readonly #where = el("nav", { class: "where", "aria-label": "Folder" });
  readonly #list = el("ul", { class: "files", "aria-label": "Files" });
  readonly #note = el("p", { class: "note", role: "status" });
  readonly #names = new WeakMap<Element, string>();
  readonly #change: HTMLButtonElement[];
  #listing: Listing | null = null;
  #path = "";
  #asked = 0;
  #asking = false;
  /** Something has changed since the list was asked for. */
  #stale = false;

  constructor(
    private readonly client: FilesClient,
    finished: TransfersActions["finished"] = () => undefined,
  ) {
    this.transfers = new Transfers(client, {
      arrived: (folder) => {
        if (folder === this.#path) this.#reload();
      },
      finished,
    });
    const pick = el("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files to upload" });
    pick.addEventListener("change", () => {
      void this.take([...(pick.files ?? [])]);
      pick.value = "";
    });
    const button = (label: string, press: () => void) =>
      el("button", { type: "button", class: "button", click: press }, label);
    this.#change = [
      button("Upload files", () => pick.click()),
      button("New folder", () => this.#newFolder()),
    ];
    this.element = el(
      "div",
      { class: "files-panel" },
      this.#where,
      this.#list,
      this.#note,
      el(
        "div",
        { class: "buttons" },
        ...this.#change,
        button("Reload", () => void this.show()),
      ),
      this.transfers.element,
      pick,
    );
    this.#list.addEventListener("keydown", this.#key);
    this.#mayChange(true);
  }

  /** Where dropped files go, as people read it; empty while it is not known. */
  get place(): string {
    return this.#listing ? shownName(absolute(this.#listing)) : "";
  }

  /** False where the pool lets nobody upload. */
  get open(): boolean {
    return this.#listing?.may_upload ?? true;
  }

  /** Asks for the list again. `focus`: the keyboard was in it. */
  async show(path = this.#path, focus = false): Promise<void> {
    this.#stale = false;
    await this.#ask(path, focus, () => true);
  }

  /** Unasked: it takes nothing from whoever types a name or is asked something there, and waits for its turn. */
  #reload(): void {
    this.#stale = this.#asking || this.#occupied;
    if (!this.#stale) void this.#ask(this.#path, false, () => !this.#occupied);
  }

  /** What waited for a list that was under way, or for an answer. */
  #catchUp(): void {
    if (this.#stale) this.#reload();
  }

  get #occupied(): boolean {
    return this.#list.querySelector("li.editing, li.question") !== null;
  }

  async #ask(path: string, focus: boolean, welcome: () => boolean): Promise<void> {
    this.#asked += 1;
    this.#asking = true;
    const asked = this.#asked;
    this.element.setAttribute("aria-busy", "true");
    // Words that come and go at once are noise.
    const slow = setTimeout(() => this.#say("Asking the machine…"), 300);
    try {
      const listing = await this.client.list(path);
      // A later click was faster.
      if (asked !== this.#asked) return;
      if (welcome()) this.#draw(listing);
      else this.#stale = true;
      if (focus) this.#entries()[0]?.focus();
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#say(words(error), true);
      if (!this.#listing) this.#list.replaceChildren();
    } finally {
      clearTimeout(slow);
      if (asked === this.#asked) {
        this.#asking = false;
        this.element.removeAttribute("aria-busy");
        this.#catchUp();
      }
    }
  }

  /** Uploads into the folder that is shown. */
  async take(files: File[]): Promise<void> {
    if (files.length === 0) return;
    if (!this.#listing) await this.show();
    if (!this.#listing) return;
    if (!this.open)
      return this.#say(
        "Files on this desktop cannot be changed from here: its pool, or a group of yours, says so.",
        true,
      );
    const there = new Set(this.#listing.files.map((entry) => entry.name));
    this.transfers.upload(files, this.#path, there);
  }

  #say(text: string, wrong = false): void {
    this.#note.textContent = text;
    this.#note.classList.toggle("wrong", wrong);
  }

  #mayChange(may: boolean): void {
    for (const button of this.#change) button.hidden = !may;
  }

  #draw(listing: Listing): void {
    const same = this.#listing?.path === listing.path;
    const held = same ? this.#held() : null;
    const { scrollTop } = this.#list;
    this.#listing = listing;
    this.#path = listing.path;
    this.#mayChange(listing.may_upload);
    this.#crumbs(listing);
    const folders = listing.files.filter((entry) => entry.kind === "folder");
    const others = listing.files.filter((entry) => entry.kind !== "folder");
    this.#list.replaceChildren(...[...folders, ...others].map((entry) => this.#row(entry)));
    this.#list.scrollTop = same ? scrollTop : 0;
    const first = this.#entries()[0];
    if (first) first.tabIndex = 0;
    if (held) this.#hold(held);
    const drop = listing.may_upload ? "Drop files here to upload them." : "";
    if (listing.cut) this.#say("There are more files than are listed here.");
    else if (listing.files.length === 0) this.#say(`Nothing is here yet. ${drop}`);
    else this.#say(drop);
  }

  /** Where the focus is in the list. */
  #held(): Held | null {
    const at = document.activeElement;
    const row = at?.closest("li");
    if (!at || !row || !this.#list.contains(row)) return null;
    const place = [...this.#list.children].indexOf(row);
    return {
      name: this.#names.get(row),
      tool: at.matches("button.small") ? at.getAttribute("title") : null,
      place,
    };
  }

  /** There again; where the file is gone, at the one in its place. */
  #hold({ name, tool, place }: Held): void {
    const rows = [...this.#list.children];
    const same = rows.find((row) => this.#names.get(row) === name);
    const row = same ?? rows[Math.min(place, rows.length - 1)];
    const button = same && tool ? `button.small[title="${tool}"]` : "button.entry";
    row?.querySelector<HTMLButtonElement>(button)?.focus({ preventScroll: true });
  }

  /** The way to the folder, each part of it a button. */
  #crumbs(listing: Listing): void {
    const crumb = (label: string, path: string) =>
      el("button", { type: "button", class: "crumb", click: () => void this.show(path) }, label);
    const names = listing.path ? listing.path.split("/") : [];
    const parts = [crumb(shownName(listing.root), "")];
    names.forEach((name, at) => {
      parts.push(crumb(shownName(name), names.slice(0, at + 1).join("/")));
    });
    parts.at(-1)?.setAttribute("aria-current", "page");
    this.#where.replaceChildren(...parts.flatMap((part, at) => (at === 0 ? [part] : [separator(), part])));
    // A long way shows its end.
    this.#where.scrollLeft = this.#where.scrollWidth;
  }

  #row(entry: Entry): HTMLLIElement {
    const name = shownName(entry.name);
    const row = el("li", { class: entry.kind });
    this.#names.set(row, entry.name);
    const open = el(
      "button",
      {
        type: "button",
        class: "entry",
        title: name,
        tabindex: -1,
        click: () => void this.#open(entry),
      },
      icon(ICON_OF[entry.kind]),
      el("span", {}, name),
    );
    // Neither a folder to enter nor a file to have.
    if (entry.kind === "other" || (entry.kind === "file" && !this.#listing?.may_download))
      open.disabled = true;
    const tool = (label: string, picture: "rename" | "remove", press: () => void) => {
      const button = el("button", {
        type: "button",
        class: "small",
        "aria-label": `${label} ${name}`,
        title: label,
        click: press,
      });
      button.append(icon(picture));
      return button;
    };
    const modified = entry.modified_at ? new Date(entry.modified_at) : null;
    row.append(
      open,
      el("span", { class: "facts" }, entry.kind === "file" ? size(entry.size) : ""),
      el(
        "time",
        { class: "facts", datetime: entry.modified_at ?? "", title: modified?.toLocaleString() ?? "" },
        modified?.toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" }) ?? "",
      ),
    );
    if (this.#listing?.may_upload)
      row.append(
        tool("Rename", "rename", () => this.#rename(row, entry)),
        tool("Delete", "remove", () => this.#remove(row, entry)),
      );
    return row;
  }

  #entries(): HTMLButtonElement[] {
    return [...this.#list.querySelectorAll<HTMLButtonElement>("button.entry")];
  }

  /** Up and down among the files; F2, Delete and Backspace as in other programs. */
  #key = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (!target.matches("button.entry") || event.ctrlKey || event.altKey || event.metaKey) return;
    const entries = this.#entries();
    const at = entries.indexOf(target as HTMLButtonElement);
    const press = (which: string) =>
      target.closest("li")?.querySelector<HTMLButtonElement>(`button.small[title="${which}"]`)?.click();
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (to !== undefined) entries[Math.min(Math.max(to, 0), entries.length - 1)]?.focus();
    else if (event.key === "F2") press("Rename");
    else if (event.key === "Delete") press("Delete");
    else if (event.key === "Backspace" && this.#path) void this.show(parent(this.#path), true);
    else return;
    event.preventDefault();
  };

  async #open(entry: Entry): Promise<void> {
    const path = join(this.#path, entry.name);
    const focus = this.#list.contains(document.activeElement);
    if (entry.kind === "folder") return this.show(path, focus);
    try {
      // Where a link leads, and whether the file is there: a download that fails says less.
      const found = await this.client.entry(path);
      if (found.kind === "folder") return await this.show(path, focus);
      if (!this.#listing?.may_download) return;
      const save = (window as { showSaveFilePicker?: SavePicker }).showSaveFilePicker;
      if (save && found.size >= LARGE_BYTES) return await this.#saveLarge(entry, path, found.size, save);
      const link = el("a", { href: this.client.address(path), download: entry.name, hidden: true });
      this.element.append(link);
      link.click();
      link.remove();
      this.#say(`Your browser is saving “${shownName(entry.name)}”.`);
    } catch (error) {
      this.#say(words(error), true);
    }
  }

  /** A browser's own download does not survive a cut network by itself; ours does, and shows how far it is. */
  async #saveLarge(entry: Entry, path: string, bytes: number, save: SavePicker): Promise<void> {
    const name = shownName(entry.name).replace(/[\\\ufffd]/g, "_");
    try {
      this.transfers.download(path, entry.name, bytes, await save.call(window, { suggestedName: name }));
    } catch (error) {
      // The person chose none.
      if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    }
  }

  /** `row`: where it was asked for. `becomes`: what stands there until the list comes. */
  async #do(work: Promise<void>, row: HTMLLIElement, becomes?: Entry): Promise<boolean> {
    try {
      await work;
    } catch (error) {
      this.#say(words(error), true);
      return false;
    }
    const inside = row.contains(document.activeElement);
    const next = becomes ? this.#row(becomes) : (row.nextElementSibling ?? row.previousElementSibling);
    if (becomes && next) row.replaceWith(next);
    else row.remove();
    if (inside) next?.querySelector<HTMLElement>("button.entry, input")?.focus();
    this.#reload();
    return true;
  }

  #newFolder(): void {
    if (this.#list.querySelector("li.editing.new")) return;
    const row = el("li", { class: "folder editing new" });
    this.#edit(row, "The new folder's name", "", async (name) => {
      const made: Entry = { name, kind: "folder", size: 0, modified_at: null };
      await this.#do(this.client.folder(join(this.#path, name)), row, made);
    });
    this.#list.prepend(row);
    this.#list.scrollTop = 0;
    row.querySelector("input")?.focus();
  }

  #rename(row: HTMLLIElement, entry: Entry): void {
    const editing = el("li", { class: `${entry.kind} editing` });
    this.#edit(
      editing,
      `New name of ${shownName(entry.name)}`,
      entry.name,
      async (name) => {
        const path = join(this.#path, entry.name);
        if (name !== entry.name)
          await this.#do(this.client.rename(path, join(this.#path, name)), editing, { ...entry, name });
        else this.#undo(editing, row);
      },
      row,
    );
    row.replaceWith(editing);
    const input = editing.querySelector("input");
    input?.focus();
    // The ending mostly stays.
    const end = entry.kind === "file" ? entry.name.lastIndexOf(".") : -1;
    input?.setSelectionRange(0, end > 0 ? end : entry.name.length);
  }

  /** A name to type in a row; Enter takes it, Escape goes back to what was there. */
  #edit(
    row: HTMLLIElement,
    label: string,
    value: string,
    take: (name: string) => Promise<void>,
    before?: HTMLLIElement,
  ): void {
    const input = el("input", { type: "text", "aria-label": label, placeholder: label, spellcheck: "false" });
    input.autocomplete = "off";
    input.value = value;
    const back = () => this.#undo(row, before);
    const done = () => {
      const name = input.value.trim() || input.value;
      const wrong = wrongName(name);
      if (wrong) {
        input.setAttribute("aria-invalid", "true");
        this.#say(wrong, true);
        input.focus();
      } else void take(name);
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") done();
      else if (event.key === "Escape") back();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    const button = (text: string, press: () => void, kind = "") =>
      el("button", { type: "button", class: `button tight ${kind}`, click: press }, text);
    row.append(input, button("Save", done, "primary"), button("Cancel", back));
  }

  /** What was there before comes back, and the list that waited for it. */
  #undo(row: HTMLLIElement, before?: HTMLLIElement): void {
    if (before) row.replaceWith(before);
    else row.remove();
    before?.querySelector<HTMLButtonElement>("button.entry")?.focus();
    this.#catchUp();
  }

  #remove(row: HTMLLIElement, entry: Entry): void {
    const name = shownName(entry.name);
    const back = () => this.#undo(question, row);
    const button = (text: string, press: () => void, kind = "") =>
      el("button", { type: "button", class: `button tight ${kind}`, click: press }, text);
    const keep = button("Keep", back);
    const question = el(
      "li",
      { class: "question", role: "alert" },
      el("span", {}, `Delete “${name}”? It cannot be brought back.`),
      el(
        "span",
        { class: "buttons" },
        button(
          "Delete",
          () =>
            void this.#do(this.client.remove(join(this.#path, entry.name)), question).then((done) => {
              if (!done) back();
            }),
          "danger",
        ),
        keep,
      ),
    );
    question.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      back();
    });
    row.replaceWith(question);
    keep.focus();
  }
}

/** A folder as the machine calls it. */
function absolute(listing: Listing): string {
  return join(listing.root === "/" ? "" : listing.root, listing.path) || "/";
}

function separator(): HTMLElement {
  return el("span", { class: "slash", "aria-hidden": "true" }, "›");
}
