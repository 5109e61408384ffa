import { expect, test } from "vitest";
import type { Schemas } from "../../../api/client";
import { draftOf, faultOf, NO_GPU, requestOf } from "./gpu-request";

type Request = Schemas["GpuRequest"];

test("what a pool asks for goes through the form unchanged", () => {
  for (const request of [
    { mode: "vgpu", profile: "NVIDIA L40S-12Q", count: 2, placement: "performance" },
    { mode: "auto", min_framebuffer_mib: 2048, count: 1, vendor: "nvidia" },
    { mode: "whole", count: 1, cards: ["0000:42:00.0", "0000:41:00.0"] },
  ] satisfies Request[]) {
    expect(requestOf(draftOf(request))).toEqual(request);
  }
  expect(draftOf(null)).toBe(NO_GPU);
  expect(requestOf(NO_GPU)).toEqual({ mode: "none" });
});

test("a profile says its memory: a least one beside it is not sent", () => {
  const request = requestOf({ ...NO_GPU, kind: "vgpu M60-2Q", framebuffer: "4096" });
  expect(request).toEqual({ mode: "vgpu", profile: "M60-2Q", count: 1 });
});

test("a draft that can't be sent says why", () => {
  const draft = { ...NO_GPU, kind: "auto" };
  expect(faultOf(draft)).toBe("");
  expect(faultOf({ ...draft, count: "17" })).toMatch(/1 to 16/);
  expect(faultOf({ ...draft, framebuffer: "2g" })).toMatch(/MiB/);
  expect(faultOf({ ...draft, where: "cards" })).toMatch(/Tick a card/);
  // Of no GPU nothing is asked.
  expect(faultOf({ ...draft, kind: "none", count: "" })).toBe("");
});
