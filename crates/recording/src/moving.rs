//! Recordings on their way from the folder to the bucket.
//!
//! ```text
//! what the bucket lacks ─▶ copied, some at a time ─▶ all of it listed there in full length, both ends read back
//!                                                                        └─▶ (the row says so) ─▶ gone from the folder
//! ```
//! Copying what is there already changes nothing, so whoever was interrupted begins anew and goes on. What is deleted
//! in the folder is what was seen in the bucket, by name.

use crate::{PARTS_MAX, Part, RecordingError, RecordingStore};
use futures::{TryStreamExt as _, future::try_join_all};
use object_store::{ObjectStoreExt as _, path::Path};
use oriel_model::RecordingId;
use std::collections::HashMap;

/// Parts copied beside each other, and bytes of them (one part may be larger).
const BATCH_PARTS: usize = 8;
const BATCH_BYTES: u64 = 8 << 20;

/// A recording that is being moved.
pub struct Move {
    recording: RecordingId,
    /// What lies in the folder, and what of it the bucket lacks, last first.
    all: Vec<(Path, u64)>,
    waiting: Vec<(Path, u64)>,
}

impl Move {
    /// Bytes that the bucket has, and bytes of all of it.
    pub fn progress(&self) -> (u64, u64) {
        let sum = |objects: &[(Path, u64)]| objects.iter().map(|(_, size)| size).sum::<u64>();
        let all = sum(&self.all);
        (all - sum(&self.waiting), all)
    }

    /// Everything was copied.
    pub fn is_copied(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Milliseconds until the last thing in it.
    pub fn duration_ms(&self) -> u64 {
        let last = |(path, size): &(Path, u64)| Part::parse(path.filename()?, *size).map(|part| part.last_ms);
        self.all.iter().filter_map(last).max().map_or(0, u64::from)
    }
}

impl RecordingStore {
    /// Recordings in the folder that have something in it, oldest first.
    pub async fn spooled(&self) -> Result<Vec<RecordingId>, RecordingError> {
        let listed = self.near().list_with_delimiter(None).await?;
        let id = |path: &Path| path.filename()?.parse().ok();
        let mut ids: Vec<RecordingId> = listed.common_prefixes.iter().filter_map(id).collect();
        // They begin with the time.
        ids.sort();
        Ok(ids)
    }

    /// What there is to be moved of a recording that is written no more.
    pub async fn begin_move(&self, recording: RecordingId) -> Result<Move, RecordingError> {
        let all = self.in_folder(recording).await?;
        let there = self.in_bucket(recording).await?;
        let mut waiting: Vec<(Path, u64)> =
            all.iter().filter(|(path, size)| there.get(path) != Some(size)).cloned().collect();
        waiting.reverse();
        Ok(Move { recording, all, waiting })
    }

    /// Copies some more of it.
    pub async fn copy_some(&self, of: &mut Move) -> Result<(), RecordingError> {
        let bucket = self.bucket()?;
        bucket.forget(of.recording);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some((path, size)) = of.waiting.last() {
            if !batch.is_empty() && (batch.len() == BATCH_PARTS || bytes + size > BATCH_BYTES) {
                break;
            }
            bytes += size;
            batch.push((path.clone(), *size));
            of.waiting.pop();
        }
        let copies = batch.iter().map(|(path, size)| async move {
            let content = self.near().get(path).await?.bytes().await?;
            if content.len() as u64 != *size {
                let said = format!("{path} changed in the folder while it was moved");
                return Err(RecordingError::Bucket { place: bucket.place().to_owned(), said });
            }
            bucket.put(path, content).await
        });
        let copied = try_join_all(copies).await;
        if copied.is_err() {
            // Which of them arrived is seen when it is begun anew.
            of.waiting.extend(batch.into_iter().rev());
        }
        copied.map(drop)
    }

    /// Looks whether the bucket has all of it, and gives back what it was given. Errors: `Bucket`.
    pub async fn verify_move(&self, of: &Move) -> Result<(), RecordingError> {
        let bucket = self.bucket()?;
        let there = self.in_bucket(of.recording).await?;
        let missing = of.all.iter().filter(|(path, size)| there.get(path) != Some(size)).count();
        if missing > 0 {
            let said = format!("{missing} of {} parts are not there though it took them", of.all.len());
            return Err(RecordingError::Bucket { place: bucket.place().to_owned(), said });
        }
        // Each was taken with its SHA-256, which is part of what was signed. Whether it can be had, too:
        for (path, _) in of.all.first().into_iter().chain(of.all.last()) {
            let (ours, theirs) = (self.near().get(path).await?.bytes().await?, bucket.fetch(path).await?);
            if ours != theirs {
                // Sent again with the next try.
                bucket.remove(path).await?;
                let said = format!("{path} came back with other bytes than it was sent with");
                return Err(RecordingError::Bucket { place: bucket.place().to_owned(), said });
            }
        }
        Ok(())
    }

    /// Deletes what was moved in the folder.
    pub async fn end_move(&self, of: Move) -> Result<(), RecordingError> {
        for (path, _) in &of.all {
            match self.near().delete(path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn in_folder(&self, recording: RecordingId) -> Result<Vec<(Path, u64)>, RecordingError> {
        let prefix = Path::from(recording.to_string());
        let listed = self.near().list(Some(&prefix)).map_ok(|meta| (meta.location, meta.size));
        let mut all: Vec<(Path, u64)> = listed.try_collect().await?;
        all.sort();
        Ok(all)
    }

    async fn in_bucket(&self, recording: RecordingId) -> Result<HashMap<Path, u64>, RecordingError> {
        let prefix = Path::from(recording.to_string());
        Ok(self.bucket()?.objects(&prefix, PARTS_MAX).await?.into_iter().collect())
    }
}
