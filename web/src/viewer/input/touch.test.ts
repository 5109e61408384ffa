import { beforeEach, expect, it, vi } from "vitest";
import { Touch, type TouchManner } from "./touch";

const pointer = vi.fn();
const wheel = vi.fn();
const pinch = vi.fn();
const showPointer = vi.fn();
let target: HTMLElement;
let now = 0;

/** The surface is twice as fine as the window. */
function touch(manner: TouchManner): Touch {
  target = document.createElement("div");
  const made = new Touch(
    target,
    (x, y) => ({ x: x * 2, y: y * 2 }),
    { pointer, wheel },
    { pinch, density: () => 2, size: () => ({ width: 200, height: 100 }), showPointer },
    () => undefined,
  );
  made.manner = manner;
  return made;
}

function finger(
  type: "down" | "move" | "up" | "cancel",
  pointerId: number,
  clientX: number,
  clientY: number,
) {
  const event = new Event(`pointer${type}`, { cancelable: true });
  Object.defineProperty(event, "timeStamp", { value: now });
  target.dispatchEvent(Object.assign(event, { pointerType: "touch", pointerId, clientX, clientY }));
}

const later = (ms: number) => {
  now += ms;
  vi.advanceTimersByTime(ms);
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.clearAllMocks();
  now = 1000;
});

it("a tap clicks where it is", () => {
  touch("direct");
  finger("down", 1, 10, 20);
  later(50);
  finger("up", 1, 12, 21);
  expect(pointer.mock.calls).toEqual([
    [20, 40, 0],
    [20, 40, 1],
    [20, 40, 0],
  ]);
});

it("a drag drags, and a finger that trembles is none", () => {
  touch("direct");
  finger("down", 1, 10, 20);
  finger("move", 1, 14, 22);
  expect(pointer.mock.calls).toEqual([[20, 40, 0]]);
  finger("move", 1, 30, 20);
  finger("move", 1, 40, 20);
  finger("up", 1, 40, 20);
  expect(pointer.mock.calls.slice(1)).toEqual([
    [20, 40, 1],
    [60, 40, 1],
    [80, 40, 1],
    [80, 40, 0],
  ]);
});

it("a long press is the right button, once", () => {
  touch("direct");
  finger("down", 1, 10, 20);
  later(499);
  expect(pointer.mock.calls.length).toBe(1);
  later(1);
  expect(pointer.mock.calls.slice(1)).toEqual([
    [20, 40, 4],
    [20, 40, 0],
  ]);
  finger("move", 1, 90, 20);
  finger("up", 1, 90, 20);
  later(1000);
  expect(pointer.mock.calls.length).toBe(3);
});

it.each([
  [2, 4],
  [3, 2],
])("%i fingers that tap are button %i", (count, button) => {
  touch("direct");
  for (let id = 1; id <= count; id += 1) {
    finger("down", id, 10 * id, 20);
    later(20);
  }
  for (let id = 1; id <= count; id += 1) finger("up", id, 10 * id, 20);
  expect(pointer.mock.calls.slice(1)).toEqual([
    [20, 40, button],
    [20, 40, 0],
  ]);
  later(1000);
  expect(pointer.mock.calls.length).toBe(3);
});

it("two fingers that rest, are taken away by the browser, or are one too many, are no tap", () => {
  touch("direct");
  finger("down", 1, 10, 20);
  finger("down", 2, 30, 20);
  later(400);
  finger("up", 1, 10, 20);
  finger("up", 2, 30, 20);
  finger("down", 1, 10, 20);
  finger("down", 2, 30, 20);
  finger("cancel", 1, 10, 20);
  finger("cancel", 2, 30, 20);
  for (const id of [1, 2, 3, 4]) finger("down", id, 10 * id, 20);
  for (const id of [1, 2, 3, 4]) finger("up", id, 10 * id, 20);
  later(1000);
  expect(pointer.mock.calls.every(([, , buttons]) => buttons === 0)).toBe(true);
});

it("two fingers scroll, the content follows them", () => {
  touch("direct");
  finger("down", 1, 10, 40);
  finger("down", 2, 30, 40);
  for (const y of [30, 20, 10]) {
    finger("move", 1, 10, y);
    finger("move", 2, 30, y);
  }
  finger("up", 1, 10, 10);
  finger("up", 2, 30, 10);
  const sum = wheel.mock.calls.reduce((all, [, , , dy]) => all + dy, 0);
  // The first part says that it is a scroll; 40 CSS pixels are a notch of 120.
  expect(sum).toBeGreaterThan(45);
  expect(sum).toBeLessThanOrEqual(90);
  expect(wheel.mock.calls.every(([, , dx]) => dx === 0)).toBe(true);
  expect(pointer.mock.calls.every(([, , buttons]) => buttons === 0)).toBe(true);
  expect(pinch).not.toHaveBeenCalled();
});

it("two fingers that spread zoom about what is between them", () => {
  touch("direct");
  finger("down", 1, 40, 40);
  finger("down", 2, 60, 40);
  finger("move", 1, 20, 40);
  finger("move", 2, 80, 40);
  expect(wheel).not.toHaveBeenCalled();
  const zoom = pinch.mock.calls.reduce((all, [factor]) => all * factor, 1);
  expect(zoom).toBeCloseTo(60 / 20);
  expect(pinch.mock.lastCall?.slice(1, 3)).toEqual([50, 40]);
});

it("a pad's finger moves the pointer, which stays on the screen", () => {
  touch("trackpad");
  finger("down", 1, 100, 50);
  expect(pointer.mock.lastCall).toEqual([0, 0, 0]);
  finger("move", 1, 110, 50);
  const [x, y, buttons] = pointer.mock.lastCall ?? [];
  expect([x > 20, y, buttons]).toEqual([true, 0, 0]);
  expect(showPointer.mock.lastCall).toEqual([x, y]);
  for (let at = 0; at < 40; at += 1) finger("move", 1, 110 + at * 20, 50 + at * 20);
  expect(pointer.mock.lastCall).toEqual([199, 99, 0]);
  finger("up", 1, 900, 900);
});

it("a pad's tap clicks where the pointer is, twice is a double click, and a tap and a drag drag", () => {
  touch("trackpad");
  finger("down", 1, 70, 70);
  later(40);
  finger("up", 1, 70, 70);
  expect(pointer.mock.calls.map(([, , buttons]) => buttons)).toEqual([0, 1, 0]);
  later(80);
  finger("down", 1, 70, 70);
  expect(pointer.mock.lastCall).toEqual([0, 0, 1]);
  finger("move", 1, 90, 70);
  expect(pointer.mock.lastCall?.[2]).toBe(1);
  expect(pointer.mock.lastCall?.[0]).toBeGreaterThan(30);
  later(600);
  finger("up", 1, 90, 70);
  expect(pointer.mock.lastCall?.[2]).toBe(0);
  // Held for long while it dragged: no right click.
  expect(pointer.mock.calls.every(([, , buttons]) => buttons < 2)).toBe(true);
});

it("a second finger ends a drag, and a mouse is none of its business", () => {
  touch("direct");
  finger("down", 1, 10, 20);
  finger("move", 1, 40, 20);
  finger("down", 2, 60, 20);
  expect(pointer.mock.lastCall).toEqual([80, 40, 0]);
  finger("up", 2, 60, 20);
  finger("up", 1, 40, 20);
  expect(pointer.mock.lastCall?.[2]).toBe(0);
  const before = pointer.mock.calls.length;
  target.dispatchEvent(
    Object.assign(new Event("pointerdown"), { pointerType: "mouse", pointerId: 9, clientX: 1, clientY: 1 }),
  );
  expect(pointer.mock.calls.length).toBe(before);
});
