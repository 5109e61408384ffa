//! What a copy holds beside its plain text: HTML, and pictures as PNG.

use crate::{CLIPBOARD_BYTES_MAX, CLIPBOARD_PICTURE_BYTES_MAX, CLIPBOARD_PIXELS_MAX};
use bytes::Bytes;
use std::io::Cursor;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// What a decoder may take beside the pixels: colour profiles, and its window.
const PNG_EXTRA_BYTES_MAX: usize = 1 << 20;

/// One part of a copy. Those of one copy come before its text, which ends it; a copy without text ends with an empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rich {
    /// A document, at most [`CLIPBOARD_BYTES_MAX`] bytes. Whose it is nobody knows: it is never shown here.
    Html(String),
    /// A whole PNG, at most [`CLIPBOARD_PICTURE_BYTES_MAX`] bytes.
    Png(Bytes),
}

impl Rich {
    /// Bytes of it.
    pub fn len(&self) -> usize {
        match self {
            Self::Html(html) => html.len(),
            Self::Png(png) => png.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most that one of its kind may have, in bytes.
    pub const fn bytes_max(&self) -> usize {
        match self {
            Self::Html(_) => CLIPBOARD_BYTES_MAX,
            Self::Png(_) => CLIPBOARD_PICTURE_BYTES_MAX,
        }
    }
}

/// Width and height that a PNG says it has; `None` for what is none, or has more than [`CLIPBOARD_PIXELS_MAX`] pixels, or bytes
/// than are carried (PNG specification, 5.2 and 11.2.1: signature, then IHDR).
pub fn png_size(png: &[u8]) -> Option<(u32, u32)> {
    if png.len() > CLIPBOARD_PICTURE_BYTES_MAX || !png.starts_with(PNG_SIGNATURE) || png.get(12..16) != Some(b"IHDR") {
        return None;
    }
    let side = |at: usize| png.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let (width, height) = (side(16)?, side(20)?);
    let pixels = u64::from(width) * u64::from(height);
    (pixels > 0 && pixels <= u64::from(CLIPBOARD_PIXELS_MAX)).then_some((width, height))
}

/// A picture without its wrapping: RGBA with straight alpha, rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    pub width: u32,
    pub height: u32,
    pub rgba: Vec<u8>,
}

impl Pixels {
    /// What a PNG shows. `None` for one that is broken, or larger than [`png_size`] allows.
    pub fn from_png(png: &[u8]) -> Option<Self> {
        let (width, height) = png_size(png)?;
        let bytes = width as usize * height as usize * 4;
        let limits = png::Limits { bytes: bytes * 2 + PNG_EXTRA_BYTES_MAX };
        let mut decoder = png::Decoder::new_with_limits(Cursor::new(png), limits);
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        decoder.set_ignore_text_chunk(true);
        let mut reader = decoder.read_info().ok()?;
        let mut data = vec![0; reader.output_buffer_size().filter(|size| *size <= bytes)?];
        let info = reader.next_frame(&mut data).ok()?;
        data.truncate(info.buffer_size());
        let rgba = match info.color_type {
            png::ColorType::Rgba => data,
            png::ColorType::Rgb => data.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect(),
            png::ColorType::Grayscale => data.iter().flat_map(|grey| [*grey, *grey, *grey, 255]).collect(),
            png::ColorType::GrayscaleAlpha => {
                data.as_chunks::<2>().0.iter().flat_map(|[grey, alpha]| [*grey, *grey, *grey, *alpha]).collect()
            }
            png::ColorType::Indexed => return None,
        };
        (rgba.len() == bytes).then_some(Self { width, height, rgba })
    }

    /// As a PNG; `None` where that would be larger than is carried. A picture without holes is written without alpha.
    pub fn to_png(&self) -> Option<Bytes> {
        let opaque = self.rgba.as_chunks::<4>().0.iter().all(|[.., alpha]| *alpha == 255);
        let rgb: Vec<u8>;
        let (color, data) = if opaque {
            rgb = self.rgba.as_chunks::<4>().0.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect();
            (png::ColorType::Rgb, &rgb)
        } else {
            (png::ColorType::Rgba, &self.rgba)
        };
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width, self.height);
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        encoder.write_header().ok()?.write_image_data(data).ok()?;
        png_size(&out)?;
        Some(out.into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn pixels_survive_a_png_with_and_without_holes() {
        for alpha in [255, 7] {
            let rgba: Vec<u8> =
                (0..12u8).flat_map(|at| [at, 20 * at, 255 - at, if at == 3 { alpha } else { 255 }]).collect();
            let pixels = Pixels { width: 4, height: 3, rgba };
            let png = pixels.to_png().unwrap();
            assert_eq!(png_size(&png), Some((4, 3)));
            assert_eq!(Pixels::from_png(&png), Some(pixels));
        }
    }

    #[test]
    fn what_is_no_png_or_too_large_is_none() {
        let png = Pixels { width: 2, height: 2, rgba: vec![9; 16] }.to_png().unwrap();
        for cut in 0..png.len() - 12 {
            assert_eq!(Pixels::from_png(&png[..cut]), None, "{cut} bytes");
        }
        let mut bomb = png.to_vec();
        bomb[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        bomb[20..24].copy_from_slice(&60_000u32.to_be_bytes());
        assert_eq!(png_size(&bomb), None);
        let mut long = png.to_vec();
        long.resize(CLIPBOARD_PICTURE_BYTES_MAX + 1, 0);
        assert_eq!(png_size(&long), None);
    }
}
