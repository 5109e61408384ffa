//! Cutting messages into records and records into fields.

use super::{FORMAT_HTML, FORMAT_PNG, RECORDS_MAX, WireError};
use crate::{CLIPBOARD_BYTES_MAX, Rich, png_size};
use bytes::Bytes;

/// Calls `decode` for every record in a message; `None` from it means an unknown type, which is skipped.
pub(super) fn records<T>(
    message: &Bytes,
    payload_max: impl Fn(u8) -> usize,
    mut decode: impl FnMut(u8, Bytes) -> Result<Option<T>, WireError>,
) -> Result<Vec<T>, WireError> {
    let mut found = Vec::new();
    let mut at = 0usize;
    let mut count = 0usize;
    while at < message.len() {
        let header: [u8; 5] = message.get(at..at + 5).and_then(|h| h.try_into().ok()).ok_or(WireError::Truncated)?;
        let [kind, a, b, c, d] = header;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let max = payload_max(kind);
        if length > max {
            return Err(WireError::TooLong { kind, length, max });
        }
        at += 5;
        if length > message.len() - at {
            return Err(WireError::Truncated);
        }
        count += 1;
        if count > RECORDS_MAX {
            return Err(WireError::TooMany);
        }
        if let Some(record) = decode(kind, message.slice(at..at + length))? {
            found.push(record);
        }
        at += length;
    }
    Ok(found)
}

/// The fields of one record, read from the front.
pub(super) struct Fields {
    kind: u8,
    rest: Bytes,
}

impl Fields {
    pub(super) const fn new(kind: u8, payload: Bytes) -> Self {
        Self { kind, rest: payload }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let field = self.rest.get(..N).and_then(|f| f.try_into().ok()).ok_or(WireError::Short { kind: self.kind })?;
        self.rest = self.rest.slice(N..);
        Ok(field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, WireError> {
        self.array().map(i16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn rect(&mut self) -> Result<crate::Rect, WireError> {
        Ok(crate::Rect::new(self.u16()?, self.u16()?, self.u16()?, self.u16()?))
    }

    /// The next so many bytes, as text.
    pub(super) fn words(&mut self, length: usize) -> Result<String, WireError> {
        let words = self.rest.get(..length).ok_or(WireError::Short { kind: self.kind })?;
        let words = String::from_utf8(words.to_vec()).map_err(|_| self.bad("text that is not UTF-8"))?;
        self.rest = self.rest.slice(length..);
        Ok(words)
    }

    /// All that is left.
    pub(super) fn rest(self) -> Bytes {
        self.rest
    }

    /// All that is left, as text of at most `max` bytes.
    pub(super) fn text(self, max: usize) -> Result<String, WireError> {
        let kind = self.kind;
        if self.rest.len() > max {
            return Err(WireError::TooLong { kind, length: self.rest.len(), max });
        }
        String::from_utf8(self.rest.to_vec()).map_err(|_| WireError::Value { kind, what: "text that is not UTF-8" })
    }

    /// All that is left, as a part of a copy; `None` for a format that is not known.
    pub(super) fn rich(self, format: u8) -> Result<Option<Rich>, WireError> {
        let kind = self.kind;
        Ok(match format {
            FORMAT_HTML => Some(Rich::Html(self.text(CLIPBOARD_BYTES_MAX)?)),
            FORMAT_PNG => {
                let png = self.rest();
                png_size(&png).ok_or(WireError::Value { kind, what: "a picture that is no PNG, or too large" })?;
                Some(Rich::Png(png))
            }
            _ => None,
        })
    }

    pub(super) const fn bad(&self, what: &'static str) -> WireError {
        WireError::Value { kind: self.kind, what }
    }
}

/// Appends a part of a copy, with its format.
pub(super) fn put_rich(out: &mut Vec<u8>, rich: &Rich) {
    match rich {
        Rich::Html(html) => {
            out.push(FORMAT_HTML);
            out.extend_from_slice(html.as_bytes());
        }
        Rich::Png(png) => {
            out.push(FORMAT_PNG);
            out.extend_from_slice(png);
        }
    }
}

/// Appends one record: type, length, and the payload that `fill` writes.
pub(super) fn record(out: &mut Vec<u8>, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    fill(out);
    let length = (out.len() - at - 4) as u32;
    if let Some(field) = out.get_mut(at..at + 4) {
        field.copy_from_slice(&length.to_le_bytes());
    }
}
