//! Recorded connections.

use super::{Named, desktop::ConnectKind};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// Whether connections to a pool's desktops are recorded.
    RecordingPolicy = model::RecordingPolicy {
        Off,
        /// Every connection; one that cannot be recorded is refused.
        Always,
        /// The person is asked before each connection.
        Ask,
    }
}

mirror! {
    RecordingState = model::RecordingState {
        /// It is being written, and can be played already.
        Recording,
        Ended,
        /// The program or its storage failed: it can be played up to there.
        Cut,
    }
}

/// What was seen on one connection.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Recording {
    pub id: String,
    /// These three may be gone by now; their names are those of then.
    pub desktop: Named,
    pub user: Named,
    pub pool: Named,
    pub kind: ConnectKind,
    pub state: RecordingState,
    pub started_at: String,
    #[schema(required)]
    pub ended_at: Option<String>,
    /// As it is stored.
    pub bytes: u64,
    pub duration_ms: u64,
    /// The bucket that it was moved to, `s3://…`; in the server's folder until then.
    #[schema(required)]
    pub bucket: Option<String>,
    /// Bytes of it that are in a bucket, while it is being moved.
    pub moved_bytes: u64,
}

impl From<model::Recording> for Recording {
    fn from(recording: model::Recording) -> Self {
        Self {
            id: recording.id.to_string(),
            desktop: Named::new(recording.desktop, recording.desktop_name),
            user: Named::new(recording.user, recording.user_name),
            pool: Named::new(recording.pool, recording.pool_name),
            kind: recording.port.into(),
            state: recording.state.into(),
            started_at: recording.started.rfc3339(),
            ended_at: recording.ended.map(model::Micros::rfc3339),
            bytes: recording.bytes,
            duration_ms: recording.duration_ms,
            bucket: recording.bucket,
            moved_bytes: recording.moved_bytes,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecordingList {
    pub recordings: Vec<Recording>,
    /// Where the next page begins: `cursor` of the next question. Nothing where this is the last.
    #[schema(required)]
    pub next: Option<String>,
}

/// A chunk of the container: where it is, and from when to when.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecordingChunk {
    /// In bytes, from the start of the content.
    pub offset: u64,
    pub length: u64,
    pub first_ms: u32,
    pub last_ms: u32,
    /// It begins with a whole picture: a player can begin here.
    pub key: bool,
}

/// What there is of a recording by now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecordingIndex {
    pub recording: Recording,
    /// Of the content, in bytes; it grows while the recording is being written.
    pub size: u64,
    pub duration_ms: u64,
    pub chunks: Vec<RecordingChunk>,
    /// Whether the content has what was typed and copied, where the rules of the connection kept it: it does for those who have
    /// `recordings_typed`.
    #[serde(default)]
    #[schema(required)]
    pub typed: bool,
}
