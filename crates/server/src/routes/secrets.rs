//! The keys that seal secrets in the database.

use crate::{
    Answer, App,
    api::{operation::Operation, secrets::Secrets},
    caller::Caller,
    names::Names,
};
use axum::{Json, extract::State, http::StatusCode};

/// Which keys there are, which program has which, and how much is sealed with each. No key is in it.
#[utoipa::path(get, path = "/secrets", tag = "host", operation_id = "show_secrets", responses((status = 200, body = Secrets)))]
pub async fn show(State(app): State<App>) -> Answer<Json<Secrets>> {
    let standing = app.broker.seal_standing().await?;
    let names = Names::read(&app).await?;
    let operation = standing.operation.as_ref().map(|operation| names.operation(operation));
    Ok(Json(Secrets::new(standing, operation)))
}

/// Seal everything with the newest key, which every program must have by now.
#[utoipa::path(post, path = "/secrets/rotate", tag = "host", operation_id = "rotate_secrets", responses((status = 202, body = Operation)))]
pub async fn rotate(State(app): State<App>, caller: Caller) -> Answer<(StatusCode, Json<Operation>)> {
    let operation = app.broker.start_resealing(caller.account()).await?;
    tracing::info!(user = %caller.user.name, operation = %operation.id, "All secrets are sealed anew");
    Ok((StatusCode::ACCEPTED, Json(Names::read(&app).await?.operation(&operation))))
}
