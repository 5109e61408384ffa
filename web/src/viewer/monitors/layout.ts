/**
 * Where the windows of several monitors lie on the one surface: side by side in the order in which they were added, or, where the
 * browser says where the person's screens are, as those stand. The rules are those of docs/viewer-protocol.md (Several monitors),
 * so that the server finds nothing to put right.
 */
import {
  MONITOR_SIDE_MAX,
  MONITOR_SIDE_MIN,
  MONITORS_MAX,
  type Monitor,
  type Rect,
  SURFACE_PIXELS_MAX,
  SURFACE_SIDE_MAX,
} from "../wire";

/** The screen that a window is on, in CSS pixels of the browser's plane of screens. */
export type Place = { left: number; top: number };

/** What a window would have: pixels, per cent, and where its screen is, if that is known. */
export type Wanted = { width: number; height: number; scale: number; place: Place | null };

export type Layout = { width: number; height: number; monitors: Monitor[] };

/** Neighbours share so much of their edges at least: machines refuse those that meet at a corner. */
const SHARED = 64;

const within = (value: number, least: number, most: number) => Math.min(most, Math.max(least, value));

/** The layout of windows, whose first is primary; the monitors are in the order of the windows. `null`: more than a machine can have. */
export function arrange(windows: readonly Wanted[]): Layout | null {
  if (windows.length === 0 || windows.length > MONITORS_MAX) return null;
  const parts = windows.map(({ width, height, scale }, index) => ({
    x: 0,
    y: 0,
    w: within(Math.round(width), MONITOR_SIDE_MIN, MONITOR_SIDE_MAX) & ~1,
    h: within(Math.round(height), MONITOR_SIDE_MIN, MONITOR_SIDE_MAX),
    scale: scale >= 100 && scale <= 500 ? Math.round(scale) : 100,
    primary: index === 0,
  }));
  const left = (index: number) => windows[index]?.place?.left ?? 0;
  const known = windows.every(({ place }) => place !== null);
  const order = parts.map((_, index) => index);
  // Stable: windows on the same screen stay in their order.
  if (known) order.sort((one, other) => left(one) - left(other));
  let x = 0;
  let before: Monitor | null = null;
  for (const index of order) {
    const part = parts[index] as Monitor;
    part.x = x;
    x += part.w;
    if (known) part.y = Math.round(((windows[index]?.place?.top ?? 0) * part.scale) / 100);
    if (before) part.y = within(part.y, before.y - part.h + SHARED, before.y + before.h - SHARED);
    before = part;
  }
  const top = Math.min(...parts.map(({ y }) => y));
  for (const part of parts) part.y -= top;
  const height = Math.max(...parts.map(({ y, h }) => y + h));
  if (x > SURFACE_SIDE_MAX || height > SURFACE_SIDE_MAX || x * height > SURFACE_PIXELS_MAX) return null;
  return { width: x, height, monitors: parts };
}

export const sameLayout = (one: Layout | null, other: Layout | null): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

/** The surface pixel at a share (0 to 1, beyond where a drag left the window) of a window's part, kept on the surface. */
export function locate(
  part: Rect,
  surface: { width: number; height: number },
  across: number,
  down: number,
): { x: number; y: number } {
  const at = (from: number, length: number, share: number, most: number) =>
    within(from + Math.floor(share * length), 0, Math.max(0, most - 1));
  return { x: at(part.x, part.w, across, surface.width), y: at(part.y, part.h, down, surface.height) };
}
