//! What was seen on a connection, kept.
//!
//! ```text
//! Recording ─▶ Ended   the connection ended and everything of it was kept
//!     └──────▶ Cut     the program or the storage failed: playable up to the last part that was kept
//! ```

use crate::{ConnectionId, DesktopId, GuestPort, Micros, OperationId, PoolId, RecordingId, UserId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Whether connections to a pool's desktops are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingPolicy {
    #[default]
    Off,
    /// Every connection; one that cannot be recorded is refused.
    Always,
    /// The person is asked before each connection.
    Ask,
}

/// What is kept of a recorded connection beside what is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedInput {
    /// What is typed.
    pub keys: bool,
    /// What goes through the clipboard.
    pub clipboard: bool,
}

/// Whether somebody's connection to a desktop is recorded, and what of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingRules {
    pub policy: RecordingPolicy,
    pub input: RecordedInput,
}

impl From<RecordingPolicy> for RecordingRules {
    fn from(policy: RecordingPolicy) -> Self {
        Self { policy, input: RecordedInput::default() }
    }
}

impl RecordingPolicy {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Always => "always",
            Self::Ask => "ask",
        }
    }
}

impl FromStr for RecordingPolicy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Off, Self::Always, Self::Ask]
            .into_iter()
            .find(|policy| policy.word() == text)
            .ok_or_else(|| format!("{text:?} is no way to record: use off, always or ask"))
    }
}

/// A recording outlives its desktop, its pool and its person: it keeps their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    pub id: RecordingId,
    pub connection: ConnectionId,
    pub desktop: DesktopId,
    pub desktop_name: String,
    pub user: UserId,
    pub user_name: String,
    pub pool: PoolId,
    pub pool_name: String,
    pub port: GuestPort,
    pub state: RecordingState,
    pub started: Micros,
    pub ended: Option<Micros>,
    /// Kept so far, as it is stored.
    pub bytes: u64,
    /// Until the last thing that was kept.
    pub duration_ms: u64,
    /// The bucket that it was moved to; in the server's folder until then.
    pub bucket: Option<String>,
    /// Bytes of it that are in a bucket, while it is being moved.
    pub moved_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    Recording,
    Ended,
    Cut,
}

impl RecordingState {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Ended => "ended",
            Self::Cut => "cut",
        }
    }
}

/// Which recordings are looked for; nothing said means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingFilter {
    /// A person's or a desktop's id or name.
    pub user: Option<String>,
    pub desktop: Option<String>,
    /// Begun then or later, and before.
    pub since: Option<Micros>,
    pub until: Option<Micros>,
    /// A part of the name of the desktop, the person or the pool.
    pub text: Option<String>,
}

/// A place in the list of recordings, newest first: behind this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingCursor {
    pub started: Micros,
    pub id: RecordingId,
}

impl fmt::Display for RecordingCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.started.0, self.id)
    }
}

impl FromStr for RecordingCursor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('.')
            .and_then(|(started, id)| Some(Self { started: Micros(started.parse().ok()?), id: id.parse().ok()? }));
        parsed
            .ok_or_else(|| format!("{text:?} is no place in the list of recordings: use `next` of an answer as it is"))
    }
}

/// What a recording is turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A screen as H.264.
    Mp4,
    /// A screen as VP9.
    Webm,
    /// A terminal as asciicast v2.
    Cast,
    /// What a terminal printed.
    Text,
}

impl ExportFormat {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Webm => "webm",
            Self::Cast => "cast",
            Self::Text => "text",
        }
    }

    /// As files of it end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            other => other.word(),
        }
    }

    pub const fn is_film(self) -> bool {
        matches!(self, Self::Mp4 | Self::Webm)
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::Webm => "video/webm",
            Self::Cast => "application/x-asciicast",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// A recording in another form: made by an operation, kept for some days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The operation that makes it has the same.
    pub id: OperationId,
    pub recording: RecordingId,
    pub format: ExportFormat,
    pub skip_idle: bool,
    /// It can be had; before that it is being made, or was given up.
    pub ready: bool,
    /// Once it is ready.
    pub bytes: u64,
    /// When it was asked for, and once it is ready, when that was.
    pub since: Micros,
}
