/** Which devices of a wall somebody looks for. No React here. */
import type { Schemas } from "../../../api/client";

type Tile = Schemas["DeviceTile"];

/** Words that say how a device is, rather than what it is called. */
const STATES: Record<string, (tile: Tile) => boolean> = {
  on: ({ power }) => power?.on === true,
  off: ({ power }) => power?.on === false,
  signal: ({ video }) => video?.signal === true,
  dark: ({ video }) => video?.running === true && !video.signal,
  used: ({ connections }) => connections > 0,
  trouble: ({ failure }) => failure !== null,
};

/** Every word fits: a state, or a part of the name or the pool. */
export function fits(tile: Tile, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => {
    const named = tile.name.toLowerCase().includes(word) || tile.pool.name.toLowerCase().includes(word);
    // Own: a word like `constructor` is no state.
    const state = Object.hasOwn(STATES, word) ? STATES[word] : undefined;
    return state ? state(tile) : named;
  });
}
