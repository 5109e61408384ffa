//! What messages of static channels have in common: little-endian fields, text, and the way to the machine.

use ironrdp_core::{Encode, EncodeResult, WriteCursor, ensure_size};
use ironrdp_svc::{ChannelFlags, SvcEncode, SvcMessage};

/// Reads what is there; `None` where nothing more is.
pub(crate) struct Reader<'b>(pub &'b [u8]);

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
}

/// A message that grows field by field.
#[derive(Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
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

/// UTF-16 little endian up to its NUL. What is no text becomes U+FFFD.
pub(crate) fn letters(bytes: &[u8]) -> impl Iterator<Item = char> {
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(u16::from_le_bytes));
    let letters = char::decode_utf16(units.take_while(|unit| *unit != 0));
    letters.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// A message as a channel takes it.
struct Message(Vec<u8>);

impl Encode for Message {
    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        ensure_size!(in: dst, size: self.size());
        dst.write_slice(&self.0);
        Ok(())
    }

    fn name(&self) -> &'static str {
        "STATIC CHANNEL"
    }

    fn size(&self) -> usize {
        self.0.len()
    }
}

impl SvcEncode for Message {}

pub(crate) fn messages(answers: Vec<Vec<u8>>, flags: ChannelFlags) -> Vec<SvcMessage> {
    answers.into_iter().map(|answer| SvcMessage::from(Message(answer)).with_flags(flags)).collect()
}
