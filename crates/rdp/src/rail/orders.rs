//! Windowing Alternate Secondary Drawing Orders (MS-RDPERP 2.2.1.3), out of the updates that carry them.

use super::windows::{Change, Windows};
use super::wire::{Reader, text};
use super::{ORDERS_BYTES_MAX, TITLE_BYTES_MAX};

/// An alternate secondary order about windows (MS-RDPEGDI 2.2.2.2.1.3.1.1): the only kind that is asked for. Its length comes next.
const WINDOWING: u8 = 0x2e;

// What an order is about (2.2.1.3.1.1, 2.2.1.3.2.1 and 2.2.1.3.3.1).
const WINDOW: u32 = 0x0100_0000;
const NOTIFICATION_ICON: u32 = 0x0200_0000;
const DESKTOP: u32 = 0x0400_0000;
const NEW: u32 = 0x1000_0000;
const DELETED: u32 = 0x2000_0000;
/// Pictures of a window, instead of what is said of it.
const ICONS: u32 = 0xc000_0000;
// Fields of a window, in their order; none behind them is needed.
const OWNER: u32 = 0x0002;
const STYLE: u32 = 0x0008;
const SHOW: u32 = 0x0010;
const TITLE: u32 = 0x0004;
// Fields of the desktop.
const NO_DESKTOP: u32 = 0x0001;
const HOOKED: u32 = 0x0002;
const TOLD_ANEW: u32 = 0x0008;
const ACTIVE_WINDOW: u32 = 0x0020;

/// Collects what the machine's updates say of windows. Everything else in them is nothing to it.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// The beginning of an update that comes in pieces.
    partial: Vec<u8>,
    /// That one is passed over.
    skips: bool,
    windows: Windows,
    hooked: bool,
}

impl Orders {
    pub(crate) fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Whether the machine has begun to look at the desktop of somebody who has logged on since this was last asked.
    pub(crate) fn take_hooked(&mut self) -> bool {
        std::mem::take(&mut self.hooked)
    }

    /// A fast-path frame (MS-RDPBCGR 2.2.9.1.2), which is not compressed.
    pub(crate) fn fast_path(&mut self, frame: &[u8]) {
        let header = if frame.get(1).is_some_and(|length| length & 0x80 != 0) { 3 } else { 2 };
        let mut rest = Reader(frame.get(header..).unwrap_or_default());
        while let Some(head) = rest.u8() {
            let packed = head >> 6 == 2 && rest.u8().is_some_and(|flags| flags & 0x20 != 0);
            let Some(data) = rest.u16().and_then(|size| rest.bytes(usize::from(size))) else { return };
            // Orders are update 0; how an update is cut is in the bits behind that.
            if head & 0x0f == 0 && !packed {
                self.piece((head >> 4) & 3, data);
            }
        }
    }

    /// What one message of the I/O channel has, where it is an update with orders (MS-RDPBCGR 2.2.9.1.1.3.1, MS-RDPEGDI 2.2.2.1).
    pub(crate) fn slow_path(&mut self, data: &[u8]) {
        const UPDATE: u8 = 2;
        let alone = Reader(data).u16().map(usize::from) == Some(data.len());
        let is_data = data.get(2).is_some_and(|kind| kind & 0x0f == 7);
        if !alone || !is_data || data.get(14) != Some(&UPDATE) || data.get(15).is_none_or(|packed| packed & 0x20 != 0) {
            return;
        }
        let mut body = Reader(data.get(18..).unwrap_or_default());
        if body.u16() == Some(0)
            && body.skip(2).is_some()
            && let Some(count) = body.u16()
            && body.skip(2).is_some()
        {
            self.orders(count, body);
        }
    }

    /// 0 an update in one piece, 2 the first of several, 3 the next, 1 the last.
    fn piece(&mut self, place: u8, data: &[u8]) {
        if place == 0 {
            self.update(data);
            return;
        }
        if place == 2 {
            self.partial.clear();
            self.skips = false;
        }
        if self.skips || self.partial.len() + data.len() > ORDERS_BYTES_MAX {
            self.partial = Vec::new();
            self.skips = place != 1;
            tracing::debug!(limit = ORDERS_BYTES_MAX, "Update about windows is too large, passed over");
            return;
        }
        self.partial.extend_from_slice(data);
        if place == 1 {
            let whole = std::mem::take(&mut self.partial);
            self.update(&whole);
        }
    }

    fn update(&mut self, data: &[u8]) {
        let mut data = Reader(data);
        if let Some(count) = data.u16() {
            self.orders(count, data);
        }
    }

    fn orders(&mut self, count: u16, mut data: Reader<'_>) {
        for _ in 0..count {
            // The length of an order of another kind is not to be known: nothing behind it can be read.
            let head = data.u8().filter(|head| *head == WINDOWING);
            let length = head.and_then(|_| data.u16()).and_then(|length| usize::from(length).checked_sub(3));
            let Some(order) = length.and_then(|length| data.bytes(length)) else {
                tracing::debug!(bytes = data.0.len(), "Orders that are not about windows are passed over");
                return;
            };
            if self.order(&mut Reader(order)).is_none() {
                tracing::debug!(bytes = order.len(), "Order about windows makes no sense, passed over");
            }
        }
    }

    fn order(&mut self, order: &mut Reader<'_>) -> Option<()> {
        let fields = order.u32()?;
        let has = |field: u32| fields & field != 0;
        if has(WINDOW) {
            let id = order.u32()?;
            if has(DELETED) {
                self.windows.remove(id);
            } else if !has(ICONS) {
                self.windows.change(id, change(fields, order)?);
            }
        } else if has(NOTIFICATION_ICON) {
            let (window, id) = (order.u32()?, order.u32()?);
            if has(DELETED) {
                self.windows.remove_icon(window, id);
            } else {
                self.windows.icon(window, id);
            }
        } else if has(DESKTOP) {
            if has(NO_DESKTOP) || has(TOLD_ANEW) {
                self.windows.forget();
            }
            self.hooked |= has(HOOKED) && !has(NO_DESKTOP);
            if has(ACTIVE_WINDOW) {
                self.windows.activate(order.u32()?);
            }
        }
        Some(())
    }
}

/// The fields of a window (2.2.1.3.1.2.1) as far as its title.
fn change(fields: u32, order: &mut Reader<'_>) -> Option<Change> {
    let has = |field: u32| fields & field != 0;
    let mut change = Change { is_new: has(NEW), ..Change::default() };
    if has(OWNER) {
        change.owner = Some(order.u32()?);
    }
    if has(STYLE) {
        order.skip(8)?;
    }
    if has(SHOW) {
        // 0 hidden; small, large and as it is otherwise are all to be seen.
        change.shown = Some(order.u8()? != 0);
    }
    if has(TITLE) {
        let length = usize::from(order.u16()?);
        let title = order.bytes(length)?;
        change.title = Some(text(title.get(..TITLE_BYTES_MAX).unwrap_or(title)));
    }
    Some(change)
}
