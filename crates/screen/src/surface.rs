//! Pixels in memory.

use crate::{Rect, SURFACE_PIXELS_MAX, SURFACE_SIDE_MAX};

/// Pixels to read: RGBA (the fourth byte is ignored), four bytes a pixel, rows from the top without padding.
pub trait Framebuffer {
    fn width(&self) -> u16;
    fn height(&self) -> u16;
    /// `width * height * 4` bytes.
    fn rgba(&self) -> &[u8];

    /// One row of a rectangle, clipped to the surface.
    fn row(&self, x: u16, y: u16, w: u16) -> &[u8] {
        let width = usize::from(self.width());
        let x = usize::from(x).min(width);
        let w = usize::from(w).min(width - x);
        if y >= self.height() {
            return &[];
        }
        let start = (usize::from(y) * width + x) * 4;
        self.rgba().get(start..start + w * 4).unwrap_or(&[])
    }
}

/// A surface of our own: every write is bounds-checked and clipped or refused, so that remote sizes cannot hurt.
#[derive(Clone, Debug, Default)]
pub struct Surface {
    width: u16,
    height: u16,
    data: Vec<u8>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SurfaceError {
    #[error(
        "a screen of {width}x{height} pixels is larger than the {SURFACE_SIDE_MAX} pixels a side or {SURFACE_PIXELS_MAX} pixels in all that Oriel accepts"
    )]
    TooLarge { width: u16, height: u16 },
    #[error("the rectangle {rect:?} does not fit the screen of {width}x{height}")]
    Outside { rect: Rect, width: u16, height: u16 },
    #[error("the rectangle {rect:?} came with {got} bytes instead of {want}")]
    Short { rect: Rect, got: usize, want: usize },
}

impl Surface {
    /// A black surface.
    pub fn new(width: u16, height: u16) -> Result<Self, SurfaceError> {
        if width > SURFACE_SIDE_MAX
            || height > SURFACE_SIDE_MAX
            || u32::from(width) * u32::from(height) > SURFACE_PIXELS_MAX
        {
            return Err(SurfaceError::TooLarge { width, height });
        }
        Ok(Self { width, height, data: vec![0; usize::from(width) * usize::from(height) * 4] })
    }

    fn check(&self, rect: Rect) -> Result<(), SurfaceError> {
        if rect.fits(self.width, self.height) {
            Ok(())
        } else {
            Err(SurfaceError::Outside { rect, width: self.width, height: self.height })
        }
    }

    fn offset(&self, x: u16, y: u16) -> usize {
        (usize::from(y) * usize::from(self.width) + usize::from(x)) * 4
    }

    /// One row of a rectangle that `check` has accepted, to write.
    pub fn row_mut(&mut self, x: u16, y: u16, w: u16) -> Result<&mut [u8], SurfaceError> {
        let rect = Rect::new(x, y, w, 1);
        self.check(rect)?;
        let start = self.offset(x, y);
        self.data.get_mut(start..start + usize::from(w) * 4).ok_or(SurfaceError::Outside {
            rect,
            width: self.width,
            height: self.height,
        })
    }

    /// Writes RGBA pixels, `rect.w * rect.h * 4` bytes.
    pub fn put_rgba(&mut self, rect: Rect, rgba: &[u8]) -> Result<(), SurfaceError> {
        self.check(rect)?;
        let want = rect.area() as usize * 4;
        if rgba.len() != want {
            return Err(SurfaceError::Short { rect, got: rgba.len(), want });
        }
        if rect.is_empty() {
            return Ok(());
        }
        for (row, from) in (rect.y..).zip(rgba.chunks_exact(usize::from(rect.w) * 4)) {
            self.row_mut(rect.x, row, rect.w)?.copy_from_slice(from);
        }
        Ok(())
    }

    pub fn fill(&mut self, rect: Rect, rgb: [u8; 3]) -> Result<(), SurfaceError> {
        self.check(rect)?;
        let [r, g, b] = rgb;
        for row in rect.y..rect.y.saturating_add(rect.h) {
            for pixel in self.row_mut(rect.x, row, rect.w)?.chunks_exact_mut(4) {
                pixel.copy_from_slice(&[r, g, b, 255]);
            }
        }
        Ok(())
    }

    /// Moves pixels within the surface; source and target may overlap.
    pub fn copy(&mut self, from_x: u16, from_y: u16, to: Rect) -> Result<(), SurfaceError> {
        self.check(to)?;
        self.check(Rect::new(from_x, from_y, to.w, to.h))?;
        let bytes = usize::from(to.w) * 4;
        let move_row = |data: &mut Vec<u8>, width: u16, row: u16| {
            let at = |x: u16, y: u16| (usize::from(y) * usize::from(width) + usize::from(x)) * 4;
            let from = at(from_x, from_y + row);
            data.copy_within(from..from + bytes, at(to.x, to.y + row));
        };
        if to.y > from_y {
            (0..to.h).rev().for_each(|row| move_row(&mut self.data, self.width, row));
        } else {
            (0..to.h).for_each(|row| move_row(&mut self.data, self.width, row));
        }
        Ok(())
    }
}

impl Framebuffer for Surface {
    fn width(&self) -> u16 {
        self.width
    }
    fn height(&self) -> u16 {
        self.height
    }
    fn rgba(&self) -> &[u8] {
        &self.data
    }
}
