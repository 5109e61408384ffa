//! The pixels of one rectangle, whatever their encoding.

use crate::{
    decode::{Decode, Raw},
    encodings,
    h264::H264,
    hextile::Hextile,
    inflate::{Deflated, Inflater},
    jpeg::{JpegRect, Tables},
    picture::Whole,
    reader::{Reader, Stop},
    rre::Rre,
    tight::Tight,
    tiles::Tiles,
};
use oriel_screen::{Rect, Surface};

/// The session's zlib streams, made when first used.
#[derive(Default)]
pub(crate) struct Streams {
    zlib: Option<Inflater>,
    zrle: Option<Inflater>,
    tight: [Option<Inflater>; 4],
    jpeg: Tables,
    /// Inflated bytes of an unfinished unit.
    scratch: Vec<u8>,
}

pub(crate) enum Decoder {
    Raw(Raw),
    Rre(Rre),
    Hextile(Hextile),
    Trle(Tiles),
    Tight(Tight),
    /// Waits for the length of its compressed data.
    ZlibLength(Rect),
    Zlib(Deflated<Raw>),
    ZrleLength(Rect),
    Zrle(Deflated<Tiles>),
    Jpeg(JpegRect),
    H264(H264),
}

impl Decoder {
    /// None for encodings that are not pixels.
    pub(crate) fn new(encoding: i32, rect: Rect) -> Option<Self> {
        Some(match encoding {
            encodings::RAW => Self::Raw(Raw::new(rect)),
            encodings::RRE => Self::Rre(Rre::new(rect)),
            encodings::CORRE => Self::Rre(Rre::compact(rect)),
            encodings::HEXTILE => Self::Hextile(Hextile::new(rect)),
            encodings::ZLIB => Self::ZlibLength(rect),
            encodings::TIGHT | encodings::TIGHT_PNG => Self::Tight(Tight::new(rect)),
            encodings::TRLE => Self::Trle(Tiles::trle(rect)),
            encodings::ZRLE => Self::ZrleLength(rect),
            encodings::JPEG => Self::Jpeg(JpegRect::new(rect)),
            encodings::H264 => Self::H264(H264::Header),
            _ => return None,
        })
    }

    /// True when the rectangle paints pixels from its first byte on; pictures come whole or not at all.
    pub(crate) const fn paints(&self) -> bool {
        !matches!(self, Self::Jpeg(_) | Self::H264(_))
    }

    /// Paints what is there; `Short` until the rectangle is complete.
    pub(crate) fn run(
        &mut self,
        reader: &mut Reader,
        surface: &mut Surface,
        streams: &mut Streams,
    ) -> Result<Whole, Stop> {
        let Streams { zlib, zrle, tight, jpeg, scratch } = streams;
        match self {
            Self::Tight(rect) => return rect.run(reader, surface, tight, scratch),
            Self::Jpeg(rect) => return rect.run(reader, jpeg),
            Self::H264(rect) => return rect.run(reader),
            Self::Raw(raw) => raw.run(reader, surface),
            Self::Rre(rre) => rre.run(reader, surface),
            Self::Hextile(hextile) => hextile.run(reader, surface),
            Self::Trle(tiles) => tiles.run(reader, surface),
            Self::ZlibLength(rect) => {
                *self = Self::Zlib(Deflated::new(reader.u32()?, Raw::new(*rect)));
                return self.run(reader, surface, streams);
            }
            Self::Zlib(data) => data.run(reader, surface, zlib.get_or_insert_with(Inflater::new), scratch),
            Self::ZrleLength(rect) => {
                *self = Self::Zrle(Deflated::new(reader.u32()?, Tiles::zrle(*rect)));
                return self.run(reader, surface, streams);
            }
            Self::Zrle(data) => data.run(reader, surface, zrle.get_or_insert_with(Inflater::new), scratch),
        }
        .map(|()| Whole::Painted)
    }
}
