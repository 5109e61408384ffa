//! A session's channels in one stream: what lies between the tasks that hold the connections and the session, both ways.
//!
//! ```text
//! channel (1)  length (2, little endian)  bytes of that channel
//! ```
//! The number is the channel's type; with the high bit set the channel is at its end, and the bytes are the reason.

/// A channel's type, as the protocol numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Channel {
    Main = 1,
    Display = 2,
    Inputs = 3,
    Cursor = 4,
    Playback = 5,
}

impl Channel {
    pub(crate) const ALL: [Self; 5] = [Self::Main, Self::Display, Self::Inputs, Self::Cursor, Self::Playback];

    pub(crate) fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| *channel as u8 == number)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize - 1
    }
}

const ENDED: u8 = 0x80;
const HEADER_BYTES: usize = 3;
/// Most bytes of one frame.
pub(crate) const CHUNK_BYTES_MAX: usize = u16::MAX as usize;

/// Bytes of a channel, in as many frames as it takes.
pub(crate) fn bytes(out: &mut Vec<u8>, channel: Channel, bytes: &[u8]) {
    for chunk in bytes.chunks(CHUNK_BYTES_MAX) {
        frame(out, channel as u8, chunk);
    }
}

pub(crate) fn ended(out: &mut Vec<u8>, channel: Channel, reason: &str) {
    frame(out, channel as u8 | ENDED, reason.get(..reason.floor_char_boundary(1024)).unwrap_or_default().as_bytes());
}

fn frame(out: &mut Vec<u8>, number: u8, chunk: &[u8]) {
    out.push(number);
    out.extend_from_slice(&u16::try_from(chunk.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(chunk);
}

/// Takes a stream of frames apart, which may come in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    header: [u8; HEADER_BYTES],
    got: usize,
    left: usize,
}

/// A piece of a frame.
pub(crate) enum Piece<'a> {
    Bytes(Channel, &'a [u8]),
    /// A piece of the reason.
    Ended(&'a [u8]),
}

/// A frame of no channel.
#[derive(Debug)]
pub(crate) struct NoFrame;

impl Demux {
    /// The last frame is complete, and the next has not begun.
    pub(crate) const fn is_at_start(&self) -> bool {
        self.got == 0 && self.left == 0
    }

    /// The next piece, and what is left of `bytes`; none when all of it was used.
    pub(crate) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Piece<'a>>, NoFrame> {
        while self.left == 0 {
            let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
            *bytes = rest;
            if let Some(slot) = self.header.get_mut(self.got) {
                *slot = *first;
            }
            self.got += 1;
            if self.got == HEADER_BYTES {
                self.got = 0;
                let [number, low, high] = self.header;
                self.left = usize::from(u16::from_le_bytes([low, high]));
                Channel::of(number & !ENDED).ok_or(NoFrame)?;
                if self.left == 0 && number & ENDED != 0 {
                    return Ok(Some(Piece::Ended(&[])));
                }
            }
        }
        let (now, rest) = bytes.split_at(bytes.len().min(self.left));
        if now.is_empty() {
            return Ok(None);
        }
        *bytes = rest;
        self.left -= now.len();
        let [number, ..] = self.header;
        if number & ENDED != 0 {
            return Ok(Some(Piece::Ended(now)));
        }
        Ok(Channel::of(number).map(|channel| Piece::Bytes(channel, now)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, Demux, Piece, bytes, ended};

    #[test]
    fn frames_come_through_in_pieces_of_any_size() {
        let long = vec![7; 70_000];
        let mut stream = Vec::new();
        bytes(&mut stream, Channel::Display, &long);
        bytes(&mut stream, Channel::Main, b"hello");
        ended(&mut stream, Channel::Main, "over");
        for size in [1, 2, 3, 1000, stream.len()] {
            let (mut demux, mut display, mut main, mut reason) = (Demux::default(), vec![], vec![], vec![]);
            for mut piece in stream.chunks(size) {
                while let Some(piece) = demux.next(&mut piece).unwrap() {
                    match piece {
                        Piece::Bytes(Channel::Display, bytes) => display.extend_from_slice(bytes),
                        Piece::Bytes(_, bytes) => main.extend_from_slice(bytes),
                        Piece::Ended(bytes) => reason.extend_from_slice(bytes),
                    }
                }
            }
            assert_eq!((display.len(), main.as_slice(), reason.as_slice()), (70_000, &b"hello"[..], &b"over"[..]));
        }
        assert!(Demux::default().next(&mut &[9, 1, 0, 1][..]).is_err());
    }
}
