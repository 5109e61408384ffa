//! RDP 8 bulk data (MS-RDPEGFX 2.2.5.1) with limits on what comes out.
//!
//! Segments are handed to the decompressor one by one: the format says that each becomes at most 65,535 bytes, and one
//! that becomes more is hostile.

use super::{Fault, MESSAGE_PLAIN_BYTES_MAX};
use ironrdp_graphics::zgfx::Decompressor;

const SINGLE: u8 = 0xe0;
const MULTIPART: u8 = 0xe1;
/// What one segment becomes at most, in bytes.
pub(crate) const SEGMENT_PLAIN_BYTES_MAX: usize = 65_535;
/// Bytes of one packed segment: it is never much longer than its content.
const SEGMENT_BYTES_MAX: usize = SEGMENT_PLAIN_BYTES_MAX + 1024;

#[derive(Default)]
pub(super) struct Inflate {
    /// Made with the first message: its history has 2.5 MB.
    decompressor: Option<Box<Decompressor>>,
    segment: Vec<u8>,
}

fn broken() -> Fault {
    Fault::Session("a graphics message is not valid RDP 8 bulk data".to_owned())
}

impl Inflate {
    /// Appends the message's content to `plain`.
    pub(super) fn message(&mut self, payload: &[u8], plain: &mut Vec<u8>) -> Result<(), Fault> {
        match payload {
            [SINGLE, segment @ ..] => self.segment(segment, plain),
            [MULTIPART, c0, c1, s0, s1, s2, s3, rest @ ..] => {
                let count = u16::from_le_bytes([*c0, *c1]);
                let size = u32::from_le_bytes([*s0, *s1, *s2, *s3]) as usize;
                if size > MESSAGE_PLAIN_BYTES_MAX {
                    return Err(Fault::Session(format!("a graphics message announces {size} bytes")));
                }
                let mut rest = rest;
                for _ in 0..count {
                    let (length, after) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
                    let (segment, after) =
                        after.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(broken)?;
                    self.segment(segment, plain)?;
                    if plain.len() > size {
                        return Err(Fault::Session(format!("a graphics message is longer than its {size} bytes")));
                    }
                    rest = after;
                }
                if plain.len() == size { Ok(()) } else { Err(broken()) }
            }
            _ => Err(broken()),
        }
    }

    fn segment(&mut self, segment: &[u8], plain: &mut Vec<u8>) -> Result<(), Fault> {
        if segment.len() > SEGMENT_BYTES_MAX {
            return Err(Fault::Session(format!("a graphics segment has {} bytes", segment.len())));
        }
        self.segment.clear();
        self.segment.push(SINGLE);
        self.segment.extend_from_slice(segment);
        let before = plain.len();
        let decompressor = self.decompressor.get_or_insert_with(|| Box::new(Decompressor::new()));
        decompressor.decompress(&self.segment, plain).map_err(|error| Fault::Session(error.to_string()))?;
        if plain.len().saturating_sub(before) > SEGMENT_PLAIN_BYTES_MAX + 1 {
            return Err(Fault::Session("a graphics segment becomes more than 65535 bytes".to_owned()));
        }
        Ok(())
    }
}
