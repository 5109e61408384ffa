import { beforeEach, expect, it, vi } from "vitest";
import { Microphone } from "./microphone";
import type { MicrophoneFormat } from "./pcm";

const MONO = { channels: 1, rate: 48_000 };
const STEREO = { channels: 2, rate: 44_100 };

let waiting = 0;
const samples = vi.fn();
const say = vi.fn();
const device = { mute: vi.fn(), change: vi.fn(async () => undefined), end: vi.fn() };
/** What the browser gives to the page, once it was asked. */
let block: (bytes: Uint8Array<ArrayBuffer>) => void = () => undefined;
let lost: () => void = () => undefined;
const start = vi.fn(async (_: MicrophoneFormat, give: typeof block, gone: typeof lost) => {
  block = give;
  lost = gone;
  return device;
});

const open = () => {
  const microphone = new Microphone(
    { samples, waiting: () => waiting, changed: () => undefined, say },
    start,
  );
  microphone.allowed = true;
  return microphone;
};

beforeEach(() => {
  waiting = 0;
  vi.clearAllMocks();
});

it("opens nothing before the person said so, and lets go when the program ends", async () => {
  const microphone = open();
  microphone.want(MONO);
  expect([microphone.state, start.mock.calls.length]).toEqual(["asked", 0]);
  await microphone.on();
  expect(microphone.state).toBe("on");
  block(new Uint8Array(8));
  expect(samples.mock.calls).toEqual([[MONO, new Uint8Array(8)]]);
  microphone.mute();
  block(new Uint8Array(8));
  expect([microphone.state, samples.mock.calls.length, device.mute.mock.lastCall]).toEqual([
    "muted",
    1,
    [true],
  ]);
  await microphone.on();
  expect([microphone.state, start.mock.calls.length]).toEqual(["on", 1]);
  microphone.want(null);
  expect([microphone.state, device.end.mock.calls.length]).toEqual(["off", 1]);
  block(new Uint8Array(8));
  expect(samples.mock.calls.length).toBe(1);
  // The next program is another question.
  microphone.want(MONO);
  expect([microphone.state, start.mock.calls.length]).toEqual(["asked", 1]);
});

it("is never asked for where the rules do not allow it", async () => {
  const microphone = open();
  microphone.allowed = false;
  microphone.want(MONO);
  await microphone.on();
  expect([microphone.state, microphone.wanted, start.mock.calls.length]).toEqual(["off", false, 0]);
  microphone.allowed = true;
  expect(microphone.state).toBe("asked");
  await microphone.on();
  microphone.allowed = false;
  expect([microphone.state, device.end.mock.calls.length]).toEqual(["off", 1]);
});

it("a no is a no until the person turns it on", async () => {
  const microphone = open();
  microphone.want(MONO);
  microphone.off();
  // Told again after a network cut.
  microphone.want({ ...MONO });
  expect([microphone.state, microphone.wanted]).toEqual(["off", true]);
  await microphone.on();
  expect(microphone.state).toBe("on");
});

it("leaves out what the network would bring too late", async () => {
  const microphone = open();
  microphone.want(MONO);
  await microphone.on();
  waiting = 48_000 * 2 * 0.2;
  block(new Uint8Array(2));
  waiting += 1;
  block(new Uint8Array(2));
  expect(microphone.figures).toEqual({ sent: 1, late: 1 });
});

it("goes on in another format with the same permission, also where it changed meanwhile", async () => {
  const microphone = open();
  microphone.want(MONO);
  const opening = microphone.on();
  microphone.want(STEREO);
  await opening;
  expect(device.change.mock.lastCall).toEqual([STEREO]);
  block(new Uint8Array(4));
  expect(samples.mock.lastCall?.[0]).toEqual(STEREO);
  microphone.want(MONO);
  expect([device.change.mock.lastCall, start.mock.calls.length]).toEqual([[MONO], 1]);
});

it("closes what opens too late, and says why nothing does", async () => {
  const microphone = open();
  microphone.want(MONO);
  const opening = microphone.on();
  microphone.want(null);
  await opening;
  expect([microphone.state, device.end.mock.calls.length]).toEqual(["off", 1]);
  microphone.want(MONO);
  start.mockRejectedValueOnce(new DOMException("", "NotAllowedError"));
  await microphone.on();
  expect([microphone.state, String(say.mock.lastCall)]).toEqual([
    "off",
    expect.stringContaining("address bar"),
  ]);
  await microphone.on();
  lost();
  expect([microphone.state, String(say.mock.lastCall)]).toEqual(["off", expect.stringContaining("gone")]);
});

it("takes nothing for a format that is none", () => {
  const microphone = open();
  microphone.want({ channels: 9, rate: 1 });
  expect([microphone.state, microphone.wanted]).toEqual(["off", false]);
});
