//! Pictures of published programs: PNG (W3C Portable Network Graphics, third edition), looked at and never decoded here.

/// Largest one, in bytes.
pub const ICON_BYTES_MAX: usize = 64 << 10;
/// Longest side, in pixels.
const ICON_SIDE_MAX: u32 = 512;
/// §5.2.
const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// Whether these bytes are a PNG, from its first to its last and nothing more, and a small one. What is in it is for who shows it.
///
/// # Errors
/// A sentence.
pub fn check_icon(bytes: &[u8]) -> Result<(), String> {
    if bytes.len() > ICON_BYTES_MAX {
        return Err(format!("an icon has at most {} KiB, and this has {} bytes", ICON_BYTES_MAX >> 10, bytes.len()));
    }
    let broken = || "this is no whole PNG: it ends early, or something follows it".to_owned();
    let mut rest = bytes.strip_prefix(&SIGNATURE).ok_or("an icon is a PNG, and these bytes are none")?;
    let (mut is_first, mut has_picture) = (true, false);
    while let Some((kind, after)) = rest.get(4..).and_then(<[u8]>::split_first_chunk::<4>) {
        let length = number(rest).and_then(|length| usize::try_from(length).ok()).ok_or_else(broken)?;
        let data = after.get(..length).ok_or_else(broken)?;
        // A checksum of four bytes is behind it.
        let next = after.get(length..).and_then(|after| after.get(4..)).ok_or_else(broken)?;
        match kind {
            b"IHDR" if is_first => check_size(data)?,
            _ if is_first => return Err(broken()),
            b"IDAT" => has_picture = true,
            b"IEND" if has_picture && length == 0 && next.is_empty() => return Ok(()),
            b"IHDR" | b"IEND" => return Err(broken()),
            _ => {}
        }
        (is_first, rest) = (false, next);
    }
    Err(broken())
}

/// §11.2.1: width and height come first.
fn check_size(header: &[u8]) -> Result<(), String> {
    let (width, height) = (number(header), header.get(4..).and_then(number));
    let (Some(width), Some(height), 13) = (width, height, header.len()) else {
        return Err("this PNG has no size".to_owned());
    };
    if (1..=ICON_SIDE_MAX).contains(&width) && (1..=ICON_SIDE_MAX).contains(&height) {
        return Ok(());
    }
    Err(format!("an icon has at most {ICON_SIDE_MAX} by {ICON_SIDE_MAX} pixels, and this has {width} by {height}"))
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], kind, data, &[0; 4]].concat()
    }

    fn png(width: u32, height: u32, picture: usize) -> Vec<u8> {
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
        [&SIGNATURE[..], &chunk(b"IHDR", &header), &chunk(b"IDAT", &vec![0; picture]), &chunk(b"IEND", &[])].concat()
    }

    #[test]
    fn an_icon_is_one_small_png() {
        let icon = png(48, 48, 100);
        assert_eq!(check_icon(&icon), Ok(()));
        for cut in 0..icon.len() {
            assert!(check_icon(&icon[..cut]).is_err(), "the first {cut} bytes");
        }
        assert!(check_icon(&[&icon[..], b"<script>"].concat()).is_err(), "something follows");
        assert!(check_icon(&png(513, 1, 1)).unwrap_err().contains("513 by 1"));
        assert!(check_icon(&png(0, 1, 1)).is_err());
        assert!(check_icon(&png(512, 512, ICON_BYTES_MAX)).unwrap_err().contains("64 KiB"));
        for other in [&b""[..], b"GIF89a", b"<svg xmlns=", b"\xff\xd8\xff\xe0"] {
            assert!(check_icon(other).unwrap_err().contains("PNG"));
        }
        // Two pictures in one, or none.
        let header = chunk(b"IHDR", &[0; 13]);
        assert!(check_icon(&[&SIGNATURE[..], &header, &chunk(b"IEND", &[])].concat()).is_err());
        assert!(check_icon(&[&SIGNATURE[..], &chunk(b"IDAT", &[]), &chunk(b"IEND", &[])].concat()).is_err());
    }
}
