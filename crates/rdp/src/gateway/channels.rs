//! The two channels of gateways without WebSockets (MS-TSGU 3.3.5.1): the endless answer of OUT, however it is cut, and the endless request
//! of IN.

use super::packets;

/// What the OUT channel begins with, to make proxies pass it on, has at most so many bytes: the specification says that there are a hundred,
/// and Windows sends ten.
const SEED_BYTES_MAX: usize = 100;
/// What and how long the first packet is, by which the seed's end is known.
const HEAD_BYTES: usize = 8;
/// A chunk's length, and what may stand behind it (RFC 9112 §7.1.1).
const LINE_BYTES_MAX: usize = 256;

/// How the bytes of an answer are cut (RFC 9112 §6.3).
#[derive(Debug)]
enum Cut {
    /// In chunks: of the line that says how long the next one is, this is here.
    Line(Vec<u8>),
    /// In chunks: so much of one is missing.
    Data(u64),
    /// In chunks: one is over, and its line is not.
    LineEnd,
    /// So much is missing.
    Counted(u64),
    /// Until the connection's end.
    ToTheEnd,
}

/// An answer's body that is being read.
#[derive(Debug)]
pub(super) struct Body {
    cut: Cut,
    ended: bool,
}

impl Body {
    pub(super) fn chunked() -> Self {
        Self { cut: Cut::Line(Vec::new()), ended: false }
    }

    pub(super) fn counted(bytes: u64) -> Self {
        Self { cut: Cut::Counted(bytes), ended: bytes == 0 }
    }

    pub(super) fn to_the_end() -> Self {
        Self { cut: Cut::ToTheEnd, ended: false }
    }

    /// What the other side sent, in pieces of any size: its bytes go to `payload`. What follows its end is left out.
    fn receive(&mut self, mut bytes: &[u8], payload: &mut Vec<u8>) -> Result<(), String> {
        while !self.ended && !bytes.is_empty() {
            match &mut self.cut {
                Cut::Line(line) => {
                    let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
                    bytes = rest;
                    if *byte == b'\n' {
                        match chunk_bytes(line)? {
                            0 => self.ended = true,
                            length => self.cut = Cut::Data(length),
                        }
                    } else if line.len() < LINE_BYTES_MAX {
                        line.push(*byte);
                    } else {
                        return Err("a chunk's length is endless".to_owned());
                    }
                }
                Cut::Data(missing) => {
                    bytes = take(bytes, missing, payload);
                    if *missing == 0 {
                        self.cut = Cut::LineEnd;
                    }
                }
                Cut::LineEnd => {
                    let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
                    bytes = rest;
                    match byte {
                        b'\r' => {}
                        b'\n' => self.cut = Cut::Line(Vec::new()),
                        _ => return Err("a chunk is longer than it says".to_owned()),
                    }
                }
                Cut::Counted(missing) => {
                    bytes = take(bytes, missing, payload);
                    self.ended = *missing == 0;
                }
                Cut::ToTheEnd => {
                    payload.extend_from_slice(bytes);
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Moves what is here of what is missing, and returns what follows.
fn take<'a>(bytes: &'a [u8], missing: &mut u64, payload: &mut Vec<u8>) -> &'a [u8] {
    let here = usize::try_from(*missing).unwrap_or(usize::MAX).min(bytes.len());
    let (part, rest) = bytes.split_at_checked(here).unwrap_or_default();
    payload.extend_from_slice(part);
    *missing -= part.len() as u64;
    rest
}

/// How long a chunk is, by the line before it (RFC 9112 §7.1).
fn chunk_bytes(line: &[u8]) -> Result<u64, String> {
    let length = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let digits = std::str::from_utf8(length).ok().filter(|text| text.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let length = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    length.ok_or_else(|| "a chunk's length cannot be read".to_owned())
}

/// Our side of both, without I/O.
#[derive(Debug)]
pub(super) struct Channels {
    body: Body,
    /// What came of OUT, until the first packet is among it.
    seed: Option<Vec<u8>>,
}

impl Channels {
    /// OUT is open, and nothing of its answer's body was read.
    pub(super) fn new(body: Body) -> Self {
        Self { body, seed: Some(Vec::new()) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.body.ended
    }

    /// What came over OUT, in pieces of any size: its packets' bytes go to `payload`.
    pub(super) fn receive(&mut self, bytes: &[u8], payload: &mut Vec<u8>) -> Result<(), String> {
        let Some(mut seed) = self.seed.take() else { return self.body.receive(bytes, payload) };
        self.body.receive(bytes, &mut seed)?;
        let first = seed.windows(HEAD_BYTES).take(SEED_BYTES_MAX + 1).position(is_first);
        match first {
            Some(at) => payload.extend_from_slice(seed.get(at..).unwrap_or_default()),
            None if seed.len() >= SEED_BYTES_MAX + HEAD_BYTES => {
                return Err("what answers there is no RD Gateway: its OUT channel begins otherwise".to_owned());
            }
            None => self.seed = Some(seed),
        }
        Ok(())
    }
}

/// Whether the first packet of a gateway begins so. It is asked for before it comes, and is short; that a seed of chance has this in it
/// happens once in 2^56 times.
fn is_first(head: &[u8]) -> bool {
    const HANDSHAKE_RESPONSE: u8 = packets::HANDSHAKE_RESPONSE as u8;
    matches!(head, [HANDSHAKE_RESPONSE, 0, 0, 0, 12..=255, 0, 0, 0])
}

/// Appends bytes as one chunk of IN.
pub(super) fn put(out: &mut Vec<u8>, payload: &[u8]) {
    out.extend(format!("{:x}\r\n", payload.len()).into_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// Appends that nothing follows.
pub(super) fn put_close(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}
