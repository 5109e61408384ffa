//! Hextile (RFC 6143 §7.7.4): tiles of 16 pixels a side, raw or a background with rectangles on it.

use crate::{
    decode::{Decode, Raw},
    reader::{Reader, Stop, bad},
};
use oriel_screen::{Rect, Surface};

const SIDE: u16 = 16;
const RAW: u8 = 1;
const BACKGROUND: u8 = 2;
const FOREGROUND: u8 = 4;
const SUBRECTS: u8 = 8;
const COLOURED: u8 = 16;

#[derive(Debug)]
pub(crate) struct Hextile {
    rect: Rect,
    at: (u16, u16),
    state: State,
    background: [u8; 3],
    foreground: [u8; 3],
}

#[derive(Debug)]
enum State {
    Header,
    Raw(Raw),
    Subrects { left: u8, coloured: bool },
}

impl Hextile {
    pub(crate) const fn new(rect: Rect) -> Self {
        Self { rect, at: (0, 0), state: State::Header, background: [0; 3], foreground: [0; 3] }
    }

    fn tile(&self) -> Rect {
        let (x, y) = self.at;
        Rect::new(self.rect.x + x, self.rect.y + y, SIDE.min(self.rect.w - x), SIDE.min(self.rect.h - y))
    }

    fn next_tile(&mut self) {
        self.state = State::Header;
        let (x, y) = self.at;
        self.at = if x + SIDE < self.rect.w { (x + SIDE, y) } else { (0, (y + SIDE).min(self.rect.h)) };
    }
}

impl Decode for Hextile {
    fn done(&self) -> bool {
        self.rect.is_empty() || self.at.1 >= self.rect.h
    }

    fn step(&mut self, reader: &mut Reader, surface: &mut Surface) -> Result<(), Stop> {
        let tile = self.tile();
        match &mut self.state {
            State::Header => {
                let mask = reader.u8()?;
                if mask & RAW != 0 {
                    self.state = State::Raw(Raw::new(tile));
                    return Ok(());
                }
                let background = if mask & BACKGROUND == 0 { self.background } else { reader.pixel()? };
                let foreground = if mask & FOREGROUND == 0 { self.foreground } else { reader.pixel()? };
                let left = if mask & SUBRECTS == 0 { 0 } else { reader.u8()? };
                self.background = background;
                self.foreground = foreground;
                surface.fill(tile, background)?;
                if left == 0 {
                    self.next_tile();
                } else {
                    self.state = State::Subrects { left, coloured: mask & COLOURED != 0 };
                }
            }
            State::Raw(raw) => {
                raw.step(reader, surface)?;
                if raw.done() {
                    self.next_tile();
                }
            }
            State::Subrects { left, coloured } => {
                let colour = if *coloured { reader.pixel()? } else { self.foreground };
                let [at, size] = reader.array::<2>()?;
                let inner = Rect::new(
                    u16::from(at >> 4),
                    u16::from(at & 15),
                    u16::from(size >> 4) + 1,
                    u16::from(size & 15) + 1,
                );
                if !inner.fits(tile.w, tile.h) {
                    return bad("a hextile rectangle leaves its tile");
                }
                surface.fill(Rect::new(tile.x + inner.x, tile.y + inner.y, inner.w, inner.h), colour)?;
                *left -= 1;
                if *left == 0 {
                    self.next_tile();
                }
            }
        }
        Ok(())
    }
}
