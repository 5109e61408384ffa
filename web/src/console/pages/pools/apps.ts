/** What an administrator fills in to publish a program. */
import type { Schemas } from "../../../api/client";

type Run = Schemas["AppRun"];

/** Largest icon, in bytes. */
export const ICON_BYTES_MAX = 64 * 1024;
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

export interface AppDraft {
  name: string;
  kind: "program" | "remote";
  program: string;
  arguments: string;
  folder: string;
  /** A PNG in base64; null leaves the icon that is there, "" takes it away. */
  icon: string | null;
}

export const draftOf = (app?: Schemas["App"]): AppDraft => ({
  name: app?.name ?? "",
  kind: app?.run.remote_app ? "remote" : "program",
  program: app?.run.remote_app ?? app?.run.initial_program ?? "",
  arguments: app?.run.arguments ?? "",
  folder: app?.run.folder ?? "",
  icon: null,
});

export const runOf = (draft: AppDraft): Run => ({
  remote_app: draft.kind === "remote" ? draft.program.trim() : null,
  initial_program: draft.kind === "program" ? draft.program.trim() : null,
  arguments: (draft.kind === "remote" && draft.arguments.trim()) || null,
  folder: draft.folder.trim() || null,
});

/** What is still missing; empty when it can be sent. */
export function faultOf(draft: AppDraft): string {
  if (!draft.name.trim()) return "Give it a name";
  if (!draft.program.trim()) return "Say which program it is";
  return "";
}

/** What is wrong with a file as an icon, as far as a browser sees it; empty when nothing is. The server looks closer. */
export function iconFault(bytes: Uint8Array): string {
  if (bytes.length > ICON_BYTES_MAX) return "It is larger than 64 KiB";
  if (!SIGNATURE.every((byte, at) => bytes[at] === byte)) return "It is no PNG";
  return "";
}

export function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Where the icon of a program is; with what it is known by, so that another one is fetched anew. */
export const ownIconHref = (app: Schemas["OwnApp"]) =>
  app.icon ? `/api/v1/me/apps/${encodeURIComponent(app.id)}/icon?v=${app.icon.slice(0, 16)}` : null;

export const iconHref = (pool: string, app: Schemas["App"]) =>
  app.icon
    ? `/api/v1/pools/${encodeURIComponent(pool)}/apps/${encodeURIComponent(app.id)}/icon?v=${app.icon.slice(0, 16)}`
    : null;
