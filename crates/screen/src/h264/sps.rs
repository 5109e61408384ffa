//! The sequence parameter set (ITU-T H.264, 7.3.2.1.1 and E.1.1), rewritten so that decoders hand out each picture at once.
//!
//! Without `max_num_reorder_frames` a decoder must suppose that pictures may come in another order than they are shown,
//! and holds back up to sixteen of them. Remote desktops never reorder. All else in the set is copied bit by bit, but for
//! the colours where the protocol fixes them.

use super::bits::{BitReader, BitWriter};
use super::nal::{escape, unescape};

/// Largest sequence parameter set, in bytes; real ones stay below 100.
pub const SPS_BYTES_MAX: usize = 1024;

/// What the colours of the stream mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// As the stream says.
    Kept,
    /// Full range and the matrix of BT.709, whatever the stream says: RDP's (MS-RDPEGFX 3.3.8.3.1).
    FullBt709,
    /// Limited range and this matrix, whatever the stream says: of encoders whose pixels are known.
    Limited(Matrix),
}

/// How red, green and blue became luma and two differences (`matrix_coefficients`, E.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    Bt601,
    Bt709,
}

/// A rewritten set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// The NAL unit, from its header on.
    pub nal: Vec<u8>,
    /// Of the picture that is shown, in pixels.
    pub width: u32,
    pub height: u32,
}

/// Profiles whose sets carry chroma format and scaling matrices.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Rewrites a NAL unit of type 7; `None` when it is no valid set.
pub fn rewrite(nal: &[u8], colour: Colour) -> Option<Sps> {
    if nal.len() > SPS_BYTES_MAX || nal.first()? & 0x1f != 7 {
        return None;
    }
    let rbsp = unescape(nal);
    let mut read = BitReader::new(&rbsp);
    read.bits(8)?;
    let profile = read.bits(8)?;
    read.bits(16)?;
    read.ue()?;
    let mut chroma = 1;
    let mut planes = false;
    if HIGH_PROFILES.contains(&profile) {
        chroma = read.ue()?;
        if chroma == 3 {
            planes = read.flag()?;
        }
        read.ue()?;
        read.ue()?;
        read.flag()?;
        if read.flag()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if read.flag()? {
                    skip_scaling_list(&mut read, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    read.ue()?;
    match read.ue()? {
        0 => drop(read.ue()?),
        1 => {
            read.flag()?;
            read.se()?;
            read.se()?;
            let cycle = read.ue()?;
            if cycle > 255 {
                return None;
            }
            for _ in 0..cycle {
                read.se()?;
            }
        }
        _ => {}
    }
    let references = read.ue()?;
    if references > 16 {
        return None;
    }
    read.flag()?;
    let (blocks_wide, blocks_high) = (read.ue()?, read.ue()?);
    let frames_only = read.flag()?;
    if !frames_only {
        read.flag()?;
    }
    read.flag()?;
    let crop = if read.flag()? { [read.ue()?, read.ue()?, read.ue()?, read.ue()?] } else { [0; 4] };
    let (width, height) = size(blocks_wide, blocks_high, frames_only, if planes { 0 } else { chroma }, crop)?;

    let mut write = BitWriter::default();
    write.copy(&rbsp, 0, read.position())?;
    write.flag(true);
    let present = read.flag()?;
    let old = if present { Vui::read(&mut read)? } else { Vui::default() };
    old.write(&rbsp, references, colour, &mut write)?;
    Some(Sps { nal: escape(&write.finish()), width, height })
}

/// The size in pixels (7-13 to 7-21, and cropping).
fn size(blocks_wide: u32, blocks_high: u32, frames_only: bool, chroma: u32, crop: [u32; 4]) -> Option<(u32, u32)> {
    let fields = if frames_only { 1 } else { 2 };
    let (unit_x, unit_y): (u32, u32) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let [left, right, top, bottom] = crop;
    let shown = |blocks: u32, scale: u32, unit: u32, first: u32, last: u32| {
        let all = blocks.checked_add(1)?.checked_mul(16)?.checked_mul(scale)?;
        let hidden = first.checked_add(last)?.checked_mul(unit)?;
        all.checked_sub(hidden).filter(|shown| *shown > 0)
    };
    let width = shown(blocks_wide, 1, unit_x, left, right)?;
    let height = shown(blocks_high, fields, unit_y.checked_mul(fields)?, top, bottom)?;
    Some((width, height))
}

fn skip_scaling_list(read: &mut BitReader<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + read.se()? + 256).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// Places of what is copied from the old usability information, by their bits.
#[derive(Debug, Default)]
struct Vui {
    /// Aspect ratio and overscan.
    front: Option<(usize, usize)>,
    /// Format, and the rest of `video_signal_type` where it is kept.
    signal: Option<(usize, usize)>,
    format: Option<u32>,
    /// From chroma location to `pic_struct_present_flag`.
    middle: Option<(usize, usize)>,
    /// Motion vectors over edges, the two denominators, the two vector lengths.
    limits: Option<[u32; 5]>,
}

impl Vui {
    fn read(read: &mut BitReader<'_>) -> Option<Self> {
        let begin = read.position();
        if read.flag()? && read.bits(8)? == 255 {
            read.bits(32)?;
        }
        if read.flag()? {
            read.flag()?;
        }
        let front = Some((begin, read.position()));
        let signal_begin = read.position();
        let mut format = None;
        if read.flag()? {
            format = Some(read.bits(3)?);
            read.flag()?;
            if read.flag()? {
                read.bits(24)?;
            }
        }
        let signal = Some((signal_begin, read.position()));
        let middle_begin = read.position();
        if read.flag()? {
            read.ue()?;
            read.ue()?;
        }
        if read.flag()? {
            read.bits(32)?;
            read.bits(32)?;
            read.flag()?;
        }
        let mut hypothetical = false;
        for _ in 0..2 {
            if read.flag()? {
                hypothetical = true;
                skip_hrd(read)?;
            }
        }
        if hypothetical {
            read.flag()?;
        }
        read.flag()?;
        let middle = Some((middle_begin, read.position()));
        let limits = if read.flag()? {
            let limits = [u32::from(read.flag()?), read.ue()?, read.ue()?, read.ue()?, read.ue()?];
            read.ue()?;
            read.ue()?;
            Some(limits)
        } else {
            None
        };
        Some(Self { front, signal, format, middle, limits })
    }

    fn write(&self, rbsp: &[u8], references: u32, colour: Colour, write: &mut BitWriter) -> Option<()> {
        match self.front {
            Some((from, to)) => write.copy(rbsp, from, to)?,
            None => write.bits(0, 2),
        }
        match (colour, self.signal) {
            (Colour::Kept, Some((from, to))) => write.copy(rbsp, from, to)?,
            (Colour::Kept, None) => write.flag(false),
            (Colour::FullBt709, _) => {
                write.flag(true);
                write.bits(self.format.unwrap_or(5), 3);
                write.flag(true);
                write.flag(true);
                // Primaries of BT.709, the curve of sRGB (the pixels were a screen's), the matrix of BT.709 (E.2.1).
                write.bits(1, 8);
                write.bits(13, 8);
                write.bits(1, 8);
            }
            (Colour::Limited(matrix), _) => {
                write.flag(true);
                write.bits(self.format.unwrap_or(5), 3);
                write.flag(false);
                write.flag(true);
                // Primaries and curve of BT.709, which screens and JPEGs nearly have.
                write.bits(1, 8);
                write.bits(1, 8);
                write.bits(if matrix == Matrix::Bt709 { 1 } else { 6 }, 8);
            }
        }
        match self.middle {
            Some((from, to)) => write.copy(rbsp, from, to)?,
            None => write.bits(0, 5),
        }
        write.flag(true);
        // Where nothing was said: what E.2.1 infers.
        let [edges, bytes, bits, across, down] = self.limits.unwrap_or([1, 2, 1, 16, 16]);
        write.flag(edges == 1);
        for value in [bytes, bits, across, down] {
            write.ue(value);
        }
        write.ue(0);
        write.ue(references);
        Some(())
    }
}

/// E.1.2.
fn skip_hrd(read: &mut BitReader<'_>) -> Option<()> {
    let count = read.ue()?;
    if count > 31 {
        return None;
    }
    read.bits(8)?;
    for _ in 0..=count {
        read.ue()?;
        read.ue()?;
        read.flag()?;
    }
    read.bits(20)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A set as x264 writes it: high profile, usability information with timing and two reordered frames.
    fn with_vui(reorder: u32) -> Vec<u8> {
        let mut write = BitWriter::default();
        write.bits(0x67, 8);
        write.bits(100, 8);
        write.bits(0x0028, 16);
        write.ue(0);
        for value in [1, 0, 0] {
            write.ue(value);
        }
        write.bits(0, 2);
        for value in [0, 0, 2, 4] {
            write.ue(value);
        }
        write.flag(false);
        write.ue(119);
        write.ue(67);
        write.flag(true);
        write.flag(true);
        write.flag(true);
        for value in [0, 0, 0, 4] {
            write.ue(value);
        }
        write.flag(true);
        // aspect 1:1, no overscan, limited range BT.601
        write.flag(true);
        write.bits(1, 8);
        write.flag(false);
        write.flag(true);
        write.bits(5, 3);
        write.flag(false);
        write.flag(true);
        write.bits(0x0006_0606, 24);
        write.flag(false);
        write.flag(true);
        write.bits(1, 32);
        write.bits(60, 32);
        write.flag(true);
        write.bits(0, 3);
        write.flag(true);
        write.flag(true);
        for value in [0, 0, 11, 11, reorder, 4] {
            write.ue(value);
        }
        escape(&write.finish())
    }

    /// What a decoder reads: size, range, matrix, reordered frames, buffered frames.
    fn read(nal: &[u8]) -> (u32, u32, bool, u32, u32, u32) {
        let sps = rewrite(nal, Colour::Kept).unwrap();
        let rbsp = unescape(nal);
        // The tail has a known form after our own rewriting.
        let mut at = rbsp.len() * 8;
        while BitReader::new(&rbsp).bits_at(at - 1) == Some(0) {
            at -= 1;
        }
        let tail = (0..at).rev().find_map(|begin| {
            let mut read = BitReader::new(&rbsp);
            read.skip(begin);
            let limits = [read.flag()? as u32, read.ue()?, read.ue()?, read.ue()?, read.ue()?];
            let (reorder, buffered) = (read.ue()?, read.ue()?);
            (read.position() == at - 1 && limits[4] > 8 && limits[3] > 8).then_some((reorder, buffered))
        });
        let signal = (0..at).find_map(|begin| {
            let mut read = BitReader::new(&rbsp);
            read.skip(begin);
            let head = read.bits(6)?;
            let rest = read.bits(24)?;
            (head & 0b10_0001 == 0b10_0001 && head >> 2 & 7 == 5 && rest == 0x01_0d01).then_some(head & 2 == 2)
        });
        let (reorder, buffered) = tail.unwrap();
        (sps.width, sps.height, signal.unwrap_or(false), u32::from(signal.is_some()), reorder, buffered)
    }

    impl BitReader<'_> {
        fn skip(&mut self, bits: usize) {
            for _ in 0..bits {
                self.flag();
            }
        }
        fn bits_at(&self, at: usize) -> Option<u32> {
            let mut read = self.clone();
            read.skip(at);
            read.bits(1)
        }
    }

    #[test]
    fn a_set_without_usability_information_gets_one() {
        // The real bytes of web/src/viewer/testing/pictures.mjs.
        let real =
            [0x67, 0x42, 0xd0, 0x0b, 0x8c, 0x8d, 0x42, 0x12, 0x4d, 0xc0, 0x43, 0x40, 0x41, 0xe1, 0x10, 0x8d, 0x40];
        let sps = rewrite(&real, Colour::FullBt709).unwrap();
        assert_eq!((sps.width, sps.height), (64, 64));
        assert_eq!(sps.nal[..4], real[..4]);
        let (w, h, full, bt709, reorder, _) = read(&sps.nal);
        assert_eq!((w, h, full, bt709, reorder), (64, 64, true, 1, 0));
    }

    #[test]
    fn reordering_is_taken_out_and_the_colours_are_rdps() {
        let sps = rewrite(&with_vui(2), Colour::FullBt709).unwrap();
        let (w, h, full, bt709, reorder, buffered) = read(&sps.nal);
        assert_eq!((w, h, full, bt709, reorder, buffered), (1920, 1080, true, 1, 0, 4));
        // Once is enough.
        assert_eq!(rewrite(&sps.nal, Colour::FullBt709).unwrap(), sps);
        let [cable, picture] = [Matrix::Bt709, Matrix::Bt601].map(|matrix| {
            let sps = rewrite(&with_vui(2), Colour::Limited(matrix)).unwrap();
            assert_eq!(rewrite(&sps.nal, Colour::Limited(matrix)).unwrap(), sps);
            let (w, h, full, _, reorder, buffered) = read(&sps.nal);
            assert_eq!((w, h, full, reorder, buffered), (1920, 1080, false, 0, 4));
            sps.nal
        });
        assert_ne!(cable, picture);
        // Only the reordering differs when the colours are kept.
        assert_eq!(rewrite(&with_vui(2), Colour::Kept), rewrite(&with_vui(0), Colour::Kept));
        assert_eq!(rewrite(&with_vui(0), Colour::Kept).unwrap().nal, with_vui(0));
    }

    #[test]
    fn impossible_sets_are_refused() {
        assert_eq!(rewrite(&[], Colour::Kept), None);
        assert_eq!(rewrite(&[0x68, 1, 2], Colour::Kept), None);
        assert_eq!(rewrite(&with_vui(2)[..12], Colour::Kept), None);
        assert_eq!(rewrite(&[0x67; SPS_BYTES_MAX + 1], Colour::Kept), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_set_or_not(mut bytes in prop::collection::vec(any::<u8>(), 0..80), bend in any::<(u8, u8)>()) {
            let _ = rewrite(&bytes, Colour::FullBt709);
            if let Some(first) = bytes.first_mut() { *first = 0x67 }
            let _ = rewrite(&bytes, Colour::FullBt709);
            let mut real = with_vui(2);
            let at = usize::from(bend.0) % real.len();
            real[at] = bend.1;
            if let Some(sps) = rewrite(&real, Colour::FullBt709) {
                prop_assert!(sps.nal.len() < 2 * SPS_BYTES_MAX);
                prop_assert!(rewrite(&sps.nal, Colour::FullBt709).is_some());
            }
        }
    }
}
