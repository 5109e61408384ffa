import { describe, expect, it } from "vitest";
import file from "../../../docs/viewer-protocol-vectors.json";
import {
  decodeServer,
  decodeViewer,
  encodeServer,
  encodeText,
  encodeViewer,
  INPUT_BYTES_MAX,
  type ServerRecord,
  split,
  type ViewerRecord,
  WireError,
} from "./wire";

/** Shared with `crates/screen`: see docs/viewer-protocol-vectors.json. Offsets are strings, bytes are `{hex}`. */
type Vector = { name: string; direction: "server" | "viewer"; fields: Record<string, unknown>; hex: string };

const vectors: Vector[] = file.vectors as unknown as Vector[];

const unhex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Vector fields as the record this file decodes: `u64` from decimal strings, bytes from hex. */
function record(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (name === "bytes" || name === "rgba") return [name, unhex(String(value))];
      if (name === "received" || name === "offset") return [name, BigInt(String(value))];
      return [name, value];
    }),
  );
}

function only(message: Uint8Array<ArrayBuffer>) {
  const [raw, ...more] = [...split(message.buffer)];
  expect(more).toEqual([]);
  if (!raw) throw new Error("no record");
  return raw;
}

describe("vectors", () => {
  it.each(vectors)("$direction $name", ({ direction, fields, hex: bytes }) => {
    const expected = record(fields);
    const raw = only(unhex(bytes));
    if (direction === "server") {
      expect(decodeServer(raw)).toEqual(expected);
      expect(hex(encodeServer(expected as ServerRecord))).toBe(bytes);
    } else {
      expect(decodeViewer(raw)).toEqual(expected);
      expect(hex(encodeViewer(expected as ViewerRecord))).toBe(bytes);
    }
  });

  it("cover every record", () => {
    const seen = (direction: string) =>
      new Set(vectors.filter((one) => one.direction === direction).map((one) => one.hex.slice(0, 2)));
    expect([...seen("server")].sort()).toEqual(
      "01 02 10 11 12 13 14 15 18 19 20 21 22 30 31 32 38 39 3a 3b 3c 3d 3f 40 41 42 50 51 52 53 54 55 56 60 61 62".split(
        " ",
      ),
    );
    expect([...seen("viewer")].sort()).toEqual(
      "81 82 83 84 85 86 87 88 89 8a 8b 8c 8d 8e 8f 90 91 92 98 a0 a1 a2 a3 d0 d1".split(" "),
    );
  });
});

describe("hostile bytes", () => {
  it("every cut of every record is a record, nothing or a WireError", () => {
    for (const { direction, hex: bytes } of vectors) {
      const whole = unhex(bytes);
      const decode = direction === "server" ? decodeServer : decodeViewer;
      for (let length = 0; length < whole.length - 5; length += 1) {
        const raw = { type: whole[0] as number, payload: whole.slice(5, 5 + length) };
        try {
          decode(raw);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }
    }
  });

  it("random bytes never throw anything else", () => {
    let seed = 7;
    const random = () => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed >>> 24;
    };
    for (let round = 0; round < 3000; round += 1) {
      const message = Uint8Array.from({ length: 5 + (random() % 40) }, random);
      message[1] = message.length - 5;
      message.fill(0, 2, 5);
      try {
        for (const raw of split(message.buffer)) {
          decodeServer(raw);
          decodeViewer(raw);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }
  });

  it("refuses cut headers, cut payloads and lengths over the limit", () => {
    const message = (...bytes: number[]) => [...split(Uint8Array.from(bytes).buffer)];
    expect(() => message(0x21, 0, 0)).toThrow(WireError);
    expect(() => message(0x30, 4, 0, 0, 0, 1, 2)).toThrow(WireError);
    expect(() => message(0x10, 0xff, 0xff, 0xff, 0xff)).toThrow(/over the limit/);
    expect(() => [...split(Uint8Array.from([0x8b, 0x11, 0, 0x10, 0]).buffer, INPUT_BYTES_MAX)]).toThrow(
      WireError,
    );
  });

  it("skips unknown types and ignores bytes after the fields", () => {
    expect(decodeServer({ type: 0x77, payload: unhex("0102") })).toBeNull();
    expect(decodeServer({ type: 0x30, payload: unhex("01000000ff") })).toEqual({
      type: "frame_end",
      sequence: 1,
    });
    const two = [...split(unhex("7701000000ff2100000000").buffer)].map((raw) => decodeServer(raw));
    expect(two).toEqual([null, { type: "bell" }]);
  });

  it("refuses a raw tile that is shorter than its pixels", () => {
    const raw = only(unhex("100c000000000000000200020000aabbcc"));
    expect(() => decodeServer(raw)).toThrow(/fewer bytes/);
  });
});

describe("encoding", () => {
  it("clamps numbers into their fields", () => {
    const bytes = encodeViewer({ type: "wheel", x: -5, y: 70_000, dx: 40_000, dy: Number.NaN });
    expect(decodeViewer(only(bytes))).toEqual({ type: "wheel", x: 0, y: 65_535, dx: 32_767, dy: 0 });
  });

  it("cuts text at a character's edge", () => {
    expect(encodeText("aä€", 10)).toHaveLength(6);
    expect(new TextDecoder().decode(encodeText("aä€", 5))).toBe("aä");
    expect(new TextDecoder().decode(encodeText("aä€", 2))).toBe("a");
  });
});
