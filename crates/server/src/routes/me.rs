//! Signing in and out, and the person who is signed in.

use crate::{
    Answer, App,
    api::me::{Login, Me, PasswordChange},
    extract::Body,
};
use axum::{Json, extract::State, http::StatusCode, response::Response};

/// Sign in with a name and a password. Sets the session cookie.
#[utoipa::path(post, path = "/login", tag = "me", request_body = Login, responses((status = 200, body = Me)))]
pub async fn login(State(app): State<App>, Body(login): Body<Login>) -> Answer<Response> {
    Err(crate::soon())
}

/// Sign out: the session ends on the server too.
#[utoipa::path(post, path = "/logout", tag = "me", responses((status = 204)))]
pub async fn logout(State(app): State<App>) -> Answer<Response> {
    Err(crate::soon())
}

/// Who is signed in.
#[utoipa::path(get, path = "/me", tag = "me", responses((status = 200, body = Me)))]
pub async fn me(State(app): State<App>) -> Answer<Json<Me>> {
    Err(crate::soon())
}

/// Change the own password. Ends all other sessions of the person.
#[utoipa::path(post, path = "/me/password", tag = "me", request_body = PasswordChange, responses((status = 204)))]
pub async fn password(State(app): State<App>, Body(change): Body<PasswordChange>) -> Answer<StatusCode> {
    Err(crate::soon())
}
