//! The viewer protocol's framing, both directions: `docs/viewer-protocol.md`, version 1.
//!
//! A WebSocket message is a run of records `type u8 | length u32 | payload`, little endian. Decoding is total: any bytes
//! give records or a [`WireError`], allocate no more than the message's own size, and unknown types are skipped.

mod reader;
mod server;
mod viewer;

pub(crate) use server::encode_tile;
pub use server::{
    Notice, RULE_CLIPBOARD_TO_MACHINE, RULE_CLIPBOARD_TO_PERSON, RULE_DOWNLOAD, RULE_MICROPHONE, RULE_SHARE,
    RULE_SHARE_GUESTS, RULE_SOUND, RULE_UPLOAD, RULE_VIEW_ONLY, ServerRecord, WATERMARK_BYTES_MAX,
};
pub use viewer::{ABILITY_H264, ABILITY_H264_FULL, VideoAbility, VideoTrouble, ViewerHello, ViewerRecord};

/// The version both sides say in their hello.
pub const PROTOCOL_VERSION: u8 = 1;
/// Largest payload of a record to a viewer, in bytes.
pub const RECORD_BYTES_MAX: usize = 16 << 20;
/// Largest payload of a record from a viewer, in bytes: a full text and its header.
pub const INPUT_BYTES_MAX: usize = crate::CLIPBOARD_BYTES_MAX + 16;
/// And of one with a part of its clipboard: a picture and its header.
pub const CLIPBOARD_INPUT_BYTES_MAX: usize = crate::CLIPBOARD_PICTURE_BYTES_MAX + 16;
/// Formats of the clipboard.
const FORMAT_TEXT: u8 = 0;
const FORMAT_HTML: u8 = 1;
const FORMAT_PNG: u8 = 2;
/// Most records in one message from a viewer.
pub const RECORDS_MAX: usize = 4096;
/// Records that are only in recordings, and there only for some: what was typed, pasted and copied. And what is in their place for others.
pub const TYPED: std::ops::RangeInclusive<u8> = 0x60..=0x62;
pub const LEFT_OUT: u8 = 0x63;
/// Unacknowledged terminal bytes after which the server stops reading from the remote side.
pub const TERMINAL_WINDOW_BYTES: u64 = 512 << 10;

/// What was wrong with a message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WireError {
    #[error("a record of type {kind:#04x} says it has {length} bytes; at most {max} are allowed")]
    TooLong { kind: u8, length: usize, max: usize },
    #[error("the message ends inside a record")]
    Truncated,
    #[error("a record of type {kind:#04x} is too short for its fields")]
    Short { kind: u8 },
    #[error("a record of type {kind:#04x} has an impossible value: {what}")]
    Value { kind: u8, what: &'static str },
    #[error("more than {RECORDS_MAX} records in one message")]
    TooMany,
}

#[cfg(test)]
mod tests;
