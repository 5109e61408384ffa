//! Recorded connections. What is served is the decrypted container of docs/recording-format.md.

use crate::{
    Answer, App,
    api::{
        problem::Problem,
        recording::{Recording, RecordingChunk, RecordingIndex, RecordingList},
    },
    range::{self, Asked},
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use oriel_recording::PartKind;

/// Recordings, newest first.
#[utoipa::path(get, path = "/recordings", tag = "recordings", operation_id = "list_recordings", responses((status = 200, body = RecordingList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<RecordingList>> {
    let recordings = app.broker.recordings().await?.into_iter().map(Recording::from).collect();
    Ok(Json(RecordingList { recordings }))
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
pub async fn index(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<RecordingIndex>> {
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
        recording: recording.into(),
    }))
}

/// The recording itself (docs/recording-format.md), decrypted, whole or one range of bytes.
#[utoipa::path(get, path = "/recordings/{id}/content", tag = "recordings", operation_id = "recording_content", params(("id" = String, Path), ("range" = Option<String>, Header, description = "`bytes=FIRST-LAST`")), responses((status = 200, content_type = "application/vnd.oriel.recording", body = Vec<u8>), (status = 206, content_type = "application/vnd.oriel.recording", body = Vec<u8>, description = "the range that was asked for"), (status = 416, description = "there is no such range")))]
pub async fn content(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Answer<Response> {
    let recording = app.broker.find_recording(&id).await?;
    let name = format!("{}-{}.orec", recording.desktop_name, recording.id);
    let content = app.broker.recording_content(recording).await?;
    let size = content.size();
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let (status, range) = match asked.map(|asked| range::parse(asked, size)) {
        None | Some(Asked::Everything) => (StatusCode::OK, 0..size),
        Some(Asked::Part(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(Asked::Nothing) => {
            let problem = Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "no_such_range",
                format!("the recording has {size} bytes by now and no such range"),
                "ask for its index first",
            );
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{size}"))], problem).into_response());
        }
    };
    let length = range.end - range.start;
    let content_range = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
    let mut response = (status, Body::from_stream(content.read(range))).into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.oriel.recording"));
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    // Pictures are compressed already, and a range is of these bytes and not of compressed ones.
    out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    let disposition = format!("attachment; filename=\"{name}\"");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        out.insert(header::CONTENT_DISPOSITION, value);
    }
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) = HeaderValue::from_str(&content_range)
    {
        out.insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}
