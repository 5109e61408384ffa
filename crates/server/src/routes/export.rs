//! Recordings in other forms: made by an operation, kept for some days, had by whoever may play the recording.

use crate::{
    Answer, App,
    api::{
        export::{Export, ExportList, NewExport},
        operation::Operation,
    },
    caller::Caller,
    extract::Body as Asked,
    names::Names,
    range::Chosen,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use oriel_broker::EXPORT_DAYS;

/// What was made of a recording or is being made, newest first.
#[utoipa::path(get, path = "/recordings/{id}/exports", tag = "recordings", operation_id = "list_exports", params(("id" = String, Path)), responses((status = 200, body = ExportList)))]
pub async fn list(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<ExportList>> {
    let recording = app.broker.find_recording(&id).await?;
    let exports = app.broker.exports(recording.id).await?;
    let exports =
        exports.iter().map(|(export, operation)| Export::new(export, operation.as_ref(), EXPORT_DAYS)).collect();
    Ok(Json(ExportList { exports }))
}

/// Begin to make a film of a screen, or a text of a shell; what is made has the operation's id.
#[utoipa::path(post, path = "/recordings/{id}/exports", tag = "recordings", operation_id = "export_recording", params(("id" = String, Path)), request_body = NewExport, responses((status = 202, body = Operation)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Asked(new): Asked<NewExport>,
) -> Answer<(StatusCode, Json<Operation>)> {
    let recording = app.broker.find_recording(&id).await?;
    let new = oriel_broker::NewExport { format: new.format.into(), skip_idle: new.skip_idle };
    let operation = app.broker.start_export(&recording, new, caller.account()).await?;
    tracing::info!(user = %caller.user.name, recording = %recording.id, format = new.format.word(), "A recording is exported");
    Ok((StatusCode::ACCEPTED, Json(Names::read(&app).await?.operation(&operation))))
}

/// Delete what was made; what is being made is cancelled.
#[utoipa::path(delete, path = "/recordings/{id}/exports/{export}", tag = "recordings", operation_id = "delete_export", params(("id" = String, Path), ("export" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path((id, export)): Path<(String, String)>) -> Answer<StatusCode> {
    let recording = app.broker.find_recording(&id).await?;
    let export = app.broker.find_export(recording.id, &export).await?;
    app.broker.delete_export(&export).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was made, whole or one range of bytes.
#[utoipa::path(get, path = "/recordings/{id}/exports/{export}/content", tag = "recordings", operation_id = "export_content", params(("id" = String, Path), ("export" = String, Path), ("range" = Option<String>, Header, description = "`bytes=FIRST-LAST`")), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 206, content_type = "application/octet-stream", body = Vec<u8>, description = "the range that was asked for"), (status = 416, description = "there is no such range")))]
pub async fn content(
    State(app): State<App>,
    caller: Caller,
    Path((id, export)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let recording = app.broker.find_recording(&id).await?;
    let export = app.broker.find_export(recording.id, &export).await?;
    let content = app.broker.export_content(export.clone()).await?;
    let chosen = Chosen::of(&headers, export.bytes, true, "export")?;
    tracing::info!(user = %caller.user.name, recording = %recording.id, export = %export.id, "An export was read");
    let name = format!("{}-{}.{}", recording.desktop_name, recording.id, export.format.extension());
    let body = Body::from_stream(content.read(chosen.bytes()));
    Ok(chosen.answer(body, export.format.media_type(), &name))
}
