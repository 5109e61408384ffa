//! Recorded connections. What is served is the decrypted container of docs/recording-format.md.

use crate::{
    Answer, App,
    api::{
        problem::Problem,
        recording::{Recording, RecordingChunk, RecordingIndex, RecordingList},
    },
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use oriel_recording::PartKind;
use std::ops::Range;

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
    let (status, range) = match asked.map(|asked| parse_range(asked, size)) {
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

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// No range, or one that we do not take (several, another unit): RFC 9110 §14.2 lets a server ignore it.
    Everything,
    Part(Range<u64>),
    Nothing,
}

/// `bytes=FIRST-LAST`, `bytes=FIRST-` and `bytes=-COUNT` (RFC 9110 §14.1.2).
fn parse_range(text: &str, size: u64) -> Asked {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asked::Everything;
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Asked::Everything,
    };
    if range.start < range.end { Asked::Part(range) } else { Asked::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        for (text, asked) in [
            ("bytes=0-9", Asked::Part(0..10)),
            ("bytes=90-1000", Asked::Part(90..100)),
            ("bytes=95-", Asked::Part(95..100)),
            ("bytes=-10", Asked::Part(90..100)),
            ("bytes=-1000", Asked::Part(0..100)),
            ("bytes=100-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-4", Asked::Everything),
            ("bytes=0-1,4-5", Asked::Everything),
            ("lines=0-1", Asked::Everything),
            ("bytes=-", Asked::Everything),
        ] {
            assert_eq!(parse_range(text, 100), asked, "{text}");
        }
    }
}
