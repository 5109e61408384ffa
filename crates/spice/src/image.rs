//! Pictures in messages (SPICE protocol, "Image"): bitmaps of all depths, LZ, JPEG, and other surfaces' pixels.
//!
//! No cache and no dictionary is offered to the server, and LZ is asked for: what needs more is an error that says so.

use crate::{
    lz,
    reader::{Broken, Reader, bad},
};
use oriel_screen::{SURFACE_PIXELS_MAX, SURFACE_SIDE_MAX};
use std::collections::HashMap;
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

/// Palettes that a server may have us keep; it counts on 128.
const PALETTES_MAX: usize = 128;
const COLOURS_MAX: usize = 256;
/// Scans of a progressive JPEG: each goes over the whole picture once more. Encoders make about ten.
const SCANS_MAX: usize = 16;

const BITMAP: u8 = 0;
const LZ_PLT: u8 = 100;
const LZ_RGB: u8 = 101;
const SURFACE: u8 = 104;
const JPEG: u8 = 105;

const PALETTE_CACHE_ME: u8 = 1;
const PALETTE_FROM_CACHE: u8 = 2;
const TOP_DOWN: u8 = 4;

/// How many pixels may be decoded and painted before more bytes come: a few bytes can say "fill the screen", and a thousand of them
/// cost work and show nothing.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u64,
    all: u64,
}

impl Budget {
    pub(crate) const fn new(pixels: u64) -> Self {
        Self { left: pixels, all: pixels }
    }

    /// It is so many in all, where that is more than before; what was painted stays spent.
    pub(crate) fn raise(&mut self, pixels: u64) {
        self.left = self.left.saturating_add(pixels.saturating_sub(self.all));
        self.all = self.all.max(pixels);
    }

    pub(crate) fn spend(&mut self, pixels: u64) -> Result<(), Broken> {
        match self.left.checked_sub(pixels) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => bad("it paints the screen over and over"),
        }
    }
}

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// The fourth byte says how much of it covers what is there; the colours are multiplied by it.
    pub(crate) alpha: bool,
    /// `width * height * 4` bytes.
    pub(crate) rgba: Vec<u8>,
}

impl Pixels {
    pub(crate) fn get(&self, x: u32, y: u32) -> [u8; 4] {
        if x >= u32::from(self.width) {
            return [0; 4];
        }
        let at = (y as usize * usize::from(self.width) + x as usize) * 4;
        self.rgba.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default()
    }

    /// Part of a row.
    pub(crate) fn row(&self, x: u32, y: u32, w: u16) -> Option<&[u8]> {
        let at = (y as usize * usize::from(self.width) + x as usize) * 4;
        let inside = u64::from(x) + u64::from(w) <= u64::from(self.width);
        self.rgba.get(at..at + usize::from(w) * 4).filter(|_| inside)
    }

    pub(crate) fn turn_over(&mut self) {
        let row = usize::from(self.width) * 4;
        if row > 0 {
            self.rgba = self.rgba.chunks_exact(row).rev().flatten().copied().collect();
        }
    }
}

pub(crate) fn check_size(width: u32, height: u32) -> Result<(u16, u16), Broken> {
    match (u16::try_from(width), u16::try_from(height)) {
        (Ok(w), Ok(h))
            if w > 0
                && h > 0
                && w <= SURFACE_SIDE_MAX
                && h <= SURFACE_SIDE_MAX
                && u32::from(w) * u32::from(h) <= SURFACE_PIXELS_MAX =>
        {
            Ok((w, h))
        }
        _ => bad(format!("a picture of {width}x{height} pixels is empty or larger than a screen may be")),
    }
}

/// How pixels of a bitmap are written. "Low" has the leftmost pixel in a byte's lowest bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    OneLow,
    OneHigh,
    FourLow,
    FourHigh,
    Eight,
    /// 5 bits each.
    Sixteen,
    TwentyFour,
    ThirtyTwo,
    WithAlpha,
    Alpha,
}

impl Depth {
    fn of(format: u8) -> Result<Self, Broken> {
        Ok(match format {
            1 => Self::OneLow,
            2 => Self::OneHigh,
            3 => Self::FourLow,
            4 => Self::FourHigh,
            5 => Self::Eight,
            6 => Self::Sixteen,
            7 => Self::TwentyFour,
            8 => Self::ThirtyTwo,
            9 => Self::WithAlpha,
            10 => Self::Alpha,
            other => return bad(format!("a bitmap has the unknown format {other}")),
        })
    }

    const fn bits(self) -> usize {
        match self {
            Self::OneLow | Self::OneHigh => 1,
            Self::FourLow | Self::FourHigh => 4,
            Self::Eight | Self::Alpha => 8,
            Self::Sixteen => 16,
            Self::TwentyFour => 24,
            Self::ThirtyTwo | Self::WithAlpha => 32,
        }
    }

    pub(crate) const fn row_bytes(self, width: u16) -> usize {
        (width as usize * self.bits()).div_ceil(8)
    }

    pub(crate) const fn of_555(value: u16) -> [u8; 3] {
        const fn wide(five: u16) -> u8 {
            let five = (five & 31) as u8;
            five << 3 | five >> 2
        }
        [wide(value >> 10), wide(value >> 5), wide(value)]
    }

    /// Pixel `x` of a row.
    fn pixel(self, row: &[u8], x: usize, palette: Option<&Palette>) -> [u8; 4] {
        let byte = |at: usize| row.get(at).copied().unwrap_or(0);
        let index = match self {
            Self::OneLow => byte(x / 8) >> (x % 8) & 1,
            Self::OneHigh => byte(x / 8) >> (7 - x % 8) & 1,
            Self::FourLow => byte(x / 2) >> (x % 2 * 4) & 15,
            Self::FourHigh => byte(x / 2) >> (4 - x % 2 * 4) & 15,
            Self::Eight => byte(x),
            Self::Sixteen => {
                let [r, g, b] = Self::of_555(u16::from_le_bytes([byte(x * 2), byte(x * 2 + 1)]));
                return [r, g, b, 255];
            }
            Self::TwentyFour => return [byte(x * 3 + 2), byte(x * 3 + 1), byte(x * 3), 255],
            Self::ThirtyTwo => return [byte(x * 4 + 2), byte(x * 4 + 1), byte(x * 4), 255],
            Self::WithAlpha => return [byte(x * 4 + 2), byte(x * 4 + 1), byte(x * 4), byte(x * 4 + 3)],
            Self::Alpha => return [0, 0, 0, byte(x)],
        };
        let [r, g, b] = match palette {
            Some(palette) => palette.colour(index),
            // A mask has none.
            None if index == 0 => [0; 3],
            None => [255; 3],
        };
        [r, g, b, 255]
    }
}

/// Rows of a bitmap as pixels.
pub(crate) fn expand(
    depth: Depth,
    (width, height): (u16, u16),
    stride: usize,
    rows: &[u8],
    palette: Option<&Palette>,
) -> Result<Pixels, Broken> {
    if stride < depth.row_bytes(width) {
        return bad(format!("a bitmap {width} pixels wide has rows of {stride} bytes"));
    }
    let mut rgba = Vec::with_capacity(usize::from(width) * usize::from(height) * 4);
    for row in rows.chunks_exact(stride).take(usize::from(height)) {
        if depth == Depth::ThirtyTwo {
            let (pixels, _) = row.as_chunks::<4>();
            rgba.extend(pixels.iter().take(usize::from(width)).flat_map(|[b, g, r, _]| [*r, *g, *b, 255]));
        } else {
            rgba.extend((0..usize::from(width)).flat_map(|x| depth.pixel(row, x, palette)));
        }
    }
    let alpha = matches!(depth, Depth::WithAlpha | Depth::Alpha);
    Ok(Pixels { width, height, alpha, rgba })
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Palette(Vec<[u8; 3]>);

impl Palette {
    #[cfg(test)]
    pub(crate) const fn new(colours: Vec<[u8; 3]>) -> Self {
        Self(colours)
    }

    fn colour(&self, index: u8) -> [u8; 3] {
        self.0.get(usize::from(index)).copied().unwrap_or_default()
    }
}

/// A colour as a 32-bit number.
pub(crate) const fn colour(value: u32) -> [u8; 3] {
    [(value >> 16) as u8, (value >> 8) as u8, value as u8]
}

/// The palettes that the server had us keep.
#[derive(Debug, Default)]
pub(crate) struct Palettes(HashMap<u64, Palette>);

impl Palettes {
    /// A palette where `reader` is: its number among the kept ones, or where in the message it lies.
    fn read(&mut self, message: &[u8], reader: &mut Reader, flags: u8) -> Result<Option<Palette>, Broken> {
        if flags & PALETTE_FROM_CACHE != 0 {
            let id = reader.u64()?;
            let kept = self.0.get(&id).cloned();
            return kept.map(Some).ok_or_else(|| Broken(format!("palette {id} was never sent")));
        }
        let offset = reader.u32()?;
        if offset == 0 {
            return Ok(None);
        }
        let mut reader = Reader::at(message, offset)?;
        let (id, count) = (reader.u64()?, usize::from(reader.u16()?));
        if count > COLOURS_MAX {
            return bad(format!("a palette has {count} colours"));
        }
        let colours: Result<Vec<_>, _> = (0..count).map(|_| reader.u32().map(colour)).collect();
        let palette = Palette(colours?);
        if flags & PALETTE_CACHE_ME != 0 {
            if self.0.len() >= PALETTES_MAX && !self.0.contains_key(&id) {
                return bad(format!("it has more than {PALETTES_MAX} palettes kept"));
            }
            self.0.insert(id, palette.clone());
        }
        Ok(Some(palette))
    }

    pub(crate) fn forget(&mut self, id: u64) {
        self.0.remove(&id);
    }

    pub(crate) fn forget_all(&mut self) {
        self.0.clear();
    }
}

/// Where a picture's pixels are.
pub(crate) enum Image {
    Here(Pixels),
    /// They are a surface's.
    Surface(u32),
}

/// The picture at an offset of a message.
pub(crate) fn read(message: &[u8], offset: u32, palettes: &mut Palettes, budget: &mut Budget) -> Result<Image, Broken> {
    let mut reader = Reader::at(message, offset)?;
    let (_id, kind, _flags) = (reader.u64()?, reader.u8()?, reader.u8()?);
    let (width, height) = (reader.u32()?, reader.u32()?);
    Ok(Image::Here(match kind {
        BITMAP => bitmap(message, &mut reader, palettes, budget)?,
        LZ_PLT => {
            let flags = reader.u8()?;
            let length = reader.u32()?;
            let palette = palettes.read(message, &mut reader, flags)?;
            lz::decode(reader.take(length as usize)?, palette.as_ref(), budget)?
        }
        LZ_RGB => {
            let length = reader.u32()?;
            lz::decode(reader.take(length as usize)?, None, budget)?
        }
        JPEG => {
            let length = reader.u32()?;
            budget.spend(u64::from(width) * u64::from(height))?;
            jpeg(reader.take(length as usize)?, check_size(width, height)?)?
        }
        SURFACE => return Ok(Image::Surface(reader.u32()?)),
        other => return unknown(other),
    }))
}

fn unknown<T>(kind: u8) -> Result<T, Broken> {
    let compressed = |name: &str| {
        bad(format!(
            "a picture is compressed with {name}, though LZ was asked for; set the server's image compression to lz or off"
        ))
    };
    match kind {
        1 => compressed("QUIC"),
        102 => compressed("GLZ"),
        107 => compressed("ZLIB-GLZ"),
        108 => compressed("JPEG with alpha"),
        109 => compressed("LZ4"),
        103 | 106 => bad("a picture is to be taken from a cache that was not offered"),
        other => bad(format!("a picture has the unknown type {other}")),
    }
}

fn bitmap(message: &[u8], reader: &mut Reader, palettes: &mut Palettes, budget: &mut Budget) -> Result<Pixels, Broken> {
    let (format, flags) = (reader.u8()?, reader.u8()?);
    let (width, height, stride) = (reader.u32()?, reader.u32()?, reader.u32()? as usize);
    let (width, height) = check_size(width, height)?;
    budget.spend(u64::from(width) * u64::from(height))?;
    let palette = palettes.read(message, reader, flags)?;
    let Some(length) = stride.checked_mul(usize::from(height)) else {
        return bad(format!("a bitmap has rows of {stride} bytes"));
    };
    let mut pixels = expand(Depth::of(format)?, (width, height), stride, reader.take(length)?, palette.as_ref())?;
    if flags & TOP_DOWN == 0 {
        pixels.turn_over();
    }
    Ok(pixels)
}

/// A JPEG of at most this size.
pub(crate) fn jpeg(bytes: &[u8], (width, height): (u16, u16)) -> Result<Pixels, Broken> {
    let broken = |error: zune_jpeg::errors::DecodeErrors| Broken(format!("a JPEG picture is broken: {error:?}"));
    let options = DecoderOptions::default()
        .set_max_width(usize::from(width))
        .set_max_height(usize::from(height))
        .jpeg_set_max_scans(SCANS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGBA);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(broken)?;
    let (width, height) = match decoder.dimensions() {
        Some((w, h)) => check_size(u32::try_from(w).unwrap_or(u32::MAX), u32::try_from(h).unwrap_or(u32::MAX))?,
        None => return bad("a JPEG picture has no size"),
    };
    let rgba = decoder.decode().map_err(broken)?;
    if rgba.len() != usize::from(width) * usize::from(height) * 4 {
        return bad(format!("a JPEG picture is not of {width}x{height} pixels"));
    }
    Ok(Pixels { width, height, alpha: false, rgba })
}
