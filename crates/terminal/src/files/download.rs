//! Reading a file: several pieces are on the way at a time, and arrive in order.

use super::{Entry, FilesError, Handle, PIECES_IN_FLIGHT_MAX};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::StatusCode;
use std::sync::Arc;

/// A file that is open for reading.
pub struct Download {
    handle: Arc<Handle>,
    entry: Entry,
    offset: u64,
    length: u64,
}

impl Download {
    pub(super) fn new(handle: Handle, entry: Entry) -> Self {
        let length = entry.size;
        Self { handle: Arc::new(handle), entry, offset: 0, length }
    }

    /// Of the file, only what there is of `length` bytes from `offset` on.
    #[must_use]
    pub fn part(self, offset: u64, length: u64) -> Self {
        let length = length.min(self.entry.size.saturating_sub(offset));
        Self { offset, length, ..self }
    }

    /// The whole file.
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Bytes that will come.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The bytes. A file that grows meanwhile ends where it ended when it was opened; one that shrinks is an error.
    pub fn bytes(self) -> impl Stream<Item = Result<Bytes, FilesError>> + Send + 'static {
        let Self { handle, offset, length, .. } = self;
        let piece = u64::from(handle.files.piece_bytes);
        let pieces = (0..length.div_ceil(piece)).map(move |index| {
            let at = index * piece;
            (offset + at, piece.min(length - at) as u32)
        });
        stream::iter(pieces)
            .map(move |(at, length)| {
                let handle = Arc::clone(&handle);
                async move { read(&handle, at, length).await }
            })
            .buffered(PIECES_IN_FLIGHT_MAX)
    }
}

/// A whole piece: servers may answer less than was asked for.
async fn read(handle: &Handle, mut at: u64, length: u32) -> Result<Bytes, FilesError> {
    let session = &handle.files.session;
    let wanted = length as usize;
    let mut piece: Vec<u8> = Vec::new();
    while piece.len() < wanted {
        let data = match session.read(handle.name(), at, (wanted - piece.len()) as u32).await {
            Ok(data) => data.data,
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => return Err(FilesError::Shrunk),
            Err(error) => return Err(error.into()),
        };
        if data.is_empty() || data.len() > wanted - piece.len() {
            return Err(FilesError::strange("it answered a read with the wrong length"));
        }
        at += data.len() as u64;
        if piece.is_empty() { piece = data } else { piece.extend(data) }
    }
    Ok(piece.into())
}
