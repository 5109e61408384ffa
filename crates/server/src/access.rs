//! Who may call what: one table, read by the guard before any handler runs, by the API's description and by the test that
//! walks it. An endpoint that is not in the table is refused.

use utoipa::openapi::path::HttpMethod;

/// Where the API lives.
pub const BASE: &str = "/api/v1";

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody who is signed in, even with a password that must be changed first or a session that is locked.
    Entering,
    /// Anybody who is signed in.
    SignedIn,
    /// The desktop's owner, for an external machine without one whoever may use its pool, and admins. Everybody else does not learn that the desktop exists.
    Desktop,
    /// Admins, about one desktop.
    AdminDesktop,
    Admin,
    /// Whoever asked for the ticket, from the same session.
    Ticket,
    /// Whose connection it is; the handler looks. For everybody else, admins too, it does not exist.
    OwnSession,
}

impl Access {
    /// For the API's description.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Public => "Anybody may call it.",
            Self::Entering => {
                "Anybody who is signed in may call it, even before a first password is changed and while their session is locked."
            }
            Self::SignedIn => "Anybody who is signed in may call it.",
            Self::Desktop => {
                "The desktop's owner (of an external machine without one: whoever may use its pool) and admins may call it; for everybody else the desktop does not exist (404)."
            }
            Self::AdminDesktop | Self::Admin => "Only admins may call it.",
            Self::OwnSession => {
                "Only the person whose connection it is may call it; for everybody else it does not exist (404)."
            }
            Self::Ticket => "Only the session that asked for the ticket may call it, from a page of this server.",
        }
    }
}

use Access::{Admin, AdminDesktop, Desktop, Entering, OwnSession, Public, SignedIn, Ticket};
use HttpMethod::{Delete, Get, Patch, Post, Put};

/// The table. Paths are below [`BASE`].
const TABLE: &[(HttpMethod, &str, Access)] = &[
    (Post, "/login", Public),
    (Post, "/logout", Entering),
    (Get, "/me", Entering),
    (Post, "/me/password", Entering),
    (Post, "/me/unlock", Entering),
    (Get, "/users", Admin),
    (Post, "/users", Admin),
    (Patch, "/users/{id}", Admin),
    (Delete, "/users/{id}", Admin),
    (Get, "/groups", Admin),
    (Post, "/groups", Admin),
    (Get, "/groups/{id}", Admin),
    (Patch, "/groups/{id}", Admin),
    (Delete, "/groups/{id}", Admin),
    (Put, "/groups/{id}/members/{user_id}", Admin),
    (Delete, "/groups/{id}/members/{user_id}", Admin),
    (Get, "/tokens", SignedIn),
    (Post, "/tokens", SignedIn),
    (Delete, "/tokens/{id}", SignedIn),
    (Get, "/images", Admin),
    (Get, "/recipes", Admin),
    (Post, "/images/build", Admin),
    (Post, "/images/import", Admin),
    (Delete, "/images/{id}", Admin),
    (Get, "/pools", Admin),
    (Post, "/pools", Admin),
    (Get, "/pools/{id}", Admin),
    (Patch, "/pools/{id}", Admin),
    (Delete, "/pools/{id}", Admin),
    (Put, "/pools/{id}/users/{user_id}", Admin),
    (Delete, "/pools/{id}/users/{user_id}", Admin),
    (Put, "/pools/{id}/groups/{group_id}", Admin),
    (Delete, "/pools/{id}/groups/{group_id}", Admin),
    (Get, "/pools/{id}/machines", Admin),
    (Post, "/pools/{id}/machines", Admin),
    (Get, "/machines/{id}", Admin),
    (Patch, "/machines/{id}", Admin),
    (Delete, "/machines/{id}", Admin),
    (Get, "/machines/{id}/identity", Admin),
    (Get, "/desktops", SignedIn),
    (Post, "/desktops", Admin),
    (Get, "/desktops/{id}", Desktop),
    (Delete, "/desktops/{id}", AdminDesktop),
    (Post, "/desktops/{id}/start", Desktop),
    (Post, "/desktops/{id}/stop", Desktop),
    (Post, "/desktops/{id}/restart", Desktop),
    (Post, "/desktops/{id}/recycle", AdminDesktop),
    (Post, "/desktops/{id}/connect", Desktop),
    (Get, "/desktops/{id}/thumbnail", Desktop),
    (Get, "/desktops/{id}/files", Desktop),
    (Delete, "/desktops/{id}/files", Desktop),
    (Get, "/desktops/{id}/files/entry", Desktop),
    (Post, "/desktops/{id}/files/move", Desktop),
    (Post, "/desktops/{id}/files/folder", Desktop),
    (Get, "/desktops/{id}/files/content", Desktop),
    (Get, "/desktops/{id}/files/upload", Desktop),
    (Put, "/desktops/{id}/files/upload", Desktop),
    (Delete, "/desktops/{id}/files/upload", Desktop),
    (Get, "/operations", Admin),
    (Get, "/operations/{id}", Admin),
    (Post, "/operations/{id}/cancel", Admin),
    (Post, "/operations/{id}/resume", Admin),
    (Get, "/sessions", Admin),
    (Delete, "/sessions/{id}", Admin),
    (Post, "/sessions/{id}/shadow", Admin),
    (Get, "/sessions/{id}/invites", OwnSession),
    (Post, "/sessions/{id}/invites", OwnSession),
    (Delete, "/sessions/{id}/invites/{invite}", OwnSession),
    (Post, "/invites/{token}/connect", SignedIn),
    (Get, "/recordings", Admin),
    (Get, "/recordings/{id}", Admin),
    (Delete, "/recordings/{id}", Admin),
    (Get, "/recordings/{id}/index", Admin),
    (Get, "/recordings/{id}/content", Admin),
    (Get, "/gpus", Admin),
    (Get, "/gpus/{address}", Admin),
    (Get, "/gpus/{address}/findings", Admin),
    (Post, "/gpus/{address}/plan", Admin),
    (Post, "/gpus/{address}/mode", Admin),
    (Get, "/host", Admin),
    (Get, "/doctor", Admin),
    (Get, "/reconcilers", Admin),
    (Get, "/connect/{ticket}", Ticket),
    (Get, "/openapi.json", Public),
    (Get, "/health", Public),
];

/// Who may call this endpoint; `path` with [`BASE`] and parameters as the router writes them.
pub fn of(method: &HttpMethod, path: &str) -> Option<Access> {
    let path = path.strip_prefix(BASE)?;
    TABLE.iter().find(|(m, p, _)| m == method && *p == path).map(|(_, _, access)| *access)
}

/// As [`of`], for a request.
pub fn of_request(method: &axum::http::Method, path: &str) -> Option<Access> {
    use axum::http::Method;
    let method = match *method {
        // HEAD is GET without the body.
        Method::GET | Method::HEAD => Get,
        Method::POST => Post,
        Method::PUT => Put,
        Method::PATCH => Patch,
        Method::DELETE => Delete,
        _ => return None,
    };
    of(&method, path)
}
