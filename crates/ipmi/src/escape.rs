//! What is typed beside text: `Enter ~ B` is a break, as with `ssh`, and `Enter ~ ~` a tilde.

/// What goes to the serial line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    Break,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// After Enter, or at the beginning.
    #[default]
    Start,
    Tilde,
    Line,
}

#[derive(Debug, Default)]
pub(crate) struct Escape(State);

impl Escape {
    pub fn take(&mut self, typed: &[u8]) -> Vec<Piece> {
        let (mut pieces, mut bytes) = (Vec::new(), Vec::new());
        for byte in typed {
            self.0 = match (self.0, *byte) {
                (State::Start, b'~') => State::Tilde,
                (State::Tilde, b'B') => {
                    if !bytes.is_empty() {
                        pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
                    }
                    pieces.push(Piece::Break);
                    State::Start
                }
                (state, byte) => {
                    if state == State::Tilde {
                        bytes.push(b'~');
                    }
                    if state != State::Tilde || byte != b'~' {
                        bytes.push(byte);
                    }
                    if matches!(byte, b'\r' | b'\n') { State::Start } else { State::Line }
                }
            };
        }
        if !bytes.is_empty() {
            pieces.push(Piece::Bytes(bytes));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Piece {
        Piece::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn breaks_are_typed() {
        let mut escape = Escape::default();
        assert_eq!(escape.take(b"~B"), [Piece::Break]);
        assert_eq!(escape.take(b"ls ~B\r~"), [bytes("ls ~B\r")]);
        assert_eq!(escape.take(b"Bt"), [Piece::Break, bytes("t")]);
        assert_eq!(escape.take(b"\r~~\r~/x\r~B~B"), [bytes("\r~\r~/x\r"), Piece::Break, Piece::Break]);
    }
}
