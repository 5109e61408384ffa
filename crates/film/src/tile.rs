//! One compressed picture → pixels. Total: what is broken, or larger than its place, is `None`.

use bytes::Bytes;
use oriel_screen::{Rect, TileCodec};
use std::io::Cursor;
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

/// Most scans of a progressive JPEG: each goes over the whole picture again.
const SCANS_MAX: usize = 64;

/// RGBA, `rect.w * rect.h * 4` bytes.
pub fn decode(rect: Rect, codec: TileCodec, bytes: &Bytes) -> Option<Vec<u8>> {
    let rgba = match codec {
        TileCodec::Raw => rgba(bytes),
        TileCodec::Png => png(rect, bytes)?,
        TileCodec::Jpeg => jpeg(rect, bytes)?,
        // Nothing that is recorded has any.
        TileCodec::WebP => return None,
    };
    (rgba.len() == rect.area() as usize * 4).then_some(rgba)
}

fn rgba(rgb: &[u8]) -> Vec<u8> {
    rgb.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect()
}

fn jpeg(rect: Rect, bytes: &[u8]) -> Option<Vec<u8>> {
    let options = DecoderOptions::default()
        .set_max_width(usize::from(rect.w))
        .set_max_height(usize::from(rect.h))
        .jpeg_set_max_scans(SCANS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGBA);
    JpegDecoder::new_with_options(ZCursor::new(bytes), options).decode().ok()
}

fn png(rect: Rect, bytes: &[u8]) -> Option<Vec<u8>> {
    let pixels = rect.area() as usize;
    // Room for the picture at its widest (64 bits a pixel) and what the decoder itself needs.
    let limits = png::Limits { bytes: pixels * 8 + (1 << 20) };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let mut data = vec![0; reader.output_buffer_size().filter(|size| *size <= pixels * 4)?];
    let info = reader.next_frame(&mut data).ok()?;
    data.truncate(info.buffer_size());
    Some(match info.color_type {
        png::ColorType::Rgba => data,
        png::ColorType::Rgb => rgba(&data),
        png::ColorType::Grayscale => data.iter().flat_map(|grey| [*grey, *grey, *grey, 255]).collect(),
        png::ColorType::GrayscaleAlpha => {
            data.as_chunks::<2>().0.iter().flat_map(|[grey, _]| [*grey, *grey, *grey, 255]).collect()
        }
        png::ColorType::Indexed => return None,
    })
}
