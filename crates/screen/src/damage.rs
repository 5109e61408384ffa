//! What a viewer has not seen yet: a few rectangles, exact while they are few.

use crate::Rect;

/// Most rectangles kept apart; beyond that the two that waste least are joined.
const RECTS_MAX: usize = 24;

/// The dirty region of one viewer. Adding is cheap and bounded, so a slow viewer costs nothing but its region.
#[derive(Clone, Debug, Default)]
pub struct Damage {
    rects: Vec<Rect>,
}

impl Damage {
    pub fn is_empty(&self) -> bool {
        self.rects.is_empty()
    }

    pub fn clear(&mut self) {
        self.rects.clear();
    }

    /// Marks a rectangle dirty, joining it with those it touches when the union covers little that is clean.
    pub fn add(&mut self, rect: Rect) {
        if rect.is_empty() {
            return;
        }
        let mut rect = rect;
        // Joining may make it touch another one, so look again until nothing joins.
        while let Some(at) = self.rects.iter().position(|other| worth_joining(&rect, other)) {
            rect = rect.union(&self.rects.swap_remove(at));
        }
        self.rects.push(rect);
        if self.rects.len() > RECTS_MAX {
            self.join_cheapest();
        }
    }

    fn join_cheapest(&mut self) {
        let mut best: Option<(u32, usize, usize)> = None;
        for (i, a) in self.rects.iter().enumerate() {
            for (j, b) in self.rects.iter().enumerate().skip(i + 1) {
                let cost = waste(a, b);
                if best.is_none_or(|(least, _, _)| cost < least) {
                    best = Some((cost, i, j));
                }
            }
        }
        if let Some((_, i, j)) = best {
            let b = self.rects.swap_remove(j);
            let a = self.rects.swap_remove(i);
            self.add(a.union(&b));
        }
    }

    /// True when any dirty pixel lies in the rectangle.
    pub fn touches(&self, rect: &Rect) -> bool {
        self.rects.iter().any(|dirty| !dirty.intersect(rect).is_empty())
    }

    /// Takes the region, clipped to a surface of `width` x `height`, top to bottom.
    pub fn take(&mut self, width: u16, height: u16) -> Vec<Rect> {
        let mut rects: Vec<Rect> =
            self.rects.drain(..).map(|rect| rect.clip(width, height)).filter(|rect| !rect.is_empty()).collect();
        rects.sort_by_key(|rect| (rect.y, rect.x));
        rects
    }
}

/// Clean pixels that the union of two rectangles would repaint.
fn waste(a: &Rect, b: &Rect) -> u32 {
    a.union(b).area().saturating_sub(a.area() + b.area() - a.intersect(b).area())
}

/// Overlapping or adjoining rectangles join when the waste is small beside what they cover.
fn worth_joining(a: &Rect, b: &Rect) -> bool {
    let near = u32::from(a.x) <= b.right()
        && u32::from(b.x) <= a.right()
        && u32::from(a.y) <= b.bottom()
        && u32::from(b.y) <= a.bottom();
    near && waste(a, b) <= (a.area() + b.area()) / 4 + 256
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbours_join_and_strangers_stay_apart() {
        let mut damage = Damage::default();
        damage.add(Rect::new(0, 0, 10, 10));
        damage.add(Rect::new(10, 0, 10, 10));
        damage.add(Rect::new(500, 500, 10, 10));
        assert_eq!(damage.take(1000, 1000), vec![Rect::new(0, 0, 20, 10), Rect::new(500, 500, 10, 10)]);
        assert!(damage.is_empty());
    }

    proptest! {
        #[test]
        fn every_dirty_pixel_is_covered_and_the_list_is_short(
            rects in proptest::collection::vec((0u16..2000, 0u16..2000, 1u16..300, 1u16..300), 1..200)
        ) {
            let mut damage = Damage::default();
            let rects: Vec<Rect> = rects.into_iter().map(|(x, y, w, h)| Rect::new(x, y, w, h)).collect();
            rects.iter().for_each(|rect| damage.add(*rect));
            let taken = damage.take(4000, 4000);
            prop_assert!(taken.len() <= RECTS_MAX);
            for rect in rects {
                for (x, y) in [(rect.x, rect.y), (rect.x + rect.w - 1, rect.y + rect.h - 1)] {
                    let inside = taken.iter().any(|t| t.x <= x && u32::from(x) < t.right() && t.y <= y && u32::from(y) < t.bottom());
                    prop_assert!(inside);
                }
            }
        }
    }
}
