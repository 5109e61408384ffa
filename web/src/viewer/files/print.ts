/** What the machine prints: PDF files in one folder of the session's drive. */
import { ApiError } from "../api";
import { type FilesClient, words } from "./client";

/** `PRINT_FOLDER` of the server. */
const FOLDER = "Print";
const MAGIC = "%PDF-";
/** A tab has read it by then. */
const KEPT_MS = 600_000;

export const printPath = (name: string): string => `${FOLDER}/${name}`;

/**
 * Opens a print in a tab of its own, where the browser's PDF viewer prints it. Only what begins as a PDF does is shown, and only as that:
 * the machine wrote it. Rejects with a sentence.
 */
export async function openPrint(drive: FilesClient, name: string): Promise<void> {
  // At once: browsers open tabs only while they still see the click.
  const tab = window.open("", "_blank");
  if (!tab) throw new Error("The browser kept a new tab from opening. Save the file instead.");
  try {
    const answer = await drive.content(printPath(name), 0, "", AbortSignal.timeout(KEPT_MS));
    const bytes = await answer.blob();
    if ((await bytes.slice(0, MAGIC.length).text()) !== MAGIC)
      throw new Error("It is not a PDF, so it is not opened here. Save it to look at it elsewhere.");
    const address = URL.createObjectURL(new Blob([bytes], { type: "application/pdf" }));
    setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
    tab.location.replace(address);
  } catch (error) {
    tab.close();
    throw error instanceof ApiError ? new Error(words(error)) : error;
  }
}
