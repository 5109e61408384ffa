//! What a screen tells machines of itself (VESA E-EDID 1.3).

/// Bytes of a block, and most blocks.
pub const BLOCK: usize = 128;
pub const BLOCKS_MAX: usize = 4;

/// For inputs that tell nothing: many machines show no picture then. 1280x720 at 60 Hz is preferred and 1920x1080 goes up to 50 Hz, which is what bridges to
/// two lanes of a camera's port carry.
pub fn own() -> [u8; BLOCK] {
    #[rustfmt::skip]
    let mut block = [
        0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00,
        0x3e, 0x4c, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x24, 0x01, 0x03, // ORL, 2026, version 1.3
        0x80, 0x35, 0x1e, 0x78, 0x0a, // digital, 53 cm x 30 cm, RGB, the first timing is preferred
        0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54, // sRGB
        0x21, 0x08, 0x00, // 640x480, 800x600, 1024x768
        0x81, 0xc0, 0x81, 0x80, // 1280x720, 1280x1024
        0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
        // 74.25 MHz: 1280 + 370, 720 + 30
        0x01, 0x1d, 0x00, 0x72, 0x51, 0xd0, 0x1e, 0x20, 0x6e, 0x28, 0x55, 0x00, 0x12, 0x2c, 0x21, 0x00, 0x00, 0x1e,
        // 148.5 MHz: 1920 + 720, 1080 + 45
        0x02, 0x3a, 0x80, 0xd0, 0x72, 0x38, 0x2d, 0x40, 0x10, 0x2c, 0x45, 0x80, 0x12, 0x2c, 0x21, 0x00, 0x00, 0x1e,
        0x00, 0x00, 0x00, 0xfc, 0x00, b'O', b'r', b'i', b'e', b'l', 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20,
        // 24 to 75 Hz, 15 to 82 kHz, 150 MHz
        0x00, 0x00, 0x00, 0xfd, 0x00, 0x18, 0x4b, 0x0f, 0x52, 0x0f, 0x00, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20,
        0x00, 0x00,
    ];
    let sum = block.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    if let Some(last) = block.last_mut() {
        *last = 0u8.wrapping_sub(sum);
    }
    block
}

/// Whole blocks, the magic at the beginning, and each block's sum (VESA E-EDID 1.4, 3.1).
///
/// # Errors
/// What is wrong with it.
pub fn check(edid: &[u8]) -> Result<(), &'static str> {
    if edid.is_empty() || !edid.len().is_multiple_of(BLOCK) {
        return Err("it is not made of blocks of 128 bytes");
    }
    if edid.len() > BLOCK * BLOCKS_MAX {
        return Err("it has more than 4 blocks");
    }
    if !edid.starts_with(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]) {
        return Err("it does not begin as an EDID does");
    }
    let sums = |block: &[u8]| block.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0;
    if edid.chunks(BLOCK).all(sums) { Ok(()) } else { Err("the checksum of a block is wrong") }
}

/// An EDID out of a file: as bytes, or as hexadecimal digits with white space between them.
///
/// # Errors
/// What is wrong with it.
pub fn parse(file: &[u8]) -> Result<Vec<u8>, &'static str> {
    if file.starts_with(&[0, 0xff]) {
        return check(file).map(|()| file.to_vec());
    }
    let mut digits = Vec::new();
    for byte in file.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = char::from(*byte).to_digit(16).ok_or("it is neither bytes of an EDID nor hexadecimal digits")?;
        digits.push(digit as u8);
    }
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| (sum << 4) | digit)).collect();
    if digits.len() % 2 == 1 {
        return Err("it has an odd number of hexadecimal digits");
    }
    check(&bytes).map(|()| bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// Width, height and tenths of Hz of a detailed timing (3.10.2).
    fn timing(of: &[u8]) -> (u32, u32, u32) {
        let at = |index: usize| u32::from(of[index]);
        let clock = (at(0) | at(1) << 8) * 10_000;
        let (width, across) = (at(2) | (at(4) & 0xf0) << 4, at(3) | (at(4) & 0xf) << 8);
        let (height, down) = (at(5) | (at(7) & 0xf0) << 4, at(6) | (at(7) & 0xf) << 8);
        (width, height, clock * 10 / ((width + across) * (height + down)))
    }

    #[test]
    fn our_own_is_a_screen_with_two_timings() {
        let own = own();
        check(&own).unwrap();
        assert_eq!(timing(&own[54..72]), (1280, 720, 600));
        assert_eq!(timing(&own[72..90]), (1920, 1080, 500));
    }

    fn edid() -> Vec<u8> {
        let mut block = vec![0u8; 128];
        block[..8].copy_from_slice(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
        block[8] = 0x3d;
        let sum = block.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        block[127] = 0u8.wrapping_sub(sum);
        block
    }

    #[test]
    fn edids_are_checked_and_read_in_both_forms() {
        let good = edid();
        assert_eq!(parse(&good).unwrap(), good);
        let mut digits = String::new();
        for row in good.chunks(16) {
            row.iter().for_each(|byte| write!(digits, "{byte:02X}").unwrap());
            digits.push('\n');
        }
        assert_eq!(parse(digits.as_bytes()).unwrap(), good);
        let mut broken = good.clone();
        broken[20] ^= 1;
        assert!(check(&broken).unwrap_err().contains("checksum"));
        for bad in [&b""[..], b"00ff", b"hello", b"0", &good[..127], &[good.as_slice(); 5].concat()] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
