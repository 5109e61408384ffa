//! The name under which a browser saves what it gets.

use std::fmt::Write as _;

/// What must not be in a name that is saved: letters that steer terminals, that turn the reading direction, that lead elsewhere.
fn harmless(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `Content-Disposition` (RFC 6266), with the name in ASCII for old programs and as it is (RFC 8187).
pub(crate) fn attachment(name: &str) -> String {
    let name: String = name.chars().map(|letter| if harmless(letter) { letter } else { '_' }).collect();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || " ._-()+,=@".contains(letter);
    let ascii: String = name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    let mut text = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").ok();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn names_are_saved_as_they_are_unless_they_could_do_harm() {
        for (name, header) in [
            ("a b.txt", "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"),
            ("ü\"%;.txt", "attachment; filename=\"____.txt\"; filename*=UTF-8''%C3%BC%22%25%3B.txt"),
            ("a\r\nb\u{202e}txt.exe", "attachment; filename=\"a__b_txt.exe\"; filename*=UTF-8''a__b_txt.exe"),
            ("..\\up", "attachment; filename=\".._up\"; filename*=UTF-8''.._up"),
        ] {
            assert_eq!(attachment(name), header);
        }
    }
}
