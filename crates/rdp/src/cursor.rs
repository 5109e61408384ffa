//! The server's pointer pictures.

use bytes::Bytes;
use ironrdp_graphics::pointer::DecodedPointer;
use oriel_screen::{CURSOR_SIDE_MAX, ScreenEvent};

/// The event for a pointer picture; an empty one hides the pointer, one that is too large shows the default.
pub(crate) fn cursor_event(pointer: &DecodedPointer) -> ScreenEvent {
    let (width, height) = (pointer.width, pointer.height);
    if width == 0 || height == 0 {
        return ScreenEvent::CursorHidden;
    }
    let wanted = usize::from(width) * usize::from(height) * 4;
    match pointer.bitmap_data.get(..wanted) {
        Some(rgba) if width <= CURSOR_SIDE_MAX && height <= CURSOR_SIDE_MAX => ScreenEvent::Cursor {
            hot_x: pointer.hotspot_x.min(width - 1),
            hot_y: pointer.hotspot_y.min(height - 1),
            width,
            height,
            rgba: Bytes::copy_from_slice(rgba),
        },
        _ => ScreenEvent::CursorDefault,
    }
}
