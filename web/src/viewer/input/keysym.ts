/**
 * What a key means as an X11 keysym: Latin-1 as itself, other characters as 0x01000000 + code point, named keys from
 * X11's keysymdef.h and XF86keysym.h.
 */

/** X11 (Appendix A of the X protocol): a character that is not Latin-1 is its code point plus this. */
const UNICODE = 0x0100_0000;

const NAMED: ReadonlyMap<string, number> = new Map(
  Object.entries({
    Backspace: 0xff08,
    Tab: 0xff09,
    Clear: 0xff0b,
    Enter: 0xff0d,
    Pause: 0xff13,
    ScrollLock: 0xff14,
    Escape: 0xff1b,
    Delete: 0xffff,
    Compose: 0xff20,
    KanjiMode: 0xff21,
    NonConvert: 0xff22,
    Convert: 0xff23,
    Romaji: 0xff24,
    Hiragana: 0xff25,
    Katakana: 0xff26,
    HiraganaKatakana: 0xff27,
    Zenkaku: 0xff28,
    Hankaku: 0xff29,
    ZenkakuHankaku: 0xff2a,
    KanaMode: 0xff2d,
    Eisu: 0xff30,
    Alphanumeric: 0xff30,
    HangulMode: 0xff31,
    HanjaMode: 0xff34,
    CodeInput: 0xff37,
    SingleCandidate: 0xff3c,
    AllCandidates: 0xff3d,
    PreviousCandidate: 0xff3e,
    Home: 0xff50,
    ArrowLeft: 0xff51,
    ArrowUp: 0xff52,
    ArrowRight: 0xff53,
    ArrowDown: 0xff54,
    PageUp: 0xff55,
    PageDown: 0xff56,
    End: 0xff57,
    Select: 0xff60,
    PrintScreen: 0xff61,
    Execute: 0xff62,
    Insert: 0xff63,
    Undo: 0xff65,
    Redo: 0xff66,
    ContextMenu: 0xff67,
    Find: 0xff68,
    Cancel: 0xff69,
    Help: 0xff6a,
    ModeChange: 0xff7e,
    NumLock: 0xff7f,
    CapsLock: 0xffe5,
    AltGraph: 0xfe03,
    GroupNext: 0xfe08,
    GroupPrevious: 0xfe0a,
    GroupFirst: 0xfe0c,
    GroupLast: 0xfe0e,
    MonBrightnessUp: 0x1008_ff02,
    BrightnessUp: 0x1008_ff02,
    BrightnessDown: 0x1008_ff03,
    AudioVolumeDown: 0x1008_ff11,
    AudioVolumeMute: 0x1008_ff12,
    AudioVolumeUp: 0x1008_ff13,
    MediaPlay: 0x1008_ff14,
    MediaPlayPause: 0x1008_ff14,
    MediaStop: 0x1008_ff15,
    MediaTrackPrevious: 0x1008_ff16,
    MediaTrackNext: 0x1008_ff17,
    BrowserHome: 0x1008_ff18,
    LaunchMail: 0x1008_ff19,
    BrowserSearch: 0x1008_ff1b,
    MediaRecord: 0x1008_ff1c,
    LaunchApplication2: 0x1008_ff1d,
    LaunchCalculator: 0x1008_ff1d,
    BrowserBack: 0x1008_ff26,
    BrowserForward: 0x1008_ff27,
    BrowserStop: 0x1008_ff28,
    BrowserRefresh: 0x1008_ff29,
    PowerOff: 0x1008_ff2a,
    Power: 0x1008_ff2a,
    WakeUp: 0x1008_ff2b,
    Eject: 0x1008_ff2c,
    Standby: 0x1008_ff2f,
    BrowserFavorites: 0x1008_ff30,
    MediaPause: 0x1008_ff31,
    LaunchMediaPlayer: 0x1008_ff32,
    LaunchApplication1: 0x1008_ff33,
    LaunchMyComputer: 0x1008_ff33,
    Close: 0x1008_ff56,
    Copy: 0x1008_ff57,
    Cut: 0x1008_ff58,
    New: 0x1008_ff68,
    Open: 0x1008_ff6b,
    Paste: 0x1008_ff6d,
    Save: 0x1008_ff77,
    ZoomIn: 0x1008_ff8b,
    ZoomOut: 0x1008_ff8c,
    MediaRewind: 0x1008_ff3e,
    MediaFastForward: 0x1008_ff97,
    MicrophoneVolumeMute: 0x1008_ffb2,
  }),
);

/** Keys that exist on both sides: `[left, right]`. */
const SIDED: ReadonlyMap<string, readonly [number, number]> = new Map([
  ["Shift", [0xffe1, 0xffe2]],
  ["Control", [0xffe3, 0xffe4]],
  ["Alt", [0xffe9, 0xffea]],
  ["Meta", [0xffeb, 0xffec]],
  ["OS", [0xffeb, 0xffec]],
  ["Super", [0xffeb, 0xffec]],
  ["Hyper", [0xffed, 0xffee]],
]);

/** The number pad by what its key says now. */
const NUMPAD: ReadonlyMap<string, number> = new Map(
  Object.entries({
    Enter: 0xff8d,
    Home: 0xff95,
    ArrowLeft: 0xff96,
    ArrowUp: 0xff97,
    ArrowRight: 0xff98,
    ArrowDown: 0xff99,
    PageUp: 0xff9a,
    PageDown: 0xff9b,
    End: 0xff9c,
    Clear: 0xff9d,
    Insert: 0xff9e,
    Delete: 0xff9f,
    "=": 0xffbd,
    "*": 0xffaa,
    "+": 0xffab,
    "-": 0xffad,
    "/": 0xffaf,
  }),
);

/**
 * The keysym of a single character (one code point); 0 when the text is not exactly one.
 */
export function characterKeysym(text: string): number {
  const point = text.codePointAt(0);
  if (point === undefined || text.length !== String.fromCodePoint(point).length) return 0;
  if ((point >= 0x20 && point <= 0x7e) || (point >= 0xa0 && point <= 0xff)) return point;
  if (point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0xd800 && point <= 0xdfff)) return 0;
  return UNICODE + point;
}

/**
 * The keysym of a key event by its `key`, `code` and `location`; 0 when there is none (also for `Dead`, `Process`
 * and `Unidentified`, which are not characters yet).
 */
export function keysym(key: string, code: string, location: number): number {
  if (location === 3) {
    if (/^[0-9]$/.test(key)) return 0xffb0 + Number(key);
    // The decimal key writes a comma on many layouts: KP_Separator and KP_Decimal.
    if (code === "NumpadDecimal" && key === ".") return 0xffae;
    if (key === ",") return 0xffac;
    const pad = NUMPAD.get(key);
    if (pad !== undefined) return pad;
  }
  const sided = SIDED.get(key);
  if (sided) return location === 2 || code.endsWith("Right") ? sided[1] : sided[0];
  const named = NAMED.get(key);
  if (named !== undefined) return named;
  const numbered = /^F([1-9]|[12][0-9]|3[0-5])$/.exec(key);
  if (numbered) return 0xffbd + Number(numbered[1]);
  return characterKeysym(key);
}

/** Accents by the character a dead key's cap shows: `[combining mark, X11 dead keysym]`. */
const DEAD: ReadonlyMap<string, readonly [string, number]> = new Map([
  ["`", ["\u0300", 0xfe50]],
  ["´", ["\u0301", 0xfe51]],
  ["'", ["\u0301", 0xfe51]],
  ["^", ["\u0302", 0xfe52]],
  ["ˆ", ["\u0302", 0xfe52]],
  ["~", ["\u0303", 0xfe53]],
  ["˜", ["\u0303", 0xfe53]],
  ["¯", ["\u0304", 0xfe54]],
  ["˘", ["\u0306", 0xfe55]],
  ["˙", ["\u0307", 0xfe56]],
  ["¨", ["\u0308", 0xfe57]],
  ['"', ["\u0308", 0xfe57]],
  ["°", ["\u030a", 0xfe58]],
  ["˚", ["\u030a", 0xfe58]],
  ["˝", ["\u030b", 0xfe59]],
  ["ˇ", ["\u030c", 0xfe5a]],
  ["¸", ["\u0327", 0xfe5b]],
  ["˛", ["\u0328", 0xfe5c]],
]);

/** The X11 dead keysym of an accent; 0 when it is none. */
export function deadKeysym(accent: string): number {
  return DEAD.get(accent)?.[1] ?? 0;
}

/**
 * A base letter under a dead key's accent, as one character: `´` and `e` give `é`. The letter itself when the two
 * don't combine, or when the browser has combined them already.
 */
export function compose(accent: string, letter: string): string {
  const mark = DEAD.get(accent)?.[0];
  if (!mark || letter.length !== 1) return letter;
  if (letter === " ") return accent;
  const whole = (letter + mark).normalize("NFC");
  return whole.length === 1 ? whole : letter;
}
