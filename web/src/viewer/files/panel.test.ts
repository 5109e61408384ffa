// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../api";
import type { FilesClient, Listing } from "./client";
import { join, numbered, parent, shownName, size, timeLeft, wrongName } from "./names";
import { Pace } from "./pace";
import { FilesPanel } from "./panel";

const hostile = '<img src=x onerror="alert(1)">\u202e.txt';
const listing: Listing = {
  path: "room",
  root: "/home/me",
  cut: false,
  may_upload: true,
  may_download: true,
  files: [
    { name: hostile, kind: "file", size: 1500, modified_at: null },
    { name: "inner", kind: "folder", size: 0, modified_at: "2026-01-02T03:04:05Z" },
  ],
};

function panelWith(client: Partial<Record<keyof FilesClient, unknown>>) {
  const panel = new FilesPanel({ list: async () => listing, ...client } as unknown as FilesClient);
  document.body.append(panel.element);
  return panel;
}
const note = (panel: FilesPanel) => panel.element.querySelector(".note")?.textContent;
const press = (panel: FilesPanel, label: string) =>
  panel.element.querySelector<HTMLButtonElement>(`button[aria-label="${label}"]`)?.click();
const button = (panel: FilesPanel, text: string) =>
  [...panel.element.querySelectorAll("button")].find((one) => one.textContent === text);
const settled = () => new Promise((done) => setTimeout(done, 0));

afterEach(() => document.body.replaceChildren());

describe("the panel", () => {
  it("shows names as text, folders first, and the way there", async () => {
    const panel = panelWith({});
    await panel.show();
    expect(panel.element.querySelector("img")).toBeNull();
    const names = [...panel.element.querySelectorAll(".files .entry")].map((name) => name.textContent);
    expect(names).toEqual(["inner", shownName(hostile)]);
    expect(shownName(hostile)).not.toContain("\u202e");
    const way = [...panel.element.querySelectorAll(".crumb")].map((crumb) => crumb.textContent);
    expect(way).toEqual(["/home/me", "room"]);
    expect(panel.place).toBe("/home/me/room");
  });
  it("says what went wrong and what to do", async () => {
    const error = new ApiError(502, "files_unreachable", "Bad gateway", "nobody is there", "try again");
    const panel = panelWith({ list: () => Promise.reject(error) });
    await panel.show();
    expect(note(panel)).toBe("Nobody is there. Try again.");
  });
  it("asks before it deletes", async () => {
    const remove = vi.fn(async () => undefined);
    const panel = panelWith({ remove });
    await panel.show();
    press(panel, "Delete inner");
    expect(remove).not.toHaveBeenCalled();
    button(panel, "Keep")?.click();
    expect(panel.element.querySelectorAll(".files .entry").length).toBe(2);
    press(panel, "Delete inner");
    button(panel, "Delete")?.click();
    expect(remove).toHaveBeenCalledWith("room/inner");
  });
  it("renames in place and refuses what is no name", async () => {
    const rename = vi.fn(async () => undefined);
    const panel = panelWith({ rename });
    await panel.show();
    press(panel, "Rename inner");
    const input = panel.element.querySelector<HTMLInputElement>(".editing input");
    if (!input) throw new Error("nothing to type in");
    input.value = "a/b";
    button(panel, "Save")?.click();
    expect(note(panel)).toBe("A name has no slash in it.");
    input.value = "outer";
    button(panel, "Save")?.click();
    await settled();
    expect(rename).toHaveBeenCalledWith("room/inner", "room/outer");
  });
  it("asks before it replaces what is there", async () => {
    const piece = vi.fn(async () => ({ offset: 3, complete: true }));
    const panel = panelWith({ piece, uploaded: async () => ({ offset: 0, complete: false }) });
    await panel.take([new File(["new"], "inner")]);
    expect(panel.element.querySelector(".transfers")?.textContent).toContain("“inner” is there already.");
    await settled();
    expect(piece).not.toHaveBeenCalled();
    press(panel, "Replace inner");
    await vi.waitFor(() => expect(piece).toHaveBeenCalledTimes(1));
  });
  it("leaves what somebody types, and the focus, when the list changes", async () => {
    let files = listing.files;
    const list = vi.fn(async () => ({ ...listing, files }));
    const piece = async () => ({ offset: 1, complete: true });
    const panel = panelWith({ list, piece, uploaded: async () => ({ offset: 0, complete: false }) });
    await panel.show();
    press(panel, "Rename inner");
    const input = panel.element.querySelector<HTMLInputElement>(".editing input");
    if (!input) throw new Error("nothing to type in");
    input.value = "half a na";
    files = [...files, { name: "a", kind: "file", size: 1, modified_at: null }];
    await panel.take([new File(["x"], "a")]);
    await vi.waitFor(() => expect(panel.element.querySelector(".transfers .done")).not.toBeNull());
    await settled();
    expect(document.activeElement).toBe(input);
    expect(list).toHaveBeenCalledTimes(1);
    button(panel, "Cancel")?.click();
    await vi.waitFor(() => expect(panel.element.querySelectorAll(".files .entry").length).toBe(3));
    expect(document.activeElement?.textContent).toBe("inner");
    files = files.slice(1);
    await panel.show();
    expect(document.activeElement?.textContent).toBe("inner");
    expect((document.activeElement as HTMLElement).tabIndex).toBe(0);
  });
  it("goes where somebody went, whatever arrives meanwhile", async () => {
    let go = () => {};
    const list = vi.fn(async (path: string) => {
      if (path === "room/inner" && list.mock.calls.length === 2)
        await new Promise<void>((done) => {
          go = done;
        });
      return { ...listing, path: path || "room" };
    });
    const piece = async () => ({ offset: 1, complete: true });
    const panel = panelWith({ list, piece, uploaded: async () => ({ offset: 0, complete: false }) });
    await panel.show();
    const shown = panel.show("room/inner");
    await panel.take([new File(["x"], "a")]);
    await vi.waitFor(() => expect(panel.element.querySelector(".transfers .done")).not.toBeNull());
    go();
    await shown;
    await settled();
    expect(panel.place).toBe("/home/me/room/inner");
    expect(list.mock.calls.map(([path]) => path)).toEqual(["", "room/inner", "room/inner"]);
  });
  it("stops what has not begun at once", async () => {
    let go = () => {};
    const piece = vi.fn(
      (..._: unknown[]) =>
        new Promise((done) => {
          go = () => done({ offset: 1, complete: true });
        }),
    );
    const panel = panelWith({ piece, uploaded: async () => ({ offset: 0, complete: false }) });
    await panel.take(["a", "b", "c"].map((name) => new File(["x"], name)));
    await vi.waitFor(() => expect(piece).toHaveBeenCalledTimes(1));
    press(panel, "Stop uploading b");
    expect(panel.element.querySelectorAll(".transfers li").length).toBe(2);
    go();
    await vi.waitFor(() => expect(piece).toHaveBeenCalledTimes(2));
    go();
    await vi.waitFor(() => expect(panel.element.querySelectorAll(".transfers .done").length).toBe(2));
    expect(piece.mock.calls.map(([path]) => path)).toEqual(["room/a", "room/c"]);
  });
  it("replaces nothing unasked that came after the list", async () => {
    const taken = new ApiError(409, "file_exists", "", "it is there", "");
    const piece = vi.fn((path: string, ...asked: unknown[]) =>
      path === "room/late (1).txt" || asked[4] === true
        ? Promise.resolve({ offset: 3, complete: true })
        : Promise.reject(taken),
    );
    const abandon = vi.fn(async () => undefined);
    const panel = panelWith({ piece, abandon, uploaded: async () => ({ offset: 0, complete: false }) });
    const question = () => panel.element.querySelector(".transfers .question")?.textContent;
    for (const [answer, path] of [
      ["Replace", "room/late.txt"],
      ["Keep both", "room/late (1).txt"],
    ] as const) {
      await panel.take([new File(["new"], "late.txt")]);
      await vi.waitFor(() => expect(question()).toContain("“late.txt” is there already."));
      press(panel, `${answer} late.txt`);
      await vi.waitFor(() => expect(piece.mock.lastCall?.[0]).toBe(path));
      await vi.waitFor(() => expect(panel.element.querySelector(".transfers .done")).not.toBeNull());
      expect(question()).toBeUndefined();
      panel.element.querySelector(".transfers")?.replaceChildren();
    }
    expect(piece.mock.calls.map((call) => call[5])).toEqual([false, true, false, false]);
    await panel.take([new File(["new"], "late.txt")]);
    await vi.waitFor(() => expect(question()).toBeDefined());
    press(panel, "Skip late.txt");
    expect(abandon).toHaveBeenCalledTimes(2);
    expect(piece).toHaveBeenCalledTimes(5);
  });
  it("offers no changes where the pool allows none", async () => {
    const panel = panelWith({ list: async () => ({ ...listing, may_upload: false, may_download: false }) });
    await panel.show();
    expect(button(panel, "Upload files")?.hidden).toBe(true);
    expect(panel.element.querySelector('button[aria-label^="Delete"]')).toBeNull();
    expect(panel.element.querySelector<HTMLButtonElement>(".file .entry")?.disabled).toBe(true);
    await panel.take([new File(["x"], "x")]);
    expect(note(panel)).toContain("cannot be changed");
  });
});

describe("words", () => {
  it("knows paths, sizes and times", () => {
    expect([join("", "a"), join("a", "b"), parent("a/b"), parent("a")]).toEqual(["a", "a/b", "a", ""]);
    expect([size(0), size(999), size(1500), size(250_000), size(999_950), size(3.2e9)]).toEqual([
      ...["0 B", "999 B", "1.5 KB", "250 KB", "1.0 MB", "3.2 GB"],
    ]);
    expect([timeLeft(0.2), timeLeft(80), timeLeft(200), timeLeft(7300)]).toEqual([
      "1 s",
      "80 s",
      "3 min",
      "2 h",
    ]);
    expect(["", "..", "a/b", "ä".repeat(128), "a b"].map((name) => wrongName(name) === "")).toEqual([
      ...[false, false, false, false, true],
    ]);
  });
  it("numbers copies before the ending", () => {
    const names = [
      ["a.txt", 1],
      ["a.tar.gz", 2],
      [".profile", 1],
      ["a", 0],
    ] as const;
    expect(names.map(([name, copy]) => numbered(name, copy))).toEqual([
      ...["a (1).txt", "a.tar (2).gz", ".profile (1)", "a"],
    ]);
  });
  it("measures speed over the last seconds only", () => {
    const pace = new Pace();
    pace.add(1000, 0);
    expect(pace.speed).toBe(0);
    pace.add(2000, 1000);
    expect(pace.speed).toBe(1000);
    for (let second = 2; second < 20; second++) pace.add(second * 5000, second * 1000);
    expect(pace.speed).toBeCloseTo(5000);
    pace.add(0, 21_000);
    expect(pace.speed).toBe(0);
  });
});
