//! People.

use crate::{
    Answer, App,
    api::user::{UserChange, UserList, UserMade, UserNew},
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

/// Everybody who may sign in.
#[utoipa::path(get, path = "/users", tag = "users", operation_id = "list_users", responses((status = 200, body = UserList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<UserList>> {
    Err(crate::soon())
}

/// A new person.
#[utoipa::path(post, path = "/users", tag = "users", operation_id = "create_user", request_body = UserNew, responses((status = 201, body = UserMade)))]
pub async fn create(State(app): State<App>, Body(new): Body<UserNew>) -> Answer<(StatusCode, Json<UserMade>)> {
    Err(crate::soon())
}

/// Change a role, lock somebody out, or reset a password.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", operation_id = "change_user", params(("id" = String, Path)), request_body = UserChange, responses((status = 200, body = UserMade)))]
pub async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(change): Body<UserChange>,
) -> Answer<Json<UserMade>> {
    Err(crate::soon())
}

/// Delete a person who has no desktops.
#[utoipa::path(delete, path = "/users/{id}", tag = "users", operation_id = "delete_user", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    Err(crate::soon())
}
