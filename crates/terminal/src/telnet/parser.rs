//! Telnet's bytes as events (RFC 854, 855). Sans-I/O and total: any bytes in any pieces give events and bounded memory.

pub(crate) const SE: u8 = 240;
pub(crate) const SB: u8 = 250;
pub(crate) const WILL: u8 = 251;
pub(crate) const WONT: u8 = 252;
pub(crate) const DO: u8 = 253;
pub(crate) const DONT: u8 = 254;
pub(crate) const IAC: u8 = 255;

/// Longest subnegotiation that is kept; a longer one is passed over.
pub const SUBNEGOTIATION_BYTES_MAX: usize = 1024;

/// What the other side says between its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// WILL (251), WONT, DO or DONT (254), and the option.
    Negotiate { verb: u8, option: u8 },
    /// An option's own words, with doubled 255s made single.
    Subnegotiate { option: u8, bytes: Vec<u8> },
    /// Any other command: NOP, data mark, are you there, …
    Command(u8),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Data,
    /// After a carriage return, whose NUL is left out.
    Return,
    Command,
    Verb(u8),
    Option,
    Words,
    WordsCommand,
}

#[derive(Debug, Default)]
pub struct Parser {
    state: State,
    option: u8,
    words: Vec<u8>,
    too_long: bool,
}

impl Parser {
    /// Reads a piece of the stream: data is appended to `data`, everything else handed over in order.
    pub fn feed(&mut self, bytes: &[u8], data: &mut Vec<u8>, mut event: impl FnMut(Event)) {
        for byte in bytes.iter().copied() {
            self.state = match (self.state, byte) {
                (State::Data | State::Return, IAC) => State::Command,
                (State::Return, 0) => State::Data,
                (State::Data | State::Return, byte) => {
                    data.push(byte);
                    if byte == b'\r' { State::Return } else { State::Data }
                }
                (State::Command, IAC) => {
                    data.push(IAC);
                    State::Data
                }
                (State::Command, WILL..=DONT) => State::Verb(byte),
                (State::Command, SB) => State::Option,
                (State::Command, byte) => {
                    event(Event::Command(byte));
                    State::Data
                }
                (State::Verb(verb), option) => {
                    event(Event::Negotiate { verb, option });
                    State::Data
                }
                (State::Option, option) => {
                    self.option = option;
                    self.words.clear();
                    self.too_long = false;
                    State::Words
                }
                (State::Words, IAC) => State::WordsCommand,
                (State::Words, byte) => self.word(byte),
                (State::WordsCommand, IAC) => self.word(IAC),
                (State::WordsCommand, SE) => {
                    let bytes = std::mem::take(&mut self.words);
                    if !self.too_long {
                        event(Event::Subnegotiate { option: self.option, bytes });
                    }
                    State::Data
                }
                // The other side forgot to end it.
                (State::WordsCommand, WILL..=DONT) => State::Verb(byte),
                (State::WordsCommand, SB) => State::Option,
                (State::WordsCommand, byte) => {
                    event(Event::Command(byte));
                    State::Data
                }
            };
        }
    }

    fn word(&mut self, byte: u8) -> State {
        if self.words.len() < SUBNEGOTIATION_BYTES_MAX {
            self.words.push(byte);
        } else {
            self.too_long = true;
        }
        State::Words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Event>) {
        let (mut parser, mut data, mut events) = (Parser::default(), Vec::new(), Vec::new());
        for piece in pieces {
            parser.feed(piece, &mut data, |event| events.push(event));
        }
        (data, events)
    }

    #[test]
    fn data_and_commands() {
        let bytes = b"ab\xff\xffc\r\0d\r\n\xff\xf1\xff\xfd\x18\xff\xfa\x18\x01\xff\xff\xff\xf0e";
        let whole = read(&[bytes]);
        assert_eq!(whole.0, b"ab\xffc\rd\r\ne");
        assert_eq!(
            whole.1,
            [
                Event::Command(241),
                Event::Negotiate { verb: DO, option: 24 },
                Event::Subnegotiate { option: 24, bytes: vec![1, 255] }
            ]
        );
        let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&pieces), whole);
    }

    #[test]
    fn what_is_too_long_or_unfinished_is_passed_over() {
        let mut long = vec![IAC, SB, 24];
        long.extend(vec![7; SUBNEGOTIATION_BYTES_MAX + 1]);
        long.extend([IAC, SE, b'x']);
        assert_eq!(read(&[&long]), (b"x".to_vec(), vec![]));
        assert_eq!(read(&[&[IAC, SB, 24, 1, IAC, WILL, 1, b'y']]).1, [Event::Negotiate { verb: WILL, option: 1 }]);
        assert_eq!(read(&[&[IAC, SB]]), (vec![], vec![]));
    }
}
