import { beforeEach, expect, it, vi } from "vitest";
import { Contacts } from "./contacts";
import { Mouse } from "./pointer";

const contacts = vi.fn();
const pointer = vi.fn();
let target: HTMLElement;
let now = 0;
let frames: FrameRequestCallback[] = [];

/** The surface is twice as fine as the window. */
function made(fingers: number, pens: number): Contacts {
  target = document.createElement("div");
  target.setPointerCapture = () => undefined;
  const locate = (x: number, y: number) => ({ x: x * 2, y: y * 2 });
  const one = new Contacts(
    target,
    locate,
    () => 2,
    { contacts },
    () => undefined,
  );
  new Mouse(target, locate, { pointer, wheel: () => undefined }, () => undefined);
  one.takes(fingers, pens);
  return one;
}

function event(kind: string, pointerType: string, pointerId: number, clientX: number, more: object = {}) {
  const event = new Event(`pointer${kind}`, { cancelable: true });
  Object.defineProperty(event, "timeStamp", { value: now });
  const fields = { pressure: 0.5, width: 10, height: 12, buttons: 1, twist: 0, tiltX: 0, tiltY: 0 };
  target.dispatchEvent(
    Object.assign(event, { pointerType, pointerId, clientX, clientY: 7, ...fields, ...more }),
  );
}

const frame = () => {
  const due = frames;
  frames = [];
  for (const run of due) run(now);
};

beforeEach(() => {
  vi.clearAllMocks();
  now = 1000;
  frames = [];
  vi.stubGlobal("requestAnimationFrame", (run: FrameRequestCallback) => frames.push(run));
  vi.spyOn(performance, "now").mockImplementation(() => now);
});

it("fingers are told as they are, moves of all of them once a frame", () => {
  made(10, 0);
  event("down", "touch", 901, 5);
  expect(contacts.mock.calls).toEqual([
    [
      false,
      0,
      [
        {
          id: 0,
          state: "touches",
          x: 10,
          y: 14,
          w: 20,
          h: 24,
          pressure: 0,
          rotation: 0,
          tilt_x: 0,
          tilt_y: 0,
          flags: 0,
        },
      ],
    ],
  ]);
  now += 5;
  event("down", "touch", 902, 50);
  event("move", "touch", 901, 6);
  event("move", "touch", 901, 7);
  event("move", "touch", 902, 51, { pressure: 1 });
  expect(contacts).toHaveBeenCalledTimes(2);
  now += 16;
  frame();
  const [pen, after, moved] = contacts.mock.lastCall ?? [];
  expect([pen, after]).toEqual([false, 16]);
  expect(moved).toMatchObject([
    { id: 0, x: 14, pressure: 0 },
    { id: 1, x: 102, pressure: 1024 },
  ]);
  event("up", "touch", 901, 7);
  expect(contacts.mock.lastCall?.[2]).toMatchObject([{ id: 0, state: "away" }]);
  event("cancel", "touch", 902, 51);
  expect(contacts.mock.lastCall?.[2]).toMatchObject([{ id: 1, state: "cancelled" }]);
});

it("a pen hovers, writes, and leaves; without pens it is a mouse", () => {
  const one = made(10, 1);
  event("move", "pen", 3, 1, { buttons: 0, pressure: 0, tiltX: -30, tiltY: 20, twist: 200 });
  frame();
  expect(contacts.mock.lastCall).toMatchObject([
    true,
    0,
    [{ state: "hovers", pressure: 0, w: 0, tilt_x: -30, tilt_y: 20, rotation: 200 }],
  ]);
  event("down", "pen", 3, 1, { buttons: 2, pressure: 0.25 });
  expect(contacts.mock.lastCall?.[2]).toMatchObject([{ state: "touches", pressure: 256, flags: 1 }]);
  event("up", "pen", 3, 1, { buttons: 0, pressure: 0 });
  expect(contacts.mock.lastCall?.[2]).toMatchObject([{ state: "hovers" }]);
  event("leave", "pen", 3, 1, { buttons: 0, pressure: 0 });
  expect(contacts.mock.lastCall?.[2]).toMatchObject([{ state: "away" }]);
  expect(pointer).not.toHaveBeenCalled();
  one.takes(10, 0);
  event("down", "pen", 4, 1);
  expect(pointer).toHaveBeenCalledWith(2, 14, 1);
});

it("a finger that the machine stops hearing of becomes no pointer half-way", () => {
  const one = made(10, 1);
  const seen = vi.fn();
  target.addEventListener("pointermove", seen);
  event("down", "touch", 1, 1);
  one.takes(0, 0);
  contacts.mockClear();
  event("move", "touch", 1, 2);
  event("up", "touch", 1, 2);
  expect(contacts).not.toHaveBeenCalled();
  expect(seen).not.toHaveBeenCalled();
  event("move", "touch", 1, 2);
  expect(seen).toHaveBeenCalledTimes(1);
});

it("fingers that are meant to point, and more than the machine takes, go on as before", () => {
  const one = made(1, 0);
  const seen = vi.fn();
  target.addEventListener("pointerdown", seen);
  event("down", "touch", 1, 1);
  event("down", "touch", 2, 1);
  expect(seen).toHaveBeenCalledTimes(1);
  event("up", "touch", 1, 1);
  one.touches = false;
  event("down", "touch", 3, 1);
  expect(seen).toHaveBeenCalledTimes(2);
});
