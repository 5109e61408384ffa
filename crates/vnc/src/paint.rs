//! Compressed pictures into pixels: JPEG and PNG, for viewers that did not get the picture itself.

use crate::reader::{Stop, bad};
use oriel_screen::{Rect, Surface, TileCodec};
use std::io::Cursor;
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

/// Scans of a progressive JPEG: each goes over the whole picture once more. Encoders make about ten.
const SCANS_MAX: usize = 16;

/// Paints a picture over its rectangle, whose size its header has ([`crate::picture::check`]).
pub(crate) fn paint(surface: &mut Surface, rect: Rect, codec: TileCodec, bytes: &[u8]) -> Result<(), Stop> {
    let rgba = match codec {
        TileCodec::Jpeg => jpeg(rect, bytes)?,
        TileCodec::Png => png(rect, bytes)?,
        TileCodec::Raw | TileCodec::WebP => return bad(format!("a {codec:?} picture cannot be painted")),
    };
    Ok(surface.put_rgba(rect, &rgba)?)
}

fn jpeg(rect: Rect, bytes: &[u8]) -> Result<Vec<u8>, Stop> {
    let options = DecoderOptions::default()
        .set_max_width(usize::from(rect.w))
        .set_max_height(usize::from(rect.h))
        .jpeg_set_max_scans(SCANS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGBA);
    let broken = |error: zune_jpeg::errors::DecodeErrors| Stop::Bad(format!("a JPEG picture is broken: {error:?}"));
    JpegDecoder::new_with_options(ZCursor::new(bytes), options).decode().map_err(broken)
}

fn png(rect: Rect, bytes: &[u8]) -> Result<Vec<u8>, Stop> {
    let pixels = rect.area() as usize;
    let broken = |error: png::DecodingError| Stop::Bad(format!("a PNG picture is broken: {error}"));
    // Room for the picture at its widest (64 bits a pixel) and what the decoder itself needs.
    let limits = png::Limits { bytes: pixels * 8 + (1 << 20) };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(broken)?;
    let size = reader.output_buffer_size().filter(|size| *size <= pixels * 4);
    let Some(size) = size else { return bad("a PNG picture is larger than its rectangle") };
    let mut data = vec![0; size];
    let info = reader.next_frame(&mut data).map_err(broken)?;
    data.truncate(info.buffer_size());
    Ok(match info.color_type {
        png::ColorType::Rgba => data,
        png::ColorType::Rgb => data.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect(),
        png::ColorType::Grayscale => data.iter().flat_map(|grey| [*grey, *grey, *grey, 255]).collect(),
        png::ColorType::GrayscaleAlpha => {
            data.as_chunks::<2>().0.iter().flat_map(|[grey, _]| [*grey, *grey, *grey, 255]).collect()
        }
        png::ColorType::Indexed => return bad("a PNG picture's palette was not applied"),
    })
}
