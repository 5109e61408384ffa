import { describe, expect, it } from "vitest";
import { ApiError } from "../api";
import { download, type Sink, type Source } from "./download";

const content = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7) & 0xff);

/** A server whose answers break off where they are told to. */
class Server implements Source {
  asked: number[] = [];
  tag = '"one"';
  bytes = content;
  cuts: number[] = [];
  async content(_: string, offset: number, known: string): Promise<Response> {
    this.asked.push(offset);
    const same = offset > 0 && known === this.tag;
    const bytes = this.bytes.subarray(same ? offset : 0);
    const cut = this.cuts.shift();
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes.slice(0, cut ?? bytes.length));
        if (cut === undefined) controller.close();
      },
      pull(controller) {
        controller.error(new TypeError("network"));
      },
    });
    const headers = { ETag: this.tag, "Content-Length": String(bytes.length) };
    return new Response(body, { status: same ? 206 : 200, headers });
  }
}

class Kept implements Sink {
  bytes: number[] = [];
  at = 0;
  async write(piece: Uint8Array) {
    for (const byte of piece) this.bytes[this.at++] = byte;
  }
  async seek(position: number) {
    this.at = position;
  }
  async truncate(size: number) {
    this.bytes.length = size;
  }
}

const soon = () => Promise.resolve();
const run = async (server: Source, kept: Sink, seen: number[] = [], stop = new AbortController()) => {
  const watcher = { progress: (bytes: number) => seen.push(bytes), waiting: () => undefined };
  await download(server, "a", kept, watcher, stop.signal, soon);
};

describe("downloading", () => {
  it("goes on where it was cut", async () => {
    const [server, kept, seen] = [new Server(), new Kept(), [] as number[]];
    server.cuts = [100_000, 50_000];
    await run(server, kept, seen);
    expect(server.asked).toEqual([0, 100_000, 150_000]);
    expect(Buffer.compare(Buffer.from(kept.bytes), content)).toBe(0);
    expect(seen.at(-1)).toBe(content.length);
  });
  it("begins anew when the file is another one by then", async () => {
    const [server, kept] = [new Server(), new Kept()];
    server.cuts = [200_000];
    const first = server.content.bind(server);
    server.content = async (...asked) => {
      const reply = await first(...asked);
      server.tag = '"two"';
      server.bytes = content.slice(0, 1000).reverse();
      return reply;
    };
    await run(server, kept);
    expect(kept.bytes).toEqual([...server.bytes]);
  });
  it("gives up on what stays wrong", async () => {
    const gone = new ApiError(404, "no_such_file", "", "there is no such file", "");
    await expect(run({ content: () => Promise.reject(gone) }, new Kept())).rejects.toBe(gone);
  });
});
