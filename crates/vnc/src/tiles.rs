//! TRLE and the pixels inside ZRLE (RFC 6143 §7.7.5, §7.7.6): tiles of 16 or 64 pixels a side, each raw, of one colour,
//! with a palette or run-length encoded.

use crate::{
    decode::{Decode, Walk, paint_rgb},
    reader::{Reader, Stop, bad},
};
use oriel_screen::{Rect, Surface};

#[derive(Debug)]
pub(crate) struct Tiles {
    rect: Rect,
    /// 16 (TRLE) or 64 (ZRLE).
    side: u16,
    /// Top left corner of the current tile within the rectangle.
    at: (u16, u16),
    state: State,
    /// Kept from tile to tile: TRLE may say "the same palette".
    palette: Vec<[u8; 3]>,
}

#[derive(Debug)]
enum State {
    Header,
    Raw(Walk),
    /// Palette indices of so many bits, rows padded to whole bytes.
    Packed {
        walk: Walk,
        bits: u8,
    },
    Runs(Walk),
    PaletteRuns(Walk),
}

impl Tiles {
    pub(crate) const fn trle(rect: Rect) -> Self {
        Self { rect, side: 16, at: (0, 0), state: State::Header, palette: Vec::new() }
    }

    pub(crate) const fn zrle(rect: Rect) -> Self {
        Self { rect, side: 64, at: (0, 0), state: State::Header, palette: Vec::new() }
    }

    fn tile(&self) -> Rect {
        let (x, y) = self.at;
        Rect::new(self.rect.x + x, self.rect.y + y, self.side.min(self.rect.w - x), self.side.min(self.rect.h - y))
    }

    fn next_tile(&mut self) {
        self.state = State::Header;
        let (x, y) = self.at;
        self.at = if x + self.side < self.rect.w { (x + self.side, y) } else { (0, (y + self.side).min(self.rect.h)) };
    }

    fn read_palette(&mut self, reader: &mut Reader, count: u8) -> Result<(), Stop> {
        let bytes = reader.take(usize::from(count) * 3)?;
        self.palette.clear();
        self.palette.extend_from_slice(bytes.as_chunks::<3>().0);
        Ok(())
    }

    fn packed(&self, tile: Rect) -> Result<State, Stop> {
        let bits = match self.palette.len() {
            2 => 1,
            3..=4 => 2,
            5..=16 => 4,
            size => return bad(format!("a tile packs indices into a palette of {size} colours")),
        };
        Ok(State::Packed { walk: Walk::new(tile), bits })
    }

    fn header(&mut self, reader: &mut Reader, surface: &mut Surface) -> Result<(), Stop> {
        let tile = self.tile();
        let reuse = self.side == 16;
        match reader.u8()? {
            0 => self.state = State::Raw(Walk::new(tile)),
            1 => {
                let colour = reader.array::<3>()?;
                surface.fill(tile, colour)?;
                // "The same palette" after a solid tile means a palette of that one colour; nothing may index it packed.
                self.palette.clear();
                self.palette.push(colour);
                self.next_tile();
            }
            count @ 2..=16 => {
                self.read_palette(reader, count)?;
                self.state = self.packed(tile)?;
            }
            127 if reuse => self.state = self.packed(tile)?,
            128 => self.state = State::Runs(Walk::new(tile)),
            129 if reuse => self.state = State::PaletteRuns(Walk::new(tile)),
            count @ 130.. => {
                self.read_palette(reader, count - 128)?;
                self.state = State::PaletteRuns(Walk::new(tile));
            }
            other => return bad(format!("a tile has the unknown subencoding {other}")),
        }
        Ok(())
    }
}

/// A run length: one more than the sum of its bytes, of which all but the last are 255.
fn run_length(reader: &mut Reader, most: u32) -> Result<u32, Stop> {
    let mut length = 1_u32;
    loop {
        let byte = reader.u8()?;
        length += u32::from(byte);
        if length > most {
            return bad("a run of pixels leaves its tile");
        }
        if byte != 255 {
            return Ok(length);
        }
    }
}

fn colour(palette: &[[u8; 3]], index: u8) -> Result<[u8; 3], Stop> {
    palette.get(usize::from(index)).copied().ok_or_else(|| Stop::Bad(String::from("a palette index is out of range")))
}

impl Decode for Tiles {
    fn done(&self) -> bool {
        self.rect.is_empty() || self.at.1 >= self.rect.h
    }

    fn step(&mut self, reader: &mut Reader, surface: &mut Surface) -> Result<(), Stop> {
        let walk = match &mut self.state {
            State::Header => return self.header(reader, surface),
            State::Raw(walk) => {
                let rgb = reader.some(3, usize::from(walk.left_in_row()))?;
                paint_rgb(walk, surface, rgb)?;
                walk
            }
            State::Packed { walk, bits } => {
                let byte = reader.u8()?;
                let count = walk.left_in_row().min(8 / u16::from(*bits));
                let mut left = 8;
                for pixel in walk.pixels(surface, count)?.chunks_exact_mut(4) {
                    left -= *bits;
                    let [r, g, b] = colour(&self.palette, (byte >> left) & ((1 << *bits) - 1))?;
                    pixel.copy_from_slice(&[r, g, b, 255]);
                }
                walk
            }
            State::Runs(walk) => {
                let rgb = reader.array::<3>()?;
                let length = run_length(reader, walk.left())?;
                walk.paint(surface, length, rgb)?;
                walk
            }
            State::PaletteRuns(walk) => {
                let index = reader.u8()?;
                let length = if index & 0x80 == 0 { 1 } else { run_length(reader, walk.left())? };
                walk.paint(surface, length, colour(&self.palette, index & 0x7f)?)?;
                walk
            }
        };
        if walk.done() {
            self.next_tile();
        }
        Ok(())
    }
}
