//! The name of a part says everything that an index says.

use oriel_model::RecordingId;
use oriel_screen::recording::{BlockKind, Chunk};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    Header,
    /// A chunk that begins with a whole picture.
    Key,
    Chunk,
    Index,
}

/// One block of the container, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub kind: PartKind,
    pub number: u32,
    pub first_ms: u32,
    pub last_ms: u32,
    /// Where the block is in the decrypted container, and how long.
    pub offset: u64,
    pub length: u64,
}

impl Part {
    pub(crate) fn of(chunk: &Chunk) -> Self {
        let kind = match chunk.kind {
            BlockKind::Header => PartKind::Header,
            BlockKind::Chunk if chunk.key => PartKind::Key,
            BlockKind::Chunk => PartKind::Chunk,
            BlockKind::Index => PartKind::Index,
        };
        let Chunk { number, first_ms, last_ms, .. } = *chunk;
        Self { kind, number, first_ms, last_ms, offset: 0, length: chunk.bytes.len() as u64 }
    }

    /// As it is kept: encrypted.
    pub const fn stored_bytes(&self) -> u64 {
        self.length + crate::key::TAG_BYTES as u64
    }

    pub(crate) fn name(&self, recording: RecordingId) -> String {
        let letter = match self.kind {
            PartKind::Header => 'h',
            PartKind::Key => 'k',
            PartKind::Chunk => 'c',
            PartKind::Index => 'i',
        };
        format!("{recording}/{:08}-{:010}-{:010}-{letter}", self.number, self.first_ms, self.last_ms)
    }

    /// `file`: the last part of the name.
    pub(crate) fn parse(file: &str, length: u64) -> Option<Self> {
        let mut fields = file.split('-');
        let mut number = || fields.next()?.parse::<u32>().ok();
        let (number, first_ms, last_ms) = (number()?, number()?, number()?);
        let kind = match fields.next()? {
            "h" => PartKind::Header,
            "k" => PartKind::Key,
            "c" => PartKind::Chunk,
            "i" => PartKind::Index,
            _ => return None,
        };
        fields.next().is_none().then_some(Self { kind, number, first_ms, last_ms, offset: 0, length })
    }
}
