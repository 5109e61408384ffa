//! Recordings of the measured gateway: encrypted parts in a folder, as `oriel serve` keeps them, without a database.

use anyhow::Result;
use async_trait::async_trait;
use oriel_gateway::{DialError, Recorded, RecordingSink, Recordings};
use oriel_model::{DesktopId, RecordingId, RecordingPolicy, RecordingRules, UserId};
use oriel_recording::{DataKey, RecordingStore, RecordingWriter};
use oriel_screen::{ByeCode, recording::Chunk};
use std::path::Path;

pub(crate) struct Shelf(RecordingStore);

impl Shelf {
    pub fn new(folder: &Path) -> Result<Self> {
        Ok(Self(RecordingStore::folder(folder)?))
    }
}

#[async_trait]
impl Recordings for Shelf {
    async fn rules(&self, _: UserId, _: DesktopId) -> Result<RecordingRules, DialError> {
        Ok(RecordingPolicy::Always.into())
    }

    async fn begin(&self, _: Recorded) -> Result<Box<dyn RecordingSink>, DialError> {
        let id = RecordingId::new();
        let (key, _) =
            DataKey::random().map_err(|error| DialError { code: ByeCode::Internal, text: error.to_string() })?;
        Ok(Box::new(Sink { id, writer: self.0.writer(id, key) }))
    }
}

struct Sink {
    id: RecordingId,
    writer: RecordingWriter,
}

#[async_trait]
impl RecordingSink for Sink {
    fn id(&self) -> RecordingId {
        self.id
    }
    fn title(&self) -> String {
        "bench".into()
    }
    async fn put(&mut self, chunk: &Chunk) -> Result<(), String> {
        self.writer.put(chunk).await.map_err(|error| error.to_string())
    }
    async fn finish(self: Box<Self>) -> Result<(), String> {
        Ok(())
    }
}

/// Of everything that was recorded there.
pub(crate) fn bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for recording in std::fs::read_dir(folder)? {
        for part in std::fs::read_dir(recording?.path())? {
            bytes += part?.metadata()?.len();
        }
    }
    Ok(bytes)
}
