/**
 * What one copy holds, and this computer's clipboard as browsers show it. HTML is somebody else's: it goes from one clipboard to the
 * other and never into this page.
 */
import { CLIPBOARD_PICTURE_BYTES_MAX, CLIPBOARD_PIXELS_MAX } from "./wire";

export type Copied = { text: string; html: string; png: Uint8Array<ArrayBuffer> | null };

export const NOTHING: Copied = { text: "", html: "", png: null };

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Side of the picture that two pictures are compared by. */
const PRINT_SIDE = 32;

/** Width and height that a PNG says it has; null for what is none, or is larger than is carried. */
export function pngSize(png: Uint8Array): { width: number; height: number } | null {
  if (png.length < 24 || png.length > CLIPBOARD_PICTURE_BYTES_MAX) return null;
  if (!SIGNATURE.every((byte, at) => png[at] === byte)) return null;
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  return width > 0 && height > 0 && width * height <= CLIPBOARD_PIXELS_MAX ? { width, height } : null;
}

/**
 * The same for pictures that look the same: browsers write a PNG anew when they put it on a clipboard, and its bytes differ. Empty where
 * it cannot be shown.
 */
export async function print(png: Uint8Array<ArrayBuffer>): Promise<string> {
  try {
    const picture = await createImageBitmap(new Blob([png], { type: "image/png" }));
    const context = new OffscreenCanvas(PRINT_SIDE, PRINT_SIDE).getContext("2d");
    if (!context) return "";
    context.drawImage(picture, 0, 0, PRINT_SIDE, PRINT_SIDE);
    const { data } = context.getImageData(0, 0, PRINT_SIDE, PRINT_SIDE);
    // FNV-1a.
    const hash = data.reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193), 0x811c9dc5 | 0);
    const size = `${picture.width}x${picture.height}`;
    picture.close();
    return `${size}:${hash >>> 0}`;
  } catch {
    return "";
  }
}

/** What a paste event brings. Its picture is read a moment later, where it has no text. */
export function ofPaste(data: DataTransfer): { text: string; html: string; png: File | null } {
  const text = data.getData("text/plain");
  const pictures = [...data.items].filter((item) => item.kind === "file" && item.type === "image/png");
  return { text, html: data.getData("text/html"), png: text ? null : (pictures[0]?.getAsFile() ?? null) };
}

/** Files that a paste event brings: those of a file manager, and not the picture that programs copy. */
export function filesOf(data: DataTransfer): File[] {
  const files = [...data.items].filter(
    (item) => item.kind === "file" && !item.webkitGetAsEntry?.()?.isDirectory,
  );
  const found = files.map((item) => item.getAsFile()).filter((file) => file !== null);
  return found.filter((file) => file.name !== "image.png" || file.type !== "image/png");
}

/** This computer's clipboard, where the page may read it; throws where it may not. */
export async function read(rich: boolean, board = navigator.clipboard): Promise<Copied> {
  if (!rich || !board.read) return { ...NOTHING, text: await board.readText() };
  const copied = { ...NOTHING };
  for (const item of await board.read()) {
    const blob = async (type: string) => (item.types.includes(type) ? await item.getType(type) : null);
    copied.text ||= (await (await blob("text/plain"))?.text()) ?? "";
    copied.html ||= (await (await blob("text/html"))?.text()) ?? "";
    if (copied.text === "" && !copied.png) {
      const picture = await blob("image/png");
      if (picture) copied.png = new Uint8Array(await picture.arrayBuffer());
    }
  }
  return copied;
}

/** Puts a copy on this computer's clipboard; throws where the page may not. */
export async function write({ text, html, png }: Copied, board = navigator.clipboard): Promise<void> {
  if ((html === "" && !png) || typeof ClipboardItem === "undefined" || !board.write) {
    if (text !== "" || (html === "" && !png)) await board.writeText(text);
    return;
  }
  const parts: Record<string, Blob> = {};
  if (text) parts["text/plain"] = new Blob([text], { type: "text/plain" });
  if (html) parts["text/html"] = new Blob([html], { type: "text/html" });
  if (png) parts["image/png"] = new Blob([png], { type: "image/png" });
  await board.write([new ClipboardItem(parts)]);
}
