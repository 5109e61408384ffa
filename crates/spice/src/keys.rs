//! Characters and X11 keysyms as PC scan codes (set 1, `0xE0xx` extended) of a US keyboard, for viewers and texts without keys.

pub(crate) const SHIFT_LEFT: u16 = 0x2a;

/// Keys in rows: the first key's code, what they make, and what they make with Shift.
const ROWS: [(u16, &str, &str); 6] = [
    (0x02, "1234567890-=", "!@#$%^&*()_+"),
    (0x10, "qwertyuiop[]", "QWERTYUIOP{}"),
    (0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    (0x2b, "\\", "|"),
    (0x2c, "zxcvbnm,./", "ZXCVBNM<>?"),
    (0x39, " ", ""),
];

/// The key of a character, and whether it takes Shift; none for characters that a US keyboard lacks.
pub(crate) fn of_character(character: char) -> Option<(u16, bool)> {
    let control = match character {
        '\n' | '\r' => 0x1c,
        '\t' => 0x0f,
        '\u{8}' => 0x0e,
        '\u{1b}' => 0x01,
        '\u{7f}' => 0xe053,
        _ => 0,
    };
    if control != 0 {
        return Some((control, false));
    }
    ROWS.into_iter().find_map(|(first, bare, shifted)| {
        let at = |row: &str| (first..).zip(row.chars()).find(|(_, c)| *c == character).map(|(code, _)| code);
        at(bare).map(|code| (code, false)).or_else(|| at(shifted).map(|code| (code, true)))
    })
}

/// The key of an X11 keysym.
pub(crate) fn of_keysym(keysym: u32) -> Option<u16> {
    Some(match keysym {
        0xff08 => 0x0e,
        0xff09 => 0x0f,
        0xff0d => 0x1c,
        0xff1b => 0x01,
        0xff50 => 0xe047,
        0xff51 => 0xe04b,
        0xff52 => 0xe048,
        0xff53 => 0xe04d,
        0xff54 => 0xe050,
        0xff55 => 0xe049,
        0xff56 => 0xe051,
        0xff57 => 0xe04f,
        0xff63 => 0xe052,
        0xffff => 0xe053,
        0xffe1 => SHIFT_LEFT,
        0xffe2 => 0x36,
        0xffe3 => 0x1d,
        0xffe4 => 0xe01d,
        0xffe9 => 0x38,
        0xffea | 0xfe03 => 0xe038,
        0xffeb => 0xe05b,
        // F1 to F10, then F11 and F12.
        0xffbe..=0xffc7 => 0x3b + (keysym - 0xffbe) as u16,
        0xffc8 => 0x57,
        0xffc9 => 0x58,
        0x20..=0x7e => of_character(char::from_u32(keysym)?)?.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{of_character, of_keysym};

    #[test]
    fn a_us_keyboard_has_all_of_ascii() {
        for character in ' '..='~' {
            let key = of_character(character);
            assert!(key.is_some(), "{character}");
            assert_eq!(of_keysym(character.into()), key.map(|(code, _)| code));
        }
        assert_eq!(of_character('a'), Some((0x1e, false)));
        assert_eq!(of_character('?'), Some((0x35, true)));
        assert_eq!(of_character('`'), Some((0x29, false)));
        assert_eq!(of_character('ä'), None);
        assert_eq!(of_keysym(0xffc6), Some(0x43), "F9");
    }
}
