import { describe, expect, it } from "vitest";
import { house } from "../testing/fixture.mjs";
import { activity, clock } from "./bar";
import { ContainerError, chunkEntries, chunkEvents, plain } from "./container";
import { Transcript } from "./search";
import type { Chunk } from "./source";

/** The blocks of a recording of the mock, which are those of docs/recording-format.md. */
function blocks(kind: string): ArrayBuffer[] {
  const made = house("admin").recordings.find((one) => one.kind === kind);
  if (!made) throw new Error("the mock has no such recording");
  const { bytes, chunks } = made.content;
  return chunks.map(({ offset, length }) => Uint8Array.from(bytes.subarray(offset, offset + length)).buffer);
}

describe("chunks", () => {
  it("of a screen are messages with times", () => {
    const entries = blocks("rdp").flatMap(chunkEntries);
    expect(entries[0]?.ms).toBe(0);
    expect(entries[0]?.message[0]).toBe(0x02);
    const times = entries.map(({ ms }) => ms);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.at(-1)).toBe(39_500);
  });

  it("of a terminal are what it showed and its size", () => {
    const events = blocks("ssh").flatMap(chunkEvents);
    expect(events[0]).toEqual({ ms: 0, kind: "size", columns: 80, rows: 24 });
    expect(events).toContainEqual({ ms: 14_000, kind: "size", columns: 100, rows: 30 });
    expect(events[2]).toEqual({ ms: 1000, kind: "input", text: "uname -a\r" });
    expect(events[3]).toEqual({ ms: 1100, kind: "output", text: "uname -a\r\n" });
  });

  it("that are cut or are something else are refused", () => {
    const [block] = blocks("rdp") as [ArrayBuffer];
    for (const length of [0, 10, 23, block.byteLength - 1]) {
      expect(() => chunkEntries(block.slice(0, length))).toThrow(ContainerError);
    }
    const wrong = block.slice(0);
    new Uint8Array(wrong)[0] = 0;
    expect(() => chunkEntries(wrong)).toThrow("no chunk begins");
    // An entry that says it is longer than its chunk.
    const long = block.slice(0);
    new DataView(long).setUint32(28, 0xffffffff, true);
    expect(() => chunkEntries(long)).toThrow("cut off");
  });
});

describe("searching", () => {
  const transcript = new Transcript();
  for (const event of blocks("ssh").flatMap(chunkEvents)) {
    if (event.kind === "output") transcript.add(event.ms, event.text);
  }

  it("finds words through colours and says when they were shown", () => {
    const [hit, ...more] = transcript.find("WARM-UP");
    expect(hit).toEqual({ ms: 16_000, before: "frame 1 of 240 … ", hit: "warm-up", after: "" });
    expect(more).toEqual([]);
    expect(transcript.find("mira@studio-4:~$ ls")[0]?.ms).toBe(12_000);
    expect(transcript.find("")).toEqual([]);
    expect(transcript.find("nothing like it")).toEqual([]);
  });

  it("leaves control sequences out", () => {
    expect(plain("\x1b]0;title\x07a\x1b[1;31mb\x1b[0m\x1b(Bc\r\n")).toBe("abc\n");
  });
});

describe("the bar", () => {
  it("shows where something happened", () => {
    const chunk = (first_ms: number, last_ms: number, length: number): Chunk => ({
      offset: 0,
      length,
      first_ms,
      last_ms,
      key: false,
    });
    expect(activity([chunk(0, 0, 400), chunk(90, 100, 100)], 100, 10)).toEqual([
      1, 0, 0, 0, 0, 0, 0, 0, 0, 0.5,
    ]);
    expect(activity([], 0, 3)).toEqual([0, 0, 0]);
  });

  it("says times as people do", () => {
    expect([0, 61_500, 3_723_000].map(clock)).toEqual(["0:00", "1:01", "1:02:03"]);
  });
});
