//! Live connections.

use crate::{Answer, App, api::session::SessionList};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

/// Live connections.
#[utoipa::path(get, path = "/sessions", tag = "sessions", operation_id = "list_sessions", responses((status = 200, body = SessionList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<SessionList>> {
    Err(crate::soon())
}

/// End one; its viewers are told that an administrator did.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "sessions", operation_id = "end_session", params(("id" = String, Path)), responses((status = 204)))]
pub async fn end(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    Err(crate::soon())
}
