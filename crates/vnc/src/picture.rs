//! Compressed pictures as they come: collected whole, checked to be of their rectangle's size, and handed on untouched.

use crate::{
    jpeg,
    reader::{Reader, Stop, bad},
};
use bytes::Bytes;
use oriel_screen::{Rect, TileCodec};

/// What a rectangle turned out to be.
#[derive(Debug)]
pub(crate) enum Whole {
    /// Its pixels are painted.
    Painted,
    /// A picture of the rectangle's size.
    Tile {
        codec: TileCodec,
        bytes: Bytes,
    },
    /// A video frame.
    Video {
        key: bool,
        bytes: Bytes,
    },
    Nothing,
}

/// Bytes of a length that is known, collected as they come: the length alone reserves nothing.
#[derive(Debug)]
pub(crate) struct Collect {
    left: usize,
    got: Vec<u8>,
}

impl Collect {
    pub(crate) const fn new(length: u32) -> Self {
        Self { left: length as usize, got: Vec::new() }
    }

    /// All of them, once they are there.
    pub(crate) fn run(&mut self, reader: &mut Reader) -> Result<Bytes, Stop> {
        let now = reader.take(reader.rest().len().min(self.left))?;
        self.left -= now.len();
        self.got.extend_from_slice(now);
        if self.left > 0 { Err(Stop::Short) } else { Ok(Bytes::from(std::mem::take(&mut self.got))) }
    }
}

/// Refuses a picture whose header names another size than its rectangle has.
pub(crate) fn check(codec: TileCodec, bytes: &[u8], rect: Rect) -> Result<(), Stop> {
    let size = match codec {
        TileCodec::Jpeg => jpeg::size(bytes),
        TileCodec::Png => png_size(bytes),
        TileCodec::Raw | TileCodec::WebP => None,
    };
    match size {
        Some(size) if size == (u32::from(rect.w), u32::from(rect.h)) => Ok(()),
        Some((width, height)) => {
            bad(format!("a {codec:?} picture of {width}x{height} pixels is in a rectangle of {}x{}", rect.w, rect.h))
        }
        None => bad(format!("a {codec:?} picture has no readable header")),
    }
}

/// Signature, then the header chunk (PNG specification §5.2, §11.2.2).
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut reader = Reader::new(bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?);
    Some((reader.u32().ok()?, reader.u32().ok()?))
}
