/**
 * The chunks of a recording (docs/recording-format.md), byte by byte. Total: any bytes give what is in them or a
 * {@link ContainerError}. The server has the same in `crates/screen/src/recording`.
 */

const HEAD_BYTES = 16;
const MAGIC = 0x6365524f; // "ORec", little endian
const CHUNK = 2;

/** Bytes that are no chunk of a recording. */
export class ContainerError extends Error {
  override name = "ContainerError";
}

/** What was shown at a moment, in milliseconds from the start: a message of the viewer protocol. */
export type Entry = { ms: number; message: Uint8Array<ArrayBuffer> };

function payload(block: ArrayBuffer): DataView<ArrayBuffer> {
  if (block.byteLength < HEAD_BYTES + 8) throw new ContainerError("a chunk is cut off");
  const head = new DataView(block);
  if (head.getUint32(0, true) !== MAGIC || head.getUint8(4) !== CHUNK) {
    throw new ContainerError("no chunk begins where one should");
  }
  const length = head.getUint32(12, true);
  if (length < 8 || block.byteLength < HEAD_BYTES + length) throw new ContainerError("a chunk is cut off");
  return new DataView(block, HEAD_BYTES + 8, length - 8);
}

/** The messages of a screen's chunk; `block` is the whole block with its head. */
export function chunkEntries(block: ArrayBuffer): Entry[] {
  const view = payload(block);
  const entries: Entry[] = [];
  let at = 0;
  while (at < view.byteLength) {
    if (view.byteLength - at < 8) throw new ContainerError("an entry is cut off");
    const ms = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    at += 8;
    if (length > view.byteLength - at) throw new ContainerError("an entry is cut off");
    entries.push({ ms, message: new Uint8Array(block, view.byteOffset + at, length) });
    at += length;
  }
  return entries;
}

/** What a terminal did: it showed text, was typed into, or changed its size. And what lies over it. */
export type CastEvent =
  | { ms: number; kind: "input"; text: string }
  | { ms: number; kind: "output"; text: string }
  | { ms: number; kind: "size"; columns: number; rows: number }
  | { ms: number; kind: "watermark"; text: string };

const SIZE = /^(\d{1,4})x(\d{1,4})$/;

/** The events of a terminal's chunk: lines of asciicast v2. Lines of other kinds are left out. */
export function chunkEvents(block: ArrayBuffer): CastEvent[] {
  const events: CastEvent[] = [];
  for (const line of new TextDecoder().decode(payload(block)).split("\n")) {
    // Blanks are where something was typed that is not for us.
    if (line.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new ContainerError("a line is not JSON");
    }
    if (Array.isArray(value)) {
      const [seconds, kind, text] = value as unknown[];
      if (typeof seconds !== "number" || typeof text !== "string") continue;
      const ms = Math.round(seconds * 1000);
      if (kind === "i") events.push({ ms, kind: "input", text });
      if (kind === "o") events.push({ ms, kind: "output", text });
      const size = kind === "r" ? SIZE.exec(text) : null;
      if (size) events.push({ ms, kind: "size", columns: Number(size[1]), rows: Number(size[2]) });
    } else {
      const { width, height, watermark } = (value ?? {}) as Record<string, unknown>;
      if (typeof watermark === "string") events.push({ ms: 0, kind: "watermark", text: watermark });
      if (typeof width === "number" && typeof height === "number") {
        events.push({ ms: 0, kind: "size", columns: width, rows: height });
      }
    }
  }
  return events;
}

const CONTROLS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences (ECMA-48) are what it finds
  /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f]/g;

/** Text without control sequences, for searching. */
export const plain = (text: string) => text.replace(CONTROLS, "");
