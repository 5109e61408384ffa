//! The head that every block begins with.

use super::{BLOCK_BYTES_MAX, RecordingError};

/// Bytes of a head.
pub const BLOCK_HEAD_BYTES: usize = 16;
const MAGIC: [u8; 4] = *b"ORec";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BlockKind {
    Header = 1,
    Chunk = 2,
    Index = 3,
}

/// `magic [4] | kind u8 | flags u8 | zero u16 | number u32 | length u32`, little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHead {
    pub kind: BlockKind,
    /// A chunk that begins with a whole picture.
    pub key: bool,
    /// 0 for the header; chunks and the index count from 1.
    pub number: u32,
    /// Bytes after the head.
    pub length: usize,
}

impl BlockHead {
    pub fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[self.kind as u8, u8::from(self.key), 0, 0]);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&(self.length as u32).to_le_bytes());
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, RecordingError> {
        let head: [u8; BLOCK_HEAD_BYTES] =
            bytes.get(..BLOCK_HEAD_BYTES).and_then(|head| head.try_into().ok()).ok_or(RecordingError::Truncated)?;
        let [m0, m1, m2, m3, kind, flags, _, _, n0, n1, n2, n3, l0, l1, l2, l3] = head;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(RecordingError::Damaged("no block begins where one should"));
        }
        let kind = match kind {
            1 => BlockKind::Header,
            2 => BlockKind::Chunk,
            3 => BlockKind::Index,
            _ => return Err(RecordingError::Damaged("its kind is not known")),
        };
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length > BLOCK_BYTES_MAX {
            return Err(RecordingError::Damaged("it says it is longer than any block may be"));
        }
        Ok(Self { kind, key: flags & 1 == 1, number: u32::from_le_bytes([n0, n1, n2, n3]), length })
    }
}
