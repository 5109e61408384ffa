//! Encoding numbers, and which we ask for. Numbers: RFC 6143 §7.7, §7.8 and the community's RFB registry.

use crate::VncOptions;

pub const RAW: i32 = 0;
pub const COPY_RECT: i32 = 1;
pub const RRE: i32 = 2;
pub const CORRE: i32 = 4;
pub const HEXTILE: i32 = 5;
pub const ZLIB: i32 = 6;
pub const TIGHT: i32 = 7;
pub const TRLE: i32 = 15;
pub const ZRLE: i32 = 16;
pub const JPEG: i32 = 21;
pub const H264: i32 = 50;
/// Tight with PNG pictures in place of its zlib streams.
pub const TIGHT_PNG: i32 = -260;

/// JPEG quality 0 of ten; Tight holds JPEG pictures only when one is announced.
pub const QUALITY_LOWEST: i32 = -32;
pub const QUALITY_MAX: u8 = 9;
pub const DESKTOP_SIZE: i32 = -223;
pub const LAST_RECT: i32 = -224;
pub const CURSOR: i32 = -239;
pub const QEMU_KEY: i32 = -258;
pub const QEMU_AUDIO: i32 = -259;
pub const QEMU_LED: i32 = -261;
pub const DESKTOP_NAME: i32 = -307;
pub const EXTENDED_DESKTOP_SIZE: i32 = -308;
pub const FENCE: i32 = -312;
pub const CONTINUOUS_UPDATES: i32 = -313;
pub const CURSOR_WITH_ALPHA: i32 = -314;
pub const EXTENDED_MOUSE_BUTTONS: i32 = -316;
pub const EXTENDED_CLIPBOARD: i32 = 0xC0A1_E5CE_u32 as i32;
pub const VMWARE_CURSOR: i32 = 0x574d_5664;
pub const VMWARE_LED: i32 = 0x574d_5668;

/// What we understand besides pixels; announced after every list of pixel encodings.
pub const PSEUDO: [i32; 14] = [
    CURSOR_WITH_ALPHA,
    VMWARE_CURSOR,
    CURSOR,
    EXTENDED_DESKTOP_SIZE,
    DESKTOP_SIZE,
    LAST_RECT,
    DESKTOP_NAME,
    QEMU_KEY,
    QEMU_LED,
    VMWARE_LED,
    FENCE,
    CONTINUOUS_UPDATES,
    EXTENDED_MOUSE_BUTTONS,
    EXTENDED_CLIPBOARD,
];

/// Lossless pixel encodings in order of preference. Nearby, copying pixels is cheaper than packing and unpacking them.
pub const fn wanted(nearby: bool) -> &'static [i32] {
    if nearby {
        &[COPY_RECT, RAW, HEXTILE, ZRLE, TIGHT, ZLIB, TRLE, RRE, CORRE, TIGHT_PNG]
    } else {
        &[COPY_RECT, TIGHT, ZRLE, HEXTILE, ZLIB, TRLE, TIGHT_PNG, RRE, CORRE, RAW]
    }
}

/// Everything that these options ask for, [`PSEUDO`] aside.
pub fn announced(options: &VncOptions) -> Vec<i32> {
    let mut list = Vec::new();
    if options.h264 {
        list.push(H264);
    }
    // A server that may send JPEG does so inside Tight: raw pixels come first only without.
    list.extend_from_slice(wanted(options.nearby && options.quality.is_none()));
    if let Some(quality) = options.quality {
        list.extend([JPEG, QUALITY_LOWEST + i32::from(quality.min(QUALITY_MAX))]);
    }
    if options.audio {
        list.push(QEMU_AUDIO);
    }
    list
}
