//! An exact set of pixels, as rectangles that do not overlap.

use crate::Rect;

/// Most rectangles of one region; beyond them it is simplified.
pub const REGION_RECTS_MAX: usize = 256;

/// Unlike [`Damage`](crate::Damage) it holds no pixel that nobody added, until it has more than [`REGION_RECTS_MAX`] pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    rects: Vec<Rect>,
}

/// The parts of `rect` that `hole` does not cover: at most four.
fn cut(rect: Rect, hole: &Rect, out: &mut Vec<Rect>) {
    let hole = rect.intersect(hole);
    if hole.is_empty() {
        out.push(rect);
        return;
    }
    // Both are inside `rect`, whose edges are `u16` after clipping; what is beyond stays out.
    let span = |from: u32, to: u32| to.saturating_sub(from).min(u32::from(u16::MAX)) as u16;
    let (right, bottom) = (hole.right(), hole.bottom());
    let (x_right, y_bottom) = (right.min(u32::from(u16::MAX)) as u16, bottom.min(u32::from(u16::MAX)) as u16);
    let pieces = [
        Rect::new(rect.x, rect.y, rect.w, hole.y - rect.y),
        Rect::new(rect.x, y_bottom, rect.w, span(bottom, rect.bottom())),
        Rect::new(rect.x, hole.y, hole.x - rect.x, hole.h),
        Rect::new(x_right, hole.y, span(right, rect.right()), hole.h),
    ];
    out.extend(pieces.into_iter().filter(|piece| !piece.is_empty()));
}

impl Region {
    pub fn is_empty(&self) -> bool {
        self.rects.is_empty()
    }

    pub fn clear(&mut self) {
        self.rects.clear();
    }

    pub fn rects(&self) -> &[Rect] {
        &self.rects
    }

    /// Pixels.
    pub fn area(&self) -> u64 {
        self.rects.iter().map(|rect| u64::from(rect.area())).sum()
    }

    pub fn touches(&self, rect: &Rect) -> bool {
        self.rects.iter().any(|own| !own.intersect(rect).is_empty())
    }

    fn without(&self, rect: &Rect) -> Vec<Rect> {
        let mut rest = Vec::with_capacity(self.rects.len());
        self.rects.iter().for_each(|own| cut(*own, rect, &mut rest));
        rest
    }

    /// Adds a rectangle. With too many pieces the region becomes the box around them.
    pub fn add(&mut self, rect: Rect) {
        if rect.is_empty() || self.rects.iter().any(|own| own.intersect(&rect) == rect) {
            return;
        }
        self.rects = self.without(&rect);
        self.rects.push(rect);
        if self.rects.len() > REGION_RECTS_MAX {
            let around = self.rects.iter().fold(Rect::default(), |around, own| around.union(own));
            self.rects = vec![around];
        }
    }

    /// Removes a rectangle. With too many pieces the smallest are lost as well.
    pub fn subtract(&mut self, rect: &Rect) {
        if !self.touches(rect) {
            return;
        }
        self.rects = self.without(rect);
        if self.rects.len() > REGION_RECTS_MAX {
            self.rects.sort_by_key(|own| std::cmp::Reverse(own.area()));
            self.rects.truncate(REGION_RECTS_MAX);
        }
    }

    /// What of a rectangle lies inside.
    pub fn inside(&self, rect: &Rect) -> Vec<Rect> {
        self.rects.iter().map(|own| own.intersect(rect)).filter(|part| !part.is_empty()).collect()
    }

    /// What of a rectangle lies outside.
    pub fn outside(&self, rect: &Rect) -> Vec<Rect> {
        let mut parts = vec![*rect];
        for own in &self.rects {
            if own.intersect(rect).is_empty() {
                continue;
            }
            let mut rest = Vec::with_capacity(parts.len() + 3);
            parts.iter().for_each(|part| cut(*part, own, &mut rest));
            parts = rest;
        }
        parts.retain(|part| !part.is_empty());
        parts
    }

    /// The region follows pixels that moved within the surface from `from_x, from_y` to `to`.
    pub fn copy(&mut self, from_x: u16, from_y: u16, to: &Rect) {
        let moved = self.inside(&Rect::new(from_x, from_y, to.w, to.h));
        self.subtract(to);
        for part in moved {
            let shift = |at: u16, from: u16, to: u16| u32::from(at - from) + u32::from(to);
            let (x, y) = (shift(part.x, from_x, to.x), shift(part.y, from_y, to.y));
            if let (Ok(x), Ok(y)) = (u16::try_from(x), u16::try_from(y)) {
                self.add(Rect::new(x, y, part.w, part.h));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn small() -> impl Strategy<Value = Rect> {
        (0u16..40, 0u16..40, 0u16..20, 0u16..20).prop_map(|(x, y, w, h)| Rect::new(x, y, w, h))
    }

    fn has(rects: &[Rect], x: u16, y: u16) -> usize {
        let point = Rect::new(x, y, 1, 1);
        rects.iter().filter(|rect| rect.intersect(&point) == point).count()
    }

    proptest! {
        #[test]
        fn every_pixel_is_where_it_belongs(steps in prop::collection::vec((any::<bool>(), small()), 1..12), probe in small()) {
            let mut region = Region::default();
            let mut truth = vec![false; 64 * 64];
            for (adds, rect) in steps {
                if adds { region.add(rect) } else { region.subtract(&rect) }
                for y in rect.y..rect.y + rect.h {
                    for x in rect.x..rect.x + rect.w {
                        truth[usize::from(y) * 64 + usize::from(x)] = adds;
                    }
                }
            }
            let (inside, outside) = (region.inside(&probe), region.outside(&probe));
            for y in 0..64u16 {
                for x in 0..64u16 {
                    let held = truth[usize::from(y) * 64 + usize::from(x)];
                    prop_assert_eq!(has(region.rects(), x, y), usize::from(held));
                    let probed = has(&[probe], x, y) == 1;
                    prop_assert_eq!(has(&inside, x, y), usize::from(probed && held));
                    prop_assert_eq!(has(&outside, x, y), usize::from(probed && !held));
                }
            }
        }

        #[test]
        fn any_rectangles_are_taken(steps in prop::collection::vec((any::<bool>(), any::<(u16, u16, u16, u16)>()), 0..300)) {
            let mut region = Region::default();
            for (adds, (x, y, w, h)) in steps {
                let rect = Rect::new(x, y, w, h);
                if adds { region.add(rect) } else { region.subtract(&rect) }
                region.copy(x / 2, y / 2, &rect);
                prop_assert!(region.rects().len() <= REGION_RECTS_MAX);
                region.outside(&rect);
            }
        }
    }
}
