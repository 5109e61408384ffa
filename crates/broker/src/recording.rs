//! Recordings of connections: begun, written, looked at, thrown away.
//!
//! The row comes before the first part and goes before the last: whatever was kept can be found and, where it lacks a row,
//! nobody needs it.

use crate::clock::now;
use crate::{Broker, BrokerError};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use oriel_model::{
    ConnectionId, DesktopId, GuestPort, Micros, RecordedInput, Recording, RecordingCursor, RecordingFilter,
    RecordingId, RecordingRules, RecordingState, UserId,
};
use oriel_recording::{DataKey, Part, PartKind, Place, RecordingError, RecordingStore, RecordingWriter};
use oriel_screen::recording::{Chunk, RecordingKind, without_typed};
use secrecy::ExposeSecret;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Recordings of one page of the list: usually, and at most.
const LISTED: u64 = 100;
const LISTED_MAX: u64 = 500;

/// Recordings deleted at once because they are old.
const EXPIRED_MAX: u64 = 100;
/// A row says that it is being written, and for so long nobody said so again: nobody writes it. Long against
/// [`Recordings`](crate::reconcile)' period, in which every server says so of its own.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Whoever deletes a recording waits so long for what is being moved at that moment.
const MOVING_TIME_MAX: Duration = Duration::from_secs(20);

/// Where recordings are kept and for how long, and which are being written by this program.
#[derive(Default)]
pub(crate) struct Recorder {
    store: OnceLock<RecordingStore>,
    /// Days after which a recording that has ended is deleted.
    days: OnceLock<u32>,
    live: Mutex<HashSet<RecordingId>>,
    /// Let go of by this program before they were ended.
    dropped: Mutex<HashSet<RecordingId>>,
    /// Held while something is being moved to the bucket, or deleted.
    pub(crate) moving: tokio::sync::Mutex<()>,
}

impl Recorder {
    pub(crate) fn store(&self) -> Option<&RecordingStore> {
        self.store.get()
    }
}

/// What was heard of recordings that run: how often their servers said so, and when that was new here. By our own clock, so
/// that clocks need not agree.
#[derive(Default)]
pub(crate) struct Heard(HashMap<RecordingId, (i64, Instant)>);

impl Heard {
    /// Listens once more; true when a row has said nothing new for [`SILENCE_MAX`].
    fn is_silent(&mut self, id: RecordingId, beats: i64, now: Instant) -> bool {
        let last = self.0.entry(id).or_insert((beats, now));
        if last.0 != beats {
            *last = (beats, now);
        }
        now.saturating_duration_since(last.1) >= SILENCE_MAX
    }
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
    watermark: bool,
}

/// What a recording's container has in it, and where.
pub struct RecordingContent {
    pub recording: Recording,
    pub parts: Vec<Part>,
    place: Place,
    key: Arc<DataKey>,
    store: RecordingStore,
}

impl Broker {
    /// Says where recordings are kept, once; without it none can be made.
    pub fn set_recordings(&self, store: RecordingStore) {
        self.inner.recorder.store.set(store).ok();
    }

    /// Says after how many days recordings are deleted, once; never without it.
    pub fn set_recording_days(&self, days: u32) {
        self.inner.recorder.days.set(days).ok();
    }

    /// What the pool of a desktop says, and what of it holds for this person.
    pub async fn recording_rules(&self, user: UserId, desktop: DesktopId) -> Result<RecordingRules, BrokerError> {
        let policy = self.session_policy(user, desktop).await?;
        let input = RecordedInput { keys: policy.recording_keys, clipboard: policy.recording_clipboard };
        Ok(RecordingRules { policy: self.pool_of(desktop).await?.recording, input })
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
            bucket: None,
            moved_bytes: 0,
        };
        let (key, text) = DataKey::random()?;
        let sealed = self
            .inner
            .vault
            .seal(text.expose_secret(), &sealing_context(recording.id))
            .map_err(|error| BrokerError::internal("sealing a recording's key", error))?;
        let watermark = self.session_policy(new.user, new.desktop).await?.watermark;
        let writer = store.writer(recording.id, key);
        // Nothing may fail or wait between this and what takes it away again.
        self.live_recordings().insert(recording.id);
        let live = LiveRecording { broker: self.clone(), recording, writer, duration_ms: 0, watermark };
        self.inner.store.create_recording(&live.recording, &sealed).await?;
        Ok(live)
    }

    /// Newest first: a page behind `after`, and where the next one begins, if there is more.
    pub async fn recordings(
        &self,
        filter: &RecordingFilter,
        after: Option<RecordingCursor>,
        count: Option<u64>,
    ) -> Result<(Vec<Recording>, Option<RecordingCursor>), BrokerError> {
        let count = count.unwrap_or(LISTED).clamp(1, LISTED_MAX);
        // One more says whether there is more.
        let mut page = self.inner.store.recordings(filter, after, count + 1).await?;
        let more = page.len() as u64 > count;
        page.truncate(count as usize);
        let next = page.last().filter(|_| more).map(|last| RecordingCursor { started: last.started, id: last.id });
        Ok((page, next))
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
        let key = Arc::new(DataKey::from_text(&text)?);
        let place = place_of(&recording, &store)?;
        let parts = store.parts(recording.id, place).await?;
        Ok(RecordingContent { recording, parts, place, key, store })
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
        self.delete_exports(recording.id).await?;
        let _moving = self.not_moving(recording).await?;
        // Where it is by now.
        let found = self.inner.store.recording(recording.id).await?;
        let recording = found.ok_or_else(|| BrokerError::missing("recording", recording.id))?;
        let store = self.recording_store()?;
        place_of(&recording, store)?;
        let far = store.bucket_place().is_some() && (recording.bucket.is_some() || recording.moved_bytes > 0);
        store.delete(recording.id, far).await?;
        Ok(self.inner.store.delete_recording(recording.id).await?)
    }

    /// Says of those that this program writes that they are being written; rows of which nobody says so any more (a
    /// program was killed, or its storage failed) become `cut`. Answers how many.
    pub(crate) async fn cut_recordings(&self, heard: &mut Heard) -> Result<usize, BrokerError> {
        let live: Vec<RecordingId> = self.live_recordings().iter().copied().collect();
        self.inner.store.beat_recordings(&live).await?;
        let dropped = self.dropped_recordings().clone();
        let running = self.inner.store.running_recordings().await?;
        heard.0.retain(|id, _| running.iter().any(|(recording, _)| recording.id == *id));
        let mut count = 0;
        for (recording, beats) in &running {
            let silent = heard.is_silent(recording.id, *beats, Instant::now());
            let ours = self.live_recordings().contains(&recording.id);
            if dropped.contains(&recording.id) || silent && !ours {
                // One that cannot be cut, its folder being unreadable, keeps no other from it.
                match self.cut_recording(recording).await {
                    Ok(cut) => count += usize::from(cut),
                    Err(error) => tracing::warn!(recording = %recording.id, %error, "A recording could not be ended"),
                }
            }
        }
        // They are cut by now, or were ended before they were let go of.
        self.dropped_recordings().retain(|id| !dropped.contains(id));
        Ok(count)
    }

    async fn cut_recording(&self, recording: &Recording) -> Result<bool, BrokerError> {
        let (mut bytes, mut duration_ms) = (recording.bytes, recording.duration_ms);
        if let Some(store) = self.inner.recorder.store.get() {
            let parts = store.parts(recording.id, Place::Near).await?;
            bytes = parts.iter().map(Part::stored_bytes).sum();
            duration_ms = parts.last().map_or(0, |part| u64::from(part.last_ms));
        }
        let ended = Micros(recording.started.0.saturating_add(duration_ms as i64 * 1000));
        let state = RecordingState::Cut;
        Ok(self.inner.store.end_recording(recording.id, state, ended, bytes, duration_ms).await?)
    }

    /// Deletes recordings that were kept long enough; answers how many.
    pub(crate) async fn expire_recordings(&self) -> Result<usize, BrokerError> {
        let Some(days) = self.inner.recorder.days.get().copied().filter(|days| *days > 0) else { return Ok(0) };
        let before = Micros(now().0.saturating_sub(i64::from(days) * 24 * 60 * 60 * 1_000_000));
        let old = self.inner.store.recordings_ended_before(before, EXPIRED_MAX).await?;
        let mut count = 0;
        for recording in &old {
            // One that cannot be deleted keeps no other from it.
            match self.delete_recording(recording).await {
                Ok(()) => {
                    count += 1;
                    tracing::info!(recording = %recording.id, desktop = recording.desktop_name, days, "Deleted a recording that was kept long enough");
                }
                Err(error) => {
                    tracing::warn!(recording = %recording.id, %error, "A recording that was kept long enough could not be deleted");
                    if matches!(error, BrokerError::Recording(RecordingError::Bucket { .. })) {
                        // It would take as long for each of the others.
                        break;
                    }
                }
            }
        }
        Ok(count)
    }

    pub(crate) fn recording_store(&self) -> Result<&RecordingStore, BrokerError> {
        self.inner.recorder.store.get().ok_or_else(|| {
            BrokerError::conflict(
                "no_recordings",
                "this server has no place to keep recordings",
                "set `recordings` in its configuration to a folder that it may write, and start it again",
            )
        })
    }

    fn dropped_recordings(&self) -> std::sync::MutexGuard<'_, HashSet<RecordingId>> {
        self.inner.recorder.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This program writes it at this moment.
    pub(crate) fn is_live_recording(&self, id: RecordingId) -> bool {
        self.live_recordings().contains(&id)
    }

    /// Nothing is moved to the bucket as long as this is held.
    async fn not_moving(&self, recording: &Recording) -> Result<tokio::sync::MutexGuard<'_, ()>, BrokerError> {
        tokio::time::timeout(MOVING_TIME_MAX, self.inner.recorder.moving.lock()).await.map_err(|_| {
            BrokerError::conflict(
                "recording_moving",
                format!(
                    "recordings are being moved to their bucket, which takes long, perhaps that of {}",
                    recording.desktop_name
                ),
                "try again in a minute; `oriel doctor` says whether the bucket can be reached",
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

    /// What lies over the picture when it is played, where the pool wants that: the person's name.
    pub fn watermark(&self) -> Option<&str> {
        self.watermark.then_some(self.recording.user_name.as_str())
    }

    /// Keeps a block; the same one may be tried again after an error.
    pub async fn put(&mut self, chunk: &Chunk) -> Result<(), BrokerError> {
        self.writer.put(chunk).await?;
        self.duration_ms = u64::from(chunk.last_ms);
        let (bytes, id) = (self.writer.bytes(), self.recording.id);
        if self.broker.inner.store.recording_grew(id, bytes, self.duration_ms).await? {
            return Ok(());
        }
        Err(BrokerError::conflict(
            "recording_over",
            "this recording was ended by somebody else, or deleted",
            "look whether this server reaches its database all the time",
        ))
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
        self.broker.dropped_recordings().insert(self.recording.id);
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

    /// Whole blocks of some kinds, in order, without what was typed and copied.
    pub fn blocks(
        &self,
        wanted: impl Fn(PartKind) -> bool,
    ) -> impl Stream<Item = Result<Bytes, RecordingError>> + Send {
        let parts: Vec<Part> = self.parts.iter().filter(|part| wanted(part.kind)).copied().collect();
        let kind = self.kind();
        self.store
            .blocks(self.recording.id, self.place, Arc::clone(&self.key), parts)
            .map(move |read| read.map(|(part, block)| shown(kind, false, &part, block)))
    }

    /// A range of the container, block by block; what was typed and copied only where it is asked for.
    pub fn read(
        self,
        range: Range<u64>,
        typed: bool,
    ) -> impl Stream<Item = Result<Bytes, RecordingError>> + Send + use<> {
        let kind = self.kind();
        self.store.range(self.recording.id, self.place, self.key, self.parts, range, move |part, block| {
            shown(kind, typed, part, block)
        })
    }

    /// What its chunks hold.
    fn kind(&self) -> RecordingKind {
        if self.recording.port == GuestPort::Ssh { RecordingKind::Terminal } else { RecordingKind::Screen }
    }
}

/// A block as somebody sees it who may, or may not, see what was typed.
fn shown(kind: RecordingKind, typed: bool, part: &Part, block: Bytes) -> Bytes {
    match part.kind {
        PartKind::Key | PartKind::Chunk if !typed => without_typed(kind, block),
        _ => block,
    }
}

/// Where it is to be looked for. Errors: `Conflict` where that is a bucket that is not configured.
pub(crate) fn place_of(recording: &Recording, store: &RecordingStore) -> Result<Place, BrokerError> {
    match &recording.bucket {
        None => Ok(Place::Near),
        Some(bucket) if store.bucket_place() == Some(bucket) => Ok(Place::Far),
        Some(bucket) => Err(BrokerError::conflict(
            "other_bucket",
            format!("the recording of {} lies in {bucket}, which this server does not use", recording.desktop_name),
            format!("set recording.store = \"{bucket}\" with the keys for it, and start the server again"),
        )),
    }
}

/// Binds a sealed key to its row, so that rows cannot be exchanged.
pub(crate) fn sealing_context(id: RecordingId) -> String {
    format!("recording:{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_silent_when_its_server_says_nothing_new_for_long() {
        let (mut heard, id, begin) = (Heard::default(), RecordingId::new(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        // As often as another server says so, whatever its clock says.
        for seconds in 0..100 {
            assert!(!heard.is_silent(id, (seconds / 5) as i64, at(seconds)));
        }
        assert!(!heard.is_silent(id, 19, at(95 + 19)));
        assert!(heard.is_silent(id, 19, at(95 + 20)));
        // Also of a server that was killed before this one started.
        assert!(!heard.is_silent(RecordingId::new(), 7, at(200)));
    }
}
