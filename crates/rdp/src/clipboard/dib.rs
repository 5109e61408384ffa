//! Pictures as Windows' clipboard has them: CF_DIB and CF_DIBV5, a bitmap file without its file header (MS-WMF 2.2.2.3 and 2.2.2.9,
//! wingdi.h). Rows are padded to four bytes and lie from the bottom up unless the height is negative.

use oriel_screen::{CLIPBOARD_PIXELS_MAX, Pixels};

const HEADER_BYTES: usize = 40;
const V4_HEADER_BYTES: usize = 108;
const V5_HEADER_BYTES: usize = 124;
const BI_RGB: u32 = 0;
const BI_BITFIELDS: u32 = 3;
const BI_ALPHABITFIELDS: u32 = 6;
/// `LCS_sRGB` and `LCS_GM_IMAGES` of a V5 header.
const SRGB: &[u8; 4] = b"BGRs";
const INTENT_IMAGES: u32 = 4;
const MASKS_OF_BGRA: [u32; 4] = [0x00ff_0000, 0x0000_ff00, 0x0000_00ff, 0xff00_0000];

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

fn i32_at(data: &[u8], at: usize) -> Option<i32> {
    u32_at(data, at).map(u32::cast_signed)
}

/// Whether data begins as such a picture does.
pub(super) fn begins(data: &[u8]) -> bool {
    matches!(u32_at(data, 0).map(|size| size as usize), Some(HEADER_BYTES | V4_HEADER_BYTES | V5_HEADER_BYTES))
        && u16_at(data, 12) == Some(1)
}

/// One channel of a pixel, as a mask says where it is.
#[derive(Clone, Copy)]
struct Channel {
    shift: u32,
    max: u32,
}

impl Channel {
    fn of(mask: u32) -> Self {
        let shift = if mask == 0 { 0 } else { mask.trailing_zeros() };
        Self { shift, max: mask >> shift }
    }

    fn value(self, pixel: u32) -> u8 {
        if self.max == 0 {
            return 0;
        }
        let value = u64::from(pixel >> self.shift & self.max);
        (value * 255 / u64::from(self.max)) as u8
    }
}

/// How pixels are written.
enum Layout {
    /// Indexes of so many bits into a palette.
    Palette {
        bits: usize,
        colours: Vec<[u8; 3]>,
    },
    Bgr,
    /// Two or four bytes with a mask for each channel.
    Masks {
        bytes: usize,
        channels: [Channel; 4],
    },
}

/// Decodes a picture. `None` for one that is broken, larger than is carried, or compressed: no clipboard of a real program is.
pub(super) fn read(data: &[u8]) -> Option<Pixels> {
    if !begins(data) {
        return None;
    }
    let header = u32_at(data, 0)? as usize;
    let (width, height) = (i32_at(data, 4)?, i32_at(data, 8)?);
    let (bits, compression, used) = (usize::from(u16_at(data, 14)?), u32_at(data, 16)?, u32_at(data, 32)? as usize);
    let top_down = height < 0;
    let (width, height) = (usize::try_from(width).ok()?, usize::try_from(height.unsigned_abs()).ok()?);
    let pixels = width.checked_mul(height)?;
    if pixels == 0 || pixels > CLIPBOARD_PIXELS_MAX as usize {
        return None;
    }
    let (layout, at) = layout(data, header, bits, compression, used)?;
    let stride = width.checked_mul(bits)?.div_ceil(32).checked_mul(4)?;
    let size = stride.checked_mul(height)?;
    let begin = pixels_begin(data, at, size, header, compression)?;
    let rows = data.get(begin..begin.checked_add(size)?)?;
    let mut rgba = Vec::with_capacity(pixels * 4);
    for row in 0..height {
        let row = if top_down { row } else { height - 1 - row };
        paint(rows.get(row * stride..(row + 1) * stride)?, width, &layout, &mut rgba);
    }
    let alpha = matches!(&layout, Layout::Masks { channels: [.., alpha], .. } if alpha.max > 0);
    // Programs that know of no alpha leave its byte zero: nobody copies a picture that cannot be seen.
    if !alpha || rgba.as_chunks::<4>().0.iter().all(|[.., alpha]| *alpha == 0) {
        rgba.as_chunks_mut::<4>().0.iter_mut().for_each(|[.., alpha]| *alpha = 255);
    }
    (rgba.len() == pixels * 4).then_some(Pixels { width: width as u32, height: height as u32, rgba })
}

/// How the pixels are written, and where they may begin.
fn layout(data: &[u8], header: usize, bits: usize, compression: u32, used: usize) -> Option<(Layout, usize)> {
    let after_palette = header.checked_add(used.checked_mul(4)?)?;
    let masks = |bytes: usize, [r, g, b, a]: [u32; 4]| Layout::Masks {
        bytes,
        channels: [Channel::of(r), Channel::of(g), Channel::of(b), Channel::of(a)],
    };
    Some(match (bits, compression) {
        (1 | 4 | 8, BI_RGB) => {
            let most = 1 << bits;
            let used = if used == 0 { most } else { used.min(most) };
            let end = header + used * 4;
            let (quads, _) = data.get(header..end)?.as_chunks::<4>();
            let colours = quads.iter().map(|[b, g, r, _]| [*r, *g, *b]).collect();
            (Layout::Palette { bits, colours }, end)
        }
        (24, BI_RGB) => (Layout::Bgr, after_palette),
        (16, BI_RGB) => (masks(2, [0x7c00, 0x03e0, 0x001f, 0]), after_palette),
        // Its fourth byte is not used in the old header, and is alpha only where a mask says so.
        (32, BI_RGB) => {
            let alpha = if header > HEADER_BYTES { u32_at(data, 52)? } else { 0 };
            (masks(4, [0x00ff_0000, 0x0000_ff00, 0x0000_00ff, alpha]), after_palette)
        }
        (16 | 32, BI_BITFIELDS | BI_ALPHABITFIELDS) => {
            let mask = |at: usize| u32_at(data, HEADER_BYTES + at);
            let has_alpha = header > HEADER_BYTES || compression == BI_ALPHABITFIELDS;
            let alpha = if has_alpha { mask(12)? } else { 0 };
            let outside = match (header > HEADER_BYTES, compression) {
                (true, _) => 0,
                (false, BI_ALPHABITFIELDS) => 16,
                (false, _) => 12,
            };
            (masks(bits / 8, [mask(0)?, mask(4)?, mask(8)?, alpha]), after_palette.checked_add(outside)?)
        }
        _ => return None,
    })
}

/// Some programs write the three masks once more behind a header that has them: then there are just so many bytes too many.
fn pixels_begin(data: &[u8], at: usize, size: usize, header: usize, compression: u32) -> Option<usize> {
    let twice =
        header > HEADER_BYTES && compression == BI_BITFIELDS && data.len() == at.checked_add(size)?.checked_add(12)?;
    Some(if twice { at + 12 } else { at })
}

fn paint(row: &[u8], width: usize, layout: &Layout, rgba: &mut Vec<u8>) {
    match layout {
        Layout::Palette { bits, colours } => {
            for x in 0..width {
                let byte = row.get(x * bits / 8).copied().unwrap_or_default();
                let shift = 8 - bits - (x * bits) % 8;
                let index = usize::from(byte >> shift) & ((1 << bits) - 1);
                let [r, g, b] = colours.get(index).copied().unwrap_or_default();
                rgba.extend_from_slice(&[r, g, b, 255]);
            }
        }
        Layout::Bgr => {
            row.as_chunks::<3>().0.iter().take(width).for_each(|[b, g, r]| rgba.extend_from_slice(&[*r, *g, *b, 255]));
        }
        Layout::Masks { bytes, channels: [r, g, b, a] } => {
            for pixel in row.chunks_exact(*bytes).take(width) {
                let pixel = pixel.iter().rev().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
                rgba.extend_from_slice(&[r.value(pixel), g.value(pixel), b.value(pixel), a.value(pixel)]);
            }
        }
    }
}

fn head(size: usize, pixels: &Pixels, bits: u16, compression: u32, bytes: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(size + bytes);
    head.extend_from_slice(&(size as u32).to_le_bytes());
    head.extend_from_slice(&pixels.width.to_le_bytes());
    head.extend_from_slice(&pixels.height.to_le_bytes());
    head.extend_from_slice(&1u16.to_le_bytes());
    head.extend_from_slice(&bits.to_le_bytes());
    head.extend_from_slice(&compression.to_le_bytes());
    head.extend_from_slice(&(bytes as u32).to_le_bytes());
    // Pixels a metre, colours used and important: none said.
    head.extend_from_slice(&[0; 16]);
    head
}

/// CF_DIB: 24 bits with the plainest header, which every program reads (xrdp puts a file header of fixed size before it). Holes are white.
pub(super) fn write(pixels: &Pixels) -> Vec<u8> {
    let width = pixels.width as usize;
    let stride = (width * 3).next_multiple_of(4);
    let mut data = head(HEADER_BYTES, pixels, 24, BI_RGB, stride * pixels.height as usize);
    for row in pixels.rgba.chunks_exact((width * 4).max(1)).rev() {
        for [r, g, b, alpha] in row.as_chunks::<4>().0 {
            let on_white = |value: &u8| {
                let alpha = u32::from(*alpha);
                ((u32::from(*value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8
            };
            data.extend_from_slice(&[on_white(b), on_white(g), on_white(r)]);
        }
        data.resize(data.len() + stride - width * 3, 0);
    }
    data
}

/// CF_DIBV5: 32 bits with alpha, in sRGB.
pub(super) fn write_v5(pixels: &Pixels) -> Vec<u8> {
    let mut data = head(V5_HEADER_BYTES, pixels, 32, BI_BITFIELDS, pixels.rgba.len());
    MASKS_OF_BGRA.iter().for_each(|mask| data.extend_from_slice(&mask.to_le_bytes()));
    data.extend_from_slice(SRGB);
    // End points and gammas, which sRGB has no need of; then the intent, and no profile.
    data.extend_from_slice(&[0; 48]);
    data.extend_from_slice(&INTENT_IMAGES.to_le_bytes());
    data.extend_from_slice(&[0; 12]);
    for row in pixels.rgba.chunks_exact((pixels.width as usize * 4).max(1)).rev() {
        for [r, g, b, alpha] in row.as_chunks::<4>().0 {
            data.extend_from_slice(&[*b, *g, *r, *alpha]);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture(width: u32, height: u32) -> Pixels {
        let rgba = (0..width * height).flat_map(|at| [at as u8, (at * 7) as u8, 255 - at as u8, 128 + at as u8 % 128]);
        Pixels { width, height, rgba: rgba.collect() }
    }

    fn header(width: i32, height: i32, bits: u16, compression: u32, used: u32) -> Vec<u8> {
        let mut data = 40u32.to_le_bytes().to_vec();
        data.extend([width.to_le_bytes(), height.to_le_bytes()].concat());
        data.extend([1u16.to_le_bytes(), bits.to_le_bytes()].concat());
        data.extend([compression, 0, 0, 0, used, 0].map(u32::to_le_bytes).concat());
        data
    }

    #[test]
    fn what_is_written_is_read() {
        let pixels = picture(5, 3);
        let v5 = write_v5(&pixels);
        assert_eq!((v5.len(), read(&v5)), (124 + 60, Some(pixels.clone())));
        let dib = write(&pixels);
        assert_eq!(dib.len(), 40 + 16 * 3);
        let back = read(&dib).unwrap();
        assert!(back.rgba.as_chunks::<4>().0.iter().all(|[.., alpha]| *alpha == 255));
        // Half of a colour over white.
        let half = Pixels { width: 1, height: 1, rgba: vec![0, 100, 255, 128] };
        assert_eq!(&write(&half)[40..], [255, 177, 127, 0]);
        // As some programs have it: the masks once more.
        let mut twice = v5.clone();
        twice.splice(124..124, MASKS_OF_BGRA[..3].iter().flat_map(|mask| mask.to_le_bytes()));
        assert_eq!(read(&twice), Some(pixels));
    }

    #[test]
    fn every_depth_is_read() {
        let red_then_blue = vec![255, 0, 0, 255, 0, 0, 255, 255];
        let two = |bits, compression, used, rest: &[u8]| {
            let data = [&header(2, 1, bits, compression, used)[..], rest].concat();
            read(&data).map(|pixels| pixels.rgba)
        };
        let palette = [[0, 0, 255, 0], [255, 0, 0, 0]].concat();
        assert_eq!(two(1, 0, 0, &[&palette[..], &[0b0100_0000, 0, 0, 0]].concat()), Some(red_then_blue.clone()));
        assert_eq!(two(4, 0, 2, &[&palette[..], &[0x01, 0, 0, 0]].concat()), Some(red_then_blue.clone()));
        assert_eq!(two(8, 0, 2, &[&palette[..], &[0, 1, 0, 0]].concat()), Some(red_then_blue.clone()));
        assert_eq!(two(16, 0, 0, &[0x00, 0x7c, 0x1f, 0x00]), Some(red_then_blue.clone()));
        let masks = [0xf800u32, 0x07e0, 0x001f].map(u32::to_le_bytes).concat();
        assert_eq!(two(16, 3, 0, &[&masks[..], &[0x00, 0xf8, 0x1f, 0x00]].concat()), Some(red_then_blue.clone()));
        assert_eq!(two(24, 0, 0, &[0, 0, 255, 255, 0, 0, 0, 0]), Some(red_then_blue.clone()));
        assert_eq!(two(32, 0, 0, &[0, 0, 255, 0, 255, 0, 0, 7]), Some(red_then_blue));
        // From the top down.
        let down = [&header(1, -2, 24, 0, 0)[..], &[1, 2, 3, 0, 4, 5, 6, 0]].concat();
        assert_eq!(read(&down).unwrap().rgba, [3, 2, 1, 255, 6, 5, 4, 255]);
    }

    #[test]
    fn lies_are_refused() {
        let pixels = [0; 64];
        for (width, height, bits, compression, used) in [
            (0, 1, 24, 0, 0),
            (1, 0, 24, 0, 0),
            (-1, 1, 24, 0, 0),
            (i32::MAX, i32::MIN, 32, 0, 0),
            (4097, 2560, 32, 0, 0),
            (100, 100, 24, 0, 0),
            (1, 1, 24, 0, u32::MAX),
            (1, 1, 3, 0, 0),
            (1, 1, 8, 1, 0),
            (1, 1, 24, 5, 0),
        ] {
            let data = [&header(width, height, bits, compression, used)[..], &pixels].concat();
            assert_eq!(read(&data), None, "{width}x{height} of {bits} bits, {compression}, {used}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            width in -300i32..300, height in -300i32..300, bits in 0u16..40, compression in 0u32..8, used in any::<u32>(),
            size in prop_oneof![Just(40u32), Just(108), Just(124)], bytes in proptest::collection::vec(any::<u8>(), 0..600)
        ) {
            let mut data = header(width, height, bits, compression, used);
            data[..4].copy_from_slice(&size.to_le_bytes());
            data.extend_from_slice(&bytes);
            if let Some(pixels) = read(&data) {
                prop_assert_eq!(pixels.rgba.len(), pixels.width as usize * pixels.height as usize * 4);
            }
        }
    }
}
