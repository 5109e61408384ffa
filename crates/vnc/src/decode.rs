//! Painting pixels as they arrive, and the simplest encoding (raw, RFC 6143 §7.7.1).

use crate::reader::{Reader, Stop};
use oriel_screen::{Rect, Surface};

/// A decoder of one rectangle. It consumes small units (a few pixels, a tile's header), so that a rectangle may come in
/// pieces of any size and never needs to be held.
pub(crate) trait Decode {
    /// The rectangle is complete.
    fn done(&self) -> bool;

    /// Consumes one unit. On `Short` the decoder is unchanged.
    fn step(&mut self, reader: &mut Reader, surface: &mut Surface) -> Result<(), Stop>;

    /// Consumes all units that are there.
    fn run(&mut self, reader: &mut Reader, surface: &mut Surface) -> Result<(), Stop> {
        while !self.done() {
            reader.unit(|reader| self.step(reader, surface))?;
        }
        Ok(())
    }
}

/// Walks the pixels of a rectangle row by row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    rect: Rect,
    column: u16,
    row: u16,
}

impl Walk {
    pub(crate) const fn new(rect: Rect) -> Self {
        Self { rect, column: 0, row: 0 }
    }

    pub(crate) const fn done(&self) -> bool {
        self.rect.w == 0 || self.row >= self.rect.h
    }

    /// Pixels until the end of the row.
    pub(crate) const fn left_in_row(&self) -> u16 {
        self.rect.w - self.column
    }

    /// Pixels until the end of the rectangle.
    pub(crate) const fn left(&self) -> u32 {
        if self.done() { 0 } else { self.rect.w as u32 * (self.rect.h - self.row) as u32 - self.column as u32 }
    }

    /// Where the next pixel goes.
    pub(crate) const fn position(&self) -> (u16, u16) {
        (self.rect.x + self.column, self.rect.y + self.row)
    }

    pub(crate) const fn first_row(&self) -> bool {
        self.row == 0
    }

    pub(crate) const fn first_column(&self) -> bool {
        self.column == 0
    }

    /// The next `count` pixels of this row, to write.
    pub(crate) fn pixels<'s>(&mut self, surface: &'s mut Surface, count: u16) -> Result<&'s mut [u8], Stop> {
        let count = count.min(self.left_in_row());
        let (x, y) = self.position();
        self.column += count;
        if self.column == self.rect.w {
            self.column = 0;
            self.row += 1;
        }
        Ok(surface.row_mut(x, y, count)?)
    }

    /// Paints one colour over the next `count` pixels, over the ends of rows.
    pub(crate) fn paint(&mut self, surface: &mut Surface, count: u32, [r, g, b]: [u8; 3]) -> Result<(), Stop> {
        let mut left = count.min(self.left());
        while left > 0 {
            let now = left.min(u32::from(self.left_in_row()));
            for pixel in self.pixels(surface, now as u16)?.chunks_exact_mut(4) {
                pixel.copy_from_slice(&[r, g, b, 255]);
            }
            left -= now;
        }
        Ok(())
    }
}

/// Raw pixels, four bytes each in the surface's own order.
#[derive(Debug)]
pub(crate) struct Raw(Walk);

impl Raw {
    pub(crate) const fn new(rect: Rect) -> Self {
        Self(Walk::new(rect))
    }
}

impl Decode for Raw {
    fn done(&self) -> bool {
        self.0.done()
    }

    fn step(&mut self, reader: &mut Reader, surface: &mut Surface) -> Result<(), Stop> {
        let bytes = reader.some(4, usize::from(self.0.left_in_row()))?;
        self.0.pixels(surface, (bytes.len() / 4) as u16)?.copy_from_slice(bytes);
        Ok(())
    }
}

/// Writes packed RGB over the next pixels of a row.
pub(crate) fn paint_rgb(walk: &mut Walk, surface: &mut Surface, rgb: &[u8]) -> Result<(), Stop> {
    let pixels = walk.pixels(surface, (rgb.len() / 3) as u16)?;
    for (pixel, [r, g, b]) in pixels.chunks_exact_mut(4).zip(rgb.as_chunks::<3>().0) {
        pixel.copy_from_slice(&[*r, *g, *b, 255]);
    }
    Ok(())
}
