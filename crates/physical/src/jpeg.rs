//! JPEGs of the device: their size, and their pixels for who needs them (ITU-T T.81 annex B).

use oriel_screen::{Rect, SURFACE_PIXELS_MAX, SURFACE_SIDE_MAX, Surface};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

/// Scans of a progressive JPEG: each goes over the whole picture once more. Encoders make about ten.
const SCANS_MAX: usize = 16;

/// Width and height, from the first frame header; `None` when it is no JPEG, or larger than a surface.
pub fn size(bytes: &[u8]) -> Option<(u16, u16)> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        match rest {
            [0xff, 0xff, ..] => rest = rest.get(1..)?,
            // A scan, or the end, before any frame.
            [0xff, 0xda | 0xd9, ..] => return None,
            [0xff, 0x01 | 0xd0..=0xd8, later @ ..] => rest = later,
            [0xff, marker, a, b, later @ ..] => {
                let length = usize::from(u16::from_be_bytes([*a, *b])).checked_sub(2)?;
                let segment = later.get(..length)?;
                if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
                    let &[_, h1, h0, w1, w0, ..] = segment else { return None };
                    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
                    let fits = (1..=SURFACE_SIDE_MAX).contains(&width)
                        && (1..=SURFACE_SIDE_MAX).contains(&height)
                        && u32::from(width) * u32::from(height) <= SURFACE_PIXELS_MAX;
                    return fits.then_some((width, height));
                }
                rest = later.get(length..)?;
            }
            _ => return None,
        }
    }
}

/// Paints it over the whole surface, which has its size.
///
/// # Errors
/// It is broken, or larger; in the decoder's words.
pub fn paint(surface: &mut Surface, rect: Rect, bytes: &[u8]) -> Result<(), String> {
    let options = DecoderOptions::default()
        .set_max_width(usize::from(rect.w))
        .set_max_height(usize::from(rect.h))
        .jpeg_set_max_scans(SCANS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGBA);
    let rgba = JpegDecoder::new_with_options(ZCursor::new(bytes), options)
        .decode()
        .map_err(|error| format!("a JPEG picture is broken: {error:?}"))?;
    surface.put_rgba(rect, &rgba).map_err(|error| error.to_string())
}
