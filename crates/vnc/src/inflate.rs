//! One zlib stream of a session (RFB keeps them open from rectangle to rectangle), inflated in bounded pieces.

use crate::{
    decode::Decode,
    reader::{Reader, Stop, bad},
};
use flate2::{Decompress, FlushDecompress};
use oriel_screen::Surface;

/// How much is inflated at a time, in bytes.
pub(crate) const PIECE_BYTES: usize = 16 << 10;

pub(crate) struct Inflater(Decompress);

impl Inflater {
    pub(crate) fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// Inflates what fits: how many bytes were used and how many were made.
    pub(crate) fn inflate(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize), Stop> {
        let (before_in, before_out) = (self.0.total_in(), self.0.total_out());
        self.0
            .decompress(input, output, FlushDecompress::Sync)
            .map_err(|error| Stop::Bad(format!("compressed data is broken: {error}")))?;
        Ok(((self.0.total_in() - before_in) as usize, (self.0.total_out() - before_out) as usize))
    }
}

/// Compressed data of known length around pixels of known size: whatever the data says, no more than the rectangle is
/// ever inflated.
#[derive(Debug)]
pub(crate) struct Deflated<D> {
    /// Compressed bytes still to come.
    left: u32,
    inner: D,
    /// The last piece was full: the inflater may hold more.
    full: bool,
}

impl<D: Decode> Deflated<D> {
    pub(crate) const fn new(length: u32, inner: D) -> Self {
        Self { left: length, inner, full: false }
    }

    /// Paints what is there. `scratch` keeps inflated bytes of an unfinished unit between calls; it is empty at the
    /// start and at the end of a rectangle.
    pub(crate) fn run(
        &mut self,
        reader: &mut Reader,
        surface: &mut Surface,
        inflater: &mut Inflater,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        loop {
            if !self.full {
                if self.left == 0 {
                    return if self.inner.done() { Ok(()) } else { bad("compressed pixels end too early") };
                }
                if reader.rest().is_empty() {
                    return Err(Stop::Short);
                }
            }
            let held = scratch.len();
            scratch.resize(held + PIECE_BYTES, 0);
            let input = reader.rest();
            let input = input.get(..input.len().min(self.left as usize)).unwrap_or(&[]);
            let room = scratch.get_mut(held..).unwrap_or(&mut []);
            let (used, made) = inflater.inflate(input, room)?;
            self.full = made == room.len();
            reader.skip(used);
            self.left -= used as u32;
            scratch.truncate(held + made);
            if used == 0 && made == 0 && !input.is_empty() {
                return bad("compressed data ended before its length");
            }
            let mut inflated = Reader::new(scratch);
            match self.inner.run(&mut inflated, surface) {
                Ok(()) | Err(Stop::Short) => {}
                Err(stop) => return Err(stop),
            }
            let consumed = inflated.at();
            scratch.drain(..consumed);
            if self.inner.done() && !scratch.is_empty() {
                return bad("compressed data holds more than its rectangle");
            }
        }
    }
}
