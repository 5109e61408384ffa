//! What of many lines a terminal need not be shown, because it has scrolled away when the last of them are there.
//!
//! An emulator reads some ten megabytes a second; a flood of text is several times as fast, and nobody sees its middle.

use memchr::memrchr_iter;

/// What leaves a terminal in the state that the whole text would: three parts to be shown one after the other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skimmed<'a> {
    /// The first line, which may begin within a character or a sequence.
    pub head: &'a [u8],
    /// Back to a line's start, and the colours and attributes set in what is left out.
    pub attributes: Vec<u8>,
    pub tail: &'a [u8],
}

/// Leaves out what `lines_max` line ends push away. `None` where that cannot be told or is not worth it: where a line in the middle does more than
/// print, ring and colour, or the tail does not begin at a line's start.
///
/// One thing it does not know: a program that narrowed the scrolling region and then floods the line below it leaves remains of
/// longer lines there.
pub(crate) fn skim(text: &[u8], lines_max: usize) -> Option<Skimmed<'_>> {
    let head_end = memchr::memchr(b'\n', text)? + 1;
    // One more: the text after the last line end is a line as well.
    let tail_start = memrchr_iter(b'\n', text).nth(lines_max)? + 1;
    if tail_start <= head_end || !text.get(..tail_start)?.ends_with(b"\r\n") {
        return None;
    }
    let attributes = attributes(text.get(head_end..tail_start)?)?;
    Some(Skimmed { head: text.get(..head_end)?, attributes, tail: text.get(tail_start..)? })
}

/// The sequences that set colours and attributes (SGR, ECMA-48 section 8.3.117) in a text that does nothing else but print and erase what follows on
/// a line; `None` when it does more.
fn attributes(text: &[u8]) -> Option<Vec<u8>> {
    let mut found = vec![b'\r'];
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| !prints(*byte)) {
        let sequence = rest.get(at..)?;
        let parameters = sequence.strip_prefix(b"\x1b[")?;
        let length = parameters.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
        let (whole, after) = sequence.split_at_checked(2 + length + 1)?;
        match parameters.get(length)? {
            b'm' => found.extend_from_slice(whole),
            // The rest of a line that goes.
            b'K' => {}
            _ => return None,
        }
        rest = after;
    }
    Some(found)
}

/// Characters, line ends, tabs and the bell. What is above ASCII is a character's part.
const fn prints(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t' | 7 | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(skimmed: &Skimmed<'_>) -> Vec<u8> {
        [skimmed.head, &skimmed.attributes, skimmed.tail].concat()
    }

    #[test]
    fn the_middle_is_left_out_and_its_colours_stay() {
        let text = "1\r\n2\x1b[1;31mred\x1b[K\r\n3 \u{e4}\r\n4\r\n5";
        assert_eq!(whole(&skim(text.as_bytes(), 1).unwrap()), b"1\r\n\r\x1b[1;31m4\r\n5");
        assert_eq!(skim(text.as_bytes(), 3), None, "nothing lies between");
        assert_eq!(skim(text.as_bytes(), 30), None);
    }

    #[test]
    fn what_does_more_than_print_is_left_alone() {
        for middle in [
            "\x1b[2J",
            "\x1b]0;title\x07",
            "\x1b",
            "\x1b[",
            "\x1b[31",
            "\x0e",
            "\x1b[?25l",
            "\x0b",
            "\0",
            "\x08",
            "\x1b(0",
        ] {
            let text = format!("1\r\n{middle}\r\n3\r\n4\r\n5");
            assert_eq!(skim(text.as_bytes(), 1), None, "{middle:?}");
        }
        // A staircase: where a line begins depends on those before it.
        assert_eq!(skim(b"1\n2\n3\n4\n5\n", 1), None);
    }
}
