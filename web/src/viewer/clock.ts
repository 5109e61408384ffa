/**
 * A clock for hidden tabs, as a worker: browsers slow a hidden page's own timers down to one a minute, and the server
 * drops a viewer that is silent for half of one.
 */
const TICK_MS = 5000;

setInterval(() => (self as unknown as { postMessage(tick: null): void }).postMessage(null), TICK_MS);
