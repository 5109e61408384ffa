//! Ended recordings go from the folder of the program that wrote them to the bucket, where one is configured.
//!
//! The row says that something may be in the bucket before anything is, and that all of it is once that was seen; then
//! the folder lets go of it. Killed at any point, the next look goes on from what is where.

use crate::recording::place_of;
use crate::{Broker, BrokerError, fault};
use oriel_model::{Recording, RecordingId, RecordingState};
use oriel_recording::{Move, Place, RecordingStore};

/// What one step came to.
pub(crate) enum Moved {
    /// Some of it is there: bytes, and of how many.
    Some(u64, u64),
    All(Box<Recording>),
    /// Somebody deleted it meanwhile.
    Gone,
}

impl Broker {
    /// The recordings in this program's folder, oldest first; none where nothing is to be moved.
    pub(crate) async fn recordings_to_move(&self) -> Result<Vec<RecordingId>, BrokerError> {
        match self.inner.recorder.store() {
            Some(store) if store.bucket_place().is_some() => {
                let mut spooled = store.spooled().await?;
                spooled.retain(|id| !self.is_live_recording(*id));
                Ok(spooled)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Begins with one, where it may be moved: it has ended, and is not of another bucket.
    pub(crate) async fn begin_moving(&self, id: RecordingId) -> Result<Option<(Recording, Move)>, BrokerError> {
        let Some(recording) = self.inner.store.recording(id).await? else { return Ok(None) };
        if recording.state == RecordingState::Recording || self.is_live_recording(id) {
            return Ok(None);
        }
        let store = self.recording_store()?;
        if place_of(&recording, store).is_err() {
            // What an earlier program did not take away; where it says that it is, all of it is.
            return Ok(None);
        }
        let begun = store.begin_move(id).await?;
        Ok(Some((recording, begun)))
    }

    /// Takes one step with it: some of it, or its end.
    pub(crate) async fn move_some(&self, recording: &Recording, of: &mut Option<Move>) -> Result<Moved, BrokerError> {
        let store = self.recording_store()?;
        let id = recording.id;
        let _moving = self.inner.recorder.moving.lock().await;
        let Some(mut this) = of.take() else { return Ok(Moved::Gone) };
        let (moved, all) = this.progress();
        // One byte stands for "something may be there".
        if !self.inner.store.recording_moving(id, moved.max(1)).await? {
            return self.not_wanted(store, id).await;
        }
        if !this.is_copied() {
            let copied = store.copy_some(&mut this).await;
            let (moved, _) = this.progress();
            *of = Some(this);
            copied?;
            fault::point("recording.some_moved");
            return Ok(Moved::Some(moved, all));
        }
        store.verify_move(&this).await?;
        if place_of(recording, store)? == Place::Near {
            let place = store.bucket_place().unwrap_or_default();
            if !self.inner.store.recording_moved(id, place, all, this.duration_ms()).await? {
                return self.not_wanted(store, id).await;
            }
        }
        fault::point("recording.moved");
        store.end_move(this).await?;
        Ok(Moved::All(Box::new(recording.clone())))
    }

    /// Another program on this database deleted it, and could not reach this one's folder.
    async fn not_wanted(&self, store: &RecordingStore, id: RecordingId) -> Result<Moved, BrokerError> {
        if self.inner.store.recording(id).await?.is_none() {
            store.delete(id, true).await?;
        }
        Ok(Moved::Gone)
    }
}
