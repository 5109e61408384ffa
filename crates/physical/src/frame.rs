//! What goes between the tasks that hold the device's connections and the source without I/O, as bytes of one stream:
//! kind (u8), length (u32, big endian), payload.

use crate::{EVENT_BYTES_MAX, PICTURE_BYTES_MAX, PRINT_BYTES_MAX};
use bytes::Bytes;

/// Longest frame, in bytes without its header.
pub const FRAME_BYTES_MAX: usize = PICTURE_BYTES_MAX;
const HEADER_BYTES: usize = 5;

/// For the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromDevice {
    /// A text message of `/api/ws`.
    Event(Bytes),
    /// One access unit of H.264, Annex B.
    Video(Bytes),
    /// One JPEG.
    Jpeg(Bytes),
    /// The events' connection was lost: the device has let all keys go.
    Lost,
    /// It does not come back; why.
    Gone(String),
}

/// From the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToDevice {
    /// A binary message of `/api/ws`.
    Hid(Vec<u8>),
    /// Ask for a key frame.
    WantKey,
    /// Type this.
    Print(String),
}

fn put(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
}

impl FromDevice {
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Event(bytes) => put(out, 1, bytes),
            Self::Video(bytes) => put(out, 2, bytes),
            Self::Jpeg(bytes) => put(out, 3, bytes),
            Self::Lost => put(out, 4, &[]),
            Self::Gone(why) => put(out, 5, why.as_bytes()),
        }
    }

    fn of(kind: u8, payload: Bytes) -> Option<Self> {
        let text = |payload: Bytes| String::from_utf8(payload.into()).ok();
        Some(match kind {
            1 if payload.len() <= EVENT_BYTES_MAX => Self::Event(payload),
            2 => Self::Video(payload),
            3 => Self::Jpeg(payload),
            4 if payload.is_empty() => Self::Lost,
            5 => Self::Gone(text(payload)?),
            _ => return None,
        })
    }
}

impl ToDevice {
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hid(message) => put(out, 1, message),
            Self::WantKey => put(out, 2, &[]),
            Self::Print(text) => put(out, 3, text.as_bytes()),
        }
    }

    fn of(kind: u8, payload: Bytes) -> Option<Self> {
        Some(match kind {
            1 => Self::Hid(payload.into()),
            2 if payload.is_empty() => Self::WantKey,
            3 if payload.len() <= PRINT_BYTES_MAX => Self::Print(String::from_utf8(payload.into()).ok()?),
            _ => return None,
        })
    }
}

/// Frames out of bytes in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    got: Vec<u8>,
    at: usize,
}

/// What is no frame.
#[derive(Debug)]
pub(crate) struct NoFrame;

impl Frames {
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            self.got.drain(..self.at);
            self.at = 0;
        }
        self.got.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Result<Option<(u8, Bytes)>, NoFrame> {
        let rest = self.got.get(self.at..).unwrap_or_default();
        let Some(&[kind, a, b, c, d]) = rest.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(NoFrame);
        }
        let Some(payload) = rest.get(HEADER_BYTES..HEADER_BYTES + length) else { return Ok(None) };
        let payload = Bytes::copy_from_slice(payload);
        self.at += HEADER_BYTES + length;
        Ok(Some((kind, payload)))
    }

    pub fn next_from_device(&mut self) -> Result<Option<FromDevice>, NoFrame> {
        let next = self.next()?;
        next.map(|(kind, payload)| FromDevice::of(kind, payload).ok_or(NoFrame)).transpose()
    }

    pub fn next_for_device(&mut self) -> Result<Option<ToDevice>, NoFrame> {
        let next = self.next()?;
        next.map(|(kind, payload)| ToDevice::of(kind, payload).ok_or(NoFrame)).transpose()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_from_pieces_of_any_size() {
        let all = [
            FromDevice::Event(Bytes::from_static(b"{}")),
            FromDevice::Video(Bytes::from_static(&[0, 0, 0, 1, 9])),
            FromDevice::Lost,
            FromDevice::Gone("away".to_owned()),
        ];
        let mut bytes = Vec::new();
        all.iter().for_each(|frame| frame.encode(&mut bytes));
        for piece in [1, 3, 7, 1000] {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for part in bytes.chunks(piece) {
                frames.feed(part);
                while let Some(frame) = frames.next_from_device().unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, all);
        }
        let mut frames = Frames::default();
        frames.feed(&[1, 0xff, 0, 0, 0]);
        assert!(frames.next_from_device().is_err());
        let mut frames = Frames::default();
        frames.feed(&[9, 0, 0, 0, 0]);
        assert!(frames.next_for_device().is_err());
    }
}
