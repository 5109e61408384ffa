//! Messages and lines → blocks.

use super::block::{BLOCK_HEAD_BYTES, BlockHead, BlockKind};
use super::{
    CHUNKS_MAX, Header, RECORDING_BYTES_MAX, RECORDING_MS_MAX, RECORDING_VERSION, RecordingKind, TITLE_BYTES_MAX,
};

/// A whole block, ready to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub kind: BlockKind,
    pub number: u32,
    /// Milliseconds from the start of the recording: of the first and of the last thing in it.
    pub first_ms: u32,
    pub last_ms: u32,
    /// It begins with a whole picture (or the beginning of a terminal).
    pub key: bool,
    /// Head and payload.
    pub bytes: Vec<u8>,
}

struct Open {
    first_ms: u32,
    last_ms: u32,
    key: bool,
    payload: Vec<u8>,
}

#[derive(Clone, Copy)]
pub(super) struct IndexEntry {
    pub offset: u64,
    pub length: u32,
    pub first_ms: u32,
    pub last_ms: u32,
    pub key: bool,
}

/// Bytes of one entry of the index.
pub(super) const INDEX_ENTRY_BYTES: usize = 24;
/// The end of a complete container: where the index begins, and a mark.
pub(super) const TRAILER_MAGIC: [u8; 4] = *b"ORix";
pub(super) const TRAILER_BYTES: usize = 12;

/// Builds a container block by block. Memory: the chunk that is open and 24 bytes for each that was.
pub struct Writer {
    kind: RecordingKind,
    number: u32,
    offset: u64,
    last_ms: u32,
    open: Option<Open>,
    index: Vec<IndexEntry>,
}

impl Writer {
    /// The writer and the header's block.
    pub fn new(header: &Header) -> (Self, Chunk) {
        let title_end = (0..=TITLE_BYTES_MAX.min(header.title.len()))
            .rev()
            .find(|&at| header.title.is_char_boundary(at))
            .unwrap_or_default();
        let mut payload = vec![RECORDING_VERSION, header.kind as u8, 0, 0];
        payload.extend_from_slice(&header.recording);
        payload.extend_from_slice(&header.connection);
        payload.extend_from_slice(&header.started.to_le_bytes());
        payload.extend_from_slice(header.title.as_bytes().get(..title_end).unwrap_or_default());
        let mut writer = Self { kind: header.kind, number: 0, offset: 0, last_ms: 0, open: None, index: Vec::new() };
        let chunk = writer.block(BlockKind::Header, false, 0, 0, &payload);
        (writer, chunk)
    }

    /// Bytes of the open chunk.
    pub fn open_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.payload.len())
    }

    /// When the open chunk began.
    pub fn open_since(&self) -> Option<u32> {
        self.open.as_ref().map(|open| open.first_ms)
    }

    /// False when no further chunk fits: the container must be ended.
    pub fn has_room(&self) -> bool {
        self.index.len() + 1 < CHUNKS_MAX && self.offset < RECORDING_BYTES_MAX && self.last_ms < RECORDING_MS_MAX
    }

    /// Adds one message of the viewer protocol (screens) or whole lines of asciicast (terminals). `key`: a whole picture
    /// begins here; a chunk that is open must have been cut before. Times never go back.
    pub fn push(&mut self, ms: u32, key: bool, bytes: &[u8]) {
        let ms = ms.max(self.last_ms);
        self.last_ms = ms;
        let kind = self.kind;
        let open = self.open.get_or_insert_with(|| Open { first_ms: ms, last_ms: ms, key, payload: vec![0; 8] });
        open.last_ms = ms;
        if kind == RecordingKind::Screen {
            open.payload.extend_from_slice(&ms.to_le_bytes());
            open.payload.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        }
        open.payload.extend_from_slice(bytes);
    }

    /// Ends the open chunk; `None` when nothing is in it.
    pub fn cut(&mut self) -> Option<Chunk> {
        let Open { first_ms, last_ms, key, mut payload } = self.open.take()?;
        for (to, from) in payload.iter_mut().zip(first_ms.to_le_bytes().into_iter().chain(last_ms.to_le_bytes())) {
            *to = from;
        }
        let length = (payload.len() + BLOCK_HEAD_BYTES) as u32;
        self.index.push(IndexEntry { offset: self.offset, length, first_ms, last_ms, key });
        Some(self.block(BlockKind::Chunk, key, first_ms, last_ms, &payload))
    }

    /// The last chunk, if one is open, and the index.
    pub fn finish(mut self) -> (Option<Chunk>, Chunk) {
        let last = self.cut();
        let mut payload = Vec::with_capacity(4 + self.index.len() * INDEX_ENTRY_BYTES + TRAILER_BYTES);
        payload.extend_from_slice(&(self.index.len() as u32).to_le_bytes());
        for entry in &self.index {
            payload.extend_from_slice(&entry.offset.to_le_bytes());
            payload.extend_from_slice(&entry.length.to_le_bytes());
            payload.extend_from_slice(&entry.first_ms.to_le_bytes());
            payload.extend_from_slice(&entry.last_ms.to_le_bytes());
            payload.extend_from_slice(&[u8::from(entry.key), 0, 0, 0]);
        }
        payload.extend_from_slice(&self.offset.to_le_bytes());
        payload.extend_from_slice(&TRAILER_MAGIC);
        let ms = self.last_ms;
        let index = self.block(BlockKind::Index, false, ms, ms, &payload);
        (last, index)
    }

    fn block(&mut self, kind: BlockKind, key: bool, first_ms: u32, last_ms: u32, payload: &[u8]) -> Chunk {
        let mut bytes = Vec::with_capacity(BLOCK_HEAD_BYTES + payload.len());
        BlockHead { kind, key, number: self.number, length: payload.len() }.encode(&mut bytes);
        bytes.extend_from_slice(payload);
        let chunk = Chunk { kind, number: self.number, first_ms, last_ms, key, bytes };
        self.number += 1;
        self.offset += chunk.bytes.len() as u64;
        chunk
    }
}
