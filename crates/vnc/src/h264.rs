//! H.264 rectangles (encoding 50 of the community's RFB specification): a length, flags, and a frame in Annex B form.

use crate::{
    picture::{Collect, Whole},
    reader::{Reader, Stop, bad},
};

/// Largest frame that is accepted, in bytes; it must fit a record of the viewer protocol.
const BYTES_MAX: u32 = 8 << 20;

/// A slice of a picture that needs no other (ITU-T H.264 table 7-1).
const IDR: u8 = 5;

#[derive(Debug)]
pub(crate) enum H264 {
    Header,
    Frame(Collect),
}

impl H264 {
    pub(crate) fn run(&mut self, reader: &mut Reader) -> Result<Whole, Stop> {
        loop {
            match self {
                Self::Header => {
                    // The flags reset decoders; a frame after a reset needs no other, which it says itself.
                    let [length, _flags] = reader.unit(|reader| Ok([reader.u32()?, reader.u32()?]))?;
                    if length > BYTES_MAX {
                        return bad(format!("an H.264 frame is {length} bytes long, at most {BYTES_MAX} are accepted"));
                    }
                    if length == 0 {
                        return Ok(Whole::Nothing);
                    }
                    *self = Self::Frame(Collect::new(length));
                }
                Self::Frame(frame) => {
                    let bytes = frame.run(reader)?;
                    return Ok(Whole::Video { key: is_key(&bytes), bytes });
                }
            }
        }
    }
}

fn is_key(frame: &[u8]) -> bool {
    frame.windows(4).any(|window| matches!(window, [0, 0, 1, header] if header & 0x1f == IDR))
}
