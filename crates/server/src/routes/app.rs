//! Programs that pools publish, and places on session hosts.

use crate::{
    Answer, App as Edge,
    api::{
        Named,
        app::{App, AppChange, AppList, AppNew, HostPlace, HostPlaceList, OwnApp, OwnAppList},
        desktop::Desktop,
        problem::Problem,
    },
    caller::{Caller, TheDesktop},
    extract::PictureBody,
    names,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use oriel_broker::AppChange as AppEdit;
use oriel_model as model;
use std::collections::HashMap;

fn shown(app: model::App, pool: &model::Pool) -> App {
    App {
        id: app.id.to_string(),
        pool: Named::new(pool.id, pool.name.as_str()),
        name: app.name,
        run: app.run.into(),
        icon: app.icon,
        created_at: app.created.rfc3339(),
    }
}

/// The app of a path, which must be one of its pool.
async fn of_pool(edge: &Edge, pool: &model::Pool, app: &str) -> Answer<model::App> {
    let app = edge.broker.find_app(app).await?;
    if app.pool == pool.id { Ok(app) } else { Err(Problem::not_found("app")) }
}

/// The programs that one may open.
#[utoipa::path(get, path = "/me/apps", tag = "apps", operation_id = "list_own_apps", responses((status = 200, body = OwnAppList)))]
pub async fn own(State(edge): State<Edge>, caller: Caller) -> Answer<Json<OwnAppList>> {
    let apps = edge.broker.apps_for(&caller.user).await?;
    let pools: HashMap<model::PoolId, model::Pool> =
        edge.broker.pools().await?.into_iter().map(|pool| (pool.id, pool)).collect();
    let own = apps.into_iter().filter_map(|app| {
        let pool = pools.get(&app.pool)?;
        let of = Named::new(pool.id, pool.name.as_str());
        Some(OwnApp { id: app.id.to_string(), pool: of, name: app.name, icon: app.icon })
    });
    Ok(Json(OwnAppList { apps: own.collect() }))
}

/// The programs that a pool publishes.
#[utoipa::path(get, path = "/pools/{id}/apps", tag = "apps", operation_id = "list_apps", params(("id" = String, Path)), responses((status = 200, body = AppList)))]
pub async fn list(State(edge): State<Edge>, Path(id): Path<String>) -> Answer<Json<AppList>> {
    let pool = edge.broker.find_pool(&id).await?;
    let apps = edge.broker.apps().await?.into_iter().filter(|app| app.pool == pool.id);
    Ok(Json(AppList { apps: apps.map(|app| shown(app, &pool)).collect() }))
}

/// Publish a program of a pool's machines: whoever may use the pool may open it.
#[utoipa::path(post, path = "/pools/{id}/apps", tag = "apps", operation_id = "create_app", params(("id" = String, Path)), request_body = AppNew, responses((status = 201, body = App)))]
pub async fn create(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    PictureBody(new): PictureBody<AppNew>,
) -> Answer<(StatusCode, Json<App>)> {
    let pool = edge.broker.find_pool(&id).await?;
    let png = new.icon.as_deref().map(png).transpose()?;
    let app = edge.broker.create_app(&pool, new.name, new.run.into(), png).await?;
    Ok((StatusCode::CREATED, Json(shown(app, &pool))))
}

/// Change a published program, for sessions that are opened from now on.
#[utoipa::path(patch, path = "/pools/{id}/apps/{app}", tag = "apps", operation_id = "change_app", params(("id" = String, Path), ("app" = String, Path)), request_body = AppChange, responses((status = 200, body = App)))]
pub async fn change(
    State(edge): State<Edge>,
    Path((id, app)): Path<(String, String)>,
    PictureBody(change): PictureBody<AppChange>,
) -> Answer<Json<App>> {
    let pool = edge.broker.find_pool(&id).await?;
    let app = of_pool(&edge, &pool, &app).await?;
    let icon = match change.icon.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(text) => Some(Some(png(text)?)),
    };
    let edit = AppEdit { name: change.name, run: change.run.map(Into::into), icon };
    Ok(Json(shown(edge.broker.change_app(app.id, edit).await?, &pool)))
}

/// The picture of a program that one may open.
#[utoipa::path(get, path = "/me/apps/{app}/icon", tag = "apps", operation_id = "show_own_app_icon", params(("app" = String, Path)), responses((status = 200, content_type = "image/png", body = Vec<u8>), (status = 304, description = "the picture has not changed")))]
pub async fn own_icon(
    State(edge): State<Edge>,
    caller: Caller,
    Path(app): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let app = edge.broker.find_app_for(&caller.user, &app).await?;
    picture(&edge, &app, &headers).await
}

/// The picture of a program that a pool publishes.
#[utoipa::path(get, path = "/pools/{id}/apps/{app}/icon", tag = "apps", operation_id = "show_app_icon", params(("id" = String, Path), ("app" = String, Path)), responses((status = 200, content_type = "image/png", body = Vec<u8>), (status = 304, description = "the picture has not changed")))]
pub async fn icon(
    State(edge): State<Edge>,
    Path((id, app)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let pool = edge.broker.find_pool(&id).await?;
    let app = of_pool(&edge, &pool, &app).await?;
    picture(&edge, &app, &headers).await
}

/// Nothing but a picture: opened by itself, it runs and loads nothing.
async fn picture(edge: &Edge, app: &model::App, headers: &HeaderMap) -> Answer<Response> {
    let etag = format!("\"{}\"", app.icon.as_deref().unwrap_or_default());
    let tags = [(header::ETAG, etag.as_str()), (header::CACHE_CONTROL, "private, no-cache")];
    if app.icon.is_some() && crate::assets::is_known(headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, tags).into_response());
    }
    let png = edge.broker.app_icon(app).await?;
    let kind = [(header::CONTENT_TYPE, "image/png"), (header::CONTENT_DISPOSITION, "inline; filename=\"icon.png\"")];
    Ok((tags, kind, png).into_response())
}

fn png(text: &str) -> Answer<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| {
        Problem::bad_request(
            "this icon is not in base64",
            "send the PNG's bytes in base64, with its padding and without a prefix",
        )
    })
}

/// Publish a program no longer. Sessions that are open go on.
#[utoipa::path(delete, path = "/pools/{id}/apps/{app}", tag = "apps", operation_id = "delete_app", params(("id" = String, Path), ("app" = String, Path)), responses((status = 204)))]
pub async fn delete(State(edge): State<Edge>, Path((id, app)): Path<(String, String)>) -> Answer<StatusCode> {
    let pool = edge.broker.find_pool(&id).await?;
    let app = of_pool(&edge, &pool, &app).await?;
    edge.broker.delete_app(app.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who has a place on which host of a pool of session hosts.
#[utoipa::path(get, path = "/pools/{id}/places", tag = "pools", operation_id = "list_places", params(("id" = String, Path)), responses((status = 200, body = HostPlaceList)))]
pub async fn places(State(edge): State<Edge>, Path(id): Path<String>) -> Answer<Json<HostPlaceList>> {
    let pool = edge.broker.find_pool(&id).await?;
    let places = edge.broker.places(&pool).await?;
    let hosts: HashMap<model::DesktopId, String> =
        edge.broker.desktops_in_pool(&pool).await?.into_iter().map(|host| (host.id, host.name.to_string())).collect();
    let users: HashMap<model::UserId, String> =
        edge.broker.users().await?.into_iter().map(|user| (user.id, user.name)).collect();
    let shown = places.into_iter().map(|(place, connected)| HostPlace {
        host: Named::new(place.desktop, hosts.get(&place.desktop).map_or("a host that is gone", String::as_str)),
        number: place.number,
        user: Named::new(place.user, users.get(&place.user).map_or("someone who is gone", String::as_str)),
        since: place.seat.since.rfc3339(),
        connected,
    });
    Ok(Json(HostPlaceList { places: shown.collect() }))
}

/// Let a session host take nobody new. When its last person has left, one of Oriel's own is made anew of its pool's image, and takes people
/// again.
#[utoipa::path(put, path = "/desktops/{id}/drain", tag = "desktops", operation_id = "drain_host", params(("id" = String, Path)), responses((status = 200, body = Desktop)))]
pub async fn drain(State(edge): State<Edge>, TheDesktop(host): TheDesktop) -> Answer<Json<Desktop>> {
    let host = edge.broker.drain(&host).await?;
    Ok(Json(names::desktop(&edge, &host).await?))
}

/// Let a session host take people again.
#[utoipa::path(delete, path = "/desktops/{id}/drain", tag = "desktops", operation_id = "undrain_host", params(("id" = String, Path)), responses((status = 200, body = Desktop)))]
pub async fn undrain(State(edge): State<Edge>, TheDesktop(host): TheDesktop) -> Answer<Json<Desktop>> {
    let host = edge.broker.undrain(&host).await?;
    Ok(Json(names::desktop(&edge, &host).await?))
}
