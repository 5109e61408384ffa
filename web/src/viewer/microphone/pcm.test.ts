import { expect, it } from "vitest";
import { Blocks, bytesOf, isFormat } from "./pcm";

function blocks(channels: number, rate: number, from: number) {
  const full: DataView[] = [];
  const made = new Blocks({ channels, rate }, from, (block) => full.push(new DataView(block)));
  return { made, full };
}

const samples = (views: DataView[]) =>
  views.flatMap((view) =>
    Array.from({ length: view.byteLength / 2 }, (_, at) => view.getInt16(2 * at, true)),
  );

/** A tone, as an audio worklet gives it: 128 samples at a time. */
function hear(made: Blocks, hz: number, rate: number, seconds: number): void {
  const all = Float32Array.from({ length: rate * seconds }, (_, at) =>
    Math.sin((at / rate) * hz * 2 * Math.PI),
  );
  for (let at = 0; at < all.length; at += 128) made.take([all.subarray(at, at + 128)]);
}

it("makes blocks of 20 ms, whatever comes in", () => {
  const { made, full } = blocks(1, 48_000, 48_000);
  made.take([Float32Array.from({ length: 959 }, () => 0.5)]);
  expect(full).toEqual([]);
  made.take([Float32Array.from([0.5, -1, 1, 2, -2, Number.NaN])]);
  expect(full.map((block) => block.byteLength)).toEqual([1920]);
  expect(samples(full).every((value) => value === Math.round(0.5 * 0x7fff))).toBe(true);
  made.take([new Float32Array(955)]);
  // Louder than loud is as loud as it goes, and what is no number is silence.
  expect(samples(full.slice(1)).slice(0, 5)).toEqual([-0x7fff, 0x7fff, 0x7fff, -0x8000, 0]);
});

it("goes from one channel to two and back", () => {
  const stereo = blocks(2, 48_000, 48_000);
  stereo.made.take([new Float32Array(960).fill(0.25)]);
  expect(new Set(samples(stereo.full))).toEqual(new Set([Math.round(0.25 * 0x7fff)]));
  const mono = blocks(1, 48_000, 48_000);
  mono.made.take([new Float32Array(960).fill(1), new Float32Array(960).fill(0)]);
  expect(new Set(samples(mono.full))).toEqual(new Set([Math.round(0.5 * 0x7fff)]));
  mono.made.take([]);
  mono.made.take([new Float32Array(0)]);
  expect(mono.full.length).toBe(1);
});

it.each([
  [48_000, 44_100],
  [44_100, 48_000],
  [96_000, 16_000],
  [44_100, 44_100],
])("keeps a tone of %i Hz a second as it is at %i", (from, to) => {
  const { made, full } = blocks(1, to, from);
  hear(made, 440, from, 1);
  const heard = samples(full);
  expect(Math.abs(heard.length - to)).toBeLessThanOrEqual(to / 50);
  const rises = heard.filter((value, at) => at > 0 && (heard[at - 1] ?? 0) < 0 && value >= 0).length;
  expect(Math.abs((rises * to) / heard.length - 440)).toBeLessThan(3);
  // No jump where one call ends and the next begins: a tone changes by so much from sample to sample at most.
  const step = Math.ceil(((2 * Math.PI * 440) / to) * 0x7fff) + 2;
  expect(heard.every((value, at) => at === 0 || Math.abs(value - (heard[at - 1] ?? 0)) <= step)).toBe(true);
});

it("knows what machines may want", () => {
  expect(isFormat({ channels: 1, rate: 16_000 })).toBe(true);
  for (const format of [
    { channels: 0, rate: 48_000 },
    { channels: 3, rate: 48_000 },
    { channels: 1, rate: 8_000 },
    { channels: 2, rate: 96_000 },
  ])
    expect(isFormat(format)).toBe(false);
  expect(bytesOf({ channels: 2, rate: 48_000 }, 0.2)).toBe(38_400);
});
