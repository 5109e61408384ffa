//! Bringing pools to other versions of their images, and back.

use crate::{
    Answer, App,
    api::{
        problem::Problem,
        rollout::{RollbackNew, Rollout, RolloutNew},
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
use oriel_broker::RolloutView;
use oriel_model as model;

async fn answer(app: &App, view: RolloutView) -> Answer<Json<Rollout>> {
    Ok(Json(Names::read(app).await?.rollout(app, view).await?))
}

/// What is lost with a desktop is more than a change of its pool.
fn check_wipe(caller: &Caller, pool: &model::Pool, wipes: bool) -> Answer<()> {
    if wipes && !caller.may_in(model::Permission::DesktopsWrite, pool.id) {
        return Err(Problem::forbidden());
    }
    Ok(())
}

/// The pool's last roll-out, and how far it is.
#[utoipa::path(get, path = "/pools/{id}/rollout", tag = "pools", operation_id = "show_rollout", params(("id" = String, Path)), responses((status = 200, body = Rollout)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Rollout>> {
    let pool = app.broker.find_pool(&id).await?;
    match app.broker.rollout(&pool).await? {
        Some(view) => answer(&app, view).await,
        None => Err(Problem::not_found("roll-out")),
    }
}

/// Bring the pool's desktops to another version of its image: a few first, which are watched, then the rest at the pool's pace. It stops by
/// itself when too many do not come up.
#[utoipa::path(post, path = "/pools/{id}/rollout", tag = "pools", operation_id = "start_rollout", params(("id" = String, Path)), request_body = RolloutNew, responses((status = 201, body = Rollout)))]
pub async fn start(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(new): Body<RolloutNew>,
) -> Answer<(StatusCode, Json<Rollout>)> {
    let pool = app.broker.find_pool(&id).await?;
    check_wipe(&caller, &pool, new.wipe_dedicated)?;
    let (version, plan) =
        new.into_model().map_err(|error| Problem::bad_request(error, "mend that part of the roll-out"))?;
    let view = app.broker.start_rollout(&pool, version, plan).await?;
    Ok((StatusCode::CREATED, answer(&app, view).await?))
}

/// Replace nothing more until it is resumed. What is on its way goes on.
#[utoipa::path(post, path = "/pools/{id}/rollout/pause", tag = "pools", operation_id = "pause_rollout", params(("id" = String, Path)), responses((status = 200, body = Rollout)))]
pub async fn pause(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Rollout>> {
    let pool = app.broker.find_pool(&id).await?;
    let view = app.broker.pause_rollout(&pool, true).await?;
    answer(&app, view).await
}

/// Go on with one that is paused.
#[utoipa::path(post, path = "/pools/{id}/rollout/resume", tag = "pools", operation_id = "resume_rollout", params(("id" = String, Path)), responses((status = 200, body = Rollout)))]
pub async fn resume(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Rollout>> {
    let pool = app.broker.find_pool(&id).await?;
    let view = app.broker.pause_rollout(&pool, false).await?;
    answer(&app, view).await
}

/// End it: new desktops are of the version of before again; those of the new one stay as they are until the pool is rolled back.
#[utoipa::path(post, path = "/pools/{id}/rollout/cancel", tag = "pools", operation_id = "cancel_rollout", params(("id" = String, Path)), responses((status = 200, body = Rollout)))]
pub async fn cancel(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Rollout>> {
    let pool = app.broker.find_pool(&id).await?;
    let view = app.broker.cancel_rollout(&pool).await?;
    answer(&app, view).await
}

/// Forget one that has ended: the pool can no longer go back by it, and the version of before may be deleted.
#[utoipa::path(delete, path = "/pools/{id}/rollout", tag = "pools", operation_id = "forget_rollout", params(("id" = String, Path)), responses((status = 204)))]
pub async fn forget(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let pool = app.broker.find_pool(&id).await?;
    app.broker.forget_rollout(&pool).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bring the pool back to the version that its last roll-out led away from, also while that goes on.
#[utoipa::path(post, path = "/pools/{id}/rollback", tag = "pools", operation_id = "roll_back_pool", params(("id" = String, Path)), request_body = RollbackNew, responses((status = 201, body = Rollout)))]
pub async fn back(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(new): Body<RollbackNew>,
) -> Answer<(StatusCode, Json<Rollout>)> {
    let pool = app.broker.find_pool(&id).await?;
    check_wipe(&caller, &pool, new.wipe_dedicated)?;
    let view = app.broker.roll_back(&pool, new.into_model()).await?;
    Ok((StatusCode::CREATED, answer(&app, view).await?))
}
