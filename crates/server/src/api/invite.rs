//! Inviting to a live connection, and looking on at one.

use super::desktop::ConnectKind;
use oriel_gateway as gateway;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a guest may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuestRole {
    /// Watch; the person whose connection it is can give control, where the pool allows it.
    View,
    /// Use keys and pointer.
    Control,
}

impl GuestRole {
    pub const fn of(control: bool) -> Self {
        if control { Self::Control } else { Self::View }
    }
}

/// Opens an invitation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvite {
    pub role: GuestRole,
    /// How long it lets people in, in minutes: 1 to 1440, 60 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// For people without an account, one at a time: each says a name and waits until the person lets them in. At most 480 minutes.
    #[serde(default)]
    pub guests: bool,
}

/// An invitation to a connection.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invite {
    pub id: String,
    pub role: GuestRole,
    /// For people without an account.
    pub guests: bool,
    pub created_at: String,
    /// Nobody new comes in from then on, and people without an account leave.
    pub expires_at: String,
}

impl From<&gateway::Invite> for Invite {
    fn from(invite: &gateway::Invite) -> Self {
        Self {
            id: invite.id.to_string(),
            role: GuestRole::of(invite.control),
            guests: invite.visitors,
            created_at: invite.created.rfc3339(),
            expires_at: invite.expires.rfc3339(),
        }
    }
}

/// A new invitation, and the only time that its link is told.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct InviteLink {
    pub invite: Invite,
    /// The page that guests open, on the same origin.
    pub path: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InviteList {
    pub invites: Vec<Invite>,
}

/// How to look on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shadow {
    /// With keys and pointer.
    #[serde(default)]
    pub control: bool,
}

/// Knocks as somebody without an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Knock {
    /// What the link has behind its `#`.
    #[schema(format = Password)]
    pub secret: String,
    /// As the person is told who lets them in, and everybody who watches: 1 to 40 characters.
    pub name: String,
}

/// Lets somebody without an account wait at one connection, once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct KnockTicket {
    pub ticket: String,
    pub kind: ConnectKind,
    /// Where to open the WebSocket, on the same origin.
    pub path: String,
    pub expires_in_seconds: u32,
    /// Whose connection it is.
    pub owner: String,
    pub role: GuestRole,
}

/// Lets the same signed-in person look on at one connection, once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct GuestTicket {
    pub ticket: String,
    pub kind: ConnectKind,
    /// Where to open the WebSocket, on the same origin.
    pub path: String,
    pub expires_in_seconds: u32,
    /// The desktop's name.
    pub desktop: String,
    /// Whose connection it is.
    pub owner: String,
    pub role: GuestRole,
    /// The owner is asked first.
    pub asks: bool,
}
