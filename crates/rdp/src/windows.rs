//! Where an application's windows are on the screen (MS-RDPERP 2.2.1.3): what they leave is nobody's, and painted black, because the
//! machine draws nothing but windows.

use ironrdp_pdu::geometry::ExclusiveRectangle;
use ironrdp_pdu::window::{ShowState, WindowOrder, WindowOrderBody, WindowState, WindowingOrder};
use oriel_screen::Rect;
use std::collections::BTreeMap;

/// Windows that are kept in mind; those beyond leave their last picture behind.
pub(crate) const WINDOWS_MAX: usize = 256;
/// Visible parts of one window.
pub(crate) const PARTS_MAX: usize = 256;
/// Visible parts of all windows together that are told from each other: every one is held against every other.
const COVERED_MAX: usize = 512;
/// Pieces of the screen that one change may leave; with more, everything is drawn anew.
pub(crate) const PIECES_MAX: usize = 2048;

#[derive(Debug, Default)]
struct Window {
    hidden: bool,
    at: (i32, i32),
    size: (u32, u32),
    /// Where the visible parts are counted from, and the parts; none: the whole window.
    visible_at: Option<(i32, i32)>,
    parts: Option<Vec<ExclusiveRectangle>>,
}

#[derive(Debug, Default)]
pub(crate) struct Windows(BTreeMap<u32, Window>);

/// What is to be painted after a change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// These parts are nobody's any more.
    Pieces(Vec<Rect>),
    /// All of the screen is to be painted over, and drawn anew.
    Everything,
}

fn clip(x: i64, y: i64, w: i64, h: i64, screen: (u16, u16)) -> Rect {
    let side = |from: i64, length: i64, most: u16| {
        let (begin, end) = (from.clamp(0, most.into()), from.saturating_add(length).clamp(0, most.into()));
        (begin as u16, (end - begin).max(0) as u16)
    };
    let ((x, w), (y, h)) = (side(x, w, screen.0), side(y, h, screen.1));
    Rect::new(x, y, w, h)
}

impl Window {
    fn update(&mut self, state: &WindowState) {
        if let Some(show) = state.show_state {
            self.hidden = matches!(show, ShowState::Hide | ShowState::Minimized);
        }
        if let Some(at) = state.window_offset {
            self.at = (at.x, at.y);
        }
        if let Some(size) = state.window_size {
            self.size = (size.width, size.height);
        }
        if let Some(at) = state.visible_offset {
            self.visible_at = Some((at.x, at.y));
        }
        if let Some(parts) = &state.visibility_rects {
            self.parts = Some(parts.iter().take(PARTS_MAX).cloned().collect());
        }
    }

    fn cover(&self, screen: (u16, u16), covered: &mut Vec<Rect>) {
        if self.hidden {
            return;
        }
        let (x, y) = self.visible_at.unwrap_or(self.at);
        match self.parts.as_deref() {
            Some([_, ..]) if self.visible_at.is_some() => {
                for part in self.parts.iter().flatten() {
                    let (left, top) = (i64::from(part.left), i64::from(part.top));
                    let (w, h) = (i64::from(part.right) - left, i64::from(part.bottom) - top);
                    covered.push(clip(i64::from(x) + left, i64::from(y) + top, w, h, screen));
                }
            }
            _ => {
                let ((x, y), (w, h)) = (self.at, self.size);
                covered.push(clip(x.into(), y.into(), w.into(), h.into(), screen));
            }
        }
    }
}

impl Windows {
    /// The parts of the screen that windows have. `None`: too many.
    fn covered(&self, screen: (u16, u16)) -> Option<Vec<Rect>> {
        let mut covered = Vec::new();
        for window in self.0.values() {
            window.cover(screen, &mut covered);
            covered.retain(|rect| !rect.is_empty());
            if covered.len() > COVERED_MAX {
                return None;
            }
        }
        Some(covered)
    }

    /// Takes orders of the machine in; says what of a screen of `screen` pixels the windows left.
    pub(crate) fn apply(&mut self, orders: &[WindowingOrder], screen: (u16, u16)) -> Left {
        let before = self.covered(screen);
        for order in orders {
            match order {
                WindowingOrder::Window(order) => self.window(order),
                WindowingOrder::Desktop(order) => {
                    if order.resets_windows() {
                        self.0.clear();
                    }
                }
                WindowingOrder::NotifyIcon(_) => {}
            }
        }
        let (Some(mut pieces), Some(after)) = (before, self.covered(screen)) else { return Left::Everything };
        for rect in &after {
            pieces = match without(pieces, *rect) {
                Some(pieces) => pieces,
                None => return Left::Everything,
            };
        }
        Left::Pieces(pieces)
    }

    fn window(&mut self, WindowOrder { window_id, body, .. }: &WindowOrder) {
        match body {
            WindowOrderBody::State(state) => {
                if self.0.len() < WINDOWS_MAX || self.0.contains_key(window_id) {
                    self.0.entry(*window_id).or_default().update(state);
                }
            }
            WindowOrderBody::Deleted => drop(self.0.remove(window_id)),
            WindowOrderBody::Icon(_) => {}
        }
    }
}

/// What of some rectangles is not in another. `None`: too many pieces.
fn without(rects: Vec<Rect>, hole: Rect) -> Option<Vec<Rect>> {
    let mut left = Vec::with_capacity(rects.len());
    for rect in rects {
        let common = rect.intersect(&hole);
        if common.is_empty() {
            left.push(rect);
            continue;
        }
        if left.len() > PIECES_MAX {
            return None;
        }
        let edge = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
        let (right, bottom) = (edge(rect.right()), edge(rect.bottom()));
        let (common_right, common_bottom) = (edge(common.right()), edge(common.bottom()));
        let pieces = [
            Rect::new(rect.x, rect.y, rect.w, common.y - rect.y),
            Rect::new(rect.x, common_bottom, rect.w, bottom - common_bottom),
            Rect::new(rect.x, common.y, common.x - rect.x, common.h),
            Rect::new(common_right, common.y, right - common_right, common.h),
        ];
        left.extend(pieces.into_iter().filter(|piece| !piece.is_empty()));
    }
    (left.len() <= PIECES_MAX).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironrdp_pdu::window::{DesktopOrder, WindowPoint, WindowSize};

    const SCREEN: (u16, u16) = (800, 600);

    fn state(id: u32, at: (i32, i32), size: (u32, u32)) -> WindowingOrder {
        let state = WindowState {
            show_state: Some(ShowState::Show),
            window_offset: Some(WindowPoint { x: at.0, y: at.1 }),
            window_size: Some(WindowSize { width: size.0, height: size.1 }),
            ..WindowState::default()
        };
        WindowingOrder::Window(WindowOrder {
            window_id: id,
            is_new: false,
            body: WindowOrderBody::State(Box::new(state)),
        })
    }

    fn gone(id: u32) -> WindowingOrder {
        WindowingOrder::Window(WindowOrder { window_id: id, is_new: false, body: WindowOrderBody::Deleted })
    }

    fn area(left: &Left) -> u32 {
        match left {
            Left::Pieces(pieces) => pieces.iter().map(Rect::area).sum(),
            Left::Everything => panic!("everything"),
        }
    }

    #[test]
    fn what_windows_leave_is_nobodys() {
        let mut windows = Windows::default();
        assert_eq!(windows.apply(&[state(1, (100, 100), (200, 100))], SCREEN), Left::Pieces(vec![]));
        // Moved by ten pixels: a strip on the left is free.
        let left = windows.apply(&[state(1, (110, 100), (200, 100))], SCREEN);
        assert_eq!(left, Left::Pieces(vec![Rect::new(100, 100, 10, 100)]));
        // Another one above it, half outside of the screen, closes: only what the first does not have.
        windows.apply(&[state(2, (-50, 90), (260, 60))], SCREEN);
        let left = windows.apply(&[gone(2)], SCREEN);
        assert_eq!(area(&left), 210 * 60 - 100 * 50);
        // Minimized, and shown again.
        let show = |show| {
            let state = WindowState { show_state: Some(show), ..WindowState::default() };
            [WindowingOrder::Window(WindowOrder {
                window_id: 1,
                is_new: false,
                body: WindowOrderBody::State(Box::new(state)),
            })]
        };
        assert_eq!(area(&windows.apply(&show(ShowState::Minimized), SCREEN)), 200 * 100);
        assert_eq!(area(&windows.apply(&show(ShowState::Show), SCREEN)), 0);
        assert_eq!(area(&windows.apply(&[WindowingOrder::Desktop(DesktopOrder::NonMonitored)], SCREEN)), 200 * 100);
    }

    #[test]
    fn a_window_of_parts_covers_its_parts() {
        let mut windows = Windows::default();
        windows.apply(&[state(1, (0, 0), (100, 100))], SCREEN);
        let part = ExclusiveRectangle { left: 0, top: 0, right: 100, bottom: 40 };
        let state = WindowState {
            visible_offset: Some(WindowPoint { x: 0, y: 0 }),
            visibility_rects: Some(vec![part]),
            ..WindowState::default()
        };
        let order = WindowOrder { window_id: 1, is_new: false, body: WindowOrderBody::State(Box::new(state)) };
        assert_eq!(area(&windows.apply(&[WindowingOrder::Window(order)], SCREEN)), 100 * 60);
    }

    #[test]
    fn hostile_windows_are_bounded() {
        let mut windows = Windows::default();
        let many: Vec<_> = (0..1000).map(|id| state(id, (i32::MIN, i32::MAX), (u32::MAX, u32::MAX))).collect();
        windows.apply(&many, SCREEN);
        assert_eq!(windows.0.len(), WINDOWS_MAX);
        // A sieve: the whole screen, then many small holes in it.
        let mut windows = Windows::default();
        windows.apply(&[state(999, (0, 0), (800, 600))], SCREEN);
        let holes = (0..250).map(|id| state(id, (3 * (id as i32 % 50) * 5, 20 * (id as i32 / 50)), (1, 1)));
        let orders: Vec<_> = holes.chain([gone(999)]).collect();
        let left = windows.apply(&orders, SCREEN);
        assert_eq!(area(&left), 800 * 600 - 250);
    }
}
