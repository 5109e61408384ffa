//! Live connections.

use super::{Named, desktop::ConnectKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One live protocol stream.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Session {
    pub id: String,
    pub user: Named,
    pub desktop: Named,
    pub kind: ConnectKind,
    /// How many viewers show it; 0 while it waits for its viewer to come back.
    pub viewers: u32,
    /// Those of them who are guests.
    pub guests: Vec<SessionGuest>,
    pub started_at: String,
    /// To viewers, over the last seconds.
    pub mbit_s: f64,
    /// Pictures a second to viewers, over the last seconds; 0 for a shell.
    pub fps: f64,
}

/// Somebody who looks on at another's connection.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionGuest {
    pub user: Named,
    /// An administrator who was not invited.
    pub helper: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    pub sessions: Vec<Session>,
}
