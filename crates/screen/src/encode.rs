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
    rgb: Vec<u8>,
    packed: Vec<u8>,
    lossy: Damage,
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
        self.release_large_scratch();
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
        self.gather_rgb(pixels, tile);
        if tile.area() <= RAW_PIXELS_MAX {
            crate::wire::encode_tile(out, tile, TileCodec::Raw, &self.rgb);
            return false;
        }
        self.packed.clear();
        if fidelity == Fidelity::Fast && content.photo && tile.area() >= LOSSY_PIXELS_MIN && self.jpeg(tile) {
            self.lossy.add(tile);
            crate::wire::encode_tile(out, tile, TileCodec::Jpeg, &self.packed);
            return true;
        }
        self.packed.clear();
        if self.png(tile) && self.packed.len() < self.rgb.len() {
            crate::wire::encode_tile(out, tile, TileCodec::Png, &self.packed);
        } else {
            crate::wire::encode_tile(out, tile, TileCodec::Raw, &self.rgb);
        }
        false
    }

    fn gather_rgb(&mut self, pixels: &dyn Framebuffer, tile: Rect) {
        self.rgb.clear();
        self.rgb.reserve(tile.area() as usize * 3);
        for y in tile.y..tile.y + tile.h {
            for pixel in pixels.row(tile.x, y, tile.w).chunks_exact(4) {
                if let [r, g, b, _] = pixel {
                    self.rgb.extend_from_slice(&[*r, *g, *b]);
                }
            }
        }
    }

    fn jpeg(&mut self, tile: Rect) -> bool {
        jpeg_encoder::Encoder::new(&mut self.packed, JPEG_QUALITY)
            .encode(&self.rgb, tile.w, tile.h, jpeg_encoder::ColorType::Rgb)
            .is_ok()
    }

    fn png(&mut self, tile: Rect) -> bool {
        let mut encoder = png::Encoder::new(&mut self.packed, u32::from(tile.w), u32::from(tile.h));
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fastest);
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&self.rgb)).is_ok()
    }

    /// A whole-screen frame grows the scratch buffers; an idle session must not keep them.
    fn release_large_scratch(&mut self) {
        const KEEP_BYTES: usize = 256 << 10;
        for buffer in [&mut self.rgb, &mut self.packed] {
            if buffer.capacity() > KEEP_BYTES {
                *buffer = Vec::new();
            }
        }
    }
}

/// A JPEG of the whole framebuffer, scaled down to at most `width_max` pixels wide, for thumbnails.
/// `None` when there are no pixels.
pub fn thumbnail(pixels: &dyn Framebuffer, width_max: u16) -> Option<Vec<u8>> {
    let (w, h) = (pixels.width(), pixels.height());
    if w == 0 || h == 0 || width_max == 0 {
        return None;
    }
    let step = w.div_ceil(width_max).max(1);
    let (out_w, out_h) = ((w / step).max(1), (h / step).max(1));
    let mut rgb = Vec::with_capacity(usize::from(out_w) * usize::from(out_h) * 3);
    for ty in 0..out_h {
        for tx in 0..out_w {
            // A box filter: the mean of step x step pixels.
            let mut sum = [0u32; 3];
            let mut count = 0u32;
            for y in ty * step..(ty * step + step).min(h) {
                for pixel in pixels.row(tx * step, y, step).chunks_exact(4) {
                    for (total, channel) in sum.iter_mut().zip(pixel) {
                        *total += u32::from(*channel);
                    }
                    count += 1;
                }
            }
            rgb.extend(sum.iter().map(|total| (total / count.max(1)) as u8));
        }
    }
    let mut out = Vec::new();
    jpeg_encoder::Encoder::new(&mut out, 80).encode(&rgb, out_w, out_h, jpeg_encoder::ColorType::Rgb).ok()?;
    Some(out)
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
    /// Many colours that rarely repeat beside each other: a photo or video rather than text and widgets.
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
        let mut repeats = 0u32;
        let mut sampled = 0u32;
        let mut sketch = [0u64; 16];
        for y in (tile.y..tile.y + tile.h).step_by(8) {
            let mut last = 0u32;
            for pixel in pixels.row(tile.x, y, tile.w).chunks_exact(4) {
                let colour = match pixel {
                    [r, g, b, _] => u32::from_le_bytes([*r, *g, *b, 1]),
                    _ => 0,
                };
                repeats += u32::from(colour == last);
                sampled += 1;
                last = colour;
                let hash = colour.wrapping_mul(0x9E37_79B1) >> 22;
                if let Some(word) = sketch.get_mut((hash >> 6) as usize) {
                    *word |= 1 << (hash & 63);
                }
            }
        }
        let colours: u32 = sketch.iter().map(|word| word.count_ones()).sum();
        Self { single: None, photo: repeats * 2 < sampled && colours > 160 }
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
