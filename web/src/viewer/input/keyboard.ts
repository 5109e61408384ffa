/**
 * The keyboard: browser key events in, scan codes *and* keysyms out, text from input methods as text.
 *
 * ```text
 *  keydown ─┬─ composing ──────────────▶ left to the hidden text area ─▶ composition end ─▶ text
 *           ├─ Control, on Windows ────▶ waits 40 ms: AltGr's shadow? then it never happened
 *           ├─ Option, on macOS ───────▶ waits for the next key: a character? then Alt never happened
 *           ├─ Ctrl+V, Shift+Insert ───▶ waits for the paste event, so that the clipboard arrives first
 *           └─ anything else ──────────▶ key down, remembered in `held` until its key up
 *  blur, page hidden ──────────────────▶ release (everything is up)
 * ```
 *
 * A key-up sends what its key-down sent, whatever the modifiers say by then. Modifiers whose key-up was lost (the
 * window manager took it) are let go as soon as another event says they are not pressed.
 */
import { compose, keysym } from "./keysym";
import { scancode } from "./scancodes";

export type KeySink = {
  key(down: boolean, code: number, keysym: number): void;
  text(text: string): void;
  release(): void;
  /** The person asked for the tool bar (Ctrl+Alt+Shift). */
  menu(): void;
};

export type Platform = "windows" | "mac" | "android" | "other";

/** What the keyboard reads of a `KeyboardEvent`; tests make their own. */
export type KeyLike = Pick<
  KeyboardEvent,
  | "key"
  | "code"
  | "location"
  | "repeat"
  | "isComposing"
  | "keyCode"
  | "shiftKey"
  | "ctrlKey"
  | "altKey"
  | "metaKey"
  | "timeStamp"
>;

type Sent = { code: number; keysym: number };

/** Windows sends AltGr as Control and AltRight within the same millisecond; a hand is slower than this. */
const ALTGR_SHADOW_MS = 40;
/** How long a paste shortcut waits for its paste event. */
const PASTE_WAIT_MS = 40;
/** How long one whose clipboard is being read may take: pictures have megabytes. */
const PASTE_HELD_MS_MAX = 3000;
/** Keys held at once; more are not a keyboard. */
const HELD_MAX = 64;

const MODIFIERS: ReadonlySet<string> = new Set([
  "ShiftLeft",
  "ShiftRight",
  "ControlLeft",
  "ControlRight",
  "AltLeft",
  "AltRight",
  "MetaLeft",
  "MetaRight",
]);

export function detectPlatform(agent: string): Platform {
  if (/Android/i.test(agent)) return "android";
  if (/Mac|iPhone|iPad/i.test(agent)) return "mac";
  if (/Windows/i.test(agent)) return "windows";
  return "other";
}

export class Keyboard {
  readonly #held = new Map<string, Sent>();
  readonly #sticky = new Map<string, Sent>();
  #shadow: { event: KeyLike; timer: ReturnType<typeof setTimeout> } | null = null;
  #option: KeyLike | null = null;
  /** `held`: its clipboard is being read; `up`: its key went up meanwhile. */
  #paste: { event: KeyLike; timer: ReturnType<typeof setTimeout>; held: boolean; up: boolean } | null = null;
  #accent = "";
  /** What the caps say, to know a dead key's accent. */
  caps: ReadonlyMap<string, string> | null = null;

  constructor(
    private readonly sink: KeySink,
    private readonly platform: Platform,
  ) {}

  /** Names of the sticky modifiers now pressed, as `KeyboardEvent.code`. */
  get sticky(): ReadonlySet<string> {
    return new Set(this.#sticky.keys());
  }

  /** A key went down. `true`: taken, keep it from the browser. */
  down(event: KeyLike): boolean {
    if (event.isComposing || event.keyCode === 229 || event.key === "Process") return false;
    const id = identity(event);
    const code = scancode(event.code);
    if (code === 0 && (event.key === "Unidentified" || event.key === "")) return false;

    if (this.#shadow && !this.#isShadowOf(event)) this.#flushShadow();
    this.#letGoLost(event);

    if (this.#asksForMenu(event)) {
      this.releaseAll();
      this.sink.menu();
      return true;
    }
    if (this.platform === "windows" && event.code === "ControlLeft" && !event.repeat && !this.#held.has(id)) {
      const timer = setTimeout(() => this.#flushShadow(), ALTGR_SHADOW_MS);
      this.#shadow = { event, timer };
      return true;
    }
    if (this.platform === "mac") {
      if (event.key === "CapsLock") {
        this.#tap({ code, keysym: keysym("CapsLock", event.code, event.location) });
        return true;
      }
      if (event.key === "Alt" && !event.repeat) {
        this.#option = event;
        return true;
      }
      if (this.#optionCharacter(event)) return true;
      if (this.#option) {
        this.#press(this.#option);
        this.#option = null;
      }
    }
    if (isPaste(event, this.platform) && !event.repeat) {
      this.#flushPaste();
      const timer = setTimeout(() => this.#flushPaste(), PASTE_WAIT_MS);
      this.#paste = { event, timer, held: false, up: false };
      return false;
    }
    this.#flushPaste();
    this.#press(event);
    if (this.platform === "mac" && event.metaKey && !MODIFIERS.has(event.code)) {
      // macOS never tells the key-up of a key pressed under Command.
      this.#lift(id);
    }
    return true;
  }

  /** A key went up. `true`: taken. */
  up(event: KeyLike): boolean {
    const id = identity(event);
    if (this.#shadow && event.code === "ControlLeft") this.#flushShadow();
    if (this.#paste && identity(this.#paste.event) === id) {
      if (this.#paste.held) {
        this.#paste.up = true;
        return true;
      }
      this.#flushPaste();
    }
    if (this.platform === "mac" && event.key === "CapsLock") {
      this.#tap({ code: scancode(event.code), keysym: keysym("CapsLock", event.code, event.location) });
      return true;
    }
    if (this.#option && event.key === "Alt") {
      const option = this.#option;
      this.#option = null;
      // Option alone, without a character in between: the remote side may want Alt (a menu key).
      if (!this.#optionUsed) this.#press(option);
      this.#optionUsed = false;
    }
    const was = this.#lift(id);
    if (!was && event.key === "PrintScreen") {
      // Windows tells only the key-up of Print Screen.
      this.#tap({ code: scancode(event.code), keysym: keysym(event.key, event.code, event.location) });
      return true;
    }
    if (this.platform === "mac" && event.key === "Meta") this.#liftOrdinary();
    if (was && !MODIFIERS.has(id)) this.#dropSticky();
    return was;
  }

  #optionUsed = false;

  /** The paste event came, and what it brings is still being read: `pasted` follows. */
  pasting(): void {
    if (!this.#paste) return;
    clearTimeout(this.#paste.timer);
    this.#paste.held = true;
    this.#paste.timer = setTimeout(() => this.#flushPaste(), PASTE_HELD_MS_MAX);
  }

  /** The paste event brought what the machine does not have yet: its key would paste something else there. */
  unpaste(): void {
    if (this.#paste) clearTimeout(this.#paste.timer);
    this.#paste = null;
  }

  /** The clipboard went ahead of the paste shortcut (or there was nothing to send): now the key itself. */
  pasted(): void {
    this.#flushPaste();
  }

  /** Everything is up: the window lost focus. */
  releaseAll(): void {
    if (this.#shadow) clearTimeout(this.#shadow.timer);
    if (this.#paste) clearTimeout(this.#paste.timer);
    this.#shadow = null;
    this.#paste = null;
    this.#option = null;
    this.#optionUsed = false;
    this.#accent = "";
    this.#held.clear();
    this.#sticky.clear();
    this.sink.release();
  }

  /** Presses keys one after the other and lets them go in reverse, as the special-keys menu does. */
  chord(codes: readonly string[]): void {
    const keys = codes.map(named);
    for (const key of keys) this.sink.key(true, key.code, key.keysym);
    for (const key of keys.reverse()) this.sink.key(false, key.code, key.keysym);
    this.#dropSticky();
  }

  /** Holds a modifier until the next ordinary key has gone by, or until it is asked for again. */
  toggleSticky(code: string): boolean {
    const held = this.#sticky.get(code);
    if (held) {
      this.#sticky.delete(code);
      this.sink.key(false, held.code, held.keysym);
      return false;
    }
    const key = named(code);
    this.#sticky.set(code, key);
    this.sink.key(true, key.code, key.keysym);
    return true;
  }

  /** Text without keys (input method, on-screen keyboard). Under a sticky modifier, single characters become keys. */
  type(text: string): void {
    if (!text) return;
    if (this.#sticky.size > 0 && /^[\x20-\x7e]$/.test(text)) {
      const letter = /^[a-z]$/i.test(text)
        ? `Key${text.toUpperCase()}`
        : /^[0-9]$/.test(text)
          ? `Digit${text}`
          : "";
      this.#tap({ code: scancode(letter), keysym: keysym(text, letter, 0) });
      this.#dropSticky();
      return;
    }
    this.sink.text(text);
  }

  /** One press of a named key, from an on-screen keyboard. */
  tap(code: string): void {
    this.chord([code]);
  }

  #press(event: KeyLike): void {
    const id = identity(event);
    let key = event.key;
    if (key === "Dead") {
      this.#accent = this.caps?.get(event.code) ?? "";
    } else if (this.#accent && [...key].length === 1) {
      key = compose(this.#accent, key);
      this.#accent = "";
    }
    const before = this.#held.get(id);
    const sent =
      before && event.repeat
        ? before
        : { code: scancode(event.code), keysym: keysym(key, event.code, event.location) };
    if (sent.code === 0 && sent.keysym === 0) return;
    if (!before && this.#held.size >= HELD_MAX) return;
    this.#held.set(id, sent);
    this.sink.key(true, sent.code, sent.keysym);
  }

  #lift(id: string): boolean {
    const sent = this.#held.get(id);
    if (!sent) return false;
    this.#held.delete(id);
    this.sink.key(false, sent.code, sent.keysym);
    return true;
  }

  #liftOrdinary(): void {
    for (const id of [...this.#held.keys()]) if (!MODIFIERS.has(id)) this.#lift(id);
  }

  #tap(key: Sent): void {
    this.sink.key(true, key.code, key.keysym);
    this.sink.key(false, key.code, key.keysym);
  }

  #dropSticky(): void {
    for (const [code, key] of [...this.#sticky]) {
      this.#sticky.delete(code);
      this.sink.key(false, key.code, key.keysym);
    }
  }

  /** Control that came with this AltRight is no Control: forget it. */
  #isShadowOf(event: KeyLike): boolean {
    if (!this.#shadow || event.code !== "AltRight") return false;
    if (event.timeStamp - this.#shadow.event.timeStamp > ALTGR_SHADOW_MS) return false;
    clearTimeout(this.#shadow.timer);
    this.#shadow = null;
    return true;
  }

  #flushShadow(): void {
    if (!this.#shadow) return;
    const { event, timer } = this.#shadow;
    clearTimeout(timer);
    this.#shadow = null;
    this.#press(event);
  }

  #flushPaste(): void {
    if (!this.#paste) return;
    const { event, timer, up } = this.#paste;
    clearTimeout(timer);
    this.#paste = null;
    this.#press(event);
    if (up) this.#lift(identity(event));
  }

  /** On macOS, Option chooses characters: the character goes alone, without a scan code that means another one. */
  #optionCharacter(event: KeyLike): boolean {
    if (!event.altKey || event.ctrlKey || event.metaKey) return false;
    if (event.key === "Dead") {
      this.#accent = this.caps?.get(event.code) ?? "";
      this.#optionUsed = true;
      return true;
    }
    if ([...event.key].length !== 1 || this.#held.has("AltLeft") || this.#held.has("AltRight")) return false;
    const sent = { code: 0, keysym: keysym(event.key, "", 0) };
    if (sent.keysym === 0) return false;
    this.#optionUsed = true;
    this.#held.set(identity(event), sent);
    this.sink.key(true, sent.code, sent.keysym);
    return true;
  }

  #letGoLost(event: KeyLike): void {
    const lost = (pressed: boolean, ...codes: string[]) => {
      if (pressed) return;
      for (const code of codes) if (event.code !== code) this.#lift(code);
    };
    lost(event.shiftKey || event.key === "Shift", "ShiftLeft", "ShiftRight");
    lost(event.ctrlKey || event.key === "Control", "ControlLeft", "ControlRight");
    lost(event.metaKey || event.key === "Meta", "MetaLeft", "MetaRight");
    // AltRight may be AltGr, which `altKey` says nothing about.
    lost(event.altKey || event.key === "Alt", "AltLeft");
  }

  #asksForMenu(event: KeyLike): boolean {
    if (event.repeat || !event.ctrlKey || !event.altKey || !event.shiftKey || event.metaKey) return false;
    if (!/^(Control|Alt|Shift)/.test(event.code)) return false;
    // AltGr under Windows says Ctrl and Alt too.
    return event.code !== "AltRight" && !this.#held.has("AltRight");
  }
}

function identity(event: KeyLike): string {
  return event.code || `key:${event.key}`;
}

function isPaste(event: KeyLike, platform: Platform): boolean {
  if (event.altKey) return false;
  const letter = event.key.toLowerCase() === "v" && !event.shiftKey;
  if (platform === "mac" && letter && event.metaKey && !event.ctrlKey) return true;
  if (letter && event.ctrlKey && !event.metaKey) return true;
  return event.key === "Insert" && event.shiftKey && !event.ctrlKey;
}

/** A key by its `code` alone, as the menu presses it. */
function named(code: string): Sent {
  const bare = code.replace(/(Left|Right)$/, "");
  const key = code.startsWith("Key")
    ? code.slice(3).toLowerCase()
    : code.startsWith("Digit")
      ? code.slice(5)
      : ["Shift", "Control", "Alt", "Meta"].includes(bare)
        ? bare
        : code === "Space"
          ? " "
          : code;
  return { code: scancode(code), keysym: keysym(key, code, code.endsWith("Right") ? 2 : 0) };
}
