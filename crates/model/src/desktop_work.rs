//! What an administrator does with the machine of one desktop on an engine that can: another size, another host, snapshots.

use crate::{Micros, Name};
use serde::{Deserialize, Serialize};

/// Snapshots that one desktop may have.
pub const DESKTOP_SNAPSHOTS_MAX: usize = 16;

/// What is done with a desktop's machine, as an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum DesktopWork {
    /// It gets the size that its pool says now.
    Resize,
    /// To another host of the engine: the named one, or one that the engine chooses.
    Migrate {
        to: Option<String>,
        /// Its host is down: it is made anew elsewhere, and what lay on that host's own disk is lost.
        evacuate: bool,
    },
    /// The size, or the place, that it was brought to stays.
    Confirm,
    /// It goes back to the size, or the place, that it had before.
    Revert,
    Snapshot {
        snapshot: Name,
    },
    /// Its disk becomes again what it was at that snapshot.
    Restore {
        snapshot: Name,
    },
    DropSnapshot {
        snapshot: Name,
    },
}

/// How far a machine is that is brought to another size or place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveState {
    /// Nothing is being done with it.
    Settled,
    Underway,
    /// It is there, and can go back until somebody confirms it.
    Unconfirmed,
    /// The engine says that it broke.
    Broken,
}

/// How a desktop's machine stands, as its engine says at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The name of what it is made of there.
    pub flavor: String,
    /// The host that it stands on; engines tell only their own administrators.
    pub host: Option<String>,
    /// That host does not answer to its engine.
    pub is_host_lost: bool,
    pub state: MoveState,
    /// What the engine is doing with it, or what broke, in its words.
    pub doing: Option<String>,
    /// Oldest first.
    pub snapshots: Vec<DesktopSnapshot>,
}

/// What a desktop's disk held once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesktopSnapshot {
    pub name: String,
    pub created: Micros,
    /// Bytes that it takes; 0 until it is whole.
    pub bytes: u64,
    pub is_whole: bool,
    /// It is of an earlier generation of the desktop, whose keys were others: it cannot be restored.
    pub is_foreign: bool,
}
