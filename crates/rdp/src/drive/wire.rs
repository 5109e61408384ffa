//! The heads of messages (MS-RDPEFS 2.2.1).

use super::DRIVE_PATH_BYTES_MAX;
use crate::static_channel::letters;
pub(super) use crate::static_channel::{Reader, Writer};

pub(super) const CORE: u16 = 0x4472;

pub(super) const SERVER_ANNOUNCE: u16 = 0x496e;
/// Also the client's answer to the announcement.
pub(super) const CLIENT_ID_CONFIRM: u16 = 0x4343;
pub(super) const CLIENT_NAME: u16 = 0x434e;
pub(super) const SERVER_CAPABILITY: u16 = 0x5350;
pub(super) const CLIENT_CAPABILITY: u16 = 0x4350;
pub(super) const DEVICE_LIST: u16 = 0x4441;
pub(super) const DEVICE_REPLY: u16 = 0x6472;
pub(super) const IO_REQUEST: u16 = 0x4952;
pub(super) const IO_COMPLETION: u16 = 0x4943;
pub(super) const USER_LOGGED_ON: u16 = 0x554c;

pub(super) fn message(packet: u16) -> Writer {
    Writer::default().u16(CORE).u16(packet)
}

/// UTF-16 of so many bytes, up to its NUL. What is no text becomes U+FFFD, which no name here has.
pub(super) fn text(from: &mut Reader<'_>, bytes: u32) -> Option<String> {
    let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= DRIVE_PATH_BYTES_MAX)?;
    Some(letters(from.bytes(bytes)?).collect())
}

/// UTF-16 little endian without a NUL.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// One request (2.2.1.4).
#[derive(Clone, Copy, Debug)]
pub(super) struct IoRequest {
    pub device: u32,
    pub file: u32,
    pub completion: u32,
    pub major: u32,
    pub minor: u32,
}

impl IoRequest {
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            device: reader.u32()?,
            file: reader.u32()?,
            completion: reader.u32()?,
            major: reader.u32()?,
            minor: reader.u32()?,
        })
    }

    /// Its answer (2.2.1.5).
    pub fn answer(&self, status: u32, body: &[u8]) -> Vec<u8> {
        let head = message(IO_COMPLETION).u32(self.device).u32(self.completion).u32(status);
        head.bytes(body).0
    }
}
