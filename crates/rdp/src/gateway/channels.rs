//! The two channels of gateways without WebSockets (MS-TSGU 3.3.5.1): the endless answer of OUT, however it is cut, and the endless request
//! of IN.

use super::packets;
use crate::connect::Stream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the OUT channel begins with, to make proxies pass it on, has at most so many bytes: the specification says that there are a hundred,
/// and Windows sends ten.
const SEED_BYTES_MAX: usize = 100;
/// What and how long the first packet is, by which the seed's end is known.
const HEAD_BYTES: usize = 8;
/// A chunk's length, and what may stand behind it (RFC 9112 §7.1.1).
const LINE_BYTES_MAX: usize = 256;
/// What may be said of the IN channel's request while it goes on.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// Read of it at a time.
const CHUNK_BYTES: usize = 256;
/// Statuses from here on are refusals of one kind or another (RFC 9110 §15).
const REDIRECTION: u16 = 300;

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
        match seed.windows(HEAD_BYTES).take(SEED_BYTES_MAX + 1).position(is_first) {
            Some(at) => payload.extend_from_slice(seed.get(at..).unwrap_or_default()),
            None if seed.len() >= SEED_BYTES_MAX + HEAD_BYTES => {
                return Err(
                    "its OUT channel does not begin as a gateway's: what answers there is no RD Gateway".to_owned()
                );
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

/// The connections of both channels as one stream, which ends with either.
pub(super) struct Both {
    down: Box<dyn Stream>,
    up: Box<dyn Stream>,
    /// What was said of the IN channel's request.
    said: Vec<u8>,
}

impl Both {
    /// `down` is OUT's connection, `up` is IN's.
    pub(super) fn new(down: Box<dyn Stream>, up: Box<dyn Stream>) -> Self {
        Self { down, up, said: Vec::new() }
    }

    /// Ready when IN's connection is over. Its request has no end while the session lives, so what is answered to it early is nothing, or
    /// a refusal.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut chunk = [0; CHUNK_BYTES];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.up).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.said.extend_from_slice(read.filled());
            if let Some(status) = refusal(&self.said) {
                let what = format!("the RD Gateway refused the IN channel (HTTP status {status})");
                return Poll::Ready(Err(io::Error::other(what)));
            }
            if self.said.len() > ANSWER_BYTES_MAX {
                let what = "the RD Gateway says something over the IN channel that is no answer";
                return Poll::Ready(Err(io::Error::other(what)));
            }
        }
    }
}

/// The status, where an answer's first line is here and refuses.
fn refusal(said: &[u8]) -> Option<u16> {
    let status = said.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    let status = std::str::from_utf8(status).ok()?.parse::<u16>().ok()?;
    (status >= REDIRECTION).then_some(status)
}

impl AsyncRead for Both {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // What the gateway said before it hung up comes first.
        if let Poll::Ready(read) = Pin::new(&mut this.down).poll_read(context, buf) {
            return Poll::Ready(read);
        }
        this.poll_end(context)
    }
}

impl AsyncWrite for Both {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().up).poll_write(context, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().up).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.up).poll_shutdown(context))?;
        Pin::new(&mut this.down).poll_shutdown(context)
    }
}
