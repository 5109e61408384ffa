//! Forwarded H.264: one decoder for each rectangle, as in the viewer.

use crate::ffmpeg::Decoder;
use bytes::Bytes;
use oriel_screen::{Framebuffer as _, Rect, SURFACE_PIXELS_MAX, Surface};
use std::io::{self, BufReader, Read};
use std::process::ChildStdout;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// Streams at a time: the one that was begun first gives way.
const STREAMS_MAX: usize = oriel_screen::MONITORS_MAX;
/// A picture that takes longer does not come.
const PICTURE_TIME_MAX: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(crate) struct Streams(Vec<Stream>);

struct Stream {
    rect: Rect,
    decoder: Decoder,
    pictures: Receiver<Picture>,
}

struct Picture {
    width: usize,
    rgb: Vec<u8>,
}

impl Streams {
    /// Decodes an access unit and paints what of it is seen. `None`: it could not be decoded, or has no beginning.
    pub fn paint(
        &mut self,
        surface: &mut Surface,
        rect: Rect,
        regions: Option<&[Rect]>,
        key: bool,
        unit: &Bytes,
    ) -> Option<()> {
        let picture = self.decode(rect, key, unit)?;
        match regions {
            Some(regions) => {
                for region in regions {
                    let part = region.intersect(&rect).clip(surface.width(), surface.height());
                    one_to_one(surface, rect, part, &picture)?;
                }
            }
            None => scaled(surface, rect, &picture)?,
        }
        Some(())
    }

    fn decode(&mut self, rect: Rect, key: bool, unit: &Bytes) -> Option<Picture> {
        if !self.0.iter().any(|stream| stream.rect == rect) {
            if !key {
                return None;
            }
            if self.0.len() >= STREAMS_MAX {
                self.0.remove(0);
            }
            self.0.push(Stream::start(rect)?);
        }
        let at = self.0.iter().position(|stream| stream.rect == rect)?;
        let picture = self.0.get_mut(at)?.decode(unit);
        if picture.is_none() {
            // It goes on with the next key frame, in another process.
            self.0.remove(at);
        }
        picture
    }
}

impl Stream {
    fn start(rect: Rect) -> Option<Self> {
        let mut decoder = Decoder::start().ok()?;
        let (send, pictures) = sync_channel(1);
        let out = decoder.pictures.take()?;
        std::thread::Builder::new()
            .spawn(move || {
                let mut out = BufReader::new(out);
                while let Ok(picture) = read(&mut out) {
                    if send.send(picture).is_err() {
                        return;
                    }
                }
            })
            .ok()?;
        Some(Self { rect, decoder, pictures })
    }

    fn decode(&mut self, unit: &[u8]) -> Option<Picture> {
        self.decoder.unit(unit).ok()?;
        // Too late, or its process has ended.
        self.pictures.recv_timeout(PICTURE_TIME_MAX).ok()
    }
}

/// A picture as PPM (netpbm.sourceforge.net/doc/ppm.html): `P6`, width, height, 255, each with one white space, then RGB.
fn read(out: &mut BufReader<ChildStdout>) -> io::Result<Picture> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let mut word = || {
        let mut word = String::new();
        loop {
            let mut byte = [0];
            out.read_exact(&mut byte)?;
            match byte {
                [b' ' | b'\n'] => return Ok::<String, io::Error>(word),
                [byte] if word.len() < 8 => word.push(char::from(byte)),
                _ => return Err(bad()),
            }
        }
    };
    let magic = word()?;
    let mut number = || word()?.parse::<u32>().map_err(|_| bad());
    let (width, height, most) = (number()?, number()?, number()?);
    let pixels =
        width.checked_mul(height).filter(|pixels| (1..=SURFACE_PIXELS_MAX).contains(pixels)).ok_or_else(bad)?;
    if magic != "P6" || most != 255 {
        return Err(bad());
    }
    let mut rgb = vec![0; pixels as usize * 3];
    out.read_exact(&mut rgb)?;
    Ok(Picture { width: width as usize, rgb })
}

impl Picture {
    fn height(&self) -> usize {
        self.rgb.len() / 3 / self.width.max(1)
    }

    fn pixel(&self, x: usize, y: usize) -> [u8; 4] {
        let at = (y * self.width + x) * 3;
        match self.rgb.get(at..at + 3) {
            Some([r, g, b]) if x < self.width => [*r, *g, *b, 255],
            _ => [0, 0, 0, 255],
        }
    }
}

/// The picture's first pixel is the rectangle's.
fn one_to_one(surface: &mut Surface, rect: Rect, part: Rect, picture: &Picture) -> Option<()> {
    for y in part.y..part.y.saturating_add(part.h) {
        let row = surface.row_mut(part.x, y, part.w).ok()?;
        for (x, pixel) in (part.x..).zip(row.as_chunks_mut::<4>().0) {
            *pixel = picture.pixel(usize::from(x - rect.x), usize::from(y - rect.y));
        }
    }
    Some(())
}

/// All of it, as large as the rectangle.
fn scaled(surface: &mut Surface, rect: Rect, picture: &Picture) -> Option<()> {
    let (width, height) = (usize::from(rect.w), usize::from(rect.h));
    for y in 0..rect.h {
        let row = surface.row_mut(rect.x, rect.y.checked_add(y)?, rect.w).ok()?;
        let from_y = usize::from(y) * picture.height() / height.max(1);
        for (x, pixel) in (0..).zip(row.as_chunks_mut::<4>().0) {
            *pixel = picture.pixel(x * picture.width / width.max(1), from_y);
        }
    }
    Some(())
}
