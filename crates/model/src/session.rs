//! Being signed in ([`WebSession`], [`ApiToken`]), being let in once ([`Ticket`]), being connected ([`Connection`]).

use crate::{AppId, ConnectionId, DesktopId, GuestPort, Micros, SignInStep, TokenId, TokenScope, UserId};
use serde::{Deserialize, Serialize};

/// A browser that is signed in. The cookie's value is stored only as SHA-256 hex.
#[derive(Clone, Debug, PartialEq)]
pub struct WebSession {
    pub token_sha256: String,
    pub user: UserId,
    /// Sent back by the page in `X-Oriel-Csrf` with every change.
    pub csrf: String,
    pub created: Micros,
    pub expires: Micros,
    /// Nobody touched a desktop for too long: only its person's password opens it again.
    pub locked: bool,
    /// How far it has come at the door; until it is `Done` it does nothing but go on there.
    pub step: SignInStep,
}

/// A program that is signed in (`oriel --server URL`). The token itself is stored only as SHA-256 hex.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiToken {
    pub id: TokenId,
    pub token_sha256: String,
    pub user: UserId,
    pub label: String,
    pub created: Micros,
    pub expires: Option<Micros>,
    /// What it may do of what its person may.
    pub scope: TokenScope,
}

/// Lets one person open one connection to one desktop, once, within 30 seconds. Stored only as SHA-256 hex.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    pub ticket_sha256: String,
    pub user: UserId,
    /// SHA-256 of the web session (or API token) that asked for it: nobody else can use it.
    pub session_sha256: String,
    pub desktop: DesktopId,
    pub port: GuestPort,
    /// Resume this connection rather than dialling a new one.
    pub resume: Option<ConnectionId>,
    /// This program of its pool instead of the whole desktop.
    pub app: Option<AppId>,
    pub expires: Micros,
}

/// One live protocol stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    pub id: ConnectionId,
    pub user: UserId,
    pub desktop: DesktopId,
    pub port: GuestPort,
    pub viewers: u32,
    pub started: Micros,
}
