//! Who comes to a connection, and as what: its owner, or a guest with the owner's leave.

use oriel_model::{ConnectionId, InviteId};
use oriel_screen::PersonKind;
use serde::{Deserialize, Serialize};

/// Where a viewer sits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Seat {
    /// Whose connection it is; opening it again takes the seat over.
    Owner {
        /// As guests are told; may be empty where nobody comes.
        name: String,
    },
    Guest(Guest),
}

/// Somebody who looks on at somebody else's connection, with or without keys and pointer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// The connection, which must be live.
    pub connection: ConnectionId,
    /// As everybody is told.
    pub name: String,
    pub kind: GuestKind,
    /// Keys and pointer from the first moment on.
    pub control: bool,
    /// The owner may give them keys and pointer.
    pub may_control: bool,
}

/// What lets a guest in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GuestKind {
    Invited {
        invite: InviteId,
    },
    /// An administrator. `ask`: when the owner says yes.
    Helper {
        ask: bool,
    },
    /// Somebody without an account, by an invitation that is for them. They knock, and come when the owner says yes.
    Visitor {
        invite: InviteId,
    },
}

impl Guest {
    /// An administrator, who was not invited.
    pub const fn is_helper(&self) -> bool {
        matches!(self.kind, GuestKind::Helper { .. })
    }

    /// Somebody without an account: their name is what they say.
    pub const fn is_visitor(&self) -> bool {
        matches!(self.kind, GuestKind::Visitor { .. })
    }

    pub(crate) const fn person_kind(&self) -> PersonKind {
        match self.kind {
            GuestKind::Invited { .. } => PersonKind::Guest,
            GuestKind::Helper { .. } => PersonKind::Helper,
            GuestKind::Visitor { .. } => PersonKind::Visitor,
        }
    }
}
