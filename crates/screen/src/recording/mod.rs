//! Recordings: the stream of a connection with times and an index, in one container. `docs/recording-format.md` has it
//! byte by byte.
//!
//! ```text
//! header │ chunk 1 (key) │ chunk 2 │ … │ chunk n (key) │ … │ index
//! ```
//! Every block says its own length, so that a container that was cut anywhere is read up to its last whole block: an
//! index that is missing is rebuilt by walking the blocks. Nothing here reads a file or a clock, and nothing encrypts:
//! blocks go in and out as bytes.

mod block;
pub mod cast;
mod reader;
pub mod typed;
mod untyped;
mod writer;

pub use block::{BLOCK_HEAD_BYTES, BlockHead, BlockKind};
pub use reader::{ChunkRef, Container, Entry, Header, chunk_entries, chunk_lines};
pub use untyped::without_typed;
pub use writer::{Chunk, Writer};

/// The version in a header.
pub const RECORDING_VERSION: u8 = 1;
/// Largest payload of a block, in bytes: the largest picture without any compression, and its message.
pub const BLOCK_BYTES_MAX: usize = 64 << 20;
/// Bytes before a chunk's pieces: when its first and its last were.
const TIMES_BYTES: usize = 8;
/// Most chunks in a container.
pub const CHUNKS_MAX: usize = 1 << 20;
/// Largest and longest recording: whoever writes one ends it there.
pub const RECORDING_BYTES_MAX: u64 = 32 << 30;
pub const RECORDING_MS_MAX: u32 = 30 * 24 * 60 * 60 * 1000;
/// Longest title, in bytes.
pub const TITLE_BYTES_MAX: usize = 1024;

/// What a recording shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordingKind {
    /// Chunks hold messages of the viewer protocol.
    Screen = 0,
    /// Chunks hold lines of asciicast v2.
    Terminal = 1,
}

/// What was wrong with a container.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordingError {
    #[error("this is not a recording of Oriel: it does not begin with a recording's header")]
    NotARecording,
    #[error("this recording has version {0} and this program reads version {RECORDING_VERSION}: use a newer program")]
    Version(u8),
    #[error("a block of the recording is cut off")]
    Truncated,
    #[error("a block of the recording is damaged: {0}")]
    Damaged(&'static str),
}

#[cfg(test)]
mod tests;
