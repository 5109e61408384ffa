//! Recordings in other forms, kept beside them: encrypted pieces of one size, each with a key of that export's own.
//!
//! ```text
//! exports/{id}/{number}        AES-256-GCM; the nonce is the number, the name is authenticated with it
//! ```

use crate::key::TAG_BYTES;
use crate::{DataKey, RecordingError, RecordingStore};
use bytes::Bytes;
use futures::{Stream, stream};
use object_store::{ObjectStoreExt as _, PutPayload, path::Path};
use oriel_model::OperationId;
use std::ops::Range;

/// Bytes of a piece but the last.
pub const PIECE_BYTES: usize = 4 << 20;
/// Largest export, in bytes: its pieces are numbered.
pub const EXPORT_BYTES_MAX: u64 = 64 << 30;

fn name(id: OperationId, number: u32) -> String {
    format!("exports/{id}/{number:08}")
}

/// Writes one export.
pub struct ExportWriter {
    store: RecordingStore,
    id: OperationId,
    key: DataKey,
    number: u32,
    waiting: Vec<u8>,
    bytes: u64,
}

impl ExportWriter {
    /// Errors: `TooLarge`, and the storage's.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), RecordingError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > EXPORT_BYTES_MAX {
            return Err(RecordingError::TooLarge);
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            bytes = later;
            if self.waiting.len() == PIECE_BYTES {
                self.keep().await?;
            }
        }
        Ok(())
    }

    /// How many bytes were kept.
    pub async fn finish(mut self) -> Result<u64, RecordingError> {
        if !self.waiting.is_empty() {
            self.keep().await?;
        }
        Ok(self.bytes)
    }

    async fn keep(&mut self) -> Result<(), RecordingError> {
        let name = name(self.id, self.number);
        let piece = std::mem::replace(&mut self.waiting, Vec::with_capacity(PIECE_BYTES + TAG_BYTES));
        let sealed = self.key.seal(self.number, &name, piece)?;
        self.number += 1;
        self.store.near().put(&Path::from(name), PutPayload::from(sealed)).await?;
        Ok(())
    }
}

impl RecordingStore {
    /// Begins an export whose key seals nothing else: what was kept of it before must be gone, or have had another.
    pub fn export_writer(&self, id: OperationId, key: DataKey) -> ExportWriter {
        ExportWriter { store: self.clone(), id, key, number: 0, waiting: Vec::new(), bytes: 0 }
    }

    /// A range of it, piece by piece.
    pub fn export_range(
        &self,
        id: OperationId,
        key: DataKey,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, RecordingError>> + Send + use<> {
        let size = PIECE_BYTES as u64;
        stream::try_unfold((self.clone(), key, range), move |(store, key, range)| async move {
            if range.start >= range.end {
                return Ok(None);
            }
            let number = u32::try_from(range.start / size).map_err(|_| RecordingError::TooLarge)?;
            let name = name(id, number);
            let sealed = store.near().get(&Path::from(name.as_str())).await?.bytes().await?;
            let piece = key.open(number, &name, sealed.into()).ok_or(RecordingError::DamagedExport { id, number })?;
            let begin = u64::from(number) * size;
            let to = (range.end - begin).min(piece.len() as u64);
            let from = range.start - begin;
            if from >= to {
                return Err(RecordingError::DamagedExport { id, number });
            }
            let bytes = Bytes::from(piece).slice(from as usize..to as usize);
            Ok(Some((bytes, (store, key, begin + to..range.end))))
        })
    }

    /// Deletes all of it; what is not there is no error.
    pub async fn delete_export(&self, id: OperationId) -> Result<(), RecordingError> {
        self.delete_below(&Path::from(format!("exports/{id}"))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt as _;

    #[tokio::test]
    async fn pieces_come_back_by_ranges_and_belong_to_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let store = RecordingStore::folder(folder.path()).unwrap();
        let (id, other) = (OperationId::new(), OperationId::new());
        let (key, text) = DataKey::random().unwrap();
        let plain: Vec<u8> = (0..PIECE_BYTES * 2 + 1000).map(|at| (at * 7 / 3) as u8).collect();
        let mut writer = store.export_writer(id, key);
        for part in plain.chunks(1_000_003) {
            writer.write(part).await.unwrap();
        }
        let size = writer.finish().await.unwrap();
        assert_eq!(size, plain.len() as u64);
        let read = async |id, range: Range<u64>| {
            let key = DataKey::from_text(&text).unwrap();
            let pieces: Result<Vec<Bytes>, _> = store.export_range(id, key, range).try_collect().await;
            pieces.map(|pieces| pieces.concat())
        };
        let piece = PIECE_BYTES as u64;
        for range in [0..size, 5..6, piece - 1..piece + 1, piece..piece * 2, piece * 2 + 999..size, 9..9] {
            assert_eq!(
                read(id, range.clone()).await.unwrap(),
                plain[range.start as usize..range.end as usize],
                "{range:?}"
            );
        }
        // A piece of another place, and none at all.
        let at = |id: OperationId, number: &str| folder.path().join("exports").join(id.to_string()).join(number);
        std::fs::copy(at(id, "00000000"), at(id, "00000001")).unwrap();
        assert!(matches!(read(id, piece..piece + 1).await, Err(RecordingError::DamagedExport { number: 1, .. })));
        assert!(read(other, 0..1).await.is_err());
        store.delete_export(id).await.unwrap();
        store.delete_export(id).await.unwrap();
        assert!(read(id, 0..1).await.is_err());
    }
}
