//! What was seen on a connection, kept.
//!
//! ```text
//! Recording ─▶ Ended   the connection ended and everything of it was kept
//!     └──────▶ Cut     the program or the storage failed: playable up to the last part that was kept
//! ```

use crate::{ConnectionId, DesktopId, GuestPort, Micros, PoolId, RecordingId, UserId};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

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
