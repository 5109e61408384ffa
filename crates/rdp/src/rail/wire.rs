//! The kinds of messages and their heads (MS-RDPERP 2.2.2.1).

use crate::static_channel::letters;
pub(super) use crate::static_channel::{Reader, Writer};

pub(super) const EXEC: u16 = 0x0001;
pub(super) const SYSTEM_PARAMETER: u16 = 0x0003;
pub(super) const HANDSHAKE: u16 = 0x0005;
pub(super) const CLIENT_STATUS: u16 = 0x000b;
pub(super) const HANDSHAKE_EX: u16 = 0x0013;
pub(super) const EXEC_RESULT: u16 = 0x0080;

pub(super) fn message(kind: u16) -> Writer {
    // Its length is put in at the end.
    Writer::default().u16(kind).u16(0)
}

/// A message that is whole.
pub(super) fn done(message: Writer) -> Vec<u8> {
    let Writer(mut bytes) = message;
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
    if let Some(field) = bytes.get_mut(2..4) {
        field.copy_from_slice(&length);
    }
    bytes
}

/// UTF-16 little endian without a NUL, cut between characters where it would be longer than `most` bytes.
pub(super) fn utf16(text: &str, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for letter in text.chars() {
        if bytes.len() + 2 * letter.len_utf16() > most {
            break;
        }
        let mut units = [0; 2];
        bytes.extend(letter.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_le_bytes()));
    }
    bytes
}

/// Text out of UTF-16 up to its NUL: what is no text becomes U+FFFD, control characters are left out.
pub(super) fn text(bytes: &[u8]) -> String {
    letters(bytes).filter(|letter| !letter.is_control()).collect()
}
