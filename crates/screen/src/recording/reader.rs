//! Blocks → messages and lines. Total: any bytes give what is whole in them, or an error.

use super::block::{BLOCK_HEAD_BYTES, BlockHead, BlockKind};
use super::writer::{INDEX_ENTRY_BYTES, IndexEntry, TRAILER_BYTES, TRAILER_MAGIC};
use super::{CHUNKS_MAX, RECORDING_VERSION, RecordingError, RecordingKind, TITLE_BYTES_MAX};
use bytes::Bytes;

/// What a container says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: RecordingKind,
    /// UUIDs of the recording and of the connection.
    pub recording: [u8; 16],
    pub connection: [u8; 16],
    /// Microseconds since 1970-01-01 UTC: millisecond 0 of the recording.
    pub started: i64,
    /// The desktop's name.
    pub title: String,
}

/// Where a chunk is, and from when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRef {
    /// From the start of the container, of the chunk's head.
    pub offset: usize,
    /// With its head.
    pub length: usize,
    pub first_ms: u32,
    pub last_ms: u32,
    pub key: bool,
}

/// A container that was looked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub header: Header,
    pub chunks: Vec<ChunkRef>,
    /// Its index was there: the recording was ended properly.
    pub complete: bool,
}

/// One message of the viewer protocol and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub ms: u32,
    pub message: Bytes,
}

impl Container {
    /// Looks through a container: by its index where it has a sound one, else by walking its blocks up to the last whole
    /// one. Errors: what does not begin with a header that can be read.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordingError> {
        let head = BlockHead::decode(bytes).map_err(|_| RecordingError::NotARecording)?;
        if head.kind != BlockKind::Header {
            return Err(RecordingError::NotARecording);
        }
        let end = BLOCK_HEAD_BYTES + head.length;
        let header = Header::decode(bytes.get(BLOCK_HEAD_BYTES..end).ok_or(RecordingError::Truncated)?)?;
        if let Some(chunks) = index(bytes, end) {
            return Ok(Self { header, chunks, complete: true });
        }
        Ok(Self { header, chunks: walk(bytes, end), complete: false })
    }
}

impl Header {
    fn decode(payload: &[u8]) -> Result<Self, RecordingError> {
        let field = |at: usize, length: usize| payload.get(at..at + length).ok_or(RecordingError::Truncated);
        let [version, kind] = <[u8; 2]>::try_from(field(0, 2)?).map_err(|_| RecordingError::Truncated)?;
        if version != RECORDING_VERSION {
            return Err(RecordingError::Version(version));
        }
        let kind = match kind {
            0 => RecordingKind::Screen,
            1 => RecordingKind::Terminal,
            _ => return Err(RecordingError::Damaged("it shows something that is not known")),
        };
        let uuid = |at| field(at, 16).and_then(|f| f.try_into().map_err(|_| RecordingError::Truncated));
        let started = i64::from_le_bytes(field(36, 8)?.try_into().map_err(|_| RecordingError::Truncated)?);
        let title = payload.get(44..).unwrap_or_default();
        if title.len() > TITLE_BYTES_MAX {
            return Err(RecordingError::Damaged("its title is too long"));
        }
        let title = std::str::from_utf8(title).map_err(|_| RecordingError::Damaged("its title is not UTF-8"))?;
        Ok(Self { kind, recording: uuid(4)?, connection: uuid(20)?, started, title: title.to_owned() })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|f| f.try_into().ok()).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8).and_then(|f| f.try_into().ok()).map(u64::from_le_bytes)
}

/// The chunks as the index says, when there is one and everything in it is where it says.
fn index(bytes: &[u8], first: usize) -> Option<Vec<ChunkRef>> {
    let trailer = bytes.len().checked_sub(TRAILER_BYTES)?;
    if bytes.get(trailer + 8..)? != TRAILER_MAGIC {
        return None;
    }
    let at = usize::try_from(u64_at(bytes, trailer)?).ok()?;
    let head = BlockHead::decode(bytes.get(at..)?).ok()?;
    let payload = bytes.get(at + BLOCK_HEAD_BYTES..trailer)?;
    if head.kind != BlockKind::Index || head.length != payload.len() + TRAILER_BYTES {
        return None;
    }
    let count = u32_at(payload, 0)? as usize;
    if count > CHUNKS_MAX || payload.len() != 4 + count * INDEX_ENTRY_BYTES {
        return None;
    }
    let mut chunks = Vec::with_capacity(count);
    let mut next = first;
    for entry in payload.get(4..)?.chunks_exact(INDEX_ENTRY_BYTES) {
        let entry = IndexEntry {
            offset: u64_at(entry, 0)?,
            length: u32_at(entry, 8)?,
            first_ms: u32_at(entry, 12)?,
            last_ms: u32_at(entry, 16)?,
            key: entry.get(20)? & 1 == 1,
        };
        // Chunks stand one behind the other; an index that says otherwise is not trusted.
        let offset = usize::try_from(entry.offset).ok().filter(|offset| *offset == next)?;
        let length = entry.length as usize;
        next = next.checked_add(length).filter(|end| *end <= at)?;
        chunks.push(ChunkRef { offset, length, first_ms: entry.first_ms, last_ms: entry.last_ms, key: entry.key });
    }
    (next == at).then_some(chunks)
}

fn walk(bytes: &[u8], mut at: usize) -> Vec<ChunkRef> {
    let mut chunks = Vec::new();
    while let Some(rest) = bytes.get(at..)
        && let Ok(head) = BlockHead::decode(rest)
        && head.kind == BlockKind::Chunk
        && chunks.len() < CHUNKS_MAX
    {
        let length = BLOCK_HEAD_BYTES + head.length;
        if rest.len() < length {
            break;
        }
        let (Some(first_ms), Some(last_ms)) = (u32_at(rest, BLOCK_HEAD_BYTES), u32_at(rest, BLOCK_HEAD_BYTES + 4))
        else {
            break;
        };
        if head.length < 8 {
            break;
        }
        chunks.push(ChunkRef { offset: at, length, first_ms, last_ms, key: head.key });
        at += length;
    }
    chunks
}

/// The payload of a chunk's block behind its two times.
fn chunk_payload(block: &Bytes) -> Result<Bytes, RecordingError> {
    let head = BlockHead::decode(block)?;
    if head.kind != BlockKind::Chunk {
        return Err(RecordingError::Damaged("it is not a chunk"));
    }
    let end = BLOCK_HEAD_BYTES + head.length;
    if block.len() < end || head.length < 8 {
        return Err(RecordingError::Truncated);
    }
    Ok(block.slice(BLOCK_HEAD_BYTES + 8..end))
}

/// The messages of a screen's chunk. `block`: head and payload.
pub fn chunk_entries(block: &Bytes) -> Result<Vec<Entry>, RecordingError> {
    let payload = chunk_payload(block)?;
    let mut entries = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let (Some(ms), Some(length)) = (u32_at(&payload, at), u32_at(&payload, at + 4)) else {
            return Err(RecordingError::Truncated);
        };
        let (from, length) = (at + 8, length as usize);
        if length > payload.len() - from {
            return Err(RecordingError::Truncated);
        }
        entries.push(Entry { ms, message: payload.slice(from..from + length) });
        at = from + length;
    }
    Ok(entries)
}

/// The asciicast lines of a terminal's chunk, each with its end of line.
pub fn chunk_lines(block: &Bytes) -> Result<String, RecordingError> {
    String::from_utf8(chunk_payload(block)?.to_vec()).map_err(|_| RecordingError::Damaged("its text is not UTF-8"))
}
