//! Live connections.

use crate::{
    Answer, App,
    api::{problem::Problem, session::SessionList},
    caller::Caller,
    names::Names,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_model::Permission;
use oriel_screen::ByeCode;
use std::collections::HashMap;

/// Live connections, or those to pools that one administers.
#[utoipa::path(get, path = "/sessions", tag = "sessions", operation_id = "list_sessions", responses((status = 200, body = SessionList)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<SessionList>> {
    let mut connections = app.gateway.connections();
    let names = Names::read(&app).await?;
    let desktops: HashMap<_, _> =
        app.broker.desktops(&caller.user, true).await?.into_iter().map(|desktop| (desktop.id, desktop)).collect();
    connections.retain(|info| match desktops.get(&info.connection.desktop) {
        Some(desktop) => caller.may_in(Permission::SessionsRead, desktop.pool),
        None => caller.may(Permission::SessionsRead),
    });
    let sessions = connections
        .iter()
        .map(|info| names.session(info, desktops.get(&info.connection.desktop).map(|desktop| desktop.name.as_str())))
        .collect();
    Ok(Json(SessionList { sessions }))
}

/// End one; its viewers are told that an administrator did.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "sessions", operation_id = "end_session", params(("id" = String, Path)), responses((status = 204)))]
pub async fn end(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let missing = || Problem::not_found("session");
    let id = id.parse().map_err(|_| missing())?;
    if app.gateway.end(id, ByeCode::EndedByAdmin, "an administrator ended this connection").await {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(missing())
    }
}
