//! Which windows the program has.

use super::{ICONS_MAX, OWNERS_MAX, WINDOWS_MAX};
use std::collections::{BTreeMap, BTreeSet};

/// No window of the program is in front (MS-RDPERP 2.2.1.3.3.2.1).
const NO_WINDOW: u32 = u32::MAX;

#[derive(Debug, Default)]
struct Window {
    /// 0: none.
    owner: u32,
    shown: bool,
    title: String,
}

/// What an order says of a window; what it leaves out stays as it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub is_new: bool,
    pub owner: Option<u32>,
    pub shown: Option<bool>,
    pub title: Option<String>,
}

/// The program's windows, as the machine tells of them.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    open: BTreeMap<u32, Window>,
    /// In the notification area, by window and number.
    icons: BTreeSet<(u32, u32)>,
    /// The window that is or was in front.
    active: u32,
    /// One was to be seen since the machine began to tell.
    had: bool,
    title: String,
}

impl Windows {
    /// Of the window in front, without control characters; empty where it has none.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Whether one was to be seen since the machine began to tell.
    pub(crate) fn had_any(&self) -> bool {
        self.had
    }

    /// There were windows, and nothing of the program is to be seen any more, not even an icon.
    pub(crate) fn is_closed(&self) -> bool {
        self.had && self.icons.is_empty() && !self.open.values().any(|window| window.shown)
    }

    /// Windows and icons that are known.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.open.len(), self.icons.len())
    }

    pub(super) fn change(&mut self, id: u32, change: Change) {
        if change.is_new {
            if self.open.len() < WINDOWS_MAX || self.open.contains_key(&id) {
                self.open.insert(id, Window::default());
            } else {
                tracing::debug!(limit = WINDOWS_MAX, "Program has too many windows, one is passed over");
            }
        }
        let Some(window) = self.open.get_mut(&id) else { return };
        if let Some(owner) = change.owner {
            window.owner = owner;
        }
        if let Some(shown) = change.shown {
            window.shown = shown;
            self.had |= shown;
        }
        if let Some(title) = change.title {
            window.title = title;
        }
        self.entitle();
    }

    pub(super) fn remove(&mut self, id: u32) {
        self.open.remove(&id);
        // Windows ends the icons of a window with it, and does not always say so.
        self.icons.retain(|(window, _)| *window != id);
        self.entitle();
    }

    pub(super) fn icon(&mut self, window: u32, id: u32) {
        if self.icons.len() < ICONS_MAX {
            self.icons.insert((window, id));
        }
    }

    pub(super) fn remove_icon(&mut self, window: u32, id: u32) {
        self.icons.remove(&(window, id));
    }

    pub(super) fn activate(&mut self, id: u32) {
        // The one that was in front gives the title on: a menu or a question of the machine has none.
        if id != NO_WINDOW {
            self.active = id;
            self.entitle();
        }
    }

    /// The machine looks at another desktop (its sign-in screen, a question of Windows), or tells everything anew: the program may run on.
    pub(super) fn forget(&mut self) {
        *self = Self { title: std::mem::take(&mut self.title), ..Self::default() };
    }

    fn entitle(&mut self) {
        let first = || self.open.values().find(|window| window.shown && !window.title.is_empty());
        let title = self.named(self.active).or_else(|| first().map(|window| window.title.as_str())).unwrap_or_default();
        if title != self.title {
            self.title = title.to_owned();
        }
    }

    /// The title of a window, or of the one that it belongs to.
    fn named(&self, mut id: u32) -> Option<&str> {
        for _ in 0..OWNERS_MAX {
            let window = self.open.get(&id)?;
            if !window.title.is_empty() {
                return Some(&window.title);
            }
            id = window.owner;
        }
        None
    }
}
