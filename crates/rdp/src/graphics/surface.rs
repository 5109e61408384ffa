//! Surfaces, what of them is on the screen, and the bitmap cache (MS-RDPEGFX 3.3.1.3, 3.3.1.4).

use super::{CACHE_BYTES_MAX, CACHE_SLOTS_MAX, Fault, MESSAGE_PIXELS_MAX, Output, SURFACES_MAX, SURFACES_PIXELS_MAX};
use bytes::Bytes;
use ironrdp_pdu::geometry::ExclusiveRectangle;
use oriel_screen::h264::{Colour, Rewriter};
use oriel_screen::{Framebuffer as _, Rect, Region, SURFACE_SIDE_MAX, Surface, VideoCodec};
use std::collections::{BTreeMap, HashMap};

struct Area {
    width: u16,
    height: u16,
    /// Only once something was painted that we decode.
    pixels: Option<Surface>,
    /// Its place on the screen.
    origin: Option<(u16, u16)>,
    /// Painted and not told yet.
    dirty: Region,
    video: Rewriter,
}

struct Cached {
    width: u16,
    height: u16,
    rgba: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Surfaces {
    areas: BTreeMap<u16, Area>,
    cache: HashMap<u16, Cached>,
    cache_bytes: usize,
    /// Pixels touched by this message.
    touched: u64,
}

/// A rectangle of the wire, whose right and bottom edges lie outside.
pub(super) fn rect(wire: &ExclusiveRectangle) -> Result<Rect, Fault> {
    match (wire.right.checked_sub(wire.left), wire.bottom.checked_sub(wire.top)) {
        (Some(w), Some(h)) => Ok(Rect::new(wire.left, wire.top, w, h)),
        _ => Err(Fault::Update("a rectangle ends before it begins".to_owned())),
    }
}

fn unknown(id: u16) -> Fault {
    Fault::Update(format!("there is no surface {id}"))
}

/// Moves a rectangle of a surface to its place on the screen; what would lie beyond any screen is cut off.
fn placed(rect: &Rect, (x, y): (u16, u16)) -> Rect {
    let (left, top) = (rect.x.saturating_add(x), rect.y.saturating_add(y));
    Rect::new(left, top, rect.w.min(u16::MAX - left), rect.h.min(u16::MAX - top))
}

impl Area {
    fn pixels(&mut self) -> Result<&mut Surface, Fault> {
        if self.pixels.is_none() {
            self.pixels = Some(Surface::new(self.width, self.height).map_err(Fault::update)?);
        }
        self.pixels.as_mut().ok_or_else(|| Fault::Update("a surface has no pixels".to_owned()))
    }

    fn dirty(&mut self, rect: Rect) {
        if self.origin.is_some() {
            self.dirty.add(rect.clip(self.width, self.height));
        }
    }
}

impl Surfaces {
    pub(super) fn begin_message(&mut self) {
        self.touched = 0;
    }

    fn charge(&mut self, rect: &Rect) -> Result<(), Fault> {
        self.charge_pixels(u64::from(rect.area()))
    }

    /// Every operation costs something, so that empty ones are not free.
    pub(super) fn charge_pixels(&mut self, pixels: u64) -> Result<(), Fault> {
        self.touched = self.touched.saturating_add(pixels).saturating_add(64);
        if self.touched > MESSAGE_PIXELS_MAX {
            return Err(Fault::Session(format!("a graphics message paints more than {MESSAGE_PIXELS_MAX} pixels")));
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.areas.clear();
    }

    pub(super) fn create(&mut self, id: u16, width: u16, height: u16) -> Result<(), Fault> {
        self.areas.remove(&id);
        let held: u64 = self.areas.values().map(|area| u64::from(area.width) * u64::from(area.height)).sum();
        let pixels = u64::from(width) * u64::from(height);
        if self.areas.len() >= SURFACES_MAX || held.saturating_add(pixels) > SURFACES_PIXELS_MAX {
            return Err(Fault::Session(format!("surfaces of more than {SURFACES_PIXELS_MAX} pixels, or too many")));
        }
        if width > SURFACE_SIDE_MAX || height > SURFACE_SIDE_MAX {
            return Err(Fault::Session(format!("a surface of {width}x{height} pixels is larger than Oriel accepts")));
        }
        let video = Rewriter::new(Colour::FullBt709);
        self.areas.insert(id, Area { width, height, pixels: None, origin: None, dirty: Region::default(), video });
        Ok(())
    }

    pub(super) fn delete(&mut self, id: u16) {
        self.areas.remove(&id);
    }

    fn area(&mut self, id: u16) -> Result<&mut Area, Fault> {
        self.areas.get_mut(&id).ok_or_else(|| unknown(id))
    }

    pub(super) fn size(&mut self, id: u16) -> Result<(u16, u16), Fault> {
        self.area(id).map(|area| (area.width, area.height))
    }

    pub(super) fn map(&mut self, id: u16, x: u32, y: u32) -> Result<(), Fault> {
        let (Ok(x), Ok(y)) = (u16::try_from(x), u16::try_from(y)) else {
            return Err(Fault::Update(format!("a surface is mapped to {x}, {y}, which no screen has")));
        };
        let area = self.area(id)?;
        area.origin = Some((x, y));
        if area.pixels.is_some() {
            area.dirty(Rect::new(0, 0, area.width, area.height));
        }
        Ok(())
    }

    pub(super) fn repaint(&mut self) {
        for area in self.areas.values_mut().filter(|area| area.pixels.is_some()) {
            area.dirty(Rect::new(0, 0, area.width, area.height));
        }
    }

    /// Tells what was painted.
    pub(super) fn flush(&mut self, outputs: &mut Vec<Output>) {
        for area in self.areas.values_mut() {
            if let Some(origin) = area.origin {
                outputs.extend(area.dirty.rects().iter().map(|rect| Output::Damage(placed(rect, origin))));
            }
            area.dirty.clear();
        }
    }

    /// What the surfaces show in a part of the screen.
    pub(super) fn pixels(&self, rect: Rect) -> Vec<(ExclusiveRectangle, Vec<u8>)> {
        let mut found = Vec::new();
        for area in self.areas.values() {
            let (Some((x, y)), Some(pixels)) = (area.origin, &area.pixels) else { continue };
            let part = placed(&Rect::new(0, 0, area.width, area.height), (x, y)).intersect(&rect);
            if part.is_empty() {
                continue;
            }
            let mut rgba = Vec::with_capacity(part.area() as usize * 4);
            for row in part.y - y..part.y - y + part.h {
                rgba.extend_from_slice(pixels.row(part.x - x, row, part.w));
            }
            let (right, bottom) = (part.x + part.w, part.y + part.h);
            found.push((ExclusiveRectangle { left: part.x, top: part.y, right, bottom }, rgba));
        }
        found
    }

    /// Paints RGBA pixels; what lies outside the surface is cut off.
    pub(super) fn put(&mut self, id: u16, rect: Rect, rgba: &[u8]) -> Result<(), Fault> {
        self.charge(&rect)?;
        let area = self.area(id)?;
        let inside = rect.clip(area.width, area.height);
        if inside.is_empty() {
            return Ok(());
        }
        if inside == rect {
            area.pixels()?.put_rgba(rect, rgba).map_err(Fault::update)?;
        } else {
            let (stride, bytes) = (usize::from(rect.w) * 4, usize::from(inside.w) * 4);
            let pixels = area.pixels()?;
            for (row, from) in (inside.y..).zip(rgba.chunks_exact(stride.max(4))).take(usize::from(inside.h)) {
                let from = from.get(..bytes).unwrap_or_default();
                let to = pixels.row_mut(inside.x, row, inside.w).map_err(Fault::update)?;
                if to.len() == from.len() {
                    to.copy_from_slice(from);
                }
            }
        }
        area.dirty(inside);
        Ok(())
    }

    pub(super) fn fill(&mut self, id: u16, wire: &ExclusiveRectangle, rgb: [u8; 3]) -> Result<(), Fault> {
        let rect = rect(wire)?;
        let (width, height) = self.size(id)?;
        let rect = rect.clip(width, height);
        self.charge(&rect)?;
        let area = self.area(id)?;
        area.pixels()?.fill(rect, rgb).map_err(Fault::update)?;
        area.dirty(rect);
        Ok(())
    }

    fn read(&mut self, id: u16, from: Rect) -> Result<Vec<u8>, Fault> {
        self.charge(&from)?;
        let area = self.area(id)?;
        if !from.fits(area.width, area.height) {
            return Err(Fault::Update(format!("pixels are read outside of surface {id}")));
        }
        let Some(pixels) = &area.pixels else { return Ok(vec![0; from.area() as usize * 4]) };
        let mut rgba = Vec::with_capacity(from.area() as usize * 4);
        (from.y..from.y + from.h).for_each(|row| rgba.extend_from_slice(pixels.row(from.x, row, from.w)));
        Ok(rgba)
    }

    /// Copies pixels between surfaces or within one; the latter, on the screen, is told as a copy.
    pub(super) fn copy(
        &mut self,
        source: u16,
        wire: &ExclusiveRectangle,
        target: u16,
        (x, y): (u16, u16),
    ) -> Result<Option<Output>, Fault> {
        let from = rect(wire)?;
        let to = Rect::new(x, y, from.w, from.h);
        if source != target {
            let rgba = self.read(source, from)?;
            self.put(target, to, &rgba)?;
            return Ok(None);
        }
        self.charge(&from)?;
        let area = self.area(target)?;
        if !from.fits(area.width, area.height) || !to.fits(area.width, area.height) {
            return Err(Fault::Update(format!("pixels are copied outside of surface {target}")));
        }
        if let Some(pixels) = &mut area.pixels {
            pixels.copy(from.x, from.y, to).map_err(Fault::update)?;
        }
        let Some(origin) = area.origin.filter(|_| !to.is_empty()) else { return Ok(None) };
        let (from, to) = (placed(&from, origin), placed(&to, origin));
        Ok(Some(Output::Copy { from_x: from.x, from_y: from.y, to }))
    }

    pub(super) fn keep(&mut self, id: u16, wire: &ExclusiveRectangle, slot: u16) -> Result<(), Fault> {
        let from = rect(wire)?;
        if slot > CACHE_SLOTS_MAX {
            return Err(Fault::Update(format!("there is no cache slot {slot}")));
        }
        self.evict(slot);
        let bytes = from.area() as usize * 4;
        if self.cache_bytes.saturating_add(bytes) > CACHE_BYTES_MAX {
            return Err(Fault::Update(format!("the bitmap cache has more than {CACHE_BYTES_MAX} bytes")));
        }
        let rgba = self.read(id, from)?;
        self.cache_bytes += rgba.len();
        self.cache.insert(slot, Cached { width: from.w, height: from.h, rgba });
        Ok(())
    }

    pub(super) fn recall(&mut self, slot: u16, id: u16, (x, y): (u16, u16)) -> Result<(), Fault> {
        let Some(cached) = self.cache.remove(&slot) else {
            return Err(Fault::Update(format!("cache slot {slot} is empty")));
        };
        let outcome = self.put(id, Rect::new(x, y, cached.width, cached.height), &cached.rgba);
        self.cache.insert(slot, cached);
        outcome
    }

    #[cfg(test)]
    pub(super) const fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    pub(super) fn evict(&mut self, slot: u16) {
        if let Some(cached) = self.cache.remove(&slot) {
            self.cache_bytes = self.cache_bytes.saturating_sub(cached.rgba.len());
        }
    }

    /// An access unit of a surface's video, for viewers, when the surface is on the screen.
    pub(super) fn video(
        &mut self,
        id: u16,
        payload: Bytes,
        codec: VideoCodec,
        drawn: &[ExclusiveRectangle],
    ) -> Result<Option<Output>, Fault> {
        self.charge_pixels(payload.len() as u64)?;
        let area = self.area(id)?;
        let Some(mut unit) = area.video.unit(payload).map_err(Fault::update)? else { return Ok(None) };
        // A stream begins with what can be seen by itself.
        unit.key &= !codec.is_chroma();
        let Some(origin) = area.origin else {
            return Err(Fault::Update(format!("surface {id} has video and is not on the screen")));
        };
        let mut regions = Vec::with_capacity(drawn.len());
        for wire in drawn {
            let part = rect(wire)?.clip(area.width, area.height);
            if !part.is_empty() {
                regions.push(placed(&part, origin));
            }
        }
        let rect = placed(&Rect::new(0, 0, area.width, area.height), origin);
        Ok(Some(Output::Video { rect, regions, codec, unit }))
    }
}
