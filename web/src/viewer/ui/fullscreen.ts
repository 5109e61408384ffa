/** Full screen, in which the browser hands over its own shortcuts too where it can (Keyboard Lock API). */
type LockableKeyboard = { lock?: (codes?: string[]) => Promise<void>; unlock?: () => void };

const keyboard = () => (navigator as Navigator & { keyboard?: LockableKeyboard }).keyboard;

export function isFullscreen(): boolean {
  return document.fullscreenElement !== null;
}

export const canFullscreen = (): boolean => document.fullscreenEnabled === true;

export async function toggleFullscreen(): Promise<void> {
  if (isFullscreen()) {
    keyboard()?.unlock?.();
    await document.exitFullscreen().catch(() => undefined);
    return;
  }
  try {
    await document.documentElement.requestFullscreen({ navigationUI: "hide" });
    // Without the lock (another browser, or refused) full screen still works; the browser keeps its shortcuts.
    await keyboard()
      ?.lock?.()
      .catch(() => undefined);
  } catch {
    // The browser wants a click first, or the page may not: nothing to undo.
  }
}
