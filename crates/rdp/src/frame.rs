//! Cuts the byte stream into RDP frames (TPKT, RFC 1006, or fast-path, MS-RDPBCGR 2.2.9.1.2), whatever the pieces.

use ironrdp_pdu::{Action, find_size};

/// The longest frame.
#[cfg(test)]
pub(crate) const FRAME_BYTES_MAX: usize = u16::MAX as usize;

/// The beginning of a frame whose rest has not come yet: at most 64 KiB (a TPKT counts in 16 bits, a fast-path frame in 15).
#[derive(Debug, Default)]
pub(crate) struct Frames {
    partial: Vec<u8>,
}

impl Frames {
    /// Takes the next whole frame out of `bytes` (moving it past it) into `frame`; `None` when more bytes are needed,
    /// which have then all been kept.
    pub(crate) fn next(&mut self, bytes: &mut &[u8], frame: &mut Vec<u8>) -> Result<Option<Action>, String> {
        frame.clear();
        loop {
            let length = if self.partial.is_empty() { find_size(bytes) } else { find_size(&self.partial) }
                .map_err(|error| format!("the stream is out of step ({error})"))?;
            let Some(info) = length else {
                // Headers have at most four bytes; take one at a time so that nothing of the next frame sticks.
                let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
                self.partial.push(*first);
                *bytes = rest;
                continue;
            };
            let missing = info.length.checked_sub(self.partial.len()).ok_or("a frame is shorter than its header")?;
            let Some((body, rest)) = bytes.split_at_checked(missing) else {
                self.partial.extend_from_slice(bytes);
                *bytes = &[];
                return Ok(None);
            };
            frame.append(&mut self.partial);
            frame.extend_from_slice(body);
            *bytes = rest;
            return Ok(Some(info.action));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(pieces: &[&[u8]]) -> Result<Vec<(Action, Vec<u8>)>, String> {
        let mut frames = Frames::default();
        let mut frame = Vec::new();
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some(action) = frames.next(&mut rest, &mut frame)? {
                found.push((action, frame.clone()));
            }
        }
        Ok(found)
    }

    fn fast_path(body: &[u8]) -> Vec<u8> {
        let length = body.len() + 3;
        let mut frame = vec![0, 0x80 | (length >> 8) as u8, length as u8];
        frame.extend_from_slice(body);
        frame
    }

    fn tpkt(body: &[u8]) -> Vec<u8> {
        let length = body.len() + 4;
        let mut frame = vec![3, 0, (length >> 8) as u8, length as u8];
        frame.extend_from_slice(body);
        frame
    }

    #[test]
    fn lies_about_lengths_are_errors() {
        assert!(all(&[&[0, 1]]).is_err());
        assert!(all(&[&[3, 0, 0, 3]]).is_err());
        assert!(all(&[&[0x42]]).is_err());
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_frames(
            bodies in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 3..600)), 1..12),
            cuts in prop::collection::vec(1usize..97, 1..40),
        ) {
            let whole: Vec<Vec<u8>> = bodies.iter().map(|(fast, body)| if *fast { fast_path(body) } else { tpkt(body) }).collect();
            let stream = whole.concat();
            let mut pieces = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            let found: Vec<Vec<u8>> = all(&pieces).unwrap().into_iter().map(|(_, frame)| frame).collect();
            prop_assert_eq!(found, whole);
        }

        #[test]
        fn garbage_never_panics_and_is_bounded(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..40)) {
            let mut frames = Frames::default();
            let mut frame = Vec::new();
            'stream: for piece in &pieces {
                let mut rest = piece.as_slice();
                loop {
                    match frames.next(&mut rest, &mut frame) {
                        Ok(Some(_)) => prop_assert!(frame.len() <= FRAME_BYTES_MAX),
                        Ok(None) => break,
                        Err(_) => break 'stream,
                    }
                    prop_assert!(frames.partial.len() <= FRAME_BYTES_MAX);
                }
            }
        }
    }
}
