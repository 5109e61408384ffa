//! Desktops: what there is, what should become of it, and being let in.

use crate::{
    Answer, App,
    api::desktop::{Connect, ConnectTicket, Desktop, DesktopList, DesktopNew},
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

/// Which desktops to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DesktopQuery {
    /// Everybody's rather than the own ones; for admins.
    #[serde(default)]
    #[param(required = false)]
    pub all: bool,
}

/// The own desktops, or everybody's.
#[utoipa::path(get, path = "/desktops", tag = "desktops", operation_id = "list_desktops", params(DesktopQuery), responses((status = 200, body = DesktopList)))]
pub async fn list(State(app): State<App>, Query(query): Query<DesktopQuery>) -> Answer<Json<DesktopList>> {
    Err(crate::soon())
}

/// A new desktop; it starts at once.
#[utoipa::path(post, path = "/desktops", tag = "desktops", operation_id = "create_desktop", request_body = DesktopNew, responses((status = 201, body = Desktop)))]
pub async fn create(State(app): State<App>, Body(new): Body<DesktopNew>) -> Answer<(StatusCode, Json<Desktop>)> {
    Err(crate::soon())
}

/// One desktop.
#[utoipa::path(get, path = "/desktops/{id}", tag = "desktops", operation_id = "show_desktop", params(("id" = String, Path)), responses((status = 200, body = Desktop)))]
pub async fn show(State(app): State<App>) -> Answer<Json<Desktop>> {
    Err(crate::soon())
}

/// Delete a desktop with its disk.
#[utoipa::path(delete, path = "/desktops/{id}", tag = "desktops", operation_id = "delete_desktop", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn delete(State(app): State<App>) -> Answer<(StatusCode, Json<Desktop>)> {
    Err(crate::soon())
}

/// Start it.
#[utoipa::path(post, path = "/desktops/{id}/start", tag = "desktops", operation_id = "start_desktop", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn start(State(app): State<App>) -> Answer<(StatusCode, Json<Desktop>)> {
    Err(crate::soon())
}

/// Shut it down.
#[utoipa::path(post, path = "/desktops/{id}/stop", tag = "desktops", operation_id = "stop_desktop", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn stop(State(app): State<App>) -> Answer<(StatusCode, Json<Desktop>)> {
    Err(crate::soon())
}

/// Shut it down and start it again.
#[utoipa::path(post, path = "/desktops/{id}/restart", tag = "desktops", operation_id = "restart_desktop", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn restart(State(app): State<App>) -> Answer<(StatusCode, Json<Desktop>)> {
    Err(crate::soon())
}

/// Wipe it and make it again from its pool's image. What was stored on it is lost.
#[utoipa::path(post, path = "/desktops/{id}/recycle", tag = "desktops", operation_id = "recycle_desktop", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn recycle(State(app): State<App>) -> Answer<(StatusCode, Json<Desktop>)> {
    Err(crate::soon())
}

/// Ask to be let in: answers a ticket for one WebSocket. Starts a stopped desktop.
#[utoipa::path(post, path = "/desktops/{id}/connect", tag = "desktops", operation_id = "connect_desktop", params(("id" = String, Path)), request_body = Connect, responses((status = 200, body = ConnectTicket)))]
pub async fn connect(State(app): State<App>, Body(connect): Body<Connect>) -> Answer<Json<ConnectTicket>> {
    Err(crate::soon())
}

/// A small picture of its screen, at most 480 pixels wide.
#[utoipa::path(get, path = "/desktops/{id}/thumbnail", tag = "desktops", operation_id = "desktop_thumbnail", params(("id" = String, Path)), responses((status = 200, content_type = "image/jpeg", body = Vec<u8>), (status = 304, description = "the picture has not changed")))]
pub async fn thumbnail(State(app): State<App>) -> Answer<Response> {
    Err(crate::soon())
}
