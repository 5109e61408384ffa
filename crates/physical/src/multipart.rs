//! A stream of JPEGs as uStreamer sends it over HTTP (`multipart/x-mixed-replace`): for firmware without `/api/media/ws`.

use crate::PICTURE_BYTES_MAX;
use bytes::Bytes;

/// Longest header of a part, in bytes.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// Parts out of bytes in pieces of any size. Every part of uStreamer says its length, so that no boundary is searched for in pictures.
#[derive(Debug, Default)]
pub struct Multipart {
    got: Vec<u8>,
    /// Of the part whose header is complete.
    want: Option<usize>,
}

impl Multipart {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.got.extend_from_slice(bytes);
    }

    /// The next picture.
    ///
    /// # Errors
    /// The stream is none of uStreamer's.
    pub fn next_picture(&mut self) -> Result<Option<Bytes>, String> {
        let want = match self.want {
            Some(want) => want,
            None => {
                let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") else {
                    if self.got.len() > HEADER_BYTES_MAX {
                        return Err(format!(
                            "a part of the picture stream has a header of more than {HEADER_BYTES_MAX} bytes"
                        ));
                    }
                    return Ok(None);
                };
                let header = String::from_utf8_lossy(self.got.get(..end).unwrap_or_default()).into_owned();
                let length = header.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.trim().eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
                });
                let want = length.ok_or("a part of the picture stream does not say its length")?;
                if want > PICTURE_BYTES_MAX {
                    return Err(format!(
                        "a picture of {want} bytes is longer than the {PICTURE_BYTES_MAX} that are accepted"
                    ));
                }
                self.got.drain(..end + 4);
                self.want = Some(want);
                want
            }
        };
        if self.got.len() < want {
            return Ok(None);
        }
        self.want = None;
        let rest = self.got.split_off(want);
        Ok(Some(Bytes::from(std::mem::replace(&mut self.got, rest))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_whole_from_pieces_of_any_size() {
        let mut stream = Vec::new();
        for picture in [&b"\xff\xd8one\r\n\r\n\xff\xd9"[..], b"", b"two"] {
            let length = picture.len();
            stream.extend_from_slice(
                format!("--boundarydonotcross\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n")
                    .as_bytes(),
            );
            stream.extend_from_slice(picture);
            stream.extend_from_slice(b"\r\n");
        }
        for piece in [1, 5, 1000] {
            let (mut parts, mut seen) = (Multipart::default(), Vec::new());
            for bytes in stream.chunks(piece) {
                parts.feed(bytes);
                while let Some(picture) = parts.next_picture().unwrap() {
                    seen.push(picture);
                }
            }
            assert_eq!(seen, [&b"\xff\xd8one\r\n\r\n\xff\xd9"[..], b"", b"two"]);
        }
        let mut parts = Multipart::default();
        parts.feed(b"--x\r\nContent-Type: image/jpeg\r\n\r\n");
        assert!(parts.next_picture().unwrap_err().contains("length"));
        let mut parts = Multipart::default();
        parts.feed(&[b'x'; HEADER_BYTES_MAX + 1]);
        assert!(parts.next_picture().is_err());
    }
}
