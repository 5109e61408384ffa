//! The viewer's WebSocket.

use crate::{Answer, App};
use axum::{
    extract::{Path, State},
    response::Response,
};

/// Open the viewer's WebSocket with a ticket (docs/viewer-protocol.md). A ticket works once, for 30 seconds, for the person who asked for it.
#[utoipa::path(get, path = "/connect/{ticket}", tag = "desktops", operation_id = "open_viewer", params(("ticket" = String, Path)), responses((status = 101, description = "the viewer protocol follows")))]
pub async fn viewer(State(app): State<App>, Path(ticket): Path<String>) -> Answer<Response> {
    Err(crate::soon())
}
