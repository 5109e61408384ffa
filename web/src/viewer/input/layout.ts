/**
 * A guess at the keyboard's layout, as an XKB name, from the characters on its caps (Keyboard Map API where the
 * browser has it) and the browser's language. The person can overrule it in the menu.
 */

/** Layouts offered in the menu: XKB name and its name for people. */
export const LAYOUTS: readonly (readonly [string, string])[] = [
  ["us", "English (US)"],
  ["us(intl)", "English (US, international)"],
  ["gb", "English (UK)"],
  ["de", "German"],
  ["at", "German (Austria)"],
  ["ch", "German (Switzerland)"],
  ["ch(fr)", "French (Switzerland)"],
  ["fr", "French"],
  ["be", "Belgian"],
  ["ca", "French (Canada)"],
  ["es", "Spanish"],
  ["latam", "Spanish (Latin America)"],
  ["it", "Italian"],
  ["pt", "Portuguese"],
  ["br", "Portuguese (Brazil)"],
  ["nl", "Dutch"],
  ["dk", "Danish"],
  ["no", "Norwegian"],
  ["se", "Swedish"],
  ["fi", "Finnish"],
  ["pl", "Polish"],
  ["cz", "Czech"],
  ["sk", "Slovak"],
  ["hu", "Hungarian"],
  ["ro", "Romanian"],
  ["si", "Slovenian"],
  ["hr", "Croatian"],
  ["tr", "Turkish"],
  ["gr", "Greek"],
  ["ru", "Russian"],
  ["ua", "Ukrainian"],
  ["bg", "Bulgarian"],
  ["il", "Hebrew"],
  ["jp", "Japanese"],
  ["kr", "Korean"],
  ["us(dvorak)", "English (Dvorak)"],
  ["us(colemak)", "English (Colemak)"],
];

/** The keys that tell layouts apart, and what each layout's caps say there, in the same order. */
const PROBES = [
  "KeyQ",
  "KeyY",
  "Semicolon",
  "Quote",
  "BracketLeft",
  "BracketRight",
  "Minus",
  "Equal",
  "Backquote",
  "Backslash",
  "IntlBackslash",
] as const;

/** `_` stands for a key that says different things or is dead in ways browsers report differently. */
const CAPS: readonly (readonly [string, string])[] = [
  ["us", "qy;'[]-=`\\_"],
  ["gb", "qy;'[]-=`#\\"],
  ["de", "qzöäü+ß´^#<"],
  ["ch", "qzöäü¨'^§$<"],
  ["ch(fr)", "qzéàè¨'^§$<"],
  ["fr", "aymù^$)=²*<"],
  ["be", "aymù^$)-²µ<"],
  ["ca", "qy;`^¸-=#<«"],
  ["es", "qyñ´`+'¡ºç<"],
  ["latam", "qyñ{´+'¿|}<"],
  ["it", "qyòàè+'ì\\ù<"],
  ["pt", "qyçº+´'«\\~<"],
  ["br", "qyç~´[-='_\\"],
  ["nl", "qy+´¨*/°@<]"],
  ["dk", "qyæøå¨+´½'<"],
  ["no", "qyøæå¨+\\|'<"],
  ["se", "qyöäå¨+´§'<"],
  ["cz", "qzů§ú)=´;¨\\"],
  ["sk", "qzô§úä=´;ň&"],
  ["hu", "qzéáőúüó0űí"],
  ["si", "qzčćšđ'+¸ž<"],
  ["tr", 'qyşiğü*-",<'],
  ["gr", ";υ΄'[]-=`\\<"],
  ["ru", "йнжэхъ-=ё\\_"],
  ["ua", "йнжєхї-='ґ_"],
  ["il", "/ט,ף][-=;\\_"],
  ["jp", "qy;:@[-^_]_"],
  ["us(dvorak)", "'fs-/=[]`\\_"],
  ["us(colemak)", "qjo'[]-=`\\_"],
];

/** Layouts that share their caps with another one or can't be told by caps, by the language's region. */
const BY_REGION: ReadonlyMap<string, string> = new Map(
  Object.entries({
    us: "us",
    gb: "gb",
    ie: "gb",
    de: "de",
    at: "at",
    ch: "ch",
    fr: "fr",
    be: "be",
    ca: "us",
    es: "es",
    mx: "latam",
    ar: "latam",
    cl: "latam",
    co: "latam",
    it: "it",
    pt: "pt",
    br: "br",
    nl: "us",
    dk: "dk",
    no: "no",
    se: "se",
    fi: "fi",
    pl: "pl",
    cz: "cz",
    sk: "sk",
    hu: "hu",
    ro: "ro",
    si: "si",
    hr: "hr",
    tr: "tr",
    gr: "gr",
    ru: "ru",
    ua: "ua",
    bg: "bg",
    il: "il",
    jp: "jp",
    kr: "kr",
  }),
);

const BY_LANGUAGE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    en: "us",
    de: "de",
    fr: "fr",
    es: "es",
    it: "it",
    pt: "pt",
    nl: "us",
    da: "dk",
    nb: "no",
    nn: "no",
    no: "no",
    sv: "se",
    fi: "fi",
    pl: "pl",
    cs: "cz",
    sk: "sk",
    hu: "hu",
    ro: "ro",
    sl: "si",
    hr: "hr",
    tr: "tr",
    el: "gr",
    ru: "ru",
    uk: "ua",
    bg: "bg",
    he: "il",
    ja: "jp",
    ko: "kr",
  }),
);

/** Layouts with the caps of another one: `[the one in the table, the look-alike, its region]`. */
const LOOKALIKES: readonly (readonly [string, string, string])[] = [
  ["de", "at", "at"],
  ["se", "fi", "fi"],
  ["us", "pl", "pl"],
  ["us", "kr", "kr"],
  ["us", "ro", "ro"],
  ["si", "hr", "hr"],
  ["ch", "ch(fr)", "fr-ch"],
];

/** Fewer agreeing caps than this, and the caps say nothing. */
const AGREE_MIN = 7;

/** The layout that a language tag suggests; empty when none. */
export function layoutOfLanguage(language: string): string {
  const [first = "", ...rest] = language.toLowerCase().split("-");
  const region = rest.find((part) => part.length === 2);
  if (first === "fr" && region === "ch") return "ch(fr)";
  if (first === "fr" && region === "ca") return "ca";
  return (region && BY_REGION.get(region)) || BY_LANGUAGE.get(first) || "";
}

/** The layout that the caps (from a `KeyboardEvent.code` to its unshifted character) and the language suggest. */
export function guessLayout(caps: ReadonlyMap<string, string> | null, language: string): string {
  const spoken = layoutOfLanguage(language);
  if (!caps || caps.size === 0) return spoken;
  let best = "";
  let bestScore = AGREE_MIN - 1;
  for (const [layout, signature] of CAPS) {
    const characters = [...signature];
    let score = 0;
    PROBES.forEach((probe, index) => {
      const wanted = characters[index];
      if (wanted !== "_" && wanted !== undefined && caps.get(probe)?.toLowerCase() === wanted) score += 1;
    });
    if (score > bestScore || (score === bestScore && layout === spoken)) {
      best = layout;
      bestScore = score;
    }
  }
  if (!best) return spoken;
  const alike = LOOKALIKES.find(
    ([shown, other, region]) =>
      shown === best && (other === spoken || language.toLowerCase().endsWith(region)),
  );
  return alike ? alike[1] : best;
}

type KeyboardMap = { getLayoutMap?: () => Promise<ReadonlyMap<string, string>> };

/** Asks the browser for the caps; `null` where it has no Keyboard Map API or refuses. */
export async function readCaps(): Promise<ReadonlyMap<string, string> | null> {
  const keyboard = (navigator as Navigator & { keyboard?: KeyboardMap }).keyboard;
  try {
    const map = await keyboard?.getLayoutMap?.();
    return map ? new Map(map) : null;
  } catch {
    return null;
  }
}

const STORED = "oriel.keyboard";

/** What the person chose in the menu; empty for "guess". */
export function chosenLayout(): string {
  try {
    return localStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

export function chooseLayout(layout: string): void {
  try {
    if (layout) localStorage.setItem(STORED, layout);
    else localStorage.removeItem(STORED);
  } catch {
    // Storage may be refused: the choice then lasts as long as the page.
  }
}
