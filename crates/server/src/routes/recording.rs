//! Recorded connections. What is served is the decrypted container of docs/recording-format.md.

use crate::{
    Answer, App,
    api::{
        problem::Problem,
        recording::{Recording, RecordingChunk, RecordingIndex, RecordingList},
    },
    caller::Caller,
    extract::Query,
    range::Chosen,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use oriel_model::{Micros, Permission, RecordingFilter};
use oriel_recording::PartKind;
use serde::Deserialize;

/// Which recordings to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RecordingQuery {
    /// A person's name or id.
    pub user: Option<String>,
    /// A desktop's name or id.
    pub desktop: Option<String>,
    /// Begun then or later: `2026-11-28` (UTC) or `2026-11-28T12:00:00Z`.
    pub since: Option<String>,
    /// Begun before.
    pub until: Option<String>,
    /// A part of the name of the desktop, the person or the pool.
    pub text: Option<String>,
    /// `next` of an answer: what comes behind it.
    pub cursor: Option<String>,
    /// How many at once, at most 500; 100 when nothing is said.
    pub limit: Option<u64>,
}

/// A day or a moment.
fn moment(text: Option<String>) -> Result<Option<Micros>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    match text.parse::<jiff::Timestamp>().ok().or_else(|| day().map(|day| day.timestamp())) {
        Some(time) => Ok(Some(Micros(time.as_microsecond()))),
        None => Err(Problem::bad_request(
            format!("{text:?} is no day and no moment"),
            "write it like 2026-11-28 or 2026-11-28T12:00:00Z",
        )),
    }
}

/// Recordings, newest first, page by page.
#[utoipa::path(get, path = "/recordings", tag = "recordings", operation_id = "list_recordings", params(RecordingQuery), responses((status = 200, body = RecordingList)))]
pub async fn list(State(app): State<App>, Query(query): Query<RecordingQuery>) -> Answer<Json<RecordingList>> {
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = RecordingFilter {
        user: said(query.user),
        desktop: said(query.desktop),
        since: moment(said(query.since))?,
        until: moment(said(query.until))?,
        text: said(query.text),
    };
    let after = said(query.cursor).map(|cursor| cursor.parse()).transpose();
    let after =
        after.map_err(|error: String| Problem::bad_request(error, "ask for the first page without a cursor"))?;
    let (recordings, next) = app.broker.recordings(&filter, after, query.limit).await?;
    let recordings = recordings.into_iter().map(Recording::from).collect();
    Ok(Json(RecordingList { recordings, next: next.map(|next| next.to_string()) }))
}

/// One recording.
#[utoipa::path(get, path = "/recordings/{id}", tag = "recordings", operation_id = "show_recording", params(("id" = String, Path)), responses((status = 200, body = Recording)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Recording>> {
    Ok(Json(app.broker.find_recording(&id).await?.into()))
}

/// Delete a recording that is no longer being written.
#[utoipa::path(delete, path = "/recordings/{id}", tag = "recordings", operation_id = "delete_recording", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let recording = app.broker.find_recording(&id).await?;
    app.broker.delete_recording(&recording).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where its chunks are in its content, and when: also of a recording that is being written or was cut off.
#[utoipa::path(get, path = "/recordings/{id}/index", tag = "recordings", operation_id = "recording_index", params(("id" = String, Path)), responses((status = 200, body = RecordingIndex)))]
pub async fn index(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<RecordingIndex>> {
    let recording = app.broker.find_recording(&id).await?;
    let content = app.broker.recording_content(recording.clone()).await?;
    let chunks = content.chunks().map(|part| RecordingChunk {
        offset: part.offset,
        length: part.length,
        first_ms: part.first_ms,
        last_ms: part.last_ms,
        key: part.kind == PartKind::Key,
    });
    Ok(Json(RecordingIndex {
        size: content.size(),
        duration_ms: content.duration_ms(),
        chunks: chunks.collect(),
        typed: caller.may(Permission::RecordingsTyped),
        recording: recording.into(),
    }))
}

/// The recording itself (docs/recording-format.md), decrypted, whole or one range of bytes.
///
/// What was typed and copied is in it only for those who have `recordings_typed`; for others as many bytes that say nothing.
#[utoipa::path(get, path = "/recordings/{id}/content", tag = "recordings", operation_id = "recording_content", params(("id" = String, Path), ("range" = Option<String>, Header, description = "`bytes=FIRST-LAST`")), responses((status = 200, content_type = "application/vnd.oriel.recording", body = Vec<u8>), (status = 206, content_type = "application/vnd.oriel.recording", body = Vec<u8>, description = "the range that was asked for"), (status = 416, description = "there is no such range")))]
pub async fn content(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let recording = app.broker.find_recording(&id).await?;
    let name = format!("{}-{}.orec", recording.desktop_name, recording.id);
    let content = app.broker.recording_content(recording).await?;
    let size = content.size();
    let chosen = Chosen::of(&headers, size, true, "recording")?;
    let body = Body::from_stream(content.read(chosen.bytes(), caller.may(Permission::RecordingsTyped)));
    Ok(chosen.answer(body, "application/vnd.oriel.recording", &name))
}
