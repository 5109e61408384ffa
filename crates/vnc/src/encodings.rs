//! Encoding numbers, and which we ask for. Numbers: RFC 6143 §7.7, §7.8 and the community's RFB registry.

pub const RAW: i32 = 0;
pub const COPY_RECT: i32 = 1;
pub const RRE: i32 = 2;
pub const HEXTILE: i32 = 5;
pub const ZLIB: i32 = 6;
pub const TIGHT: i32 = 7;
pub const TRLE: i32 = 15;
pub const ZRLE: i32 = 16;

pub const DESKTOP_SIZE: i32 = -223;
pub const LAST_RECT: i32 = -224;
pub const CURSOR: i32 = -239;
pub const QEMU_KEY: i32 = -258;
pub const QEMU_LED: i32 = -261;
pub const DESKTOP_NAME: i32 = -307;
pub const EXTENDED_DESKTOP_SIZE: i32 = -308;
pub const FENCE: i32 = -312;
pub const CONTINUOUS_UPDATES: i32 = -313;
pub const CURSOR_WITH_ALPHA: i32 = -314;
pub const EXTENDED_CLIPBOARD: i32 = 0xC0A1_E5CE_u32 as i32;

/// What we understand besides pixels; announced after every list of pixel encodings.
pub const PSEUDO: [i32; 11] = [
    CURSOR_WITH_ALPHA,
    CURSOR,
    EXTENDED_DESKTOP_SIZE,
    DESKTOP_SIZE,
    LAST_RECT,
    DESKTOP_NAME,
    QEMU_KEY,
    QEMU_LED,
    FENCE,
    CONTINUOUS_UPDATES,
    EXTENDED_CLIPBOARD,
];

/// Pixel encodings in order of preference. Nearby, copying pixels is cheaper than packing and unpacking them.
pub const fn wanted(nearby: bool) -> &'static [i32] {
    if nearby {
        &[COPY_RECT, RAW, HEXTILE, ZRLE, TIGHT, ZLIB, TRLE, RRE]
    } else {
        &[COPY_RECT, TIGHT, ZRLE, HEXTILE, ZLIB, TRLE, RRE, RAW]
    }
}
