import { describe, expect, it } from "vitest";
import { Delays } from "./hooks";
import { oneColour } from "./screen/blank";
import { noTiles } from "./screen/messages";
import { avcCodec } from "./screen/video";
import { place } from "./screen/view";
import { backoff, endingOfBye } from "./session";
import { TYPED_KEPT_MAX, TypedLog } from "./typed";
import { Meter, mixOf } from "./ui/stats";

describe("placing the surface", () => {
  const window = { width: 1000, height: 500 };
  it("shows a matching surface pixel by pixel", () => {
    expect(place({ width: 2000, height: 1000 }, window, 2, "match")).toMatchObject({
      width: 1000,
      left: 0,
      scale: 0.5,
    });
    expect(place({ width: 992, height: 500 }, window, 1, "match")).toMatchObject({
      width: 992,
      left: 4,
      scale: 1,
    });
  });
  it("scales what does not match, and keeps its shape", () => {
    expect(place({ width: 2000, height: 2000 }, window, 1, "match")).toMatchObject({
      width: 500,
      left: 250,
      top: 0,
    });
    expect(place({ width: 500, height: 250 }, window, 1, "fit")).toMatchObject({ width: 1000, scale: 2 });
  });
  it("leaves actual pixels alone", () => {
    expect(place({ width: 2000, height: 2000 }, window, 1, "actual")).toMatchObject({
      width: 2000,
      left: 0,
      top: 0,
    });
  });
});

describe("typed bytes", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  it("come again from where the server has them", () => {
    const log = new TypedLog();
    log.add(bytes("hello "));
    log.add(bytes("world"));
    expect(new TextDecoder().decode(log.since(4n))).toBe("o world");
    expect(log.since(11n)).toHaveLength(0);
    expect(log.since(99n)).toHaveLength(0);
    expect(log.end).toBe(11n);
  });
  it("are kept within bounds", () => {
    const log = new TypedLog();
    const piece = new Uint8Array(10_000);
    for (let count = 0; count < 100; count += 1) log.add(piece);
    expect(log.since(0n).length).toBeLessThanOrEqual(TYPED_KEPT_MAX);
    expect(log.since(0n).length).toBeGreaterThan(TYPED_KEPT_MAX - 10_001);
  });
});

describe("coming back", () => {
  it("waits longer each time, up to ten seconds", () => {
    expect([0, 1, 2, 3, 4, 5, 50].map((attempt) => Math.round(backoff(attempt, 0.5)))).toEqual([
      500, 1000, 2000, 4000, 8000, 10_000, 10_000,
    ]);
    expect(backoff(0, 0)).toBe(475);
  });
  it("says each ending in words", () => {
    for (let code = 0; code <= 12; code += 1) expect(endingOfBye(code, "").title).not.toBe("");
    expect(endingOfBye(2, "the password is wrong").text).toBe("The password is wrong.");
    expect(endingOfBye(6, "").action).toBe("take back");
  });
});

describe("figures", () => {
  it("are rates over the last sample", () => {
    const meter = new Meter();
    const stats = (frames: number, jpeg: number) => ({
      frames,
      tiles: { ...noTiles(), jpeg },
      decode_ms: 1,
      broken: 0,
    });
    meter.sample(0, stats(0, 0), 0);
    meter.sample(2000, stats(60, 30), 500_000);
    expect(meter.fps).toBe(30);
    expect(meter.mbit_s_in).toBe(2);
    expect(meter.mix).toBe("jpeg 100 %");
    // Out of turn: neither a rate of its own nor a gap in the next one.
    meter.sample(2010, stats(61, 31), 500_000);
    expect(meter.fps).toBe(30);
    meter.sample(3000, stats(90, 60), 500_000);
    expect(meter.fps).toBe(30);
    expect(mixOf({ ...noTiles(), raw: 3, webp: 1 }, noTiles())).toBe("raw 75 %, webp 25 %");
  });
  it("know the middle and the worst", () => {
    const delays = new Delays();
    for (let ms = 1; ms <= 100; ms += 1) delays.add(ms);
    expect(delays.summary()).toEqual({ count: 100, p50: 51, p95: 96, max: 100 });
  });
});

describe("a surface", () => {
  it("of one colour has nothing on it", () => {
    expect(oneColour(new Uint32Array(100).fill(0xff000000))).toBe(true);
    expect(oneColour(new Uint32Array(100).fill(0xff000000).fill(0xff000001, 99))).toBe(false);
  });
});

describe("video", () => {
  it("names its codec from the stream", () => {
    expect(avcCodec(Uint8Array.from([0, 0, 0, 1, 0x09, 0x10, 0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 1]))).toBe(
      "avc1.42c01f",
    );
    expect(avcCodec(Uint8Array.from([0, 0, 1, 0x41, 1, 2, 3, 4]))).toBeNull();
    expect(avcCodec(new Uint8Array(0))).toBeNull();
  });
});
