//! SPICE's LZ: runs and repetitions of whole pixels (SPICE protocol, images of type LZ_PLT and LZ_RGB).
//!
//! ```text
//! "  ZL"  version  type  width  height  stride  top-down        (32 bits each, big endian)
//! then, until the picture is full:
//!   000nnnnn             n + 1 pixels follow
//!   lllooooo [len…] off  pixels again that were there before: length and distance, either of which may go on
//! ```
//! With alpha there are two such streams: the colours, then the fourth bytes.

use crate::{
    image::{Budget, Depth, Palette, Pixels, check_size, expand},
    reader::{Broken, Reader, bad},
};

const MAGIC: [u8; 4] = *b"  ZL";
const VERSION: u32 = 0x0001_0001;
/// From here on a control byte is a repetition.
const REPEATS: u8 = 32;
/// The longest distance that has no bytes of its own.
const NEAR_MAX: usize = 8191;
/// Bytes of all rows of a picture with a palette: as many as a screen has pixels.
const ROWS_BYTES_MAX: u64 = oriel_screen::SURFACE_PIXELS_MAX as u64;

/// What one unit is, and how much shorter lengths are written than they are.
trait Unit {
    const BYTES: usize;
    const BIAS: usize;
    /// Reads one into its place.
    fn put(reader: &mut Reader, place: &mut [u8]) -> Result<(), Broken>;
    /// Copies one.
    fn repeat(from: [u8; 4], place: &mut [u8]) {
        if let Some(from) = from.get(..place.len()) {
            place.copy_from_slice(from);
        }
    }
}

struct Index;
impl Unit for Index {
    const BYTES: usize = 1;
    const BIAS: usize = 3;
    fn put(reader: &mut Reader, place: &mut [u8]) -> Result<(), Broken> {
        place.copy_from_slice(&[reader.u8()?]);
        Ok(())
    }
}

struct Colour16;
impl Unit for Colour16 {
    const BYTES: usize = 4;
    const BIAS: usize = 2;
    fn put(reader: &mut Reader, place: &mut [u8]) -> Result<(), Broken> {
        let [r, g, b] = Depth::of_555(u16::from_be_bytes(reader.array()?));
        place.copy_from_slice(&[r, g, b, 255]);
        Ok(())
    }
}

struct Colour;
impl Unit for Colour {
    const BYTES: usize = 4;
    const BIAS: usize = 1;
    fn put(reader: &mut Reader, place: &mut [u8]) -> Result<(), Broken> {
        let [b, g, r] = reader.array()?;
        place.copy_from_slice(&[r, g, b, 255]);
        Ok(())
    }
}

/// The fourth bytes of pixels whose others are there.
struct Alpha;
impl Unit for Alpha {
    const BYTES: usize = 4;
    const BIAS: usize = 3;
    fn put(reader: &mut Reader, place: &mut [u8]) -> Result<(), Broken> {
        let alpha = reader.u8()?;
        place.last_mut().into_iter().for_each(|place| *place = alpha);
        Ok(())
    }
    fn repeat([.., alpha]: [u8; 4], place: &mut [u8]) {
        place.last_mut().into_iter().for_each(|place| *place = alpha);
    }
}

/// Fills all of `out`.
fn unpack<U: Unit>(reader: &mut Reader, out: &mut [u8]) -> Result<(), Broken> {
    let units = out.len() / U::BYTES;
    let mut at = 0;
    while at < units {
        let control = reader.u8()?;
        if control < REPEATS {
            let count = usize::from(control) + 1;
            for index in at..at + count {
                let place = out.get_mut(index * U::BYTES..(index + 1) * U::BYTES);
                U::put(reader, place.ok_or_else(too_long)?)?;
            }
            at += count;
            continue;
        }
        let mut length = usize::from(control >> 5) - 1;
        if length == 6 {
            loop {
                let more = reader.u8()?;
                length += usize::from(more);
                if length > units {
                    return Err(too_long());
                }
                if more != 255 {
                    break;
                }
            }
        }
        let high = usize::from(control & 31) << 8;
        let low = reader.u8()?;
        let distance = 1 + if low == 255 && high == 31 << 8 {
            NEAR_MAX + usize::from(u16::from_be_bytes(reader.array()?))
        } else {
            high + usize::from(low)
        };
        let from =
            at.checked_sub(distance).ok_or_else(|| Broken(String::from("an LZ picture repeats what was not there")))?;
        let length = length + U::BIAS;
        if at + length > units {
            return Err(too_long());
        }
        // Byte by byte of whole units: what is repeated may be what is being written.
        for index in 0..length {
            let mut unit = [0; 4];
            for (byte, slot) in out.iter().skip((from + index) * U::BYTES).take(U::BYTES).zip(&mut unit) {
                *slot = *byte;
            }
            if let Some(place) = out.get_mut((at + index) * U::BYTES..(at + index + 1) * U::BYTES) {
                U::repeat(unit, place);
            }
        }
        at += length;
    }
    Ok(())
}

fn too_long() -> Broken {
    Broken(String::from("an LZ picture holds more than its size"))
}

/// A picture; `palette` for those that need one.
pub(crate) fn decode(bytes: &[u8], palette: Option<&Palette>, budget: &mut Budget) -> Result<Pixels, Broken> {
    let mut reader = Reader::new(bytes);
    if reader.array()? != MAGIC || reader.u32_big_endian()? != VERSION {
        return bad("an LZ picture has no header of its kind");
    }
    let [kind, width, height, stride, top_down] = [
        reader.u32_big_endian()?,
        reader.u32_big_endian()?,
        reader.u32_big_endian()?,
        reader.u32_big_endian()?,
        reader.u32_big_endian()?,
    ];
    let (width, height) = check_size(width, height)?;
    budget.spend(u64::from(width) * u64::from(height))?;
    let count = usize::from(width) * usize::from(height);
    let mut pixels = match kind {
        1..=5 => {
            let depth = match kind {
                1 => Depth::OneLow,
                2 => Depth::OneHigh,
                3 => Depth::FourLow,
                4 => Depth::FourHigh,
                _ => Depth::Eight,
            };
            if u64::from(stride) * u64::from(height) > ROWS_BYTES_MAX || (stride as usize) < depth.row_bytes(width) {
                return bad(format!("an LZ picture {width} pixels wide has rows of {stride} bytes"));
            }
            // Rows may be much longer than the picture is wide.
            budget.spend(u64::from(stride) * u64::from(height))?;
            let mut rows = vec![0; stride as usize * usize::from(height)];
            unpack::<Index>(&mut reader, &mut rows)?;
            expand(depth, (width, height), stride as usize, &rows, palette)?
        }
        6..=10 => {
            let mut rgba = vec![255; count * 4];
            match kind {
                6 => unpack::<Colour16>(&mut reader, &mut rgba)?,
                7 | 8 => unpack::<Colour>(&mut reader, &mut rgba)?,
                9 => {
                    unpack::<Colour>(&mut reader, &mut rgba)?;
                    unpack::<Alpha>(&mut reader, &mut rgba)?;
                }
                _ => unpack::<Alpha>(&mut reader, &mut rgba)?,
            }
            Pixels { width, height, alpha: kind >= 9, rgba }
        }
        11 => {
            let mut rows = vec![0; count];
            unpack::<Index>(&mut reader, &mut rows)?;
            expand(Depth::Alpha, (width, height), usize::from(width), &rows, None)?
        }
        kind => return bad(format!("an LZ picture has the unknown type {kind}")),
    };
    if top_down == 0 {
        pixels.turn_over();
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::image::{Budget, Palette};

    fn picture(kind: u32, size: (u32, u32), stride: u32, top_down: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"  ZL".to_vec();
        for word in [0x0001_0001, kind, size.0, size.1, stride, top_down] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(data);
        bytes
    }

    fn rgba(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let palette = Palette::new((0..=255).map(|index| [index, 0, 0]).collect());
        let decoded = decode(bytes, Some(&palette), &mut Budget::new(1 << 20));
        decoded.map(|pixels| pixels.rgba).map_err(|broken| broken.0)
    }

    #[test]
    fn pixels_runs_and_distances() {
        // One pixel, then itself nine times more: length 7 (written) + 1 (more) + 1 (bias).
        let data = [0, 3, 2, 1, 0xe0, 2, 0];
        assert_eq!(rgba(&picture(8, (5, 2), 20, 1, &data)).unwrap(), [1, 2, 3, 255].repeat(10));
        // Two, then both again (length 2 = 1 + 1, distance 2).
        let data = [1, 3, 2, 1, 6, 5, 4, 0x40, 1];
        assert_eq!(rgba(&picture(7, (2, 2), 6, 1, &data)).unwrap(), [1, 2, 3, 255, 4, 5, 6, 255].repeat(2));
    }

    #[test]
    fn alpha_has_a_stream_of_its_own() {
        let data = [1, 3, 2, 1, 3, 2, 1, 1, 9, 8];
        assert_eq!(rgba(&picture(9, (2, 1), 8, 1, &data)).unwrap(), [1, 2, 3, 9, 1, 2, 3, 8]);
    }

    #[test]
    fn palettes_and_rows_from_the_bottom() {
        let data = [3, 5, 6, 7, 8];
        let upside_down = [[7, 0, 0, 255], [8, 0, 0, 255], [5, 0, 0, 255], [6, 0, 0, 255]].concat();
        assert_eq!(rgba(&picture(5, (2, 2), 2, 0, &data)).unwrap(), upside_down);
        let data = [0, 0b1000_0000];
        assert_eq!(rgba(&picture(2, (2, 1), 1, 1, &data)).unwrap(), [1, 0, 0, 255, 0, 0, 0, 255]);
    }

    #[test]
    fn lies_are_found() {
        let refused = |bytes: &[u8], word: &str| {
            let error = rgba(bytes).unwrap_err();
            assert!(error.contains(word), "{error}");
        };
        refused(&picture(8, (2, 2), 8, 1, &[0x20, 0]), "not there");
        refused(&picture(8, (2, 2), 8, 1, &[0, 1, 2, 3, 0xe0, 200, 0]), "more than");
        refused(&picture(8, (2, 2), 8, 1, &[31, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]), "more than");
        refused(&picture(8, (2, 2), 8, 1, &[0, 1]), "too early");
        refused(&picture(8, (1 << 20, 1 << 20), 8, 1, &[]), "larger");
        refused(&picture(5, (20, 2), 2, 1, &[]), "rows of 2 bytes");
        refused(&picture(99, (2, 2), 8, 1, &[]), "type 99");
        refused(b"LZ", "too early");
        refused(&picture(8, (1025, 1024), 8, 1, &[]), "over and over");
    }
}
