/** A pool's GPU request as its form holds it: what people type is text until it is sent, and nothing of a request gets lost. */
import type { Schemas } from "../../../api/client";

type Request = Schemas["GpuRequest"];

export interface GpuDraft {
  /** `none`, `auto`, `whole`, `vf`, `shared`, `vgpu`, or a profile's key behind `vgpu `. */
  kind: string;
  count: string;
  /** MiB; empty for any. A profile says its own. */
  framebuffer: string;
  /** Empty for any. */
  vendor: string;
  /** `""` as the configuration says, `density`, `performance`, or `cards`. */
  where: string;
  /** In the order in which they are tried. */
  cards: string[];
}

export const NO_GPU: GpuDraft = {
  kind: "none",
  count: "1",
  framebuffer: "",
  vendor: "",
  where: "",
  cards: [],
};

export function draftOf(request: Request | null): GpuDraft {
  if (!request) return NO_GPU;
  const cards = request.cards ?? [];
  return {
    kind: request.profile ? `vgpu ${request.profile}` : (request.mode ?? "auto"),
    count: String(request.count ?? 1),
    framebuffer: request.min_framebuffer_mib ? String(request.min_framebuffer_mib) : "",
    vendor: request.vendor ?? "",
    where: cards.length > 0 ? "cards" : (request.placement ?? ""),
    cards,
  };
}

/** A profile's name or `""`. */
export const profileOf = (draft: GpuDraft) => (draft.kind.startsWith("vgpu ") ? draft.kind.slice(5) : "");

/** What can't be sent, in a sentence; empty when it can. */
export function faultOf(draft: GpuDraft): string {
  if (draft.kind === "none") return "";
  if (!/^\d{1,2}$/.test(draft.count) || Number(draft.count) < 1 || Number(draft.count) > 16)
    return "A desktop holds 1 to 16 GPUs";
  if (draft.framebuffer && !profileOf(draft) && !/^[1-9]\d{0,6}$/.test(draft.framebuffer))
    return "The least memory is a whole number of MiB";
  if (draft.where === "cards" && draft.cards.length === 0) return "Tick a card that desktops may use";
  return "";
}

/** As the API takes it: a draft without a fault. */
export function requestOf(draft: GpuDraft): Request {
  if (draft.kind === "none") return { mode: "none" };
  const profile = profileOf(draft);
  return {
    ...(profile ? { mode: "vgpu", profile } : { mode: draft.kind as Schemas["GpuWish"] }),
    count: Number(draft.count),
    ...(draft.framebuffer && !profile ? { min_framebuffer_mib: Number(draft.framebuffer) } : {}),
    ...(draft.vendor ? { vendor: draft.vendor } : {}),
    ...(draft.where === "cards" ? { cards: draft.cards } : {}),
    ...(draft.where === "density" || draft.where === "performance" ? { placement: draft.where } : {}),
  };
}
