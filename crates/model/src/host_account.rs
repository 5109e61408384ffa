//! The account of a person on a session host that Oriel made, for as long as they have a place there.
//!
//! ```text
//! Asked ─▶ Ready ──▶ Closing ─▶ Closed ─▶ Asked (they come again)
//!   ├────▶ Theirs ─────┤
//!   └────▶ Refused ────┘
//! ```

use crate::{DesktopId, Micros, UserId};
use serde::{Deserialize, Serialize};

/// Longest reason why one could not be made, in characters.
pub const ACCOUNT_PROBLEM_CHARS_MAX: usize = 400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAccount {
    pub host: DesktopId,
    pub user: UserId,
    /// Of the host, when it was asked for.
    pub generation: u32,
    /// What it is called on the host; none where it may have none.
    pub name: Option<String>,
    pub state: AccountState,
    /// Of the last order to the host.
    pub number: i64,
    /// Its password; none from when it is to be closed.
    pub sealed: Option<String>,
    /// Why the last order came to nothing: a sentence for its person.
    pub problem: Option<String>,
    pub changed: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// The host has not said yet that it is there.
    Asked,
    Ready,
    /// The host has one of that name that is not of Oriel's making, and asks for its password.
    Theirs,
    /// It may not be made: of that name there is another one.
    Refused,
    /// Its person has no place there any more.
    Closing,
    /// Nobody signs in with it.
    Closed,
}
