/** Quotas in words, and as somebody edits them. */
import type { Schemas } from "../api/client";
import { count } from "./words";

export type Kind = Schemas["QuotaKind"];
type Limit = Schemas["QuotaLimit"];
type Use = Schemas["QuotaUse"];

const GIB = 2 ** 30;

interface Known {
  kind: Kind;
  label: string;
  help?: string;
}

/** What says who may book: people and groups, and pools for all who may use them. */
const OF_BOOKINGS: readonly Known[] = [
  { kind: "bookings", label: "Bookings at a time", help: "Empty: none, unless something else allows it" },
  { kind: "booking_hours", label: "Longest booking, in hours", help: "Empty: 8, unless something else says" },
  { kind: "booking_days", label: "Booked ahead, in days", help: "Empty: 30, unless something else says" },
  {
    kind: "booking_priority",
    label: "Priority of bookings",
    help: "Higher ones take the place of lower ones. Empty: 0, unless something else says",
  },
  {
    kind: "booking_notice",
    label: "Notice, in hours",
    help: "So long before it begins nobody takes a booking's place. Empty: 24, unless something else says",
  },
];

/** What people and groups are limited in, in the order of the form. */
export const KINDS: readonly Known[] = [
  { kind: "desktops", label: "Desktops" },
  { kind: "running", label: "Running desktops" },
  { kind: "cpus", label: "CPUs of running desktops" },
  { kind: "memory", label: "Memory of running desktops, in GiB" },
  { kind: "gpus", label: "GPUs of running desktops" },
  { kind: "sessions", label: "Open sessions", help: "Desktops and machines that one is connected to" },
  { kind: "disk_gib", label: "Personal disks, in GiB" },
  ...OF_BOOKINGS,
];

/** And what pools limit. */
export const OF_POOL: readonly Known[] = [
  { kind: "per_person", label: "Desktops of one person" },
  ...OF_BOOKINGS,
];

/** What is in the form's fields: a number, "unlimited", or nothing where others say. */
export type Draft = Partial<Record<Kind, string>>;

export const UNLIMITED = "unlimited";

export function draftOf(limits: readonly Limit[]): Draft {
  const draft: Draft = {};
  for (const { kind, most } of limits) {
    draft[kind] = most === null ? UNLIMITED : String(kind === "memory" ? most / GIB : most);
  }
  return draft;
}

/** Why that cannot be a limit, or "". */
export function faultOf(kind: Kind, text: string): string {
  const word = text.trim();
  if (word === "" || word === UNLIMITED) return "";
  const number = Number(word);
  if (!Number.isFinite(number) || number < 0) return "A number of 0 or more, or unlimited";
  if (kind !== "memory" && !Number.isInteger(number)) return "A whole number, or unlimited";
  return number > 1_000_000 ? "At most 1000000, or unlimited" : "";
}

export function limitsOf(draft: Draft, kinds: readonly Known[]): Limit[] {
  return kinds.flatMap(({ kind }): Limit[] => {
    const word = (draft[kind] ?? "").trim();
    if (word === "") return [];
    if (word === UNLIMITED) return [{ kind, most: null }];
    return [{ kind, most: kind === "memory" ? Math.round(Number(word) * GIB) : Number(word) }];
  });
}

/** So much of it: "2 desktops", "1.5 GiB of memory". */
export function amount(kind: Kind, of: number): string {
  switch (kind) {
    case "desktops":
    case "per_person":
      return count(of, "desktop", "desktops");
    case "running":
      return count(of, "running desktop", "running desktops");
    case "cpus":
      return count(of, "CPU", "CPUs");
    case "memory":
      return `${Number((of / GIB).toFixed(1))} GiB of memory`;
    case "gpus":
      return count(of, "GPU", "GPUs");
    case "sessions":
      return count(of, "open session", "open sessions");
    case "disk_gib":
      return `${of} GiB of personal disks`;
    case "bookings":
      return count(of, "booking", "bookings");
    case "booking_hours":
      return `bookings of ${count(of, "hour", "hours")}`;
    case "booking_days":
      return `bookings ${count(of, "day", "days")} ahead`;
    case "booking_priority":
      return `bookings of priority ${of}`;
    case "booking_notice":
      return `bookings with ${count(of, "hour", "hours")} of notice`;
  }
}

/** "at most 2 desktops, any number of GPUs"; "" without any. */
export function summary(limits: readonly Limit[]): string {
  return limits.map(({ kind, most }) => (most === null ? without(kind) : amount(kind, most))).join(", ");
}

function without(kind: Kind): string {
  if (kind === "booking_hours") return "bookings of any length";
  if (kind === "booking_days") return "bookings any time ahead";
  if (kind === "disk_gib") return "personal disks of any size";
  if (kind === "booking_priority") return "bookings of the highest priority";
  return kind === "booking_notice" ? "bookings that give way to none" : `any number of ${plural(kind)}`;
}

function plural(kind: Kind): string {
  if (kind === "disk_gib") return "personal disks";
  return kind === "memory" ? "memory" : amount(kind, 2).replace(/^2 /, "");
}

/** One bar: how much of what is used up, and by whose word. */
export interface Bar {
  key: string;
  label: string;
  held: number;
  most: number;
  text: string;
  by: string;
}

function says(use: Use): string {
  if (use.by === "user") return "own limit";
  return use.by === "group" ? `limit of the group ${use.group?.name ?? ""}`.trim() : "everyone's limit";
}

/** What somebody can run out of: nothing where nothing is limited. */
export function bars(of: Schemas["QuotaStanding"]): Bar[] {
  const text = (kind: Kind, held: number, most: number) =>
    kind === "memory"
      ? `${amount(kind, held).replace(" GiB of memory", "")} of ${amount(kind, most)}`
      : `${held} of ${amount(kind, most)}`;
  const own = of.uses.flatMap((use) => {
    const most = use.most ?? null;
    if (most === null) return [];
    const label = plural(use.kind);
    return [
      { key: use.kind, label, held: use.held, most, text: text(use.kind, use.held, most), by: says(use) },
    ];
  });
  const pools = of.pools.flatMap(({ pool, held, most }) => {
    if (most === null || most === undefined) return [];
    const label = `desktops of ${pool.name}`;
    return [
      { key: pool.id, label, held, most, text: text("per_person", held, most), by: "the pool's limit" },
    ];
  });
  return [...own, ...pools];
}
