//! Draining hosts, and closing pools, for maintenance.

use crate::{
    Answer, App,
    api::{
        maintenance::{CloudHostEmpty, HostDrain, HostStanding, HostStandingList, PoolClose},
        operation::Operation,
        pool::Pool,
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
use oriel_broker::Drain;

/// Oriel's own host and all clouds, with what runs there and whether they take more.
#[utoipa::path(get, path = "/hosts", tag = "host", operation_id = "list_hosts", responses((status = 200, body = HostStandingList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<HostStandingList>> {
    let hosts = app.broker.hosts().await?.into_iter().map(Into::into).collect();
    Ok(Json(HostStandingList { hosts }))
}

/// One of them, by its name: a host's, or `cloud:NAME`.
#[utoipa::path(get, path = "/hosts/{id}", tag = "host", operation_id = "show_host_standing", params(("id" = String, Path)), responses((status = 200, body = HostStanding)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<HostStanding>> {
    Ok(Json(app.broker.find_host(&id).await?.into()))
}

/// Drain a host: it gets no new desktop and nothing starts there, what runs for nobody is switched off, and who is inside is told. Said
/// again, reason and deadline are those that are said now.
#[utoipa::path(put, path = "/hosts/{id}/maintenance", tag = "host", operation_id = "start_host_maintenance", params(("id" = String, Path)), request_body = HostDrain, responses((status = 200, body = HostStanding)))]
pub async fn drain(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(wanted): Body<HostDrain>,
) -> Answer<Json<HostStanding>> {
    let drain = Drain {
        reason: wanted.reason.unwrap_or_default(),
        deadline_seconds: wanted.deadline_seconds,
        force: wanted.force,
    };
    Ok(Json(app.broker.drain_host(&id, drain).await?.into()))
}

/// A host takes desktops again.
#[utoipa::path(delete, path = "/hosts/{id}/maintenance", tag = "host", operation_id = "end_host_maintenance", params(("id" = String, Path)), responses((status = 200, body = HostStanding)))]
pub async fn resume(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<HostStanding>> {
    Ok(Json(app.broker.resume_host(&id).await?.into()))
}

/// Close a pool for maintenance: whoever is inside stays, and nobody new gets in but those who may change it.
#[utoipa::path(put, path = "/pools/{id}/maintenance", tag = "pools", operation_id = "start_pool_maintenance", params(("id" = String, Path)), request_body = PoolClose, responses((status = 200, body = Pool)))]
pub async fn close_pool(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(wanted): Body<PoolClose>,
) -> Answer<Json<Pool>> {
    let pool = app.broker.find_pool(&id).await?;
    app.broker.maintain_pool(&pool, wanted.message.as_deref().unwrap_or_default()).await?;
    Ok(Json(Names::read(&app).await?.pool(&app, &pool).await?))
}

/// A pool lets people in again.
#[utoipa::path(delete, path = "/pools/{id}/maintenance", tag = "pools", operation_id = "end_pool_maintenance", params(("id" = String, Path)), responses((status = 200, body = Pool)))]
pub async fn open_pool(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Pool>> {
    let pool = app.broker.find_pool(&id).await?;
    app.broker.open_pool(&pool).await?;
    Ok(Json(Names::read(&app).await?.pool(&app, &pool).await?))
}

/// Empty one of a cloud's own hosts: it takes no new servers, and what of Oriel's stands there is migrated, one after the other.
#[utoipa::path(post, path = "/clouds/{id}/hosts/{host}/empty", tag = "clouds", operation_id = "empty_cloud_host", params(("id" = String, Path), ("host" = String, Path)), request_body = CloudHostEmpty, responses((status = 202, body = Operation)))]
pub async fn empty_cloud_host(
    State(app): State<App>,
    caller: Caller,
    Path((id, host)): Path<(String, String)>,
    Body(wanted): Body<CloudHostEmpty>,
) -> Answer<(StatusCode, Json<Operation>)> {
    let cloud = app.broker.find_cloud(&id).await?;
    let reason = wanted.reason.unwrap_or_default();
    let operation = app.broker.empty_cloud_host(cloud.id, &host, &reason, wanted.evacuate, caller.account()).await?;
    Ok((StatusCode::ACCEPTED, Json(Names::read(&app).await?.operation(&operation))))
}

/// One of a cloud's own hosts takes new servers again. What left it stays where it is.
#[utoipa::path(delete, path = "/clouds/{id}/hosts/{host}/empty", tag = "clouds", operation_id = "open_cloud_host", params(("id" = String, Path), ("host" = String, Path)), responses((status = 204)))]
pub async fn open_cloud_host(State(app): State<App>, Path((id, host)): Path<(String, String)>) -> Answer<StatusCode> {
    let cloud = app.broker.find_cloud(&id).await?;
    app.broker.open_cloud_host(cloud.id, &host).await?;
    Ok(StatusCode::NO_CONTENT)
}
