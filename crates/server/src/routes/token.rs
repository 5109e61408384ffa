//! Tokens of programs. Everybody sees and deletes only their own.

use crate::{
    Answer, App,
    api::{
        problem::Problem,
        token::{Token, TokenList, TokenMade, TokenNew},
    },
    caller::Caller,
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_model::Permission;
use secrecy::ExposeSecret;

/// Longest life of a token that ends, in days.
const DAYS_MAX: u32 = 3650;

/// The own tokens, without their secrets.
#[utoipa::path(get, path = "/tokens", tag = "tokens", operation_id = "list_tokens", responses((status = 200, body = TokenList)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<TokenList>> {
    let tokens = app.broker.tokens(caller.person()?).await?.iter().map(Token::from).collect();
    Ok(Json(TokenList { tokens }))
}

/// A new token; the answer shows it once.
#[utoipa::path(post, path = "/tokens", tag = "tokens", operation_id = "create_token", request_body = TokenNew, responses((status = 201, body = TokenMade)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<TokenNew>,
) -> Answer<(StatusCode, Json<TokenMade>)> {
    if new.expires_in_days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)) {
        return Err(Problem::bad_request(
            "a token cannot last that long",
            format!("choose 1 to {DAYS_MAX} days, or none for a token that lasts until it is deleted"),
        ));
    }
    let scope = new.scope().map_err(|text| Problem::bad_request(text, "look at this endpoint's description"))?;
    let owner = match &new.user {
        None => caller.person()?.clone(),
        Some(key) if caller.may(Permission::PeopleWrite) => app.broker.find_user(key).await?,
        Some(_) => return Err(Problem::forbidden()),
    };
    let made = app.broker.create_token(&owner, &new.label, new.expires_in_days, scope).await?;
    let token = Token::from(&made.token);
    let secret = made.secret.expose_secret().to_owned();
    Ok((
        StatusCode::CREATED,
        Json(TokenMade { id: token.id, label: token.label, token: secret, expires_at: token.expires_at }),
    ))
}

/// Delete a token: it works no more at once.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", operation_id = "delete_token", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<StatusCode> {
    let id = id.parse().map_err(|_| Problem::not_found("token"))?;
    app.broker.delete_token(caller.person()?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
