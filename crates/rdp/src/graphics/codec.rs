//! The codecs that browsers do not have, decoded into surfaces.

use super::surface::Surfaces;
use super::{Fault, PROGRESSIVE_TILES_MAX};
use ironrdp_egfx::pdu::Codec1Type;
use ironrdp_graphics::clearcodec::ClearCodecDecoder;
use ironrdp_graphics::progressive::{ProgressiveDecoder, TILE_DIM};
use ironrdp_graphics::rdp6::BitmapStreamDecoder;
use ironrdp_graphics::rfx::{MessageDecoder, TILE_SIZE, TileDecoder};
use oriel_screen::Rect;
use std::collections::BTreeMap;

/// Decoders, each made when its codec is first met.
#[derive(Default)]
pub(super) struct Codecs {
    clear: Option<Box<ClearCodecDecoder>>,
    planar: Option<Box<BitmapStreamDecoder>>,
    remotefx: Option<Box<(MessageDecoder, TileDecoder)>>,
    progressive: Option<Box<ProgressiveDecoder>>,
    /// Tiles that each surface may fill.
    progressive_tiles: BTreeMap<u16, usize>,
    in_frame: bool,
}

/// Blue, green, red, unused → red, green, blue, opaque.
fn from_bgrx(pixels: &[u8]) -> Vec<u8> {
    let mut rgba = pixels.to_vec();
    for pixel in rgba.chunks_exact_mut(4) {
        if let [b, _, r, a] = pixel {
            std::mem::swap(b, r);
            *a = 255;
        }
    }
    rgba
}

impl Codecs {
    /// A new screen: surfaces are gone, caches of the codecs stay (MS-RDPEGFX 3.3.5.14).
    pub(super) fn reset(&mut self) {
        self.progressive = None;
        self.progressive_tiles.clear();
    }

    pub(super) fn begin_frame(&mut self) {
        self.in_frame = true;
        if let Some(progressive) = &mut self.progressive {
            progressive.begin_frame();
        }
    }

    pub(super) fn end_frame(&mut self) {
        self.in_frame = false;
        if let Some(progressive) = &mut self.progressive {
            progressive.end_frame();
        }
    }

    pub(super) fn delete_surface(&mut self, id: u16) {
        self.progressive_tiles.remove(&id);
        if let Some(progressive) = &mut self.progressive {
            progressive.delete_surface(id);
        }
    }

    pub(super) fn delete_context(&mut self, surface: u16, context: u32) {
        if let Some(progressive) = &mut self.progressive {
            progressive.delete_context(surface, context);
        }
    }

    /// A bitmap of RDPGFX_WIRE_TO_SURFACE_PDU_1.
    pub(super) fn paint(
        &mut self,
        surfaces: &mut Surfaces,
        id: u16,
        rect: Rect,
        codec: Codec1Type,
        data: &[u8],
    ) -> Result<(), Fault> {
        let (width, height) = surfaces.size(id)?;
        // Decoders reserve what the rectangle says.
        if !rect.fits(width, height) {
            return Err(Fault::Update(format!("a bitmap does not fit its surface of {width}x{height} pixels")));
        }
        if rect.is_empty() {
            return Ok(());
        }
        surfaces.charge_pixels(u64::from(rect.area()))?;
        match codec {
            Codec1Type::Uncompressed => {
                if data.len() != rect.area() as usize * 4 {
                    return Err(Fault::Update("a plain bitmap has another size than its rectangle".to_owned()));
                }
                surfaces.put(id, rect, &from_bgrx(data))
            }
            Codec1Type::ClearCodec => {
                let decoder = self.clear.get_or_insert_with(|| Box::new(ClearCodecDecoder::new()));
                let bgra = decoder.decode(data, rect.w, rect.h).map_err(Fault::update)?;
                surfaces.put(id, rect, &from_bgrx(&bgra))
            }
            Codec1Type::Planar => {
                let mut rgb = Vec::new();
                let decoder = self.planar.get_or_insert_with(Box::default);
                decoder
                    .decode_bitmap_stream_to_rgb24(data, &mut rgb, usize::from(rect.w), usize::from(rect.h))
                    .map_err(Fault::update)?;
                let rgba: Vec<u8> = rgb.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect();
                surfaces.put(id, rect, &rgba)
            }
            Codec1Type::RemoteFx => self.remotefx(surfaces, id, rect, data),
            other => Err(Fault::Update(format!("codec {other:?} is not a picture"))),
        }
    }

    /// RemoteFX: tiles and regions are counted from the rectangle's corner (MS-RDPRFX 2.2.2.3).
    fn remotefx(&mut self, surfaces: &mut Surfaces, id: u16, rect: Rect, data: &[u8]) -> Result<(), Fault> {
        let decoders = self.remotefx.get_or_insert_with(|| Box::new((MessageDecoder::new(), TileDecoder::new())));
        let (messages, tiles) = &mut **decoders;
        let message = messages.parse(data).map_err(Fault::update)?;
        for frame in &message.frames {
            let place = |x: u16, y: u16, w: u16, h: u16| {
                let (x, y) = (rect.x.saturating_add(x), rect.y.saturating_add(y));
                Rect::new(x, y, w, h).intersect(&rect)
            };
            let mut regions: Vec<Rect> = frame.rectangles.iter().map(|r| place(r.x, r.y, r.width, r.height)).collect();
            if regions.is_empty() {
                regions.push(rect);
            }
            for tile in &frame.tile_set.tiles {
                let left = tile.x.saturating_mul(TILE_SIZE);
                let top = tile.y.saturating_mul(TILE_SIZE);
                let area = place(left, top, TILE_SIZE, TILE_SIZE);
                surfaces.charge_pixels(regions.len() as u64)?;
                if area.is_empty() || regions.iter().all(|region| region.intersect(&area).is_empty()) {
                    continue;
                }
                surfaces.charge_pixels(u64::from(TILE_SIZE) * u64::from(TILE_SIZE))?;
                let pixels = tiles
                    .decode(tile, &frame.tile_set.quants, frame.tile_set.entropy_algorithm)
                    .map_err(Fault::update)?;
                for region in &regions {
                    let part = region.intersect(&area);
                    put_part(surfaces, id, part, (area.x, area.y), pixels)?;
                }
            }
        }
        Ok(())
    }

    /// RemoteFX Progressive, the only codec of RDPGFX_WIRE_TO_SURFACE_PDU_2.
    pub(super) fn progressive(
        &mut self,
        surfaces: &mut Surfaces,
        id: u16,
        context: u32,
        data: &[u8],
    ) -> Result<(), Fault> {
        let (width, height) = surfaces.size(id)?;
        let count = usize::from(width.div_ceil(TILE_DIM)) * usize::from(height.div_ceil(TILE_DIM));
        self.progressive_tiles.insert(id, count);
        if self.progressive_tiles.values().sum::<usize>() > PROGRESSIVE_TILES_MAX {
            return Err(Fault::Session(format!("progressive pictures of more than {PROGRESSIVE_TILES_MAX} tiles")));
        }
        surfaces.charge_pixels(data.len() as u64)?;
        let decoder = self.progressive.get_or_insert_with(|| {
            let mut decoder = Box::new(ProgressiveDecoder::new());
            if self.in_frame {
                decoder.begin_frame();
            }
            decoder
        });
        let tiles = decoder.decode_bitmap(id, context, width, height, data).map_err(Fault::update)?;
        for tile in tiles {
            let origin = (tile.x_idx.saturating_mul(TILE_DIM), tile.y_idx.saturating_mul(TILE_DIM));
            let area = Rect::new(origin.0, origin.1, TILE_DIM, TILE_DIM);
            for wire in &tile.update_rectangles {
                let part = super::surface::rect(wire)?.intersect(&area);
                put_part(surfaces, id, part, origin, &tile.pixels)?;
            }
        }
        Ok(())
    }
}

/// Paints a part of a tile of 64 by 64 RGBA pixels that lies at `origin`.
fn put_part(surfaces: &mut Surfaces, id: u16, part: Rect, origin: (u16, u16), tile: &[u8]) -> Result<(), Fault> {
    if part.is_empty() {
        return Ok(());
    }
    let (x, y) = (usize::from(part.x - origin.0), usize::from(part.y - origin.1));
    let side = usize::from(TILE_DIM);
    let mut rgba = Vec::with_capacity(part.area() as usize * 4);
    for row in y..y + usize::from(part.h) {
        let start = (row * side + x) * 4;
        rgba.extend_from_slice(tile.get(start..start + usize::from(part.w) * 4).unwrap_or_default());
    }
    surfaces.put(id, part, &rgba)
}
