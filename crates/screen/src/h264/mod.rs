//! H.264 as it passes through: access units in either packing become Annex B with a parameter set that says "no reordering".
//! Nothing is decoded here.

mod bits;
mod nal;
mod sps;

pub use nal::NALS_MAX;
pub use sps::{Colour, Matrix, SPS_BYTES_MAX, Sps, rewrite};

use bytes::{BufMut, Bytes, BytesMut};

/// Largest picture parameter set that is remembered, in bytes.
pub const PPS_BYTES_MAX: usize = 4096;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// One access unit for viewers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// It stands alone: an instantaneous refresh with its parameter sets.
    pub key: bool,
    /// Annex B.
    pub bytes: Bytes,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnitError {
    #[error("a video frame is neither Annex B nor length-prefixed H.264")]
    Packing,
    #[error("a video frame has a sequence parameter set that is not valid")]
    ParameterSet,
    #[error("a video of {width}x{height} pixels is larger than Oriel accepts")]
    TooLarge { width: u32, height: u32 },
}

/// Rewrites one stream of access units; remembers its parameter sets, which some encoders send only once.
#[derive(Debug)]
pub struct Rewriter {
    colour: Colour,
    sps: Vec<u8>,
    pps: Vec<u8>,
    size: Option<(u32, u32)>,
}

impl Rewriter {
    pub const fn new(colour: Colour) -> Self {
        Self { colour, sps: Vec::new(), pps: Vec::new(), size: None }
    }

    /// Of the picture, in pixels, once a parameter set has come.
    pub const fn size(&self) -> Option<(u32, u32)> {
        self.size
    }

    /// An access unit for viewers; `None` when it holds no picture.
    pub fn unit(&mut self, payload: Bytes) -> Result<Option<Unit>, UnitError> {
        let nals = nal::split(&payload).ok_or(UnitError::Packing)?;
        let (mut picture, mut refresh, mut has_sps, mut has_pps) = (false, false, false, false);
        let mut changed = !nal::is_annex_b(&payload);
        for range in &nals {
            let unit = payload.get(range.clone()).unwrap_or_default();
            match unit.first().map(|head| head & 0x1f) {
                Some(7) => {
                    let sps = rewrite(unit, self.colour).ok_or(UnitError::ParameterSet)?;
                    if sps.width > u32::from(crate::SURFACE_SIDE_MAX)
                        || sps.height > u32::from(crate::SURFACE_SIDE_MAX)
                        || sps.width.saturating_mul(sps.height) > crate::SURFACE_PIXELS_MAX
                    {
                        return Err(UnitError::TooLarge { width: sps.width, height: sps.height });
                    }
                    self.size = Some((sps.width, sps.height));
                    self.sps = sps.nal;
                    self.pps.clear();
                    (has_sps, changed) = (true, true);
                }
                Some(8) => {
                    // Sets that come without a sequence parameter set replace the ones before.
                    if !has_sps && !has_pps {
                        self.pps.clear();
                    }
                    has_pps = true;
                    if unit.len() + self.pps.len() + START_CODE.len() <= PPS_BYTES_MAX {
                        self.pps.extend_from_slice(&START_CODE);
                        self.pps.extend_from_slice(unit);
                    }
                }
                Some(kind @ 1..=5) => {
                    picture = true;
                    refresh |= kind == 5;
                }
                _ => {}
            }
        }
        if !picture {
            return Ok(None);
        }
        let key = refresh && !self.sps.is_empty();
        let lacks = key && !has_sps;
        if !changed && !lacks {
            return Ok(Some(Unit { key, bytes: payload }));
        }
        // A start code is no longer than a length, but may be longer than another start code.
        let mut out = BytesMut::with_capacity(payload.len() + self.sps.len() + self.pps.len() + nals.len() + 64);
        // Parameter sets for a refresh that brings none.
        if lacks {
            out.put_slice(&START_CODE);
            out.put_slice(&self.sps);
            if !has_pps {
                out.put_slice(&self.pps);
            }
        }
        for range in nals {
            let unit = payload.get(range).unwrap_or_default();
            out.put_slice(&START_CODE);
            if unit.first().is_some_and(|head| head & 0x1f == 7) {
                out.put_slice(&self.sps);
            } else {
                out.put_slice(unit);
            }
        }
        Ok(Some(Unit { key, bytes: out.freeze() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPS: [u8; 17] =
        [0x67, 0x42, 0xd0, 0x0b, 0x8c, 0x8d, 0x42, 0x12, 0x4d, 0xc0, 0x43, 0x40, 0x41, 0xe1, 0x10, 0x8d, 0x40];
    const PPS: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];

    fn annex(nals: &[&[u8]]) -> Bytes {
        nals.iter().flat_map(|nal| [&START_CODE[..], *nal].concat()).collect::<Vec<u8>>().into()
    }

    #[test]
    fn key_frames_are_rewritten_and_others_are_forwarded_untouched() {
        let mut rewriter = Rewriter::new(Colour::FullBt709);
        let delta = annex(&[&[0x61, 9, 9]]);
        let unit = rewriter.unit(delta.clone()).unwrap().unwrap();
        assert_eq!((unit.key, unit.bytes.as_ptr()), (false, delta.as_ptr()), "a delta frame was copied");
        let key = rewriter.unit(annex(&[&SPS, &PPS, &[0x65, 1]])).unwrap().unwrap();
        let sps = rewrite(&SPS, Colour::FullBt709).unwrap().nal;
        assert_eq!(key, Unit { key: true, bytes: annex(&[&sps, &PPS, &[0x65, 1]]) });
        assert_eq!(rewriter.size(), Some((64, 64)));
        // A refresh without parameter sets gets those that came before.
        let again = rewriter.unit(annex(&[&[0x65, 2]])).unwrap().unwrap();
        assert_eq!(again, Unit { key: true, bytes: annex(&[&sps, &PPS, &[0x65, 2]]) });
    }

    #[test]
    fn length_prefixes_become_start_codes() {
        let mut rewriter = Rewriter::new(Colour::Kept);
        let unit = rewriter.unit(Bytes::from_static(&[0, 0, 0, 2, 0x61, 7, 0, 0, 0, 2, 0x61, 8])).unwrap().unwrap();
        assert_eq!(unit.bytes, annex(&[&[0x61, 7], &[0x61, 8]]));
    }

    #[test]
    fn units_without_a_picture_and_wrong_ones() {
        let mut rewriter = Rewriter::new(Colour::Kept);
        assert_eq!(rewriter.unit(annex(&[&SPS, &PPS])), Ok(None));
        assert!(rewriter.unit(annex(&[&[0x65, 1]])).unwrap().unwrap().key);
        assert_eq!(rewriter.unit(Bytes::from_static(&[1, 2, 3])), Err(UnitError::Packing));
        assert_eq!(rewriter.unit(annex(&[&[0x67, 1]])), Err(UnitError::ParameterSet));
        assert_eq!(rewriter.unit(Bytes::new()), Ok(None));
    }

    proptest! {
        #[test]
        fn any_bytes(payloads in prop::collection::vec(prop::collection::vec(prop::sample::select(vec![0u8, 1, 0x65, 0x67, 0x68, 0x42, 0xff]), 0..60), 0..6)) {
            let mut rewriter = Rewriter::new(Colour::FullBt709);
            for payload in payloads {
                let _ = rewriter.unit(payload.into());
            }
        }
    }
}
