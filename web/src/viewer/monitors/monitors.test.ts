import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Part } from "../screen/messages";
import type { View } from "../screen/view";
import type { Rect, ViewerRecord } from "../wire";
import { Monitors, type MonitorsActions } from "./monitors";

/** Windows without a browser: what they were told. */
const { Window } = vi.hoisted(() => ({
  Window: class {
    static all: InstanceType<typeof Window>[] = [];
    said = "";
    again = false;
    hidden = false;
    shown: unknown[] = [];
    wanted = { width: 800, height: 600, scale: 100 };
    part: Rect | null = null;
    pane = {
      view: {
        surface: { width: 0, height: 0 },
        show: (part: Rect | null) => {
          this.part = part;
        },
      },
      others: { layout: () => undefined },
    };
    constructor(
      readonly id: number,
      readonly own: { closed: boolean },
      _page: unknown,
      readonly actions: { changed(): void; closed(): void },
    ) {
      Window.all.push(this);
    }
    say(words: string, again = false) {
      this.said = words;
      this.again = again;
    }
    show(bitmap: unknown) {
      this.shown.push(bitmap);
    }
    focus() {}
    close() {
      this.own.closed = true;
      this.actions.closed();
    }
  },
}));
vi.mock("./window", () => ({
  ADDRESS: "/viewer/monitor.html",
  MonitorWindow: Window,
  ready: async () => ({}),
}));

let sent: ViewerRecord[] = [];
let parts: Part[] = [];
let words: string[] = [];
let first: { part: Rect | null; several: boolean };
let monitors: Monitors;

beforeEach(() => {
  vi.useFakeTimers();
  Window.all.length = 0;
  sent = [];
  parts = [];
  words = [];
  first = { part: null, several: false };
  vi.spyOn(window, "open").mockImplementation(
    () => ({ closed: false }) as unknown as ReturnType<typeof window.open>,
  );
  const view = {
    wanted: () => ({ width: 1000, height: 640, scale: 100 }),
    show: (part: Rect | null, several: boolean) => {
      first = { part, several };
    },
  };
  const actions = {
    send: (record: ViewerRecord) => sent.push(record),
    parts: (all: Part[]) => {
      parts = all;
    },
    watched: () => undefined,
    say: (text: string) => words.push(text),
    opened: () => undefined,
    changed: () => undefined,
  };
  monitors = new Monitors(view as unknown as View, actions as unknown as MonitorsActions);
  monitors.surface(1000, 640);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const asked = () => sent.at(-1) as Extract<ViewerRecord, { type: "resize" }>;

describe("the windows of a session", () => {
  it("ask for a layout, and show their parts when the machine has it", async () => {
    expect(monitors.greeting()).toBeNull();
    expect(monitors.resized()).toBe(false);
    await monitors.add();
    const [one] = Window.all;
    expect(asked()).toMatchObject({ width: 1800, height: 640, scale: 100 });
    expect(asked().monitors?.map(({ x, w, primary }) => [x, w, primary])).toEqual([
      [0, 1000, true],
      [1000, 800, false],
    ]);
    // Until then the first window shows all there is.
    expect([one?.said.slice(0, 7), first, parts]).toEqual(["Waiting", { part: null, several: true }, []]);
    monitors.surface(1800, 640);
    expect(one?.said).toBe("");
    expect(first.part).toMatchObject({ x: 0, y: 0, w: 1000, h: 640 });
    expect(one?.part).toMatchObject({ x: 1000, y: 0, w: 800, h: 600 });
    expect(parts).toEqual([{ id: 1, x: 1000, y: 0, w: 800, h: 600 }]);
    const bitmap = { close: vi.fn() } as unknown as ImageBitmap;
    monitors.part(1, bitmap);
    monitors.part(9, bitmap);
    expect([one?.shown, vi.mocked(bitmap.close).mock.calls.length]).toEqual([[bitmap], 1]);
    // A page that comes back says the same again.
    expect(monitors.greeting()).toMatchObject({ width: 1800, height: 640, record: asked() });
    // Nothing is asked for twice.
    one?.actions.changed();
    expect(sent).toHaveLength(1);
    // While there is nothing to see, none has a picture.
    monitors.close("Locked");
    expect([one?.said, parts]).toEqual(["Locked", []]);
    monitors.close("");
    expect([one?.said, parts.length]).toEqual(["", 1]);
  });

  it("give their monitors back", async () => {
    await monitors.add();
    await monitors.add();
    monitors.surface(2600, 640);
    expect(parts.map(({ id, x }) => [id, x])).toEqual([
      [1, 1000],
      [2, 1800],
    ]);
    Window.all[0]?.close();
    expect(asked()).toMatchObject({ width: 1800 });
    // The machine has three still: no window shows another one's.
    expect([parts, first.part]).toEqual([[], null]);
    monitors.surface(1800, 640);
    expect(parts.map(({ id, x }) => [id, x])).toEqual([[2, 1000]]);
    // Gone without a word.
    const last = Window.all[1];
    if (last) last.own.closed = true;
    monitors.sweep();
    expect(asked()).toEqual({ type: "resize", width: 1000, height: 640, scale: 100 });
    expect([monitors.windows.length, first]).toEqual([0, { part: null, several: false }]);
  });

  it("say what does not come", async () => {
    await monitors.add();
    await vi.advanceTimersByTimeAsync(8000);
    expect([Window.all[0]?.said.slice(0, 25), Window.all[0]?.again]).toEqual([
      "The machine has not taken",
      true,
    ]);
    // Some machines take it later all the same.
    monitors.surface(1800, 640);
    expect(Window.all[0]?.said).toBe("");
    const one = Window.all[0];
    if (one) one.wanted = { width: 7680, height: 2160, scale: 100 };
    one?.actions.changed();
    one?.actions.changed();
    expect(words).toEqual(["These windows have more pixels than a desktop may have: make one smaller."]);
    vi.mocked(window.open).mockReturnValue(null);
    if (one) one.wanted = { width: 800, height: 600, scale: 100 };
    await monitors.add();
    expect(words.at(-1)).toContain("blocked");
    for (let count = 2; count < 8; count += 1) {
      vi.mocked(window.open).mockReturnValue({ closed: false } as unknown as ReturnType<typeof window.open>);
      await monitors.add();
      for (const each of Window.all) each.wanted = { width: 200, height: 200, scale: 100 };
    }
    expect(monitors.windows).toHaveLength(7);
    await monitors.add();
    expect(words.at(-1)).toBe("A desktop has at most 8 monitors.");
  });
});
