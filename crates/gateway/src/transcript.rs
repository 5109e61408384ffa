//! The last bytes of a terminal's output, numbered from the start of the stream, so that a viewer that comes back gets
//! exactly what it has not seen.

use bytes::Bytes;
use std::collections::VecDeque;

/// Bytes kept for viewers that come back: twice what may be unacknowledged, and a screenful of history besides.
const KEPT_BYTES_MAX: usize = 1 << 20;

#[derive(Default)]
pub(crate) struct Transcript {
    kept: VecDeque<u8>,
    /// Number of the byte after the last one.
    end: u64,
}

impl Transcript {
    pub fn push(&mut self, bytes: &[u8]) {
        self.end += bytes.len() as u64;
        let bytes = bytes.get(bytes.len().saturating_sub(KEPT_BYTES_MAX)..).unwrap_or_default();
        let excess = (self.kept.len() + bytes.len()).saturating_sub(KEPT_BYTES_MAX);
        self.kept.drain(..excess);
        self.kept.extend(bytes);
    }

    pub const fn end(&self) -> u64 {
        self.end
    }

    pub fn start(&self) -> u64 {
        self.end - self.kept.len() as u64
    }

    /// At most `max` bytes from number `from` on, which is moved into what is kept.
    pub fn slice(&self, from: u64, max: usize) -> Bytes {
        let skip = from.clamp(self.start(), self.end) - self.start();
        let (front, back) = self.kept.as_slices();
        let skip = skip as usize;
        let parts =
            [front.get(skip..).unwrap_or_default(), back.get(skip.saturating_sub(front.len())..).unwrap_or_default()];
        let mut out = Vec::with_capacity(max.min(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            let room = max - out.len();
            out.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        }
        Bytes::from(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_continue_where_a_viewer_stopped() {
        let mut transcript = Transcript::default();
        transcript.push(b"hello ");
        transcript.push(b"world");
        assert_eq!(&transcript.slice(0, 100)[..], b"hello world");
        assert_eq!(&transcript.slice(6, 3)[..], b"wor");
        assert_eq!(&transcript.slice(11, 9)[..], b"");
        assert_eq!(&transcript.slice(99, 9)[..], b"");
    }

    #[test]
    fn old_bytes_go_and_numbers_stay() {
        let mut transcript = Transcript::default();
        for i in 0..2500u32 {
            transcript.push(&[i as u8; 1000]);
        }
        assert_eq!(transcript.end(), 2_500_000);
        assert_eq!(transcript.start(), 2_500_000 - KEPT_BYTES_MAX as u64);
        assert_eq!(transcript.slice(2_499_999, 10).len(), 1);
        assert_eq!(transcript.slice(0, usize::MAX).len(), KEPT_BYTES_MAX);
        transcript.push(&vec![1; 3 << 20]);
        assert_eq!(transcript.slice(0, usize::MAX).len(), KEPT_BYTES_MAX);
    }
}
