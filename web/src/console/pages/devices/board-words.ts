/** What a BMC says, in words. No React here. */
import type { Schemas } from "../../../api/client";

export const SOURCES: ReadonlyArray<readonly [Schemas["DeviceBootSource"], string]> = [
  ["cd", "The CD drive"],
  ["pxe", "The network (PXE)"],
  ["disk", "Its disk"],
  ["usb", "A stick"],
  ["setup", "The setup of its firmware"],
  ["normal", "As it is set"],
];

/** One drive. */
export function inDrives({ id, kinds, image, inserted }: Schemas["DeviceMedium"]): string {
  const name = kinds.length > 0 ? `${id} (${kinds.join(", ")})` : id;
  return `${name}: ${inserted ? (image ?? "something is in it") : "empty"}`;
}

/** What it starts from next. */
export function startsFrom(boot: Schemas["DeviceBoot"] | null): string {
  if (!boot?.target) return "It starts as its firmware is set.";
  return boot.once
    ? `It starts from ${boot.target} once, at its next start.`
    : `It starts from ${boot.target}, at each start.`;
}

/** A console that only the BMC itself shows. */
export function consoleWords({ kind, ways, enabled }: Schemas["DeviceConsole"]): string {
  const how = ways.length > 0 ? ` by ${ways.join(", ")}` : "";
  return `${kind}${how}${enabled ? "" : ", switched off"}`;
}
