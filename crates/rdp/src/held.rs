//! Frames of the clipboard that wait until what was sent before them has left: a picture has tens of megabytes, and what waits for a
//! machine is bounded where the connection is carried.

use std::collections::VecDeque;

/// Of a frame's own head.
const HEADER_BYTES: usize = 4;

/// Whole frames (TPKT, RFC 1006 §6: version, reserved, length in two bytes), in their order.
#[derive(Debug, Default)]
pub(crate) struct Held(VecDeque<u8>);

impl Held {
    pub(crate) fn push(&mut self, frames: &[u8]) {
        self.0.extend(frames);
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Moves whole frames to `out` until that has `most` bytes or more.
    pub(crate) fn release(&mut self, most: usize, out: &mut Vec<u8>) {
        while out.len() < most {
            let (Some(high), Some(low)) = (self.0.get(2), self.0.get(3)) else { break };
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if length < HEADER_BYTES {
                // No frame is shorter than its head, and nobody knows where the next one begins: sending on would end the session.
                tracing::warn!(bytes = self.0.len(), "Clipboard frames without a length are left out");
                self.0.clear();
                break;
            }
            if length > self.0.len() {
                break;
            }
            out.extend(self.0.drain(..length));
        }
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_whole_and_in_order() {
        let frame = |byte: u8, length: u16| {
            let mut frame = vec![3, 0];
            frame.extend(length.to_be_bytes());
            frame.resize(usize::from(length), byte);
            frame
        };
        let all = [frame(1, 1000), frame(2, 5), frame(3, 1600)].concat();
        let (mut held, mut out) = (Held::default(), Vec::new());
        held.push(&all[..1005]);
        held.push(&all[1005..]);
        held.release(10, &mut out);
        assert_eq!(out, frame(1, 1000));
        held.release(1000, &mut out);
        assert_eq!(out.len(), 1000, "enough is there");
        held.release(1001, &mut out);
        assert_eq!((out.len(), held.len()), (1005, 1600));
        held.release(usize::MAX, &mut out);
        assert_eq!((out, held.len()), (all.clone(), 0));
        // What is cut waits for its rest.
        let mut out = Vec::new();
        held.push(&all[..900]);
        held.release(usize::MAX, &mut out);
        assert_eq!((out.len(), held.len()), (0, 900));
        held.push(&all[900..1000]);
        held.release(usize::MAX, &mut out);
        assert_eq!(out, frame(1, 1000));
    }

    #[test]
    fn a_length_below_its_own_head_is_no_frame() {
        for length in 0..4 {
            let (mut held, mut out) = (Held::default(), Vec::new());
            held.push(&[3, 0, 0, 5, 7, 3, 0, 0, length, 9, 9]);
            held.release(usize::MAX, &mut out);
            assert_eq!((out.as_slice(), held.len()), (&[3, 0, 0, 5, 7][..], 0), "length {length}");
            held.push(&[3, 0, 0, 5, 8]);
            held.release(usize::MAX, &mut out);
            assert_eq!(out, [3, 0, 0, 5, 7, 3, 0, 0, 5, 8], "what comes later leaves");
        }
    }
}
