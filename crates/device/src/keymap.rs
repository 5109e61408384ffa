//! Keymaps: which keys type a character on a keyboard of some country. Written after the layouts that are printed on keyboards.

use oriel_physical::key::{self, Key};

/// A key and what is held with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stroke {
    pub key: &'static Key,
    pub shift: bool,
    pub alt_gr: bool,
}

/// A row of keys, and what they type: alone, with shift, and with `AltGr` (a space where that is nothing).
type Row = (&'static [&'static str], &'static str, &'static str, &'static str);

const NUMBERS: &[&str] = &[
    "Backquote",
    "Digit1",
    "Digit2",
    "Digit3",
    "Digit4",
    "Digit5",
    "Digit6",
    "Digit7",
    "Digit8",
    "Digit9",
    "Digit0",
    "Minus",
    "Equal",
];
const UPPER: &[&str] =
    &["KeyQ", "KeyW", "KeyE", "KeyR", "KeyT", "KeyY", "KeyU", "KeyI", "KeyO", "KeyP", "BracketLeft", "BracketRight"];
const HOME: &[&str] =
    &["KeyA", "KeyS", "KeyD", "KeyF", "KeyG", "KeyH", "KeyJ", "KeyK", "KeyL", "Semicolon", "Quote", "Backslash"];
const LOWER: &[&str] =
    &["IntlBackslash", "KeyZ", "KeyX", "KeyC", "KeyV", "KeyB", "KeyN", "KeyM", "Comma", "Period", "Slash"];

// Dead keys type nothing alone, and stand as spaces.
const EN_US: &[Row] = &[
    (NUMBERS, "`1234567890-=", "~!@#$%^&*()_+", ""),
    (UPPER, "qwertyuiop[]", "QWERTYUIOP{}", ""),
    (HOME, "asdfghjkl;'\\", "ASDFGHJKL:\"|", ""),
    (LOWER, " zxcvbnm,./", " ZXCVBNM<>?", ""),
];
const EN_GB: &[Row] = &[
    (NUMBERS, "`1234567890-=", "¬!\"£$%^&*()_+", "¦   €"),
    (UPPER, "qwertyuiop[]", "QWERTYUIOP{}", "  é   úíó"),
    (HOME, "asdfghjkl;'#", "ASDFGHJKL:@~", "á"),
    (LOWER, "\\zxcvbnm,./", "|ZXCVBNM<>?", ""),
];
const DE: &[Row] = &[
    (NUMBERS, " 1234567890ß ", "°!\"§$%&/()=? ", "  ²³   {[]}\\"),
    (UPPER, "qwertzuiopü+", "QWERTZUIOPÜ*", "@ €        ~"),
    (HOME, "asdfghjklöä#", "ASDFGHJKLÖÄ'", ""),
    (LOWER, "<yxcvbnm,.-", ">YXCVBNM;:_", "|      µ"),
];
const FR: &[Row] = &[
    (NUMBERS, "²&é\"'(-è_çà)=", " 1234567890°+", "   #{[| \\^@]}"),
    (UPPER, "azertyuiop $", "AZERTYUIOP £", "  €        ¤"),
    (HOME, "qsdfghjklmù*", "QSDFGHJKLM%µ", ""),
    (LOWER, "<wxcvbn,;:!", ">WXCVBN?./§", ""),
];
const ES: &[Row] = &[
    (NUMBERS, "º1234567890'¡", "ª!\"·$%&/()=?¿", "\\|@#  ¬"),
    (UPPER, "qwertyuiop +", "QWERTYUIOP *", "  €       []"),
    (HOME, "asdfghjklñ ç", "ASDFGHJKLÑ Ç", "          {}"),
    (LOWER, "<zxcvbnm,.-", ">ZXCVBNM;:_", ""),
];
const IT: &[Row] = &[
    (NUMBERS, "\\1234567890'ì", "|!\"£$%&/()=?^", ""),
    (UPPER, "qwertyuiopè+", "QWERTYUIOPé*", "  €       []"),
    (HOME, "asdfghjklòàù", "ASDFGHJKLç°§", "         @#"),
    (LOWER, "<zxcvbnm,.-", ">ZXCVBNM;:_", ""),
];

const ALL: [(&str, &[Row]); 6] = [("de", DE), ("en-gb", EN_GB), ("en-us", EN_US), ("es", ES), ("fr", FR), ("it", IT)];

/// The one that is taken where none is named.
pub(crate) const DEFAULT: &str = "en-us";

/// A keyboard's characters.
#[derive(Clone, Copy)]
pub(crate) struct Keymap(&'static [Row]);

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(|(name, _)| name)
}

pub(crate) fn of(name: &str) -> Option<Keymap> {
    ALL.into_iter().find(|(one, _)| *one == name).map(|(_, rows)| Keymap(rows))
}

impl Keymap {
    /// `None`: no key types it.
    pub fn stroke(self, character: char) -> Option<Stroke> {
        let plain = |name| key::by_name(name).map(|key| Stroke { key, shift: false, alt_gr: false });
        match character {
            ' ' | '\u{a0}' => return plain("Space"),
            '\n' | '\r' => return plain("Enter"),
            '\t' => return plain("Tab"),
            _ => {}
        }
        for (keys, alone, shifted, third) in self.0 {
            for (characters, shift, alt_gr) in [(alone, false, false), (shifted, true, false), (third, false, true)] {
                let at = characters.chars().position(|one| one == character);
                if let Some(key) = at.and_then(|at| keys.get(at)).and_then(|name| key::by_name(name)) {
                    return Some(Stroke { key, shift, alt_gr });
                }
            }
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn rows_fit_their_keys() {
        for (name, rows) in ALL {
            for (keys, alone, shifted, third) in rows {
                assert!(keys.iter().all(|key| key::by_name(key).is_some()), "{name}: {keys:?}");
                assert_eq!(alone.chars().count(), keys.len(), "{name}: {alone}");
                assert_eq!(shifted.chars().count(), keys.len(), "{name}: {shifted}");
                assert!(third.chars().count() <= keys.len(), "{name}: {third}");
            }
            let map = of(name).unwrap();
            for letter in ('a'..='z').chain('A'..='Z').chain('0'..='9') {
                assert!(map.stroke(letter).is_some(), "{name}: {letter}");
            }
        }
    }

    #[test]
    fn keys_are_where_they_are_printed() {
        let named = |map: &str, character| {
            of(map).unwrap().stroke(character).map(|stroke| (stroke.key.name, stroke.shift, stroke.alt_gr))
        };
        assert_eq!(named("en-us", 'B'), Some(("KeyB", true, false)));
        assert_eq!(named("en-us", '\n'), Some(("Enter", false, false)));
        assert_eq!(named("en-us", 'ß'), None);
        // As the real daemon types them (usages 1c, 2d, and 14 with AltGr).
        assert_eq!(named("de", 'z'), Some(("KeyY", false, false)));
        assert_eq!(named("de", 'ß'), Some(("Minus", false, false)));
        assert_eq!(named("de", '@'), Some(("KeyQ", false, true)));
        assert_eq!(named("de", '\\'), Some(("Minus", false, true)));
        assert_eq!(named("de", '}'), Some(("Digit0", false, true)));
        assert_eq!(named("fr", '1'), Some(("Digit1", true, false)));
        assert_eq!(named("fr", '@'), Some(("Digit0", false, true)));
        assert_eq!(named("en-gb", '€'), Some(("Digit4", false, true)));
        assert_eq!(named("es", '['), Some(("BracketLeft", false, true)));
        assert_eq!(named("it", '#'), Some(("Quote", false, true)));
        assert!(of("xx").is_none());
    }
}
