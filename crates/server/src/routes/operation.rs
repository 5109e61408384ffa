//! Long jobs.

use crate::{
    Answer, App,
    api::operation::{Operation, OperationList},
    names::Names,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

/// Long jobs, newest first.
#[utoipa::path(get, path = "/operations", tag = "operations", operation_id = "list_operations", responses((status = 200, body = OperationList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<OperationList>> {
    let names = Names::read(&app).await?;
    let operations = app.broker.operations().await?.iter().map(|operation| names.operation(operation)).collect();
    Ok(Json(OperationList { operations }))
}

/// One long job.
#[utoipa::path(get, path = "/operations/{id}", tag = "operations", operation_id = "show_operation", params(("id" = String, Path)), responses((status = 200, body = Operation)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Operation>> {
    let operation = app.broker.find_operation(&id).await?;
    Ok(Json(Names::read(&app).await?.operation(&operation)))
}

/// Cancel it; what it had begun is cleaned up.
#[utoipa::path(post, path = "/operations/{id}/cancel", tag = "operations", operation_id = "cancel_operation", params(("id" = String, Path)), responses((status = 202, body = Operation)))]
pub async fn cancel(State(app): State<App>, Path(id): Path<String>) -> Answer<(StatusCode, Json<Operation>)> {
    let operation = app.broker.find_operation(&id).await?;
    let operation = app.broker.cancel_operation(operation.id).await?;
    Ok((StatusCode::ACCEPTED, Json(Names::read(&app).await?.operation(&operation))))
}

/// Go on with one that failed or was cancelled.
#[utoipa::path(post, path = "/operations/{id}/resume", tag = "operations", operation_id = "resume_operation", params(("id" = String, Path)), responses((status = 202, body = Operation)))]
pub async fn resume(State(app): State<App>, Path(id): Path<String>) -> Answer<(StatusCode, Json<Operation>)> {
    let operation = app.broker.find_operation(&id).await?;
    let operation = app.broker.resume_operation(operation.id).await?;
    Ok((StatusCode::ACCEPTED, Json(Names::read(&app).await?.operation(&operation))))
}
