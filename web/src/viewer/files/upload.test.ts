import { describe, expect, it, vi } from "vitest";
import { ApiError } from "../api";
import type { Progress } from "./client";
import { type Destination, nextPiece, tagOf, upload } from "./upload";

/** A server that keeps what arrives, and breaks where it is told to. */
class Server implements Destination {
  bytes = new Uint8Array(0);
  pieces: number[] = [];
  breaks = new Set<number>();
  async uploaded(): Promise<Progress> {
    return { offset: this.bytes.length, complete: false };
  }
  async piece(_path: string, _tag: string, offset: number, total: number, blob: Blob): Promise<Progress> {
    this.pieces.push(offset);
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const broken = this.breaks.delete(this.pieces.length);
    const taken = broken ? bytes.subarray(0, bytes.length >> 1) : bytes;
    const all = new Uint8Array(offset + taken.length);
    all.set(this.bytes.subarray(0, offset));
    all.set(taken, offset);
    this.bytes = all;
    if (broken) throw new ApiError(0, "no_answer", "No answer", "", "");
    return { offset: all.length, complete: all.length === total };
  }
}

const content = Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 7) & 0xff);
const file = new File([content], "a.bin", { lastModified: 5 });
const soon = () => Promise.resolve();
const deaf = { progress: () => undefined, waiting: () => undefined };

describe("uploading", () => {
  it("continues where the server says after a break", async () => {
    const server = new Server();
    server.breaks.add(2);
    const seen: number[] = [];
    let cuts = 0;
    const watcher = { progress: (bytes: number) => seen.push(bytes), waiting: () => cuts++ };
    await upload(server, "a.bin", file, false, watcher, new AbortController().signal, soon);
    expect(cuts).toBe(1);
    expect(Buffer.compare(server.bytes, content)).toBe(0);
    expect(seen.at(-1)).toBe(content.length);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });
  it("takes up what an earlier page left", async () => {
    const server = new Server();
    server.bytes = content.slice(0, 2_000_000);
    await upload(server, "a.bin", file, false, deaf, new AbortController().signal, soon);
    expect(server.pieces[0]).toBe(2_000_000);
    expect(Buffer.compare(server.bytes, content)).toBe(0);
  });
  it("gives up on what stays wrong, and when told to", async () => {
    const denied = new ApiError(409, "file_denied", "", "no permission", "");
    const server = {
      uploaded: async () => ({ offset: 0, complete: false }),
      piece: vi.fn().mockRejectedValue(denied),
    };
    await expect(upload(server, "a", file, false, deaf, new AbortController().signal, soon)).rejects.toBe(
      denied,
    );
    expect(server.piece).toHaveBeenCalledTimes(1);
    await expect(upload(new Server(), "a", file, false, deaf, AbortSignal.abort(), soon)).rejects.toThrow();
  });
  it("tells files apart and fits pieces to the network", () => {
    expect(tagOf(file)).toMatch(/^[0-9a-z]{1,13}$/);
    expect(tagOf(file)).not.toBe(tagOf(new File([content], "a.bin", { lastModified: 6 })));
    expect(nextPiece(1_000_000, 100)).toBe(2_000_000);
    expect(nextPiece(1_000_000, 30_000)).toBe(256 * 1024);
    expect(nextPiece(16_000_000, 10)).toBe(16 * 1024 * 1024);
  });
  it("stops while it waits for the network", async () => {
    const stop = new AbortController();
    const gone = new ApiError(0, "no_answer", "No answer", "", "");
    const server = { uploaded: () => Promise.reject(gone), piece: () => Promise.reject(gone) };
    const watcher = { progress: () => undefined, waiting: () => queueMicrotask(() => stop.abort()) };
    const never = () => new Promise<void>(() => undefined);
    await expect(upload(server, "a", file, false, watcher, stop.signal, never)).rejects.toHaveProperty(
      "name",
      "AbortError",
    );
  });
  it("stops in the middle of a piece", async () => {
    const stop = new AbortController();
    const server = {
      uploaded: async () => ({ offset: 0, complete: false }),
      piece: async (
        _: string,
        _tag: string,
        _at: number,
        _size: number,
        _bytes: Blob,
        _replace: boolean,
        stopped?: AbortSignal,
      ) => {
        stop.abort();
        expect(stopped?.aborted).toBe(true);
        throw new ApiError(0, "no_answer", "No answer", "", "");
      },
    };
    await expect(upload(server, "a", file, false, deaf, stop.signal, soon)).rejects.toHaveProperty(
      "name",
      "AbortError",
    );
  });
});
