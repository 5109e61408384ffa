//! How a serial line begins, between whoever has it and the terminal that shows it: nothing is opened before somebody looks.
//!
//! ```text
//! terminal ─── BEGIN ───▶ whoever has the line, who opens it now
//!          ◀── "\n" ────  it is open: bytes as they come from here on, both ways
//!          ◀── "why\n" ─  it cannot be opened
//! ```

/// What the terminal says first.
pub const SERIAL_BEGIN: u8 = b'\n';
/// Longest line that says why not, in bytes.
pub const SERIAL_WHY_BYTES_MAX: usize = 1024;

/// The answer to [`SERIAL_BEGIN`].
pub fn serial_answer(opened: Result<(), &str>) -> Vec<u8> {
    let mut line: Vec<u8> = match opened {
        Ok(()) => Vec::new(),
        Err(why) => why.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }).collect(),
    };
    line.truncate(SERIAL_WHY_BYTES_MAX - 1);
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_line() {
        assert_eq!(serial_answer(Ok(())), b"\n");
        assert_eq!(serial_answer(Err("not\nnow")), b"not now\n");
        assert_eq!(serial_answer(Err(&"x".repeat(5000))).len(), SERIAL_WHY_BYTES_MAX);
    }
}
