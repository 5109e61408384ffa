//! Little-endian fields, and the heads of messages (MS-RDPEFS 2.2.1).

use super::DRIVE_PATH_BYTES_MAX;

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

/// Reads what is there; `None` where nothing more is.
pub(super) struct Reader<'b>(pub &'b [u8]);

impl<'b> Reader<'b> {
    pub fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.bytes(count).map(drop)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// UTF-16 of so many bytes, up to its NUL. What is no text becomes U+FFFD, which no name here has.
    pub fn text(&mut self, bytes: u32) -> Option<String> {
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= DRIVE_PATH_BYTES_MAX)?;
        let units = self.bytes(bytes)?.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(u16::from_le_bytes));
        let letters = char::decode_utf16(units.take_while(|unit| *unit != 0));
        Some(letters.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    }
}

/// A message that grows field by field.
#[derive(Default)]
pub(super) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn message(packet: u16) -> Self {
        Self::default().u16(CORE).u16(packet)
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn u8(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    pub fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    pub fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    pub fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    /// Its length in bytes, and it.
    pub fn sized(self, bytes: &[u8]) -> Self {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).bytes(bytes)
    }
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
        let head = Writer::message(IO_COMPLETION).u32(self.device).u32(self.completion).u32(status);
        head.bytes(body).0
    }
}
