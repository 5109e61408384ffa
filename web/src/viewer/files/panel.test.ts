// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { ApiError } from "../api";
import { type FilesClient, join, type Listing, parent } from "./client";
import { FilesPanel, shownName, size } from "./panel";

describe("the panel", () => {
  const hostile = '<img src=x onerror="alert(1)">\u202e.txt';
  const listing: Listing = {
    path: "room",
    root: "/home/me",
    cut: false,
    files: [
      { name: hostile, kind: "file", size: 1500, modified_at: null },
      { name: "inner", kind: "folder", size: 0, modified_at: null },
    ],
  };
  it("shows names as text, folders first", async () => {
    const client = {
      list: async () => listing,
      address: (path: string) => `/x?${path}`,
    } as unknown as FilesClient;
    const panel = new FilesPanel(client);
    await panel.show();
    expect(panel.element.querySelector("img")).toBeNull();
    const names = [...panel.element.querySelectorAll(".files .entry")].map((name) => name.textContent);
    expect(names).toEqual(["..", "inner", shownName(hostile)]);
    expect(shownName(hostile)).not.toContain("\u202e");
    expect(panel.element.querySelector(".where")?.textContent).toBe("/home/me/room");
  });
  it("says what went wrong", async () => {
    const error = new ApiError(502, "files_unreachable", "Bad gateway", "nobody is there", "try again");
    const panel = new FilesPanel({ list: () => Promise.reject(error) } as unknown as FilesClient);
    await panel.show();
    expect(panel.element.querySelector(".note")?.textContent).toBe("nobody is there: try again.");
  });
  it("knows paths and sizes", () => {
    expect([join("", "a"), join("a", "b"), parent("a/b"), parent("a")]).toEqual(["a", "a/b", "a", ""]);
    expect([size(0), size(999), size(1500), size(250_000), size(3.2e9)]).toEqual([
      "0 B",
      "999 B",
      "1.5 KB",
      "250 KB",
      "3.2 GB",
    ]);
  });
});
