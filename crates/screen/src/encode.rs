//! Dirty pixels → tiles that the browser decodes itself: fills, raw for the smallest, PNG for drawn content, JPEG for
//! photos and video when the viewer wants speed. What went out lossy is remembered, so that it can be sent again
//! without loss once the picture rests.

use crate::wire::ServerRecord;
use crate::{Damage, Framebuffer, Rect, TileCodec};

/// Side of the largest tile in pixels: small enough that a browser decodes several at once.
const TILE_SIDE_MAX: u16 = 512;
/// Tiles of at most this many pixels are sent raw: a codec's header and start-up would cost more.
const RAW_PIXELS_MAX: u32 = 1024;
/// Tiles of fewer pixels are never worth a lossy codec.
const LOSSY_PIXELS_MIN: u32 = 4096;
/// JPEG quality of 100 for moving photos; they are repaired without loss when the picture rests.
const JPEG_QUALITY: u8 = 82;
const THUMBNAIL_QUALITY: u8 = 80;

/// Neighbours whose green differs by more are an edge, as letters have.
const EDGE_STEP: u8 = 40;
/// Of so many neighbours, at most one is an edge where a picture is smooth: JPEG shows nothing of itself there.
const SMOOTH_EDGES_MAX: u32 = 200;

/// Whether tiles may lose detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fidelity {
    /// Photos as JPEG, everything else without loss.
    Fast,
    /// Everything exact.
    Lossless,
}

/// What an encoded frame cost, for statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCost {
    pub tiles: u32,
    pub lossy_tiles: u32,
    pub bytes: usize,
}

/// Encodes frames for one viewer; keeps its scratch memory between frames.
#[derive(Debug, Default)]
pub struct Encoder {
    pixels: Vec<u8>,
    packed: Vec<u8>,
    jpeg: Jpeg,
    lossy: Damage,
}

/// libjpeg-turbo, begun when it is first needed.
#[derive(Default)]
struct Jpeg(Option<turbojpeg::Compressor>);

impl Jpeg {
    /// Writes a JPEG of the pixels, which lie row after row without gaps, to the beginning of `out`, which grows where it must; how
    /// long it is. `None` when it cannot be made: there are other codecs.
    fn encode(
        &mut self,
        pixels: &[u8],
        format: turbojpeg::PixelFormat,
        (width, height): (u16, u16),
        quality: u8,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let compressor = match &mut self.0 {
            Some(compressor) => compressor,
            empty => empty.insert(turbojpeg::Compressor::new().ok()?),
        };
        compressor.set_quality(i32::from(quality)).ok()?;
        compressor.set_subsamp(turbojpeg::Subsamp::Sub2x2).ok()?;
        let (width, height) = (usize::from(width), usize::from(height));
        let most = compressor.buf_len(width, height).ok()?;
        if out.len() < most {
            out.resize(most, 0);
        }
        let pitch = width * format.size();
        compressor.compress_to_slice(turbojpeg::Image { pixels, width, pitch, height, format }, out).ok()
    }
}

impl std::fmt::Debug for Jpeg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Jpeg").field(&self.0.is_some()).finish()
    }
}

impl Encoder {
    /// What was sent lossy and not repaired since.
    pub fn lossy(&mut self) -> &mut Damage {
        &mut self.lossy
    }

    /// Appends tile records for every dirty rectangle. The caller ends the frame.
    pub fn frame(
        &mut self,
        pixels: &dyn Framebuffer,
        dirty: &[Rect],
        fidelity: Fidelity,
        out: &mut Vec<u8>,
    ) -> FrameCost {
        let before = out.len();
        let mut cost = FrameCost::default();
        for rect in dirty {
            for tile in tiles(rect.clip(pixels.width(), pixels.height())) {
                cost.tiles += 1;
                cost.lossy_tiles += u32::from(self.tile(pixels, tile, fidelity, out));
            }
        }
        cost.bytes = out.len() - before;
        cost
    }

    /// Appends one tile; true when it lost detail.
    fn tile(&mut self, pixels: &dyn Framebuffer, tile: Rect, fidelity: Fidelity, out: &mut Vec<u8>) -> bool {
        let content = Content::of(pixels, tile);
        if let Some(rgb) = content.single {
            ServerRecord::Fill { rect: tile, rgb }.encode(out);
            return false;
        }
        if fidelity == Fidelity::Fast
            && content.photo
            && tile.area() >= LOSSY_PIXELS_MIN
            && let Some(length) = self.jpeg(pixels, tile)
        {
            self.lossy.add(tile);
            crate::wire::encode_tile(out, tile, TileCodec::Jpeg, self.packed.get(..length).unwrap_or_default());
            return true;
        }
        self.gather_rgb(pixels, tile);
        if tile.area() <= RAW_PIXELS_MAX {
            crate::wire::encode_tile(out, tile, TileCodec::Raw, &self.pixels);
            return false;
        }
        if self.png(tile) && self.packed.len() < self.pixels.len() {
            crate::wire::encode_tile(out, tile, TileCodec::Png, &self.packed);
        } else {
            crate::wire::encode_tile(out, tile, TileCodec::Raw, &self.pixels);
        }
        false
    }

    fn gather_rgb(&mut self, pixels: &dyn Framebuffer, tile: Rect) {
        self.pixels.clear();
        self.pixels.reserve(tile.area() as usize * 3);
        for y in tile.y..tile.y + tile.h {
            for pixel in pixels.row(tile.x, y, tile.w).chunks_exact(4) {
                if let [r, g, b, _] = pixel {
                    self.pixels.extend_from_slice(&[*r, *g, *b]);
                }
            }
        }
    }

    /// How much of `packed` it is.
    fn jpeg(&mut self, pixels: &dyn Framebuffer, tile: Rect) -> Option<usize> {
        self.pixels.clear();
        for y in tile.y..tile.y + tile.h {
            self.pixels.extend_from_slice(pixels.row(tile.x, y, tile.w));
        }
        let format = turbojpeg::PixelFormat::RGBX;
        self.jpeg.encode(&self.pixels, format, (tile.w, tile.h), JPEG_QUALITY, &mut self.packed)
    }

    fn png(&mut self, tile: Rect) -> bool {
        self.packed.clear();
        let mut encoder = png::Encoder::new(&mut self.packed, u32::from(tile.w), u32::from(tile.h));
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fastest);
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&self.pixels)).is_ok()
    }

    /// Lets go of scratch memory: a session whose picture rests must not keep it, and one in motion needs it for the next frame.
    pub fn rest(&mut self) {
        (self.pixels, self.packed, self.jpeg) = (Vec::new(), Vec::new(), Jpeg::default());
    }

    /// Scratch memory is held.
    pub const fn is_warm(&self) -> bool {
        self.pixels.capacity() + self.packed.capacity() > 0
    }
}

/// A JPEG of the whole framebuffer, scaled down to at most `width_max` pixels wide, for thumbnails.
/// `None` when there are no pixels.
pub fn thumbnail(pixels: &dyn Framebuffer, width_max: u16) -> Option<Vec<u8>> {
    jpeg(pixels, (width_max, u16::MAX), THUMBNAIL_QUALITY)
}

/// A JPEG of the whole framebuffer, scaled down by a whole number until it is at most so many pixels wide and high; `quality` is 1 to 100.
/// `None` when there are no pixels.
pub fn jpeg(pixels: &dyn Framebuffer, (width_max, height_max): (u16, u16), quality: u8) -> Option<Vec<u8>> {
    let (w, h) = (pixels.width(), pixels.height());
    if w == 0 || h == 0 || width_max == 0 || height_max == 0 {
        return None;
    }
    let quality = quality.clamp(1, 100);
    let step = w.div_ceil(width_max).max(h.div_ceil(height_max)).max(1);
    let (mut encoder, mut out) = (Jpeg::default(), Vec::new());
    let length = if step == 1 {
        encoder.encode(pixels.rgba(), turbojpeg::PixelFormat::RGBX, (w, h), quality, &mut out)?
    } else {
        let (out_w, out_h) = ((w / step).max(1), (h / step).max(1));
        let rgb = boxes(pixels, step, (out_w, out_h));
        encoder.encode(&rgb, turbojpeg::PixelFormat::RGB, (out_w, out_h), quality, &mut out)?
    };
    out.truncate(length);
    out.shrink_to_fit();
    Some(out)
}

/// A box filter: each pixel is the mean of `step` x `step`.
fn boxes(pixels: &dyn Framebuffer, step: u16, (out_w, out_h): (u16, u16)) -> Vec<u8> {
    let (w, h) = (pixels.width(), pixels.height());
    let mut rgb = Vec::with_capacity(usize::from(out_w) * usize::from(out_h) * 3);
    for ty in 0..out_h {
        for tx in 0..out_w {
            let mut sum = [0u32; 3];
            let mut count = 0u32;
            for y in ty * step..(ty * step + step).min(h) {
                for pixel in pixels.row(tx * step, y, step.min(w - tx * step)).chunks_exact(4) {
                    for (total, channel) in sum.iter_mut().zip(pixel) {
                        *total += u32::from(*channel);
                    }
                    count += 1;
                }
            }
            rgb.extend(sum.iter().map(|total| (total / count.max(1)) as u8));
        }
    }
    rgb
}

/// A rectangle cut into tiles of at most `TILE_SIDE_MAX` a side.
pub fn tiles(rect: Rect) -> impl Iterator<Item = Rect> {
    let columns = (0..rect.w).step_by(usize::from(TILE_SIDE_MAX));
    columns.flat_map(move |dx| {
        (0..rect.h).step_by(usize::from(TILE_SIDE_MAX)).map(move |dy| {
            Rect::new(rect.x + dx, rect.y + dy, TILE_SIDE_MAX.min(rect.w - dx), TILE_SIDE_MAX.min(rect.h - dy))
        })
    })
}

/// What a tile shows, judged from a sample of its rows.
struct Content {
    /// The one colour of the whole tile.
    single: Option<[u8; 3]>,
    /// Many colours that rarely repeat beside each other, or hardly an edge between them: a photo or video rather than text and
    /// widgets.
    photo: bool,
}

impl Content {
    fn of(pixels: &dyn Framebuffer, tile: Rect) -> Self {
        let first = pixels.row(tile.x, tile.y, 1);
        let Some([r, g, b]) = first.get(..3).and_then(|f| <[u8; 3]>::try_from(f).ok()) else {
            return Self { single: None, photo: false };
        };
        let same = |pixel: &[u8]| pixel.get(..3) == Some(&[r, g, b]);
        let single = (tile.y..tile.y + tile.h)
            .all(|y| pixels.row(tile.x, y, tile.w).chunks_exact(4).all(same))
            .then_some([r, g, b]);
        if single.is_some() {
            return Self { single, photo: false };
        }
        // Every eighth row is enough to tell text from a photo. Colours are counted in a 1024 bit sketch.
        let (mut repeats, mut sampled, mut edges) = (0u32, 0u32, 0u32);
        let mut sketch = [0u64; 16];
        for y in (tile.y..tile.y + tile.h).step_by(8) {
            let mut last = 0u32;
            let mut green = first.get(1).copied().unwrap_or_default();
            for pixel in pixels.row(tile.x, y, tile.w).chunks_exact(4) {
                let colour = match pixel {
                    [r, g, b, _] => u32::from_le_bytes([*r, *g, *b, 1]),
                    _ => 0,
                };
                repeats += u32::from(colour == last);
                // Green is most of what eyes see.
                let now = pixel.get(1).copied().unwrap_or_default();
                edges += u32::from(now.abs_diff(green) > EDGE_STEP);
                sampled += 1;
                (last, green) = (colour, now);
                let hash = colour.wrapping_mul(0x9E37_79B1) >> 22;
                if let Some(word) = sketch.get_mut((hash >> 6) as usize) {
                    *word |= 1 << (hash & 63);
                }
            }
        }
        let colours: u32 = sketch.iter().map(|word| word.count_ones()).sum();
        Self { single: None, photo: colours > 160 && (repeats * 2 < sampled || edges * SMOOTH_EDGES_MAX < sampled) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Surface;
    use bytes::Bytes;

    fn noise(width: u16, height: u16) -> Surface {
        let mut surface = Surface::new(width, height).unwrap();
        let mut state = 1u32;
        let rgba: Vec<u8> = (0..u32::from(width) * u32::from(height) * 4)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        surface.put_rgba(Rect::new(0, 0, width, height), &rgba).unwrap();
        surface
    }

    fn frame(surface: &Surface, rect: Rect, fidelity: Fidelity) -> (Vec<ServerRecord>, Encoder) {
        let mut encoder = Encoder::default();
        let mut out = Vec::new();
        encoder.frame(surface, &[rect], fidelity, &mut out);
        (ServerRecord::decode_all(&Bytes::from(out)).unwrap(), encoder)
    }

    #[test]
    fn content_chooses_the_codec() {
        let mut surface = noise(300, 300);
        let whole = Rect::new(0, 0, 300, 300);
        let (photo, mut encoder) = frame(&surface, whole, Fidelity::Fast);
        assert!(matches!(photo.as_slice(), [ServerRecord::Tile { codec: TileCodec::Jpeg, .. }]));
        assert_eq!(encoder.lossy().take(300, 300), vec![whole]);
        surface.fill(whole, [10, 20, 30]).unwrap();
        assert_eq!(
            frame(&surface, whole, Fidelity::Fast).0,
            vec![ServerRecord::Fill { rect: whole, rgb: [10, 20, 30] }]
        );
        surface.fill(Rect::new(5, 5, 50, 50), [255, 0, 0]).unwrap();
        let (drawn, _) = frame(&surface, whole, Fidelity::Fast);
        assert!(matches!(drawn.as_slice(), [ServerRecord::Tile { codec: TileCodec::Png, .. }]));
    }

    #[test]
    fn what_flows_smoothly_is_a_photo_and_letters_never_are() {
        let whole = Rect::new(0, 0, 300, 300);
        let mut surface = Surface::new(300, 300).unwrap();
        // A slope of colours, most pixels as the one before.
        let slope: Vec<u8> = (0..300u32)
            .flat_map(|y| (0..300u32).flat_map(move |x| [(x / 3) as u8, (60 + y / 3) as u8, ((x + y) / 6) as u8, 0]))
            .collect();
        surface.put_rgba(whole, &slope).unwrap();
        let (flowing, _) = frame(&surface, whole, Fidelity::Fast);
        assert!(matches!(flowing.as_slice(), [ServerRecord::Tile { codec: TileCodec::Jpeg, .. }]));
        // Strokes of letters on it: every twelfth pixel is dark.
        for x in (0..300).step_by(12) {
            surface.fill(Rect::new(x, 0, 2, 300), [10, 10, 10]).unwrap();
        }
        let (written, _) = frame(&surface, whole, Fidelity::Fast);
        let lossless = !matches!(written.as_slice(), [ServerRecord::Tile { codec: TileCodec::Jpeg, .. }]);
        assert!(lossless, "text on a slope stays sharp");
    }

    #[test]
    fn lossless_png_decodes_to_the_same_pixels() {
        let surface = noise(70, 40);
        let (records, _) = frame(&surface, Rect::new(3, 4, 60, 30), Fidelity::Lossless);
        let [ServerRecord::Tile { rect, codec, bytes }] = records.as_slice() else { panic!("{records:?}") };
        let rgb = if *codec == TileCodec::Png {
            let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
            let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut rgb).unwrap();
            rgb
        } else {
            bytes.to_vec()
        };
        let want: Vec<u8> = (rect.y..rect.y + rect.h)
            .flat_map(|y| {
                surface.row(rect.x, y, rect.w).chunks_exact(4).flat_map(|p| p[..3].to_vec()).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(rgb, want);
    }

    #[test]
    fn large_areas_are_cut_and_covered() {
        let cut: Vec<Rect> = tiles(Rect::new(10, 20, 1300, 700)).collect();
        assert_eq!(cut.len(), 6);
        assert_eq!(cut.iter().map(Rect::area).sum::<u32>(), 1300 * 700);
        assert!(tiles(Rect::new(0, 0, 0, 5)).next().is_none());
    }

    #[test]
    fn thumbnails_are_small_jpegs() {
        let jpeg = thumbnail(&noise(1280, 800), 480).unwrap();
        assert_eq!(&jpeg[..2], &[0xFF, 0xD8]);
        assert!(thumbnail(&Surface::new(0, 0).unwrap(), 480).is_none());
    }
}
