import { beforeEach, expect, it, vi } from "vitest";
import { BEHIND_S_MAX, Sound } from "./sound";

/** A context whose clock the test turns. */
class Context extends EventTarget {
  state = "suspended";
  currentTime = 0;
  destination = {};
  starts: number[] = [];
  heard: Float32Array[] = [];
  async resume() {
    this.state = "running";
    this.dispatchEvent(new Event("statechange"));
  }
  createBuffer(channels: number, frames: number) {
    const data = Array.from({ length: channels }, () => new Float32Array(frames));
    this.heard.push(...data);
    return { getChannelData: (channel: number) => data[channel] };
  }
  createBufferSource() {
    return { buffer: null, connect: () => undefined, start: (at: number) => this.starts.push(at) };
  }
}

let context: Context;
const listen = vi.fn();
const open = () =>
  new Sound(44_100, { listen }, () => {
    context = new Context();
    return context as unknown as AudioContext;
  });
/** A block of so many milliseconds. */
const block = (ms: number, channels = 2) => ({
  type: "audio" as const,
  codec: 0,
  channels,
  rate: 48_000,
  time_ms: 0,
  bytes: new Uint8Array(48 * ms * 2 * channels),
});

beforeEach(() => {
  vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => undefined });
  listen.mockClear();
});

it("listens once the page was touched, and says so on every connection", async () => {
  const sound = open();
  sound.opened();
  sound.play(block(20));
  expect(listen).not.toHaveBeenCalled();
  sound.unlock();
  await Promise.resolve();
  expect(listen.mock.calls).toEqual([[true]]);
  sound.opened();
  expect(listen.mock.calls).toEqual([[true], [true]]);
  sound.on = false;
  expect(listen.mock.lastCall).toEqual([false]);
  sound.play(block(20));
  expect(sound.figures.played).toBe(0);
  sound.on = true;
  expect(listen.mock.lastCall).toEqual([true]);
});

it("plays blocks without a gap and leaves out what comes too late", () => {
  const sound = open();
  sound.unlock();
  for (let at = 0; at < 10; at += 1) sound.play(block(20));
  // 40 ms of lead, then blocks of 20 ms until 100 ms wait.
  expect(context.starts.map((at) => Math.round(at * 1000))).toEqual([40, 60, 80, 100]);
  expect(sound.figures).toEqual({ played: 4, late: 6, dry: 1 });
  expect(context.starts.at(-1)).toBeLessThanOrEqual(BEHIND_S_MAX);
  context.currentTime = 5;
  sound.play(block(20));
  expect(context.starts.at(-1)).toBeCloseTo(5.04);
  expect(sound.figures.dry).toBe(2);
});

it("tells left from right, and leaves out what it cannot play", () => {
  const sound = open();
  sound.unlock();
  const stereo = { ...block(0), bytes: new Uint8Array([0, 0x40, 0, 0xc0, 0xff, 0x7f, 0, 0x80, 9]) };
  sound.play(stereo);
  expect(context.heard.map((side) => [...side])).toEqual([
    [0.5, 0x7fff / 0x8000],
    [-0.5, -1],
  ]);
  sound.play({ ...block(20), codec: 1 });
  sound.play({ ...block(20), channels: 0 });
  sound.play({ ...block(20), channels: 6 });
  sound.play({ ...block(20), rate: 1 });
  sound.play(block(2500));
  sound.play(block(0));
  expect(sound.figures.played).toBe(1);
});
