//! Pointer pictures: the Cursor, CursorWithAlpha and VMware Cursor pseudo encodings (RFC 6143 §7.8.1 and the community's
//! registry).

use crate::reader::{Stop, bad};
use bytes::Bytes;
use oriel_screen::{CURSOR_SIDE_MAX, Rect, ScreenEvent};

/// Refuses pictures that are too large; answers how many pixels there are.
pub(crate) fn check(rect: Rect) -> Result<u32, Stop> {
    if rect.w > CURSOR_SIDE_MAX || rect.h > CURSOR_SIDE_MAX {
        return bad(format!("a pointer of {}x{} pixels is larger than {CURSOR_SIDE_MAX} a side", rect.w, rect.h));
    }
    Ok(rect.area())
}

/// How many bytes follow a Cursor rectangle's header: pixels, then a mask of one bit each with rows padded to bytes.
pub(crate) fn masked_bytes(rect: Rect) -> Result<u32, Stop> {
    Ok(check(rect)? * 4 + u32::from(rect.w.div_ceil(8)) * u32::from(rect.h))
}

pub(crate) fn masked(rect: Rect, bytes: &[u8]) -> ScreenEvent {
    let (pixels, mask) = bytes.split_at_checked(rect.area() as usize * 4).unwrap_or((bytes, &[]));
    let width = usize::from(rect.w);
    let mut rgba = Vec::with_capacity(pixels.len());
    for (index, [r, g, b, _]) in pixels.as_chunks::<4>().0.iter().enumerate() {
        let (x, y) = (index % width.max(1), index / width.max(1));
        let byte = mask.get(y * width.div_ceil(8) + x / 8).copied().unwrap_or(0);
        let shown = byte & (0x80 >> (x % 8)) != 0;
        rgba.extend_from_slice(&if shown { [*r, *g, *b, 255] } else { [0; 4] });
    }
    event(rect, rgba)
}

/// VMware's pointer without half tones: what is kept of the screen (AND), then what is turned over (XOR), both as pixels.
/// Turning over cannot be shown and becomes black.
pub(crate) fn vmware_masks(rect: Rect, bytes: &[u8]) -> ScreenEvent {
    let (kept, turned) = bytes.split_at_checked(rect.area() as usize * 4).unwrap_or((bytes, &[]));
    let mut rgba = Vec::with_capacity(kept.len());
    for (kept, turned) in kept.as_chunks::<4>().0.iter().zip(turned.as_chunks::<4>().0) {
        let ([r, g, b, _], [kr, kg, kb, _]) = (*turned, *kept);
        rgba.extend_from_slice(&match [kr, kg, kb] {
            [0, 0, 0] => [r, g, b, 255],
            [255, 255, 255] if [r, g, b] == [0; 3] => [0; 4],
            _ => [0, 0, 0, 255],
        });
    }
    event(rect, rgba)
}

/// VMware's pointer with straight alpha.
pub(crate) fn vmware_alpha(rect: Rect, bytes: &[u8]) -> ScreenEvent {
    event(rect, bytes.to_vec())
}

/// RGBA with premultiplied alpha, which becomes straight.
pub(crate) fn with_alpha(rect: Rect, bytes: &[u8]) -> ScreenEvent {
    let mut rgba = Vec::with_capacity(bytes.len());
    for [r, g, b, a] in bytes.as_chunks::<4>().0 {
        let straight = |value: u8| (u32::from(value) * 255).checked_div(u32::from(*a)).unwrap_or(0).min(255) as u8;
        rgba.extend_from_slice(&[straight(*r), straight(*g), straight(*b), *a]);
    }
    event(rect, rgba)
}

fn event(rect: Rect, rgba: Vec<u8>) -> ScreenEvent {
    if rgba.chunks_exact(4).all(|pixel| pixel.last() == Some(&0)) {
        return ScreenEvent::CursorHidden;
    }
    ScreenEvent::Cursor {
        hot_x: rect.x.min(rect.w.saturating_sub(1)),
        hot_y: rect.y.min(rect.h.saturating_sub(1)),
        width: rect.w,
        height: rect.h,
        rgba: Bytes::from(rgba),
    }
}
