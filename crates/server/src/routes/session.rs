//! Live connections.

use crate::{
    Answer, App,
    api::{
        Named,
        problem::Problem,
        session::{MESSAGE_CHARS_MAX, SessionDetail, SessionList, SessionMessage, log_on_phases, start_phases},
    },
    caller::Caller,
    extract::Body,
    names::Names,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_model::{ConnectionId, Permission};
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

/// One live connection, as a helpdesk looks at it: whence its person comes, how long each part of their log-on took, and how far away
/// they are.
#[utoipa::path(get, path = "/sessions/{id}", tag = "sessions", operation_id = "show_session", params(("id" = String, Path)), responses((status = 200, body = SessionDetail)))]
pub async fn show(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<SessionDetail>> {
    let missing = || Problem::not_found("session");
    let id: ConnectionId = id.parse().map_err(|_| missing())?;
    let info = app.gateway.connections().into_iter().find(|info| info.connection.id == id).ok_or_else(missing)?;
    let seen = app.gateway.seen(id).ok_or_else(missing)?;
    let names = Names::read(&app).await?;
    // One that is being deleted under it is shown without its desktop.
    let all = app.broker.desktops(&caller.user, true).await?;
    let desktop = all.into_iter().find(|desktop| desktop.id == info.connection.desktop);
    let pool = match &desktop {
        Some(desktop) => app.broker.find_pool(&desktop.pool.to_string()).await.ok(),
        None => None,
    };
    let session = names.session(&info, desktop.as_ref().map(|desktop| desktop.name.as_str()));
    let facts = desktop.as_ref().map(|desktop| &desktop.facts);
    Ok(Json(SessionDetail {
        session,
        pool: pool.map(|pool| Named::new(pool.id, &pool.name)),
        desktop_state: desktop.as_ref().map(|desktop| desktop.state.into()),
        is_external: desktop.as_ref().is_some_and(|desktop| desktop.external.is_some()),
        host: desktop.as_ref().and_then(|desktop| desktop.host.clone()),
        address: seen.address.map(|address| address.to_canonical().to_string()),
        start: facts.map(start_phases).unwrap_or_default(),
        log_on: log_on_phases(seen.times, facts.and_then(|facts| facts.seat)),
        round_trips: seen.round_trips.into_iter().map(Into::into).collect(),
    }))
}

/// Say something to whoever uses a connection: it stands in their viewer, with the name of who says it, until they close it.
#[utoipa::path(post, path = "/sessions/{id}/message", tag = "sessions", operation_id = "message_session", params(("id" = String, Path)), request_body = SessionMessage, responses((status = 204)))]
pub async fn message(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(said): Body<SessionMessage>,
) -> Answer<StatusCode> {
    let missing = || Problem::not_found("session");
    let id: ConnectionId = id.parse().map_err(|_| missing())?;
    let text = said.text.trim();
    if text.is_empty() || text.chars().count() > MESSAGE_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(Problem::bad_request(
            "a message that is empty, too long, or more than one line is not shown",
            format!("say it in 1 to {MESSAGE_CHARS_MAX} characters in one line"),
        ));
    }
    match app.gateway.say(id, &format!("{}: {text}", caller.user.name)) {
        None => Err(missing()),
        Some(0) => Err(Problem::new(
            StatusCode::CONFLICT,
            "nobody_there",
            "nobody looks at this connection now",
            "try again when they are back; a connection without its person ends within a minute",
        )),
        Some(_) => {
            tracing::info!(user = %caller.user.name, connection = %id, "Message to whoever uses a connection");
            Ok(StatusCode::NO_CONTENT)
        }
    }
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
