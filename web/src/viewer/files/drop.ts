/** Files that are dragged over the page: the whole page is where they can be dropped. */
import { el } from "../ui/dom";

export type DropActions = {
  /** Whether they can be taken now, and what to say while they hover; empty where they cannot. */
  invitation(): string;
  dropped(files: File[]): void;
  /** Folders came, too, and were left out. */
  folders(): void;
};

export class DropZone {
  readonly element = el("div", { class: "drop-zone gone", "aria-hidden": "true" });
  readonly #text = el("p", {});
  /** The pointer enters and leaves every element on its way. */
  #inside = 0;

  constructor(private readonly actions: DropActions) {
    this.element.append(this.#text);
    window.addEventListener("dragenter", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      this.#inside += 1;
      const text = this.actions.invitation();
      this.#text.textContent = text;
      this.element.classList.toggle("gone", !text);
    });
    window.addEventListener("dragleave", (event) => {
      if (!carriesFiles(event)) return;
      this.#inside = Math.max(0, this.#inside - 1);
      if (this.#inside === 0) this.#hide();
    });
    window.addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      // Without this the browser would open the file in the place of this page.
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = this.actions.invitation() ? "copy" : "none";
    });
    window.addEventListener("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      this.#hide();
      if (!this.actions.invitation()) return;
      const { files, folders } = taken(event.dataTransfer);
      if (files.length > 0) this.actions.dropped(files);
      if (folders) this.actions.folders();
    });
  }

  #hide(): void {
    this.#inside = 0;
    this.element.classList.add("gone");
  }
}

function carriesFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

function taken(transfer: DataTransfer | null): { files: File[]; folders: boolean } {
  const files: File[] = [];
  let folders = false;
  for (const item of transfer?.items ?? []) {
    if (item.kind !== "file") continue;
    if (item.webkitGetAsEntry?.()?.isDirectory) {
      folders = true;
      continue;
    }
    const file = item.getAsFile();
    if (file) files.push(file);
  }
  return { files, folders };
}
