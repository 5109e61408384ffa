/** Full screen, in which the browser hands over its own shortcuts too where it can (Keyboard Lock API). */
type LockableKeyboard = { lock?: (codes?: string[]) => Promise<void>; unlock?: () => void };

const keyboard = (own: Window) => (own.navigator as Navigator & { keyboard?: LockableKeyboard }).keyboard;

export function isFullscreen(own: Window = window): boolean {
  return own.document.fullscreenElement !== null;
}

export const canFullscreen = (): boolean => document.fullscreenEnabled === true;

/** On the screen that the window is on. */
export async function toggleFullscreen(own: Window = window): Promise<void> {
  if (isFullscreen(own)) {
    keyboard(own)?.unlock?.();
    await own.document.exitFullscreen().catch(() => undefined);
    return;
  }
  try {
    await own.document.documentElement.requestFullscreen({ navigationUI: "hide" });
    // Without the lock (another browser, or refused) full screen still works; the browser keeps its shortcuts.
    await keyboard(own)
      ?.lock?.()
      .catch(() => undefined);
  } catch {
    // The browser wants a click first, or the page may not: nothing to undo.
  }
}
