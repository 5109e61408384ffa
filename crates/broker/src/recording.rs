//! Recordings of connections: begun, written, looked at, thrown away.
//!
//! The row comes before the first part and goes before the last: whatever was kept can be found and, where it lacks a row,
//! nobody needs it.

use crate::clock::now;
use crate::{Broker, BrokerError};
use bytes::Bytes;
use futures::Stream;
use oriel_model::{
    ConnectionId, DesktopId, GuestPort, Recording, RecordingId, RecordingPolicy, RecordingState, UserId,
};
use oriel_recording::{DataKey, Part, PartKind, RecordingError, RecordingStore, RecordingWriter};
use oriel_screen::recording::Chunk;
use secrecy::ExposeSecret;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Recordings that a list shows.
const LISTED_MAX: u64 = 500;

/// Where recordings are kept, and which are being written by this program.
#[derive(Default)]
pub(crate) struct Recorder {
    store: OnceLock<RecordingStore>,
    live: Mutex<HashSet<RecordingId>>,
}

/// What is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct NewRecording {
    pub connection: ConnectionId,
    pub user: UserId,
    pub desktop: DesktopId,
    pub port: GuestPort,
}

/// A recording that is being written. One that is dropped before it was ended becomes `cut` with the next look around.
pub struct LiveRecording {
    broker: Broker,
    recording: Recording,
    writer: RecordingWriter,
    duration_ms: u64,
}

/// What a recording's container has in it, and where.
pub struct RecordingContent {
    pub recording: Recording,
    pub parts: Vec<Part>,
    key: DataKey,
    store: RecordingStore,
}

impl Broker {
    /// Says where recordings are kept, once; without it none can be made.
    pub fn set_recordings(&self, store: RecordingStore) {
        self.inner.recorder.store.set(store).ok();
    }

    /// What the pool of a desktop says.
    pub async fn recording_policy(&self, desktop: DesktopId) -> Result<RecordingPolicy, BrokerError> {
        let desktop =
            self.inner.store.desktop(desktop).await?.ok_or_else(|| BrokerError::missing("desktop", desktop))?;
        let pool = self.inner.store.pool(desktop.pool).await?;
        Ok(pool.ok_or_else(|| BrokerError::missing("pool", desktop.pool))?.recording)
    }

    /// Begins a recording: its row with a fresh sealed key.
    pub async fn begin_recording(&self, new: NewRecording) -> Result<LiveRecording, BrokerError> {
        let store = self.recording_store()?.clone();
        let desktop = self.inner.store.desktop(new.desktop).await?;
        let desktop = desktop.ok_or_else(|| BrokerError::missing("desktop", new.desktop))?;
        let pool = self.inner.store.pool(desktop.pool).await?;
        let pool = pool.ok_or_else(|| BrokerError::missing("pool", desktop.pool))?;
        let user = self.inner.store.user(new.user).await?.ok_or_else(|| BrokerError::missing("user", new.user))?;
        let recording = Recording {
            id: RecordingId::new(),
            connection: new.connection,
            desktop: desktop.id,
            desktop_name: desktop.name.to_string(),
            user: user.id,
            user_name: user.name,
            pool: pool.id,
            pool_name: pool.name.to_string(),
            port: new.port,
            state: RecordingState::Recording,
            started: now(),
            ended: None,
            bytes: 0,
            duration_ms: 0,
        };
        let (key, text) = DataKey::random()?;
        let sealed = self
            .inner
            .vault
            .seal(text.expose_secret(), &sealing_context(recording.id))
            .map_err(|error| BrokerError::internal("sealing a recording's key", error))?;
        self.live_recordings().insert(recording.id);
        let writer = store.writer(recording.id, key);
        let live = LiveRecording { broker: self.clone(), recording, writer, duration_ms: 0 };
        self.inner.store.create_recording(&live.recording, &sealed).await?;
        Ok(live)
    }

    /// Newest first.
    pub async fn recordings(&self) -> Result<Vec<Recording>, BrokerError> {
        Ok(self.inner.store.recordings(LISTED_MAX).await?)
    }

    pub async fn find_recording(&self, key: &str) -> Result<Recording, BrokerError> {
        let missing = || BrokerError::missing("recording", key);
        let id: RecordingId = key.parse().map_err(|_| missing())?;
        self.inner.store.recording(id).await?.ok_or_else(missing)
    }

    /// What can be read of it by now.
    pub async fn recording_content(&self, recording: Recording) -> Result<RecordingContent, BrokerError> {
        let store = self.recording_store()?.clone();
        let sealed = self.inner.store.recording_key(recording.id).await?;
        let sealed = sealed.ok_or_else(|| BrokerError::missing("recording", recording.id))?;
        let text = self
            .inner
            .vault
            .open(&sealed, &sealing_context(recording.id))
            .map_err(|error| BrokerError::internal("unsealing a recording's key", error))?;
        let key = DataKey::from_text(&text)?;
        let parts = store.parts(recording.id).await?;
        Ok(RecordingContent { recording, parts, key, store })
    }

    /// Deletes what was kept, then the row. One that is being written must end first.
    pub async fn delete_recording(&self, recording: &Recording) -> Result<(), BrokerError> {
        if recording.state == RecordingState::Recording {
            return Err(BrokerError::conflict(
                "still_recording",
                format!("the connection to {} is still being recorded", recording.desktop_name),
                "end the connection first: `oriel session list`",
            ));
        }
        self.recording_store()?.delete(recording.id).await?;
        Ok(self.inner.store.delete_recording(recording.id).await?)
    }

    /// Rows that say they are being written while nobody writes them (the program was killed, or the storage failed)
    /// become `cut`; answers how many.
    pub(crate) async fn cut_recordings(&self) -> Result<usize, BrokerError> {
        let running = self.inner.store.running_recordings().await?;
        let mut count = 0;
        for recording in running {
            if self.live_recordings().contains(&recording.id) {
                continue;
            }
            let (mut bytes, mut duration_ms) = (recording.bytes, recording.duration_ms);
            if let Some(store) = self.inner.recorder.store.get() {
                let parts = store.parts(recording.id).await?;
                bytes = parts.iter().map(|part| part.length + 16).sum();
                duration_ms = parts.last().map_or(0, |part| u64::from(part.last_ms));
            }
            let ended = recording.started.0.saturating_add(duration_ms as i64 * 1000);
            let ended = oriel_model::Micros(ended);
            let state = RecordingState::Cut;
            count += usize::from(self.inner.store.end_recording(recording.id, state, ended, bytes, duration_ms).await?);
        }
        Ok(count)
    }

    fn recording_store(&self) -> Result<&RecordingStore, BrokerError> {
        self.inner.recorder.store.get().ok_or_else(|| {
            BrokerError::conflict(
                "no_recordings",
                "this server has no place to keep recordings",
                "set `recordings` in its configuration to a folder that it may write, and start it again",
            )
        })
    }

    fn live_recordings(&self) -> std::sync::MutexGuard<'_, HashSet<RecordingId>> {
        self.inner.recorder.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveRecording {
    pub const fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Keeps a block; the same one may be tried again after an error.
    pub async fn put(&mut self, chunk: &Chunk) -> Result<(), BrokerError> {
        self.writer.put(chunk).await?;
        self.duration_ms = u64::from(chunk.last_ms);
        self.broker.inner.store.recording_grew(self.recording.id, self.writer.bytes(), self.duration_ms).await?;
        Ok(())
    }

    /// Everything was kept.
    pub async fn finish(self) -> Result<(), BrokerError> {
        let (bytes, state) = (self.writer.bytes(), RecordingState::Ended);
        self.broker
            .inner
            .store
            .end_recording(self.recording.id, state, now(), bytes, self.duration_ms)
            .await
            .map(drop)
            .map_err(Into::into)
    }
}

impl Drop for LiveRecording {
    fn drop(&mut self) {
        self.broker.live_recordings().remove(&self.recording.id);
        // A row that was not ended is, then.
        self.broker.wake_recordings();
    }
}

impl RecordingContent {
    /// Bytes of the container, decrypted.
    pub fn size(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.offset + part.length)
    }

    /// Milliseconds until the last thing in it.
    pub fn duration_ms(&self) -> u64 {
        self.parts.last().map_or(0, |part| u64::from(part.last_ms))
    }

    /// The chunks among its parts.
    pub fn chunks(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| matches!(part.kind, PartKind::Key | PartKind::Chunk))
    }

    /// A range of the container, block by block.
    pub fn read(self, range: Range<u64>) -> impl Stream<Item = Result<Bytes, RecordingError>> + Send + use<> {
        self.store.range(self.recording.id, self.key, self.parts, range)
    }
}

/// Binds a sealed key to its row, so that rows cannot be exchanged.
fn sealing_context(id: RecordingId) -> String {
    format!("recording:{id}")
}
