//! The cursor channel: pointer pictures and, while the machine moves the pointer itself, where it is (SPICE protocol, "Cursor channel").

use crate::{
    CURSORS_MAX,
    image::Depth,
    reader::{Broken, Reader, bad},
};
use bytes::Bytes;
use oriel_screen::{CURSOR_SIDE_MAX, ScreenEvent};
use std::collections::HashMap;

const FLAG_NONE: u16 = 1;
const FLAG_CACHE_ME: u16 = 2;
const FLAG_FROM_CACHE: u16 = 4;

/// Bytes of all pointers that are kept.
const CURSOR_BYTES_MAX: usize = 16 << 20;

#[derive(Debug, Default)]
pub(crate) struct Cursor {
    kept: HashMap<u64, ScreenEvent>,
    bytes: usize,
}

fn bytes_of(event: &ScreenEvent) -> usize {
    if let ScreenEvent::Cursor { rgba, .. } = event { rgba.len() } else { 0 }
}

impl Cursor {
    pub(crate) fn message(&mut self, kind: u16, body: &[u8], events: &mut Vec<ScreenEvent>) -> Result<(), Broken> {
        let mut reader = Reader::new(body);
        match kind {
            // INIT: place, trail, visibility and picture. The machine says where the pointer is when it moves it.
            101 => {
                reader.take(8)?;
                let visible = reader.u8()? != 0;
                self.forget_all();
                self.set(visible, &mut reader, events)?;
            }
            // RESET
            102 => {
                self.forget_all();
                events.push(ScreenEvent::CursorHidden);
            }
            // SET
            103 => {
                reader.take(4)?;
                let visible = reader.u8()? != 0;
                self.set(visible, &mut reader, events)?;
            }
            // MOVE
            104 => {
                let side = |value: u16| u16::try_from(value.cast_signed().max(0)).unwrap_or(0);
                let (x, y) = (side(reader.u16()?), side(reader.u16()?));
                events.push(ScreenEvent::CursorMove { x, y });
            }
            // HIDE
            105 => events.push(ScreenEvent::CursorHidden),
            // TRAIL
            106 => {}
            107 => {
                let gone = self.kept.remove(&reader.u64()?);
                self.bytes -= gone.as_ref().map_or(0, bytes_of);
            }
            108 => self.forget_all(),
            other => tracing::debug!(kind = other, "A SPICE server's cursor message was left out"),
        }
        Ok(())
    }

    fn forget_all(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    fn set(&mut self, visible: bool, reader: &mut Reader, events: &mut Vec<ScreenEvent>) -> Result<(), Broken> {
        let flags = reader.u16()?;
        if flags & FLAG_NONE != 0 {
            events.push(ScreenEvent::CursorHidden);
            return Ok(());
        }
        let id = reader.u64()?;
        let event = if flags & FLAG_FROM_CACHE != 0 {
            self.kept.get(&id).cloned().ok_or_else(|| Broken(format!("pointer {id} was never sent")))?
        } else {
            picture(reader)?
        };
        if flags & FLAG_CACHE_ME != 0 {
            self.bytes -= self.kept.remove(&id).as_ref().map_or(0, bytes_of);
            self.bytes += bytes_of(&event);
            if self.kept.len() >= CURSORS_MAX || self.bytes > CURSOR_BYTES_MAX {
                return bad("it has more pointers kept than Oriel keeps");
            }
            self.kept.insert(id, event.clone());
        }
        events.push(if visible { event } else { ScreenEvent::CursorHidden });
        Ok(())
    }
}

/// Type, size, the point that points, and pixels.
fn picture(reader: &mut Reader) -> Result<ScreenEvent, Broken> {
    let kind = reader.u8()?;
    let [width, height, hot_x, hot_y] = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    if width == 0 || height == 0 || width > CURSOR_SIDE_MAX || height > CURSOR_SIDE_MAX {
        return bad(format!("a pointer of {width}x{height} pixels is empty or larger than {CURSOR_SIDE_MAX} a side"));
    }
    let (w, h) = (usize::from(width), usize::from(height));
    let mask_row = w.div_ceil(8);
    let rgba: Vec<u8> = match kind {
        // Colours multiplied by the fourth byte, which become straight.
        0 => {
            let (pixels, _) = reader.take(w * h * 4)?.as_chunks::<4>();
            let straight =
                |value: u8, a: u8| (u32::from(value) * 255).checked_div(u32::from(a)).unwrap_or(0).min(255) as u8;
            pixels.iter().flat_map(|[b, g, r, a]| [straight(*r, *a), straight(*g, *a), straight(*b, *a), *a]).collect()
        }
        // What is kept of the screen, then what is turned over.
        1 => {
            let (kept, turned) = (reader.take(mask_row * h)?, reader.take(mask_row * h)?);
            each(w, h, |x, y| {
                let set = |bits: &[u8]| bit(bits, mask_row, x, y);
                match (set(kept), set(turned)) {
                    (true, false) => [0; 4],
                    (false, true) => [255; 4],
                    // Turning over cannot be shown and becomes black.
                    _ => [0, 0, 0, 255],
                }
            })
        }
        3 => return bad("a pointer has a palette of 256 colours, which no server sends"),
        2 => {
            let row = w.div_ceil(2);
            let pixels = reader.take(row * h)?;
            let mut palette = [[0; 3]; 16];
            for slot in &mut palette {
                *slot = crate::image::colour(reader.u32()?);
            }
            let mask = reader.take(mask_row * h)?;
            each(w, h, |x, y| {
                let byte = pixels.get(y * row + x / 2).copied().unwrap_or(0);
                let index = if x % 2 == 0 { byte >> 4 } else { byte & 15 };
                masked(palette.get(usize::from(index)).copied().unwrap_or_default(), bit(mask, mask_row, x, y))
            })
        }
        4..=6 => {
            let bytes = match kind {
                4 => 2,
                5 => 3,
                _ => 4,
            };
            let (pixels, mask) = (reader.take(w * h * bytes)?, reader.take(mask_row * h)?);
            each(w, h, |x, y| {
                let mut pixel = Reader::new(pixels.get((y * w + x) * bytes..).unwrap_or_default());
                let colour = match bytes {
                    2 => Depth::of_555(pixel.u16().unwrap_or(0)),
                    _ => pixel.array().map(|[b, g, r]| [r, g, b]).unwrap_or_default(),
                };
                masked(colour, bit(mask, mask_row, x, y))
            })
        }
        other => return bad(format!("a pointer has the unknown type {other}")),
    };
    if rgba.chunks_exact(4).all(|pixel| pixel.last() == Some(&0)) {
        return Ok(ScreenEvent::CursorHidden);
    }
    Ok(ScreenEvent::Cursor {
        hot_x: hot_x.min(width - 1),
        hot_y: hot_y.min(height - 1),
        width,
        height,
        rgba: Bytes::from(rgba),
    })
}

fn bit(bits: &[u8], row: usize, x: usize, y: usize) -> bool {
    bits.get(y * row + x / 8).is_some_and(|byte| byte & (0x80 >> (x % 8)) != 0)
}

/// Where the mask is set, the screen is kept.
const fn masked([r, g, b]: [u8; 3], kept: bool) -> [u8; 4] {
    if kept { [0; 4] } else { [r, g, b, 255] }
}

fn each(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 4]) -> Vec<u8> {
    (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect()
}

#[cfg(test)]
mod tests {
    use super::Cursor;
    use oriel_screen::ScreenEvent;

    fn set(flags: u16, id: u64, kind: u8, side: u16, data: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 0, 0, 0, 1];
        body.extend_from_slice(&flags.to_le_bytes());
        body.extend_from_slice(&id.to_le_bytes());
        body.push(kind);
        for value in [side, side, 1, 9] {
            body.extend_from_slice(&value.to_le_bytes());
        }
        body.extend_from_slice(data);
        body
    }

    fn shown(cursor: &mut Cursor, body: &[u8]) -> Result<ScreenEvent, String> {
        let mut events = Vec::new();
        cursor.message(103, body, &mut events).map_err(|broken| broken.0)?;
        Ok(events.remove(0))
    }

    #[test]
    fn pictures_of_all_kinds_and_the_cache() {
        let mut cursor = Cursor::default();
        let rgba = |event: &ScreenEvent| match event {
            ScreenEvent::Cursor { hot_x, hot_y, rgba, .. } => {
                assert_eq!((*hot_x, *hot_y), (1, 1));
                rgba.to_vec()
            }
            other => panic!("{other:?}"),
        };
        let alpha = [[0, 0, 64, 128], [1, 2, 3, 255], [0; 4], [0; 4]].concat();
        let first = shown(&mut cursor, &set(2, 7, 0, 2, &alpha)).unwrap();
        assert_eq!(rgba(&first), [[127, 0, 0, 128], [3, 2, 1, 255], [0; 4], [0; 4]].concat());
        assert_eq!(shown(&mut cursor, &set(4, 7, 0, 2, &[])).unwrap(), first, "from the cache");
        assert!(shown(&mut cursor, &set(4, 8, 0, 2, &[])).unwrap_err().contains("never sent"));
        let mono = [0b0100_0000, 0b1100_0000, 0b1000_0000, 0b0100_0000];
        let event = shown(&mut cursor, &set(0, 0, 1, 2, &mono)).unwrap();
        assert_eq!(rgba(&event), [[255; 4], [0; 4], [0; 4], [0, 0, 0, 255]].concat());
        let deep = [[3, 2, 1, 0].repeat(4), vec![0x80, 0x40]].concat();
        let event = shown(&mut cursor, &set(0, 0, 6, 2, &deep)).unwrap();
        assert_eq!(rgba(&event), [[0; 4], [1, 2, 3, 255], [1, 2, 3, 255], [0; 4]].concat());
        assert!(shown(&mut cursor, &set(0, 0, 6, 2, &deep[1..])).unwrap_err().contains("early"));
        assert!(shown(&mut cursor, &set(0, 0, 0, 999, &[])).unwrap_err().contains("999"));
    }
}
