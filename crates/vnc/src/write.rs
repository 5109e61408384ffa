//! Messages for the server (RFC 6143 §7.5 and extensions), each appended to a buffer.

use oriel_screen::Rect;

/// One screen of an ExtendedDesktopSize layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) id: u32,
    pub(crate) rect: Rect,
    pub(crate) flags: u32,
}

/// 32 bits a pixel, little endian, red first: the surface's own byte order.
pub(crate) fn set_pixel_format(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0, 0, 0]);
    out.extend_from_slice(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0]);
}

pub(crate) fn set_encodings(out: &mut Vec<u8>, lists: [&[i32]; 2]) {
    let count: usize = lists.iter().map(|list| list.len()).sum();
    out.extend_from_slice(&[2, 0]);
    out.extend_from_slice(&(count as u16).to_be_bytes());
    for encoding in lists.into_iter().flatten() {
        out.extend_from_slice(&encoding.to_be_bytes());
    }
}

fn rect(out: &mut Vec<u8>, rect: Rect) {
    for value in [rect.x, rect.y, rect.w, rect.h] {
        out.extend_from_slice(&value.to_be_bytes());
    }
}

pub(crate) fn update_request(out: &mut Vec<u8>, incremental: bool, area: Rect) {
    out.extend_from_slice(&[3, u8::from(incremental)]);
    rect(out, area);
}

pub(crate) fn continuous_updates(out: &mut Vec<u8>, area: Rect) {
    out.extend_from_slice(&[150, 1]);
    rect(out, area);
}

pub(crate) fn fence(out: &mut Vec<u8>, flags: u32, payload: &[u8]) {
    out.extend_from_slice(&[248, 0, 0, 0]);
    out.extend_from_slice(&flags.to_be_bytes());
    out.push(payload.len() as u8);
    out.extend_from_slice(payload);
}

pub(crate) fn key(out: &mut Vec<u8>, down: bool, keysym: u32) {
    out.extend_from_slice(&[4, u8::from(down), 0, 0]);
    out.extend_from_slice(&keysym.to_be_bytes());
}

/// QEMU's extended key event: `code` is a scan code of set 1 with `0xE0xx` folded to `0x80 | xx`.
pub(crate) fn qemu_key(out: &mut Vec<u8>, down: bool, keysym: u32, code: u16) {
    let code = if code >> 8 == 0xE0 { u32::from(code & 0x7f) | 0x80 } else { u32::from(code) };
    out.extend_from_slice(&[255, 0, 0, u8::from(down)]);
    out.extend_from_slice(&keysym.to_be_bytes());
    out.extend_from_slice(&code.to_be_bytes());
}

pub(crate) fn pointer(out: &mut Vec<u8>, buttons: u8, x: u16, y: u16) {
    out.extend_from_slice(&[5, buttons]);
    out.extend_from_slice(&x.to_be_bytes());
    out.extend_from_slice(&y.to_be_bytes());
}

/// With extended mouse buttons: the eighth bit says that a byte for the buttons above the seventh follows.
pub(crate) fn extended_pointer(out: &mut Vec<u8>, buttons: u16, x: u16, y: u16) {
    pointer(out, (buttons & 0x7f) as u8 | 0x80, x, y);
    out.push((buttons >> 7) as u8);
}

/// Asks for sound: its format (3: signed 16 bits, little endian), then that it begins.
pub(crate) fn qemu_audio(out: &mut Vec<u8>, channels: u8, rate: u32) {
    out.extend_from_slice(&[255, 1, 0, 2, 3, channels]);
    out.extend_from_slice(&rate.to_be_bytes());
    out.extend_from_slice(&[255, 1, 0, 0]);
}

/// Text as Latin-1; what it cannot hold becomes a question mark.
pub(crate) fn cut_text(out: &mut Vec<u8>, text: &str) {
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    out.extend_from_slice(&[6, 0, 0, 0]);
    out.extend_from_slice(&(latin.len() as u32).to_be_bytes());
    out.extend_from_slice(&latin);
}

/// An extended clipboard message: its length is sent as a negative number.
pub(crate) fn extended_cut_text(out: &mut Vec<u8>, flags: u32, payload: &[u8]) {
    let length = i32::try_from(payload.len() + 4).unwrap_or(i32::MAX);
    out.extend_from_slice(&[6, 0, 0, 0]);
    out.extend_from_slice(&(-length).to_be_bytes());
    out.extend_from_slice(&flags.to_be_bytes());
    out.extend_from_slice(payload);
}

/// The new size and the screens in it, at most 255.
pub(crate) fn set_desktop_size(out: &mut Vec<u8>, (width, height): (u16, u16), screens: &[Screen]) {
    out.extend_from_slice(&[251, 0]);
    out.extend_from_slice(&width.to_be_bytes());
    out.extend_from_slice(&height.to_be_bytes());
    out.extend_from_slice(&[screens.len() as u8, 0]);
    for screen in screens {
        out.extend_from_slice(&screen.id.to_be_bytes());
        rect(out, screen.rect);
        out.extend_from_slice(&screen.flags.to_be_bytes());
    }
}
