//! Pictures as drivers give them → JPEG. What is JPEG already stays as it is, but for tables that dongles leave out.

use super::colour::{Colours, bt709_as_bt601};
use super::raw::{PixFormat, fourcc};
use bytes::Bytes;
use oriel_screen::h264::Matrix;
use std::sync::OnceLock;
use turbojpeg::{Compressor, Image, Subsamp, YuvPlanesImage};

/// Largest side of a picture in pixels, as elsewhere (`oriel_screen::SURFACE_SIDE_MAX`).
pub(super) const SIDE_MAX: u32 = 8192;

/// How pixels lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pixels {
    Jpeg,
    /// Y, U, Y, V.
    Yuyv,
    /// U, Y, V, Y.
    Uyvy,
    Rgb,
    Bgr,
}

/// In the order in which they are wished for: what costs least first.
const WISHED: [(u32, Pixels); 6] = [
    (fourcc(b"MJPG"), Pixels::Jpeg),
    (fourcc(b"JPEG"), Pixels::Jpeg),
    (fourcc(b"YUYV"), Pixels::Yuyv),
    (fourcc(b"UYVY"), Pixels::Uyvy),
    (fourcc(b"BGR3"), Pixels::Bgr),
    (fourcc(b"RGB3"), Pixels::Rgb),
];

impl Pixels {
    /// The best of what a driver lists, and its name.
    pub fn best(listed: &[u32]) -> Option<(u32, Self)> {
        WISHED.into_iter().find(|(name, _)| listed.contains(name))
    }

    /// What a driver calls a format.
    pub fn of(name: u32) -> Option<Self> {
        WISHED.into_iter().find(|(of, _)| *of == name).map(|(_, pixels)| pixels)
    }

    pub(super) const fn bytes_a_pixel(self) -> usize {
        match self {
            Self::Jpeg => 0,
            Self::Yuyv | Self::Uyvy => 2,
            Self::Rgb | Self::Bgr => 3,
        }
    }
}

/// Values of a cable (16 to 235 and 240) as JPEG has them (0 to 255; ITU-R BT.601 and T.871).
struct Range {
    luma: [u8; 256],
    chroma: [u8; 256],
}

impl Range {
    fn limited() -> Self {
        let mut range = Self { luma: [0; 256], chroma: [0; 256] };
        for (value, (luma, chroma)) in (0i32..).zip(range.luma.iter_mut().zip(range.chroma.iter_mut())) {
            *luma = (((value - 16) * 255 + 109).div_euclid(219)).clamp(0, 255) as u8;
            *chroma = (((value - 128) * 255 + 112).div_euclid(224) + 128).clamp(0, 255) as u8;
        }
        range
    }
}

fn limited() -> &'static Range {
    static RANGE: OnceLock<Range> = OnceLock::new();
    RANGE.get_or_init(Range::limited)
}

/// Keeps its memory between pictures.
pub struct Encoder {
    compressor: Option<Compressor>,
    luma: Vec<u8>,
    blue: Vec<u8>,
    red: Vec<u8>,
}

impl Encoder {
    pub const fn new() -> Self {
        Self { compressor: None, luma: Vec::new(), blue: Vec::new(), red: Vec::new() }
    }

    /// A picture of a driver as JPEG, and its size; `None` when it is cut off, or none at all. `quality` is of what is encoded here.
    pub fn jpeg(&mut self, format: &PixFormat, pixels: Pixels, bytes: &[u8], quality: u8) -> Option<(Bytes, u16, u16)> {
        if pixels == Pixels::Jpeg {
            let jpeg = whole(bytes)?;
            let (width, height) = oriel_physical::jpeg::size(&jpeg)?;
            return Some((jpeg, width, height));
        }
        if !(1..=SIDE_MAX).contains(&format.width) || !(1..=SIDE_MAX).contains(&format.height) {
            return None;
        }
        let (mut width, height) = (format.width as usize, format.height as usize);
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            empty => empty.insert(Compressor::new().ok()?),
        };
        compressor.set_quality(i32::from(quality.clamp(1, 100))).ok()?;
        let pitch = (format.bytesperline as usize).max(width * pixels.bytes_a_pixel());
        let needed = pitch.checked_mul(height - 1)?.checked_add(width * pixels.bytes_a_pixel())?;
        let bytes = bytes.get(..needed)?;
        let jpeg = match pixels {
            Pixels::Jpeg => return None,
            Pixels::Rgb | Pixels::Bgr => {
                let format =
                    if pixels == Pixels::Rgb { turbojpeg::PixelFormat::RGB } else { turbojpeg::PixelFormat::BGR };
                compressor.set_subsamp(Subsamp::Sub2x2).ok()?;
                compressor.compress_to_vec(Image { pixels: bytes, width, pitch, height, format }).ok()?
            }
            Pixels::Yuyv | Pixels::Uyvy => {
                // Two pixels share their colours; one that has no partner is left out.
                width &= !1;
                if width == 0 {
                    return None;
                }
                let colours = Colours::of(format, pixels);
                for plane in [&mut self.luma, &mut self.blue, &mut self.red] {
                    plane.clear();
                }
                self.luma.reserve(width * height);
                for row in bytes.chunks(pitch) {
                    let row = row.get(..width * 2)?;
                    for pair in row.chunks_exact(4) {
                        let &[a, b, c, d] = pair else { return None };
                        let [y0, u, y1, v] = if pixels == Pixels::Yuyv { [a, b, c, d] } else { [b, a, d, c] };
                        self.luma.extend_from_slice(&[y0, y1]);
                        self.blue.push(u);
                        self.red.push(v);
                    }
                }
                if !colours.full {
                    let range = limited();
                    let map = |plane: &mut [u8], table: &[u8; 256]| {
                        for value in plane {
                            *value = table.get(usize::from(*value)).copied().unwrap_or(*value);
                        }
                    };
                    map(&mut self.luma, &range.luma);
                    map(&mut self.blue, &range.chroma);
                    map(&mut self.red, &range.chroma);
                }
                // A JPEG says nothing of its matrix: it is BT.601's (T.871).
                if colours.matrix == Matrix::Bt709 {
                    bt709_as_bt601(&mut self.luma, &mut self.blue, &mut self.red);
                }
                let image = YuvPlanesImage {
                    y_plane: self.luma.as_slice(),
                    u_plane: self.blue.as_slice(),
                    v_plane: self.red.as_slice(),
                    width,
                    height,
                    y_stride: width,
                    u_stride: width / 2,
                    v_stride: width / 2,
                    subsamp: Subsamp::Sub2x1,
                };
                compressor.compress_yuv_planes_to_vec(&image).ok()?
            }
        };
        Some((jpeg.into(), width as u16, height as u16))
    }

    /// Lets go of memory, where nobody watches.
    pub fn rest(&mut self) {
        *self = Self::new();
    }
}

/// The segments with the tables of T.81 annex K.3, as our own encoder writes them. Empty where it cannot be had.
fn tables() -> &'static [u8] {
    static TABLES: OnceLock<Vec<u8>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let jpeg = Compressor::new().ok().and_then(|mut compressor| {
            let image = Image {
                pixels: &[0u8; 16 * 16 * 3][..],
                width: 16,
                pitch: 48,
                height: 16,
                format: turbojpeg::PixelFormat::RGB,
            };
            compressor.compress_to_vec(image).ok()
        });
        let mut tables = Vec::new();
        for (marker, segment) in Segments::of(jpeg.as_deref().unwrap_or_default()) {
            if marker == HUFFMAN {
                tables.extend_from_slice(segment);
            }
        }
        tables
    })
}

const HUFFMAN: u8 = 0xc4;
const SCAN: u8 = 0xda;

/// Segments of a JPEG up to its first scan, each with its marker and length.
struct Segments<'a>(&'a [u8]);

impl<'a> Segments<'a> {
    fn of(jpeg: &'a [u8]) -> Self {
        Self(jpeg.strip_prefix(&[0xff, 0xd8]).unwrap_or_default())
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let &[0xff, marker, a, b, ..] = self.0 else { return None };
        let length = 2 + usize::from(u16::from_be_bytes([a, b]));
        let (segment, rest) = self.0.split_at_checked(length)?;
        self.0 = if marker == SCAN { &[] } else { rest };
        Some((marker, segment))
    }
}

/// A JPEG of a dongle with everything that a decoder needs; as it came, but for what it lacks and what is behind its end.
pub(super) fn whole(bytes: &[u8]) -> Option<Bytes> {
    let (mut at, mut has_tables, mut scan) = (2, false, None);
    for (marker, segment) in Segments::of(bytes) {
        has_tables |= marker == HUFFMAN;
        if marker == SCAN {
            scan = Some(at);
        }
        at += segment.len();
    }
    let scan = scan?;
    // Drivers fill up the buffer's end with zeros. One that has no end was cut off.
    let end = bytes.windows(2).rposition(|pair| pair == [0xff, 0xd9])? + 2;
    let bytes = bytes.get(..end)?;
    if has_tables {
        return Some(Bytes::copy_from_slice(bytes));
    }
    let (head, rest) = bytes.split_at_checked(scan)?;
    Some(Bytes::from([head, tables(), rest].concat()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;
    use crate::video::raw;

    fn format(width: u32, height: u32, bytesperline: u32) -> PixFormat {
        PixFormat { width, height, bytesperline, ..PixFormat::default() }
    }

    fn first_pixel(jpeg: &[u8]) -> [u8; 3] {
        let image = turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::RGB).unwrap();
        [image.pixels[0], image.pixels[1], image.pixels[2]]
    }

    fn near(pixel: [u8; 3], want: [u8; 3]) -> bool {
        pixel.iter().zip(want).all(|(a, b)| a.abs_diff(b) <= 4)
    }

    #[test]
    fn packed_pixels_become_pictures_of_the_same_colours() {
        let mut encoder = Encoder::new();
        // Red of a cable: Y 81, U 90, V 240; with two bytes behind each row.
        let row = |pair: [u8; 4]| [pair.repeat(8), vec![0, 0]].concat();
        let red = [81, 90, 81, 240];
        let (jpeg, width, height) = encoder.jpeg(&format(16, 8, 34), Pixels::Yuyv, &row(red).repeat(8), 95).unwrap();
        assert_eq!((width, height), (16, 8));
        assert!(near(first_pixel(&jpeg), [254, 0, 0]), "{:?}", first_pixel(&jpeg));
        let uyvy = [90, 81, 240, 81];
        let (other, ..) = encoder.jpeg(&format(16, 8, 34), Pixels::Uyvy, &row(uyvy).repeat(8), 95).unwrap();
        assert_eq!(jpeg, other);
        // White of a full range stays white, and one of a cable becomes it.
        let white = [235, 128, 235, 128].repeat(8 * 8);
        let (cable, ..) = encoder.jpeg(&format(16, 8, 32), Pixels::Yuyv, &white, 95).unwrap();
        assert!(near(first_pixel(&cable), [255, 255, 255]));
        let full = PixFormat { quantization: raw::FULL_RANGE, ..format(16, 8, 32) };
        let (grey, ..) = encoder.jpeg(&full, Pixels::Yuyv, &white, 95).unwrap();
        assert!(near(first_pixel(&grey), [235, 235, 235]));
        // Colours of HD are the same colours: red, green and grey.
        let hd = PixFormat { colorspace: raw::COLORSPACE_REC709, ..format(16, 8, 32) };
        for (pair, want) in [
            ([63, 102, 63, 240], [254, 0, 0]),
            ([173, 42, 173, 26], [0, 255, 0]),
            ([126, 128, 126, 128], [128, 128, 128]),
        ] {
            let (jpeg, ..) = encoder.jpeg(&hd, Pixels::Yuyv, &pair.repeat(8 * 8), 95).unwrap();
            assert!(near(first_pixel(&jpeg), want), "{:?} {want:?}", first_pixel(&jpeg));
        }
        let (blue, ..) = encoder.jpeg(&format(2, 2, 6), Pixels::Bgr, &[255, 0, 0].repeat(4), 95).unwrap();
        assert!(near(first_pixel(&blue), [0, 0, 255]));
        // What is cut off is none.
        assert!(encoder.jpeg(&format(16, 8, 32), Pixels::Yuyv, &white[1..], 95).is_none());
        assert!(encoder.jpeg(&format(0, 8, 0), Pixels::Yuyv, &white, 95).is_none());
        encoder.rest();
    }

    #[test]
    fn jpegs_of_dongles_get_the_tables_that_they_lack() {
        let mut encoder = Encoder::new();
        let (jpeg, ..) = encoder.jpeg(&format(16, 16, 48), Pixels::Rgb, &[200; 16 * 16 * 3], 90).unwrap();
        let padded = [&jpeg[..], &[0; 64]].concat();
        let (same, width, height) = encoder.jpeg(&PixFormat::default(), Pixels::Jpeg, &padded, 1).unwrap();
        assert_eq!((same, width, height), (jpeg.clone(), 16, 16));
        // The same without its tables.
        let mut bare = vec![0xff, 0xd8];
        let mut length = 2;
        for (marker, segment) in Segments::of(&jpeg) {
            length += segment.len();
            if marker != HUFFMAN {
                bare.extend_from_slice(segment);
            }
        }
        bare.extend_from_slice(&jpeg[length..]);
        assert!(bare.len() + 400 < jpeg.len());
        let (made, ..) = encoder.jpeg(&PixFormat::default(), Pixels::Jpeg, &bare, 1).unwrap();
        assert!(near(first_pixel(&made), [200, 200, 200]));
        for cut in [&b""[..], b"\xff\xd8", &jpeg[..jpeg.len() - 2], &[0; 100]] {
            assert!(encoder.jpeg(&PixFormat::default(), Pixels::Jpeg, cut, 1).is_none());
        }
    }

    #[test]
    fn the_cheapest_format_is_chosen() {
        assert_eq!(Pixels::best(&[fourcc(b"UYVY"), fourcc(b"MJPG")]).map(|(_, pixels)| pixels), Some(Pixels::Jpeg));
        assert_eq!(Pixels::best(&[fourcc(b"NV12")]), None);
        assert_eq!(Pixels::of(fourcc(b"UYVY")), Some(Pixels::Uyvy));
    }
}
