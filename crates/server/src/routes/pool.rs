//! Pools, and who may use them.

use crate::{
    Answer, App,
    api::pool::{Pool, PoolChange, PoolList, PoolNew},
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

/// All pools.
#[utoipa::path(get, path = "/pools", tag = "pools", operation_id = "list_pools", responses((status = 200, body = PoolList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<PoolList>> {
    Err(crate::soon())
}

/// A new pool.
#[utoipa::path(post, path = "/pools", tag = "pools", operation_id = "create_pool", request_body = PoolNew, responses((status = 201, body = Pool)))]
pub async fn create(State(app): State<App>, Body(new): Body<PoolNew>) -> Answer<(StatusCode, Json<Pool>)> {
    Err(crate::soon())
}

/// One pool.
#[utoipa::path(get, path = "/pools/{id}", tag = "pools", operation_id = "show_pool", params(("id" = String, Path)), responses((status = 200, body = Pool)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Pool>> {
    Err(crate::soon())
}

/// Change a pool, for desktops made from now on.
#[utoipa::path(patch, path = "/pools/{id}", tag = "pools", operation_id = "change_pool", params(("id" = String, Path)), request_body = PoolChange, responses((status = 200, body = Pool)))]
pub async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(change): Body<PoolChange>,
) -> Answer<Json<Pool>> {
    Err(crate::soon())
}

/// Delete a pool that has no desktops.
#[utoipa::path(delete, path = "/pools/{id}", tag = "pools", operation_id = "delete_pool", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    Err(crate::soon())
}

/// Let a person use a pool.
#[utoipa::path(put, path = "/pools/{id}/users/{user_id}", tag = "pools", operation_id = "allow_pool_user", params(("id" = String, Path), ("user_id" = String, Path)), responses((status = 204)))]
pub async fn allow(State(app): State<App>, Path((id, user)): Path<(String, String)>) -> Answer<StatusCode> {
    Err(crate::soon())
}

/// Let a person no longer use a pool. Desktops they own stay theirs.
#[utoipa::path(delete, path = "/pools/{id}/users/{user_id}", tag = "pools", operation_id = "deny_pool_user", params(("id" = String, Path), ("user_id" = String, Path)), responses((status = 204)))]
pub async fn deny(State(app): State<App>, Path((id, user)): Path<(String, String)>) -> Answer<StatusCode> {
    Err(crate::soon())
}
