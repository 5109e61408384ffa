//! Text as it goes between a machine's clipboard and a browser's.

/// The lines of `text` ended by LF alone, however many CR stand before each: machines end them with CRLF, and some programs with CR CR LF.
/// A CR elsewhere stays.
#[must_use]
pub fn with_lf(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' {
            out.truncate(out.trim_end_matches('\r').len());
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::with_lf;

    #[test]
    fn every_line_end_becomes_lf() {
        assert_eq!(with_lf("a\r\nb\r\r\nc\nd\re\r"), "a\nb\nc\nd\re\r");
        assert_eq!(with_lf(""), "");
    }
}
