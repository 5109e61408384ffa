//! RRE (RFC 6143 §7.7.3): a background and a list of rectangles on it; and CoRRE (community's RFB specification), the same
//! with places and sizes of one byte.

use crate::{
    decode::Decode,
    reader::{Reader, Stop, bad},
};
use oriel_screen::{Rect, Surface};

/// How often a rectangle list may paint over its own area: beyond it, the list costs work and shows nothing.
const PAINT_FACTOR_MAX: u64 = 8;

#[derive(Debug)]
pub(crate) struct Rre {
    rect: Rect,
    compact: bool,
    /// Rectangles to come; none before the header.
    left: Option<u32>,
    painted: u64,
}

impl Rre {
    pub(crate) const fn new(rect: Rect) -> Self {
        Self { rect, compact: false, left: None, painted: 0 }
    }

    pub(crate) const fn compact(rect: Rect) -> Self {
        Self { rect, compact: true, left: None, painted: 0 }
    }
}

impl Decode for Rre {
    fn done(&self) -> bool {
        self.left == Some(0)
    }

    fn step(&mut self, reader: &mut Reader, surface: &mut Surface) -> Result<(), Stop> {
        let Some(left) = self.left else {
            let count = reader.u32()?;
            let background = reader.pixel()?;
            if count > self.rect.area() {
                return bad(format!("an RRE rectangle of {} pixels has {count} parts", self.rect.area()));
            }
            surface.fill(self.rect, background)?;
            self.left = Some(count);
            return Ok(());
        };
        let colour = reader.pixel()?;
        let inner = if self.compact {
            let [x, y, w, h] = reader.array::<4>()?.map(u16::from);
            Rect::new(x, y, w, h)
        } else {
            Rect::new(reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?)
        };
        if !inner.fits(self.rect.w, self.rect.h) {
            return bad("an RRE part leaves its rectangle");
        }
        self.painted += u64::from(inner.area());
        if self.painted > PAINT_FACTOR_MAX * u64::from(self.rect.area()) {
            return bad("the parts of an RRE rectangle paint it over and over");
        }
        surface.fill(Rect::new(self.rect.x + inner.x, self.rect.y + inner.y, inner.w, inner.h), colour)?;
        self.left = Some(left - 1);
        Ok(())
    }
}
