//! The display channel: surfaces and what is drawn on them (SPICE protocol, "Display channel").
//!
//! What only guests with QXL drivers of Windows XP's days send, lines and text, is not here.

use crate::{
    STREAMS_MAX, SURFACES_MAX,
    draw::{self, Brush, Mask, OF_BRUSH, OF_SOURCE, OF_TARGET, Rop, Stretched},
    image::{self, Budget, Depth, Image, Palettes, Pixels},
    reader::{Area, Broken, Reader, bad},
};
use oriel_screen::{Framebuffer, Rect, SURFACE_PIXELS_MAX, ScreenEvent, Surface};
use std::collections::HashMap;

/// Rectangles that one drawing may be clipped to.
const CLIP_RECTS_MAX: u32 = 16 << 10;
/// Changed rectangles of one drawing that are told one by one; of more, the box around them.
const DAMAGE_RECTS_MAX: usize = 64;
/// How often the screen may be painted before more bytes come, and the smallest screen that counts as one. Servers have at most 40
/// messages on their way that were not acknowledged, which happens between two reads.
const PAINT_FACTOR_MAX: u64 = 64;
const PAINT_PIXELS_MIN: u64 = 1 << 20;

/// What is shown, black, until the machine has a screen: viewers and recordings have no use for one without pixels.
const FIRST_SIZE: (u16, u16) = (640, 480);

/// `SPICE_MSGC_DISPLAY_INIT` and `…_PREFERRED_COMPRESSION`.
const INIT: u16 = 101;
const PREFERRED_COMPRESSION: u16 = 103;
const COMPRESSION_LZ: u8 = 6;
/// Pixels of the dictionary that we do not want to be used; without one servers do not begin.
const DICTIONARY_PIXELS: u32 = 1 << 20;

const PRIMARY: u32 = 1;
const ROP3: u16 = 309;
/// Three inputs and eight cases of each bit.
const ROP3_WEIGHT: u64 = 4;

/// What the server is told first: no cache of pictures, and LZ where it lets itself be asked.
pub(crate) fn greeting(asks: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if asks {
        out.extend_from_slice(&crate::channel::message(PREFERRED_COMPRESSION, &[COMPRESSION_LZ]));
    }
    let mut init = vec![1];
    init.extend_from_slice(&0u64.to_le_bytes());
    init.push(1);
    init.extend_from_slice(&DICTIONARY_PIXELS.to_le_bytes());
    out.extend_from_slice(&crate::channel::message(INIT, &init));
    out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    ThirtyTwo,
    Colours555,
    Colours565,
}

#[derive(Debug)]
struct Canvas {
    surface: Surface,
    format: Format,
    alpha: bool,
}

impl Canvas {
    /// A colour as a brush has it: in the surface's own format.
    fn colour(&self, value: u32) -> [u8; 3] {
        match self.format {
            Format::ThirtyTwo => image::colour(value),
            Format::Colours555 => Depth::of_555(value as u16),
            Format::Colours565 => {
                let [r, _, b] = Depth::of_555((value >> 1) as u16 & 0x7fe0 | value as u16 & 31);
                let green = (value >> 5 & 63) as u8;
                [r, green << 2 | green >> 4, b]
            }
        }
    }
}

/// A video of single JPEGs.
#[derive(Debug)]
struct Stream {
    surface: u32,
    to: Area,
    clip: Clip,
    top_down: bool,
    size: (u16, u16),
    /// The part that is shown.
    shown: (u32, u32),
}

#[derive(Clone, Debug)]
enum Clip {
    None,
    To(Vec<Area>),
}

impl Clip {
    fn read(reader: &mut Reader) -> Result<Self, Broken> {
        match reader.u8()? {
            0 => Ok(Self::None),
            1 => {
                let count = reader.u32()?;
                if count > CLIP_RECTS_MAX {
                    return bad(format!("a drawing is clipped to {count} rectangles"));
                }
                (0..count).map(|_| reader.area()).collect::<Result<_, _>>().map(Self::To)
            }
            other => bad(format!("a drawing is clipped in the unknown way {other}")),
        }
    }
}

/// What every drawing begins with.
struct Base {
    surface: u32,
    to: Area,
    clip: Clip,
}

impl Base {
    fn read(reader: &mut Reader) -> Result<Self, Broken> {
        Ok(Self { surface: reader.u32()?, to: reader.area()?, clip: Clip::read(reader)? })
    }

    /// The rectangles on a surface of this size that are drawn.
    fn areas(&self, surface: &Surface) -> Vec<Rect> {
        let on = |area: Area| area.on(surface.width(), surface.height());
        let mut areas = match &self.clip {
            Clip::None => vec![on(self.to)],
            Clip::To(list) => list.iter().map(|area| on(self.to.intersect(*area))).collect(),
        };
        areas.retain(|area| !area.is_empty());
        areas
    }
}

/// Mask as it is read: where its picture is.
struct MaskAt {
    inverted: bool,
    x: i32,
    y: i32,
    picture: u32,
}

/// A brush as it is read: its colour depends on the surface, and its pattern is elsewhere.
enum BrushAt {
    Nothing,
    Solid(u32),
    Pattern { picture: u32, x: i32, y: i32 },
}

fn read_mask(reader: &mut Reader) -> Result<MaskAt, Broken> {
    Ok(MaskAt { inverted: reader.u8()? & 1 != 0, x: reader.i32()?, y: reader.i32()?, picture: reader.u32()? })
}

fn read_brush(reader: &mut Reader) -> Result<BrushAt, Broken> {
    Ok(match reader.u8()? {
        0 => BrushAt::Nothing,
        1 => BrushAt::Solid(reader.u32()?),
        2 => BrushAt::Pattern { picture: reader.u32()?, x: reader.i32()?, y: reader.i32()? },
        other => return bad(format!("a brush has the unknown type {other}")),
    })
}

/// What a drawing's pixels become.
enum Drawing {
    Fill(Brush, Rop),
    /// The source and the target.
    Copy(Source, Rop),
    /// The brush and the source.
    Opaque(Source, Brush, Rop),
    Rop3(Source, Brush, u8),
    /// All but this colour.
    Transparent(Source, [u8; 3]),
    Over(Source, u8),
}

/// A part of a picture.
struct Source {
    pixels: Pixels,
    from: Area,
}

pub(crate) struct Display {
    /// The one that is seen.
    screen: Canvas,
    /// Its number; none while the machine has no screen.
    screen_id: Option<u32>,
    others: HashMap<u32, Canvas>,
    /// All pixels of the others.
    others_pixels: u64,
    palettes: Palettes,
    streams: HashMap<u32, Stream>,
    budget: Budget,
}

impl Default for Display {
    fn default() -> Self {
        Self {
            screen: Canvas {
                surface: Surface::new(FIRST_SIZE.0, FIRST_SIZE.1).unwrap_or_default(),
                format: Format::ThirtyTwo,
                alpha: false,
            },
            screen_id: None,
            others: HashMap::new(),
            others_pixels: 0,
            palettes: Palettes::default(),
            streams: HashMap::new(),
            budget: Budget::new(0),
        }
    }
}

impl Display {
    pub(crate) const fn screen(&self) -> &Surface {
        &self.screen.surface
    }

    /// More bytes came: drawing may go on.
    pub(crate) fn refill(&mut self) {
        self.budget = Budget::new(self.paint_max());
    }

    fn paint_max(&self) -> u64 {
        let size = u64::from(self.screen.surface.width()) * u64::from(self.screen.surface.height());
        size.max(PAINT_PIXELS_MIN) * PAINT_FACTOR_MAX
    }

    fn canvas(&self, id: u32) -> Result<&Canvas, Broken> {
        if self.screen_id == Some(id) {
            return Ok(&self.screen);
        }
        self.others.get(&id).ok_or_else(|| Broken(format!("surface {id} was never made")))
    }

    fn canvas_mut(&mut self, id: u32) -> Result<&mut Canvas, Broken> {
        if self.screen_id == Some(id) {
            return Ok(&mut self.screen);
        }
        self.others.get_mut(&id).ok_or_else(|| Broken(format!("surface {id} was never made")))
    }

    pub(crate) fn message(&mut self, kind: u16, body: &[u8], events: &mut Vec<ScreenEvent>) -> Result<(), Broken> {
        let mut reader = Reader::new(body);
        match kind {
            // MODE, of servers before surfaces.
            101 => {
                let (width, height, bits) = (reader.u32()?, reader.u32()?, reader.u32()?);
                let format = if bits == 16 { Format::Colours555 } else { Format::ThirtyTwo };
                self.create(0, (width, height), (format, false), true, events)?;
            }
            // MARK: what was drawn is to be shown, as it is anyway.
            102 => {}
            // RESET
            103 => self.reset(),
            104 => self.copy_bits(body, events)?,
            // INVAL_LIST, INVAL_ALL_PIXMAPS: there is no cache.
            105 | 106 => {}
            107 => self.palettes.forget(reader.u64()?),
            108 => self.palettes.forget_all(),
            122 => self.stream_create(&mut reader)?,
            123 => {
                let (id, _time) = (reader.u32()?, reader.u32()?);
                self.stream_data(id, None, &mut reader, events)?;
            }
            316 => {
                let (id, _time) = (reader.u32()?, reader.u32()?);
                let (width, height) = (reader.u32()?, reader.u32()?);
                let to = reader.area()?;
                self.stream_data(id, Some((width, height, to)), &mut reader, events)?;
            }
            124 => {
                let id = reader.u32()?;
                let clip = Clip::read(&mut reader)?;
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.clip = clip;
                }
            }
            125 => {
                self.streams.remove(&reader.u32()?);
            }
            126 => self.streams.clear(),
            302..=309 | 312 | 313 => self.draw(kind, body, events)?,
            310 | 311 => {
                return bad(
                    "the guest's graphics driver draws lines or text, which Oriel does not; use a newer driver (QXL-DOD), or give \
                     the machine another video device",
                );
            }
            314 => {
                let (id, width, height) = (reader.u32()?, reader.u32()?, reader.u32()?);
                let (format, flags) = (reader.u32()?, reader.u32()?);
                let format = match format {
                    16 => (Format::Colours555, false),
                    80 => (Format::Colours565, false),
                    32 => (Format::ThirtyTwo, false),
                    96 => (Format::ThirtyTwo, true),
                    other => return bad(format!("a surface has the format {other}")),
                };
                self.create(id, (width, height), format, flags & PRIMARY != 0, events)?;
            }
            315 => self.destroy(reader.u32()?),
            // Only asked for by who offers it: monitors, reports of streams, textures.
            other => tracing::debug!(kind = other, "A SPICE server's display message was left out"),
        }
        Ok(())
    }

    fn create(
        &mut self,
        id: u32,
        (width, height): (u32, u32),
        (format, alpha): (Format, bool),
        primary: bool,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), Broken> {
        let (width, height) = image::check_size(width, height)?;
        self.destroy(id);
        let pixels = u64::from(width) * u64::from(height);
        // A surface is a lot of work, too.
        self.budget.spend(pixels)?;
        if primary {
            self.screen = Canvas { surface: Surface::new(width, height)?, format, alpha };
            self.screen_id = Some(id);
            self.streams.clear();
            events.push(ScreenEvent::Resize { width, height });
            // Not anew: screens that are made over and over would be endless work.
            let pixels = self.paint_max();
            self.budget.raise(pixels);
            return Ok(());
        }
        if self.others.len() >= SURFACES_MAX || self.others_pixels + pixels > u64::from(SURFACE_PIXELS_MAX) {
            return bad("it makes more surfaces than Oriel keeps");
        }
        self.others_pixels += pixels;
        self.others.insert(id, Canvas { surface: Surface::new(width, height)?, format, alpha });
        Ok(())
    }

    /// The screen's picture stays until there is a new one.
    fn destroy(&mut self, id: u32) {
        // A frame that comes after its surface is passed over, as one after its stream is.
        self.streams.retain(|_, stream| stream.surface != id);
        if self.screen_id == Some(id) {
            self.screen_id = None;
        }
        if let Some(gone) = self.others.remove(&id) {
            let pixels = u64::from(gone.surface.width()) * u64::from(gone.surface.height());
            self.others_pixels = self.others_pixels.saturating_sub(pixels);
        }
    }

    fn reset(&mut self) {
        self.others.clear();
        self.others_pixels = 0;
        self.streams.clear();
        self.palettes.forget_all();
        self.screen_id = None;
    }

    /// Some of a surface has changed.
    fn changed(&self, surface: u32, areas: &[Rect], events: &mut Vec<ScreenEvent>) {
        if self.screen_id != Some(surface) {
            return;
        }
        if areas.len() <= DAMAGE_RECTS_MAX {
            events.extend(areas.iter().map(|area| ScreenEvent::Damage(*area)));
            return;
        }
        let edge = |of: fn(&Rect) -> u16, least: bool| {
            let edges = areas.iter().map(of);
            if least { edges.min() } else { edges.max() }.unwrap_or(0)
        };
        let (x, y) = (edge(|area| area.x, true), edge(|area| area.y, true));
        let (right, bottom) = (edge(|area| area.x + area.w, false), edge(|area| area.y + area.h, false));
        events.push(ScreenEvent::Damage(Rect::new(x, y, right - x, bottom - y)));
    }

    /// `weight`: how much more work a pixel is than one that is copied.
    fn spend(&mut self, areas: &[Rect], weight: u64) -> Result<(), Broken> {
        self.budget.spend(pixels_of(areas) * weight)
    }

    fn copy_bits(&mut self, body: &[u8], events: &mut Vec<ScreenEvent>) -> Result<(), Broken> {
        let mut reader = Reader::new(body);
        let base = Base::read(&mut reader)?;
        let (from_x, from_y) = (reader.i32()?, reader.i32()?);
        let areas = base.areas(&self.canvas(base.surface)?.surface);
        self.spend(&areas, 1)?;
        let (dx, dy) = (i64::from(from_x) - i64::from(base.to.left), i64::from(from_y) - i64::from(base.to.top));
        let canvas = self.canvas_mut(base.surface)?;
        let (width, height) = (canvas.surface.width(), canvas.surface.height());
        let source = |area: &Rect| -> Result<(u16, u16), Broken> {
            let place = (u16::try_from(i64::from(area.x) + dx), u16::try_from(i64::from(area.y) + dy));
            match place {
                (Ok(x), Ok(y)) if Rect::new(x, y, area.w, area.h).fits(width, height) => Ok((x, y)),
                _ => bad("pixels are copied from outside of their surface"),
            }
        };
        if let [area] = areas.as_slice() {
            let (x, y) = source(area)?;
            canvas.surface.copy(x, y, *area)?;
            if self.screen_id == Some(base.surface) {
                events.push(ScreenEvent::Copy { from_x: x, from_y: y, to: *area });
            }
            return Ok(());
        }
        // Each from what was there before any of them, which is kept meanwhile.
        if pixels_of(&areas) > u64::from(width) * u64::from(height) {
            return bad("pixels are copied to rectangles that overlap");
        }
        let mut before = Vec::with_capacity(areas.len());
        for area in &areas {
            let (x, y) = source(area)?;
            before.push(crop(&canvas.surface, Rect::new(x, y, area.w, area.h), false));
        }
        for (area, pixels) in areas.iter().zip(before) {
            canvas.surface.put_rgba(*area, &pixels.rgba)?;
        }
        self.changed(base.surface, &areas, events);
        Ok(())
    }

    /// The picture at an offset, of which `from` is meant.
    fn source(&mut self, body: &[u8], offset: u32, from: Area) -> Result<Source, Broken> {
        match image::read(body, offset, &mut self.palettes, &mut self.budget)? {
            Image::Here(pixels) => Ok(Source { pixels, from }),
            Image::Surface(id) => {
                let rect = self.canvas(id).map(|canvas| from.on(canvas.surface.width(), canvas.surface.height()))?;
                self.spend(&[rect], 1)?;
                let canvas = self.canvas(id)?;
                let pixels = crop(&canvas.surface, rect, canvas.alpha);
                let (x, y) = (i32::from(rect.x), i32::from(rect.y));
                let less = |value: i32, by: i32| value.saturating_sub(by);
                let from = Area {
                    left: less(from.left, x),
                    top: less(from.top, y),
                    right: less(from.right, x),
                    bottom: less(from.bottom, y),
                };
                Ok(Source { pixels, from })
            }
        }
    }

    fn whole(&mut self, body: &[u8], offset: u32) -> Result<Pixels, Broken> {
        match image::read(body, offset, &mut self.palettes, &mut self.budget)? {
            Image::Here(pixels) => Ok(pixels),
            Image::Surface(_) => bad("a surface is used as a brush or a mask"),
        }
    }

    fn mask(&mut self, body: &[u8], mask: &MaskAt, to: Area) -> Result<Option<Mask>, Broken> {
        if mask.picture == 0 {
            return Ok(None);
        }
        let pixels = self.whole(body, mask.picture)?;
        let place = |at: i32, corner: i32| i64::from(at) - i64::from(corner);
        Ok(Some(Mask { pixels, inverted: mask.inverted, dx: place(mask.x, to.left), dy: place(mask.y, to.top) }))
    }

    fn brush(&mut self, body: &[u8], surface: u32, brush: &BrushAt) -> Result<Brush, Broken> {
        Ok(match *brush {
            BrushAt::Nothing => Brush::Nothing,
            BrushAt::Solid(value) => Brush::Solid(self.canvas(surface)?.colour(value)),
            BrushAt::Pattern { picture, x, y } => Brush::Pattern { pixels: self.whole(body, picture)?, x, y },
        })
    }

    fn draw(&mut self, kind: u16, body: &[u8], events: &mut Vec<ScreenEvent>) -> Result<(), Broken> {
        let mut reader = Reader::new(body);
        let base = Base::read(&mut reader)?;
        let areas = base.areas(&self.canvas(base.surface)?.surface);
        self.spend(&areas, if kind == ROP3 { ROP3_WEIGHT } else { 1 })?;
        let no_mask = MaskAt { inverted: false, x: 0, y: 0, picture: 0 };
        let (drawing, mask) = match kind {
            // FILL
            302 => {
                let brush = read_brush(&mut reader)?;
                let rop = Rop::new(reader.u16()?, OF_BRUSH, OF_TARGET)?;
                let mask = read_mask(&mut reader)?;
                (Drawing::Fill(self.brush(body, base.surface, &brush)?, rop), mask)
            }
            // OPAQUE
            303 => {
                let (picture, from) = (reader.u32()?, reader.area()?);
                let brush = read_brush(&mut reader)?;
                let rop = Rop::new(reader.u16()?, OF_BRUSH, OF_SOURCE)?;
                let (_scale, mask) = (reader.u8()?, read_mask(&mut reader)?);
                let brush = self.brush(body, base.surface, &brush)?;
                (Drawing::Opaque(self.source(body, picture, from)?, brush, rop), mask)
            }
            // COPY, BLEND
            304 | 305 => {
                let (picture, from) = (reader.u32()?, reader.area()?);
                let rop = Rop::new(reader.u16()?, OF_SOURCE, OF_TARGET)?;
                let (_scale, mask) = (reader.u8()?, read_mask(&mut reader)?);
                (Drawing::Copy(self.source(body, picture, from)?, rop), mask)
            }
            // BLACKNESS, WHITENESS, INVERS
            306..=308 => {
                let rop = Rop::new(1 << (7 + (kind - 306)), OF_BRUSH, OF_TARGET)?;
                (Drawing::Fill(Brush::Nothing, rop), read_mask(&mut reader)?)
            }
            ROP3 => {
                let (picture, from) = (reader.u32()?, reader.area()?);
                let brush = read_brush(&mut reader)?;
                let table = reader.u8()?;
                let (_scale, mask) = (reader.u8()?, read_mask(&mut reader)?);
                let brush = self.brush(body, base.surface, &brush)?;
                (Drawing::Rop3(self.source(body, picture, from)?, brush, table), mask)
            }
            // TRANSPARENT
            312 => {
                let (picture, from) = (reader.u32()?, reader.area()?);
                let (_raw, hidden) = (reader.u32()?, reader.u32()?);
                (Drawing::Transparent(self.source(body, picture, from)?, image::colour(hidden)), no_mask)
            }
            // ALPHA_BLEND
            _ => {
                let (_flags, strength) = (reader.u8()?, reader.u8()?);
                let (picture, from) = (reader.u32()?, reader.area()?);
                (Drawing::Over(self.source(body, picture, from)?, strength), no_mask)
            }
        };
        let mask = self.mask(body, &mask, base.to)?;
        let surface = &mut self.canvas_mut(base.surface)?.surface;
        let mask = mask.as_ref();
        let to = base.to;
        match &drawing {
            Drawing::Fill(brush, rop) => {
                draw::paint(surface, &areas, mask, |x, y, was| Some(rop.apply(brush.at(x, y), was)))?;
            }
            Drawing::Copy(Source { pixels, from }, rop) => {
                let picture = Stretched { pixels, from: *from, to };
                if *rop == Rop::PUT && mask.is_none() {
                    draw::put(surface, &areas, &picture)?;
                } else {
                    draw::paint(surface, &areas, mask, |x, y, was| Some(rop.apply(picture.at(x, y), was)))?;
                }
            }
            Drawing::Opaque(Source { pixels, from }, brush, rop) => {
                let picture = Stretched { pixels, from: *from, to };
                draw::paint(surface, &areas, mask, |x, y, _| Some(rop.apply(brush.at(x, y), picture.at(x, y))))?;
            }
            Drawing::Rop3(Source { pixels, from }, brush, table) => {
                let picture = Stretched { pixels, from: *from, to };
                let one = |x, y, was| Some(draw::rop3(*table, brush.at(x, y), picture.at(x, y), was));
                draw::paint(surface, &areas, mask, one)?;
            }
            Drawing::Transparent(Source { pixels, from }, hidden) => {
                let picture = Stretched { pixels, from: *from, to };
                draw::paint(surface, &areas, mask, |x, y, _| {
                    let pixel = picture.at(x, y);
                    (!pixel.starts_with(hidden)).then_some(pixel)
                })?;
            }
            Drawing::Over(Source { pixels, from }, strength) => {
                let picture = Stretched { pixels, from: *from, to };
                let alpha = pixels.alpha;
                draw::paint(surface, &areas, mask, |x, y, was| {
                    let [r, g, b, a] = picture.at(x, y);
                    Some(draw::over([r, g, b, if alpha { a } else { 255 }], *strength, was))
                })?;
            }
        }
        self.changed(base.surface, &areas, events);
        Ok(())
    }

    fn stream_create(&mut self, reader: &mut Reader) -> Result<(), Broken> {
        let (surface, id) = (reader.u32()?, reader.u32()?);
        let (flags, codec, _stamp) = (reader.u8()?, reader.u8()?, reader.u64()?);
        let size = image::check_size(reader.u32()?, reader.u32()?)?;
        let shown = (reader.u32()?, reader.u32()?);
        let (to, clip) = (reader.area()?, Clip::read(reader)?);
        if codec != 1 {
            return bad(format!("a video has the codec {codec}, though only MJPEG was offered"));
        }
        if self.streams.len() >= STREAMS_MAX && !self.streams.contains_key(&id) {
            return bad(format!("it has more than {STREAMS_MAX} videos at once"));
        }
        self.streams.insert(id, Stream { surface, to, clip, top_down: flags & 1 != 0, size, shown });
        Ok(())
    }

    /// A frame, which may have a size of its own.
    fn stream_data(
        &mut self,
        id: u32,
        sized: Option<(u32, u32, Area)>,
        reader: &mut Reader,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), Broken> {
        let length = reader.u32()?;
        let bytes = reader.take(length as usize)?;
        // A frame may come after the end of its stream.
        let Some(stream) = self.streams.get(&id) else { return Ok(()) };
        let (size, shown, to) = match sized {
            Some((width, height, to)) => (image::check_size(width, height)?, (width, height), to),
            None => (stream.size, stream.shown, stream.to),
        };
        let (base, top_down) = (Base { surface: stream.surface, to, clip: stream.clip.clone() }, stream.top_down);
        self.budget.spend(u64::from(size.0) * u64::from(size.1))?;
        let mut pixels = image::jpeg(bytes, size)?;
        if !top_down {
            pixels.turn_over();
        }
        let areas = base.areas(&self.canvas(base.surface)?.surface);
        self.spend(&areas, 1)?;
        let side = |shown: u32, has: u16| i32::from(u16::try_from(shown).unwrap_or(has).min(has));
        let from = Area { left: 0, top: 0, right: side(shown.0, pixels.width), bottom: side(shown.1, pixels.height) };
        draw::put(&mut self.canvas_mut(base.surface)?.surface, &areas, &Stretched { pixels: &pixels, from, to })?;
        self.changed(base.surface, &areas, events);
        Ok(())
    }
}

fn pixels_of(areas: &[Rect]) -> u64 {
    areas.iter().map(|area| u64::from(area.area())).sum()
}

/// Part of a surface, which lies on it.
fn crop(surface: &Surface, rect: Rect, alpha: bool) -> Pixels {
    let rows = (rect.y..rect.y + rect.h).map(|y| surface.row(rect.x, y, rect.w));
    let rgba: Vec<u8> = if rect.w == 0 { Vec::new() } else { rows.flatten().copied().collect() };
    Pixels { width: rect.w, height: rect.h, alpha, rgba }
}
