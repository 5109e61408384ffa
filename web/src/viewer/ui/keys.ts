/** The special-keys panel: combinations that the browser or the operating system keeps for itself. */
import type { Keyboard } from "../input/keyboard";
import { el } from "./dom";

const CHORDS: readonly (readonly [string, readonly string[]])[] = [
  ["Ctrl + Alt + Del", ["ControlLeft", "AltLeft", "Delete"]],
  ["Super", ["MetaLeft"]],
  ["Alt + Tab", ["AltLeft", "Tab"]],
  ["Alt + F4", ["AltLeft", "F4"]],
  ["Print Screen", ["PrintScreen"]],
  ["Menu", ["ContextMenu"]],
  ["Esc", ["Escape"]],
  ["Tab", ["Tab"]],
];

const STICKY: readonly (readonly [string, string])[] = [
  ["Ctrl", "ControlLeft"],
  ["Alt", "AltLeft"],
  ["Shift", "ShiftLeft"],
  ["Super", "MetaLeft"],
  ["AltGr", "AltRight"],
];

export function keysPanel(keyboard: Keyboard): { element: HTMLElement; refresh(): void } {
  const chord = (label: string, codes: readonly string[]) =>
    el("button", { type: "button", class: "button", click: () => keyboard.chord(codes) }, label);
  const sticky = STICKY.map(([label, code]) => {
    const button = el(
      "button",
      {
        type: "button",
        class: "button",
        "aria-pressed": "false",
        click: () => button.setAttribute("aria-pressed", String(keyboard.toggleSticky(code))),
      },
      label,
    );
    return { button, code };
  });
  const terminals = Array.from({ length: 12 }, (_, index) =>
    el(
      "button",
      {
        type: "button",
        class: "button",
        "aria-label": `Ctrl + Alt + F${index + 1}`,
        click: () => keyboard.chord(["ControlLeft", "AltLeft", `F${index + 1}`]),
      },
      `F${index + 1}`,
    ),
  );
  const element = el(
    "div",
    {},
    el("h2", {}, "Send keys"),
    el("div", { class: "grid" }, ...CHORDS.map(([label, codes]) => chord(label, codes))),
    el("h2", {}, "Ctrl + Alt + …"),
    el("div", { class: "grid narrow functions" }, ...terminals),
    el("h2", {}, "Hold for the next key"),
    el("div", { class: "grid narrow" }, ...sticky.map(({ button }) => button)),
  );
  const refresh = () => {
    for (const { button, code } of sticky)
      button.setAttribute("aria-pressed", String(keyboard.sticky.has(code)));
  };
  return { element, refresh };
}

/** What on-screen keyboards lack in a shell, as the bytes that a terminal sends. */
const CONTROLS: readonly (readonly [string, string])[] = [
  ["Esc", "\x1b"],
  ["Tab", "\t"],
  ["↑", "\x1b[A"],
  ["↓", "\x1b[B"],
  ["←", "\x1b[D"],
  ["→", "\x1b[C"],
  ["Ctrl + C", "\x03"],
  ["Ctrl + D", "\x04"],
  ["Ctrl + Z", "\x1a"],
  ["Ctrl + R", "\x12"],
  ["Ctrl + L", "\x0c"],
  ["Ctrl + \\", "\x1c"],
];

const ARROW_NAMES: Readonly<Record<string, string>> = { "↑": "Up", "↓": "Down", "←": "Left", "→": "Right" };

export function terminalKeys(send: (text: string) => void): HTMLElement {
  const buttons = CONTROLS.map(([label, bytes]) =>
    el(
      "button",
      { type: "button", class: "button", "aria-label": ARROW_NAMES[label], click: () => send(bytes) },
      label,
    ),
  );
  return el("div", {}, el("h2", {}, "Send keys"), el("div", { class: "grid thirds" }, ...buttons));
}
