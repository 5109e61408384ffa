//! Characters as X11 keysyms (X Window System Protocol, appendix A).

pub(crate) const SHIFT_LEFT: u32 = 0xffe1;

/// The keysym of a character; none for control characters that no key makes.
pub(crate) const fn of(character: char) -> Option<u32> {
    Some(match character {
        '\n' | '\r' => 0xff0d,
        '\t' => 0xff09,
        '\u{8}' => 0xff08,
        '\u{1b}' => 0xff1b,
        '\u{7f}' => 0xffff,
        ' '..='~' | '\u{a0}'..='\u{ff}' => character as u32,
        '\0'..='\u{9f}' => return None,
        other => 0x0100_0000 + other as u32,
    })
}

/// True for characters that sit on the shifted level of a US keyboard.
pub(crate) const fn shifted(character: char) -> bool {
    matches!(character, 'A'..='Z' | '!'..='&' | '('..='+' | ':' | '<' | '>'..='@' | '^'..='_' | '{'..='~')
}

#[cfg(test)]
mod tests {
    use super::{of, shifted};

    #[test]
    fn characters_have_their_keysyms() {
        assert_eq!(of('a'), Some(0x61));
        assert_eq!(of('ä'), Some(0xe4));
        assert_eq!(of('€'), Some(0x0100_20ac));
        assert_eq!(of('😀'), Some(0x0101_f600));
        assert_eq!(of('\n'), Some(0xff0d));
        assert_eq!(of('\u{1}'), None);
    }

    #[test]
    fn shifted_characters_are_those_of_a_us_keyboard() {
        let all: String = (' '..='~').filter(|c| shifted(*c)).collect();
        assert_eq!(all, "!\"#$%&()*+:<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ^_{|}~");
    }
}
