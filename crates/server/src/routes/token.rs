//! Tokens of programs. Everybody sees and deletes only their own.

use crate::{
    Answer, App,
    api::token::{TokenList, TokenMade, TokenNew},
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

/// The own tokens, without their secrets.
#[utoipa::path(get, path = "/tokens", tag = "tokens", operation_id = "list_tokens", responses((status = 200, body = TokenList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<TokenList>> {
    Err(crate::soon())
}

/// A new token; the answer shows it once.
#[utoipa::path(post, path = "/tokens", tag = "tokens", operation_id = "create_token", request_body = TokenNew, responses((status = 201, body = TokenMade)))]
pub async fn create(State(app): State<App>, Body(new): Body<TokenNew>) -> Answer<(StatusCode, Json<TokenMade>)> {
    Err(crate::soon())
}

/// Delete a token: it works no more at once.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", operation_id = "delete_token", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    Err(crate::soon())
}
