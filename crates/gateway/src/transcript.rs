//! The last bytes of a terminal's output, numbered from the start of the stream, so that a viewer that comes back gets
//! exactly what it has not seen; and what a terminal showed before them, for a viewer that has seen less than is kept.

use bytes::Bytes;
use oriel_terminal::Headless;
use std::collections::VecDeque;

/// Bytes kept for viewers that come back: twice what may be unacknowledged, and a screenful of history besides.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// Let go of at a time, into the headless terminal: much, because it skims over what scrolls away at once.
const STEP_BYTES: usize = 256 << 10;
/// Changes of the terminal's size that are remembered with their place in the stream.
const SIZES_MAX: usize = 64;

pub(crate) struct Transcript {
    kept: VecDeque<u8>,
    /// Number of the byte after the last one.
    end: u64,
    /// A terminal that has been shown all bytes before those kept; none while all are kept.
    before: Option<Headless>,
    /// The size at the first byte kept, and changes from there on: the number of the first byte for it.
    size: (u16, u16),
    sizes: VecDeque<(u64, (u16, u16))>,
}

impl Default for Transcript {
    fn default() -> Self {
        Self { kept: VecDeque::new(), end: 0, before: None, size: (80, 24), sizes: VecDeque::new() }
    }
}

impl Transcript {
    pub fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(STEP_BYTES) {
            self.end += piece.len() as u64;
            self.kept.extend(piece);
            while self.kept.len() > KEPT_BYTES_MAX {
                self.let_go();
            }
        }
    }

    /// The terminal has another size from here on.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        if self.end == 0 {
            self.size = (columns, rows);
            return;
        }
        if self.sizes.len() >= SIZES_MAX {
            // Somebody drags an edge: what was between is not worth remembering.
            self.sizes.pop_back();
        }
        self.sizes.push_back((self.end, (columns, rows)));
    }

    /// Shows the oldest bytes to the headless terminal and forgets them; up to the end of a line, so that no sequence is torn.
    fn let_go(&mut self) {
        let step = STEP_BYTES.min(self.kept.len());
        let line = self.kept.range(..step).rposition(|byte| *byte == b'\n').map_or(step, |at| at + 1);
        let start = self.start();
        let old: Vec<u8> = self.kept.drain(..line).collect();
        let (columns, rows) = self.size;
        let before = self.before.get_or_insert_with(|| Headless::new(columns, rows));
        let mut rest = old.as_slice();
        while let Some((number, size)) = self.sizes.front().copied()
            && number <= start + line as u64
        {
            let shown = old.len() - rest.len();
            let upto = (number.saturating_sub(start) as usize).saturating_sub(shown).min(rest.len());
            let (now, later) = rest.split_at(upto);
            before.feed(now);
            before.resize(size.0, size.1);
            self.size = size;
            self.sizes.pop_front();
            rest = later;
        }
        before.feed(rest);
    }

    /// Bytes that bring a terminal into the state before the first byte kept; empty while all bytes are kept.
    pub fn repaint(&mut self) -> Bytes {
        self.before.as_mut().map(Headless::repaint).unwrap_or_default().into()
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
        let kept = transcript.slice(0, usize::MAX).len();
        assert!(kept <= KEPT_BYTES_MAX && kept > KEPT_BYTES_MAX - STEP_BYTES - 1000, "{kept}");
        assert_eq!(transcript.start(), 2_500_000 - kept as u64);
        assert_eq!(transcript.slice(2_499_999, 10).len(), 1);
        transcript.push(&vec![1; 3 << 20]);
        assert!(transcript.slice(0, usize::MAX).len() <= KEPT_BYTES_MAX);
    }

    /// Whoever comes late sees what whoever was there sees.
    #[test]
    fn a_repaint_and_the_rest_make_the_whole() {
        let (mut transcript, mut there) = (Transcript::default(), Headless::new(80, 24));
        assert!(transcript.repaint().is_empty());
        for line in 0..60_000u32 {
            let text = format!("\x1b[3{}mline {line} of a long listing\x1b[m\r\n", line % 8);
            if line % 20_000 == 10_000 {
                let size = (100 + (line / 1000) as u16, 30);
                transcript.resize(size.0, size.1);
                there.resize(size.0, size.1);
            }
            transcript.push(text.as_bytes());
            there.feed(text.as_bytes());
        }
        let mut late = Headless::new(150, 30);
        late.feed(&transcript.repaint());
        late.feed(&transcript.slice(0, usize::MAX));
        assert_eq!(late.repaint(), there.repaint());
    }
}
