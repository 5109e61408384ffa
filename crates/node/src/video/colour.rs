//! What a driver's numbers for luma and colour differences mean, and those of HD as JPEG has them.

use super::encode::Pixels;
use super::raw::{self, PixFormat};
use oriel_screen::h264::Matrix;

/// Of pictures that a driver gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours {
    /// 0 to 255, and not a cable's 16 to 235.
    pub full: bool,
    /// Of those that become H.264; of JPEG's kind where nothing says otherwise.
    pub matrix: Matrix,
}

impl Colours {
    /// What is left unsaid is inferred as in linux/videodev2.h (`V4L2_MAP_YCBCR_ENC_DEFAULT`, `V4L2_MAP_QUANTIZATION_DEFAULT`). What is newer than HD is
    /// taken for HD, which is near.
    pub const fn of(format: &PixFormat, pixels: Pixels) -> Self {
        match pixels {
            Pixels::Jpeg => Self { full: true, matrix: Matrix::Bt601 },
            // They become HD's.
            Pixels::Rgb | Pixels::Bgr => Self { full: true, matrix: Matrix::Bt709 },
            Pixels::Yuyv | Pixels::Uyvy => Self {
                full: format.quantization == raw::FULL_RANGE
                    || (format.quantization == 0 && format.colorspace == raw::COLORSPACE_JPEG),
                matrix: match (format.encoding, format.colorspace) {
                    (
                        0,
                        raw::COLORSPACE_REC709
                        | raw::COLORSPACE_SMPTE240M
                        | raw::COLORSPACE_BT2020
                        | raw::COLORSPACE_DCI_P3,
                    ) => Matrix::Bt709,
                    (0 | raw::ENCODING_601 | raw::ENCODING_XV601 | raw::ENCODING_SYCC, _) => Matrix::Bt601,
                    _ => Matrix::Bt709,
                },
            },
        }
    }
}

/// From luma and two differences of BT.709 to those of BT.601, both of the full range, in parts of 65536 (ITU-R BT.709-6 and BT.601-7, item 3 of each): what the
/// differences add to luma, and what becomes of each.
const LUMA: (i32, i32) = (6657, 12_850);
const BLUE: (i32, i32) = (64_871, -7252);
const RED: (i32, i32) = (-4748, 64_448);

/// Planes with two pixels to a pair of differences.
pub fn bt709_as_bt601(luma: &mut [u8], blue: &mut [u8], red: &mut [u8]) {
    for ((pair, blue), red) in luma.chunks_exact_mut(2).zip(blue).zip(red) {
        let (b, r) = (i32::from(*blue) - 128, i32::from(*red) - 128);
        let mixed = |(of_b, of_r): (i32, i32)| (of_b * b + of_r * r + (1 << 15)) >> 16;
        let more = mixed(LUMA);
        for luma in pair {
            *luma = (i32::from(*luma) + more).clamp(0, 255) as u8;
        }
        *blue = (128 + mixed(BLUE)).clamp(0, 255) as u8;
        *red = (128 + mixed(RED)).clamp(0, 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unsaid_is_inferred() {
        let of = |colorspace, encoding, quantization| {
            let format = PixFormat { colorspace, encoding, quantization, ..PixFormat::default() };
            let Colours { full, matrix } = Colours::of(&format, Pixels::Yuyv);
            (full, matrix)
        };
        assert_eq!(of(0, 0, 0), (false, Matrix::Bt601));
        assert_eq!(of(raw::COLORSPACE_REC709, 0, 0), (false, Matrix::Bt709));
        assert_eq!(of(raw::COLORSPACE_REC709, raw::ENCODING_601, raw::FULL_RANGE), (true, Matrix::Bt601));
        assert_eq!(of(raw::COLORSPACE_JPEG, 0, 0), (true, Matrix::Bt601));
        // V4L2_YCBCR_ENC_709, of an HD cable whose primaries are a screen's.
        assert_eq!(of(8, 2, 2), (false, Matrix::Bt709));
    }
}
