//! The screens of a server with ExtendedDesktopSize, and those that a viewer wants.

use crate::{reader::Reader, write::Screen};
use oriel_screen::{MONITORS_MAX, Monitor, Monitors, Rect};

/// What the viewer wants to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// One screen of this width and height.
    Window(u16, u16),
    Monitors(Monitors),
}

impl Wish {
    pub(crate) fn size(&self) -> (u16, u16) {
        match self {
            Self::Window(width, height) => (*width, *height),
            Self::Monitors(monitors) => monitors.size(),
        }
    }
}

/// The server's screens as it told them last; of more than [`MONITORS_MAX`] the first.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    screens: Vec<Screen>,
    /// There are more.
    cut: bool,
}

impl Layout {
    /// 16 bytes a screen. Where there are none, those that were known stay.
    pub(crate) fn told(&mut self, bytes: &[u8]) {
        let mut reader = Reader::new(bytes);
        let mut screens = Vec::new();
        while screens.len() < MONITORS_MAX
            && let Some(screen) = read(&mut reader)
        {
            screens.push(screen);
        }
        if !screens.is_empty() {
            self.cut = bytes.len() / 16 > screens.len();
            self.screens = screens;
        }
    }

    pub(crate) fn is(&self, screens: &[Screen]) -> bool {
        !self.cut && self.screens == screens
    }

    pub(crate) fn has_one(&self) -> bool {
        !self.cut && self.screens.len() < 2
    }

    /// The screens for a wish. Those that the server knows keep their numbers and flags, in their order; others get numbers of their own.
    pub(crate) fn wished(&self, wish: &Wish) -> Vec<Screen> {
        let rects: Vec<Rect> = match wish {
            Wish::Window(width, height) => vec![Rect::new(0, 0, *width, *height)],
            // The primary one first, which servers show their task bar on.
            Wish::Monitors(monitors) => {
                let (primary, rest): (Vec<&Monitor>, Vec<&Monitor>) =
                    monitors.as_slice().iter().partition(|monitor| monitor.primary);
                primary.into_iter().chain(rest).map(|monitor| monitor.rect).collect()
            }
        };
        let mut fresh = (0..).filter(|id| self.screens.iter().all(|screen| screen.id != *id));
        let mut known = self.screens.iter();
        let screens = rects.into_iter().map(|rect| match known.next() {
            Some(screen) => Screen { rect, ..*screen },
            // A server that told none gets the number of the only one.
            None => Screen { id: fresh.next().unwrap_or_default(), rect, flags: 0 },
        });
        screens.collect()
    }
}

fn read(reader: &mut Reader) -> Option<Screen> {
    let id = reader.u32().ok()?;
    let [x, y, w, h] = [reader.u16().ok()?, reader.u16().ok()?, reader.u16().ok()?, reader.u16().ok()?];
    Some(Screen { id, rect: Rect::new(x, y, w, h), flags: reader.u32().ok()? })
}
