//! Several monitors side by side: the person has a window for each, and the surface is the box around all of them.

use crate::{Rect, SURFACE_PIXELS_MAX, SURFACE_SIDE_MAX};

/// Most monitors of one session. MS-RDPBCGR 2.2.1.3.6 allows 16, which no surface of ours could hold.
pub const MONITORS_MAX: usize = 8;
/// Smallest side of a monitor in pixels (MS-RDPEDISP 2.2.2.2.1).
pub const MONITOR_SIDE_MIN: u16 = 200;
/// Largest side of a monitor in pixels (MS-RDPEDISP 2.2.2.2.1).
pub const MONITOR_SIDE_MAX: u16 = 8192;
/// Scales that a monitor may have, in per cent (MS-RDPEDISP 2.2.2.2.1); others count as 100.
pub const MONITOR_SCALES: std::ops::RangeInclusive<u16> = 100..=500;

/// One of them, in pixels of the surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Monitor {
    pub rect: Rect,
    /// Per cent.
    pub scale: u16,
    /// Where machines put their task bar and new windows. One is.
    pub primary: bool,
}

impl Monitor {
    /// With a size and a scale that machines take: MS-RDPEDISP 2.2.2.2.1 wants even widths.
    fn within_limits(self) -> Self {
        let side = |pixels: u16| pixels.clamp(MONITOR_SIDE_MIN, MONITOR_SIDE_MAX);
        let mut rect = Rect { w: side(self.rect.w) & !1, h: side(self.rect.h), ..self.rect };
        if rect.area() > SURFACE_PIXELS_MAX {
            // Both sides are at most 8192: what is left is more than 2000 rows.
            rect.h = (SURFACE_PIXELS_MAX / u32::from(rect.w)) as u16;
        }
        let scale = if MONITOR_SCALES.contains(&self.scale) { self.scale } else { 100 };
        Self { rect, scale, ..self }
    }
}

/// A layout that machines take: one to [`MONITORS_MAX`] monitors, one of them primary, without overlaps, each at an edge of another
/// and all of them in one piece; the box around them begins at 0, 0 and is a surface within our limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitors(Vec<Monitor>);

impl Monitors {
    /// The layout that is meant, corrected where machines would refuse it: sizes and scales into their limits, one primary, side by
    /// side in their order where they overlap or lie apart, and without the last ones where the surface would be too large. What
    /// comes out stays as it is when it is corrected again. `None` for no monitors, or more than [`MONITORS_MAX`].
    pub fn arrange(meant: &[Monitor]) -> Option<Self> {
        if meant.is_empty() || meant.len() > MONITORS_MAX {
            return None;
        }
        let primary = meant.iter().position(|monitor| monitor.primary).unwrap_or(0);
        let mut monitors: Vec<Monitor> = meant.iter().map(|monitor| monitor.within_limits()).collect();
        for (at, monitor) in monitors.iter_mut().enumerate() {
            monitor.primary = at == primary;
        }
        loop {
            if !in_one_piece(&monitors) {
                side_by_side(&mut monitors);
            }
            to_the_origin(&mut monitors);
            let (width, height) = size_of(&monitors);
            let fits = width <= u32::from(SURFACE_SIDE_MAX)
                && height <= u32::from(SURFACE_SIDE_MAX)
                && width.saturating_mul(height) <= SURFACE_PIXELS_MAX;
            if fits {
                return Some(Self(monitors));
            }
            // A single one always fits.
            let last = monitors.iter().rposition(|monitor| !monitor.primary)?;
            monitors.remove(last);
        }
    }

    pub fn as_slice(&self) -> &[Monitor] {
        &self.0
    }

    pub fn primary(&self) -> Monitor {
        let none = Monitor { rect: Rect::default(), scale: 100, primary: true };
        self.0.iter().find(|monitor| monitor.primary).copied().unwrap_or(none)
    }

    /// Width and height of the box around them.
    pub fn size(&self) -> (u16, u16) {
        let (width, height) = size_of(&self.0);
        let side = |pixels: u32| u16::try_from(pixels).unwrap_or(SURFACE_SIDE_MAX);
        (side(width), side(height))
    }
}

/// Right and bottom end, from 0.
fn size_of(monitors: &[Monitor]) -> (u32, u32) {
    let end = |of: fn(&Rect) -> u32| monitors.iter().map(|monitor| of(&monitor.rect)).max().unwrap_or(0);
    (end(Rect::right), end(Rect::bottom))
}

fn to_the_origin(monitors: &mut [Monitor]) {
    let x = monitors.iter().map(|monitor| monitor.rect.x).min().unwrap_or(0);
    let y = monitors.iter().map(|monitor| monitor.rect.y).min().unwrap_or(0);
    for monitor in monitors {
        monitor.rect.x = monitor.rect.x.saturating_sub(x);
        monitor.rect.y = monitor.rect.y.saturating_sub(y);
    }
}

/// From left to right in their order, with their tops on one line. Eight of the largest end at 65536: the last one is dropped by
/// whoever asked, since it does not fit any more.
fn side_by_side(monitors: &mut [Monitor]) {
    let mut x = 0u16;
    for monitor in monitors {
        (monitor.rect.x, monitor.rect.y) = (x, 0);
        x = x.saturating_add(monitor.rect.w);
    }
}

/// Whether two share more than a corner of their edges.
fn at_an_edge(one: &Rect, other: &Rect) -> bool {
    let beside = one.right() == u32::from(other.x) || other.right() == u32::from(one.x);
    let below = one.bottom() == u32::from(other.y) || other.bottom() == u32::from(one.y);
    let rows = u32::from(one.y) < other.bottom() && u32::from(other.y) < one.bottom();
    let columns = u32::from(one.x) < other.right() && u32::from(other.x) < one.right();
    beside && rows || below && columns
}

/// Whether none overlap and each can be reached from the first over edges.
fn in_one_piece(monitors: &[Monitor]) -> bool {
    let apart = monitors
        .iter()
        .enumerate()
        .all(|(at, one)| monitors.iter().skip(at + 1).all(|other| one.rect.intersect(&other.rect).is_empty()));
    let mut found: Vec<Rect> = Vec::with_capacity(monitors.len());
    let mut left: Vec<Rect> = monitors.iter().map(|monitor| monitor.rect).collect();
    found.extend(left.pop());
    while let Some(at) = left.iter().position(|rect| found.iter().any(|reached| at_an_edge(rect, reached))) {
        found.push(left.swap_remove(at));
    }
    apart && left.is_empty()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::{MONITORS_MAX, Monitor, Monitors};
    use crate::{Rect, SURFACE_PIXELS_MAX, SURFACE_SIDE_MAX};
    use proptest::prelude::*;

    fn at(x: u16, y: u16, w: u16, h: u16) -> Monitor {
        Monitor { rect: Rect::new(x, y, w, h), scale: 100, primary: false }
    }

    fn rects(meant: &[Monitor]) -> Vec<Rect> {
        Monitors::arrange(meant).unwrap().as_slice().iter().map(|monitor| monitor.rect).collect()
    }

    #[test]
    fn what_machines_take_stays() {
        let meant = [
            Monitor { primary: true, scale: 150, ..at(0, 120, 1920, 1080) },
            at(1920, 0, 1080, 1920),
            at(0, 1200, 1280, 720),
        ];
        let monitors = Monitors::arrange(&meant).unwrap();
        assert_eq!(monitors.as_slice(), meant);
        assert_eq!((monitors.size(), monitors.primary()), ((3000, 1920), meant[0]));
    }

    #[test]
    fn sizes_scales_and_primaries_are_put_right() {
        let meant = [
            Monitor { scale: 50, ..at(0, 0, 1281, 100) },
            Monitor { primary: true, scale: 501, ..at(1280, 0, 100, 9000) },
            Monitor { primary: true, ..at(1480, 0, 701, 600) },
        ];
        let monitors = Monitors::arrange(&meant).unwrap();
        let expected =
            [at(0, 0, 1280, 200), Monitor { primary: true, ..at(1280, 0, 200, 8192) }, at(1480, 0, 700, 600)];
        assert_eq!(monitors.as_slice(), expected);
        // The first is primary where none says that it is; one too large for a surface has fewer rows.
        let large = Monitors::arrange(&[at(7, 9, 8192, 8192)]).unwrap();
        assert_eq!(large.as_slice(), [Monitor { primary: true, ..at(0, 0, 8192, 2250) }]);
    }

    #[test]
    fn overlaps_and_gaps_become_a_row() {
        let row = [Rect::new(0, 0, 800, 600), Rect::new(800, 0, 1024, 768)];
        for (x, y) in [(799, 0), (801, 0), (800, 600), (0, 601), (5000, 5000)] {
            assert_eq!(rects(&[at(0, 0, 800, 600), at(x, y, 1024, 768)]), row, "{x}, {y}");
        }
        // Two pairs, each in one piece.
        let pairs = [at(0, 0, 200, 200), at(200, 0, 200, 200), at(0, 900, 200, 200), at(200, 900, 200, 200)];
        assert_eq!(rects(&pairs).iter().map(|rect| rect.x).collect::<Vec<_>>(), [0, 200, 400, 600]);
        // The box begins at the origin.
        assert_eq!(rects(&[at(65_000, 300, 800, 600), at(64_200, 300, 800, 600)])[1], Rect::new(0, 0, 800, 600));
    }

    #[test]
    fn a_surface_that_is_too_large_loses_the_last() {
        let fourk = |x| at(x, 0, 3840, 2160);
        assert_eq!(rects(&[fourk(0), fourk(3840), fourk(7680)]).len(), 2);
        let meant = [fourk(0), fourk(3840), Monitor { primary: true, ..fourk(7680) }];
        assert_eq!(rects(&meant).len(), 2);
        assert!(Monitors::arrange(&meant).unwrap().as_slice()[1].primary);
        assert!(Monitors::arrange(&[]).is_none());
        assert!(Monitors::arrange(&[at(0, 0, 200, 200); MONITORS_MAX + 1]).is_none());
        assert_eq!(rects(&[at(0, 0, 200, 200); MONITORS_MAX]).len(), MONITORS_MAX);
    }

    proptest! {
        #[test]
        fn anything_becomes_a_layout_that_stays(
            meant in proptest::collection::vec(any::<(u16, u16, u16, u16, u16, bool)>(), 1..=MONITORS_MAX),
        ) {
            let meant: Vec<Monitor> = meant
                .into_iter()
                .map(|(x, y, w, h, scale, primary)| Monitor { rect: Rect::new(x, y, w, h), scale, primary })
                .collect();
            let monitors = Monitors::arrange(&meant).unwrap();
            let (width, height) = monitors.size();
            prop_assert!(width <= SURFACE_SIDE_MAX && height <= SURFACE_SIDE_MAX);
            prop_assert!(u32::from(width) * u32::from(height) <= SURFACE_PIXELS_MAX);
            prop_assert!(monitors.as_slice().iter().all(|monitor| monitor.rect.fits(width, height)));
            prop_assert_eq!(monitors.as_slice().iter().filter(|monitor| monitor.primary).count(), 1);
            let again = Monitors::arrange(monitors.as_slice());
            prop_assert_eq!(again.as_ref(), Some(&monitors));
        }
    }
}
