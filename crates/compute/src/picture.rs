//! A picture of a machine's display. Hypervisors give PPM or PNG; both are read with a limit on everything.

use crate::ComputeError;

/// What a machine's display shows; `rgba` has `width * height * 4` bytes, row by row from the top.
#[derive(Clone, PartialEq, Eq)]
pub struct Screenshot {
    pub width: u32,
    pub height: u32,
    pub rgba: Vec<u8>,
}

impl std::fmt::Debug for Screenshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Screenshot({}x{})", self.width, self.height)
    }
}

impl Screenshot {
    /// Longest side, in pixels.
    pub const SIDE_MAX: u32 = 8192;
    /// Largest encoded picture, in bytes: a raw one of the largest size.
    pub const ENCODED_MAX: usize = 8192 * 8192 * 3 + 64;

    /// Reads a PPM (P6) or PNG picture.
    pub fn decode(bytes: &[u8]) -> Result<Self, ComputeError> {
        if bytes.starts_with(b"\x89PNG") { Self::from_png(bytes) } else { Self::from_ppm(bytes) }
    }

    fn from_ppm(bytes: &[u8]) -> Result<Self, ComputeError> {
        let bad = || ComputeError::Picture(String::from("it is neither PPM nor PNG"));
        let mut rest = bytes.strip_prefix(b"P6").ok_or_else(bad)?;
        let mut number = || -> Option<u32> {
            while rest.first()?.is_ascii_whitespace() {
                rest = rest.get(1..)?;
            }
            let mut value = 0u32;
            while let Some(digit) = rest.first().filter(|byte| byte.is_ascii_digit()) {
                value = value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
                rest = rest.get(1..)?;
            }
            Some(value)
        };
        let (width, height, depth) = (number().ok_or_else(bad)?, number().ok_or_else(bad)?, number().ok_or_else(bad)?);
        check_size(width, height)?;
        let length = width as usize * height as usize * 3;
        let pixels = rest.get(1..).and_then(|rest| rest.get(..length)).filter(|_| depth == 255).ok_or_else(bad)?;
        Ok(Self { width, height, rgba: with_alpha(pixels) })
    }

    fn from_png(bytes: &[u8]) -> Result<Self, ComputeError> {
        let bad = |error: png::DecodingError| ComputeError::Picture(error.to_string());
        let mut decoder =
            png::Decoder::new_with_limits(std::io::Cursor::new(bytes), png::Limits { bytes: Self::ENCODED_MAX });
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(bad)?;
        let (width, height) = (reader.info().width, reader.info().height);
        check_size(width, height)?;
        let size = reader.output_buffer_size().ok_or_else(|| ComputeError::Picture(String::from("it is too large")))?;
        let mut pixels = vec![0; size];
        let frame = reader.next_frame(&mut pixels).map_err(bad)?;
        pixels.truncate(frame.buffer_size());
        let rgba = match frame.color_type {
            png::ColorType::Rgba => pixels,
            png::ColorType::Rgb => with_alpha(&pixels),
            _ => return Err(ComputeError::Picture(String::from("its PNG is not in full colour"))),
        };
        Ok(Self { width, height, rgba })
    }
}

fn check_size(width: u32, height: u32) -> Result<(), ComputeError> {
    let good = 1..=Screenshot::SIDE_MAX;
    if good.contains(&width) && good.contains(&height) {
        return Ok(());
    }
    Err(ComputeError::Picture(format!(
        "its size of {width}x{height} is not between 1x1 and {0}x{0}",
        Screenshot::SIDE_MAX
    )))
}

fn with_alpha(rgb: &[u8]) -> Vec<u8> {
    let (pixels, _) = rgb.as_chunks::<3>();
    pixels.iter().flat_map(|[red, green, blue]| [*red, *green, *blue, 255]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_formats() {
        let ppm = Screenshot::decode(b"P6\n2 1\n255\n\x01\x02\x03\x04\x05\x06").unwrap();
        assert_eq!((ppm.width, ppm.height, ppm.rgba.as_slice()), (2, 1, [1, 2, 3, 255, 4, 5, 6, 255].as_slice()));
        let mut encoded = Vec::new();
        let mut encoder = png::Encoder::new(&mut encoded, 2, 1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(&[1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(Screenshot::decode(&encoded).unwrap(), ppm);
    }

    #[test]
    fn refuses_nonsense_without_allocating_it() {
        for bad in [
            &b""[..],
            b"P6",
            b"P6 99999 99999 255\n",
            b"P6 99999999999 1 255\n",
            b"P6 2 2 255\n\x01",
            b"P6 0 0 255\n",
            b"P6 1 1 65535\nabcdef",
            b"\x89PNG\r\n\x1a\n",
        ] {
            assert!(Screenshot::decode(bad).is_err(), "{bad:?}");
        }
    }
}
