//! The bytes of a file, whole or from where an earlier download stopped. Whatever it is, it is saved and never shown as a page of
//! this server.

use super::file::{Deed, FileQuery, named, open};
use crate::{
    Answer, App,
    caller::{Caller, TheDesktop},
    extract::Query,
    range::Chosen,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use futures::StreamExt;
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use oriel_gateway::terminal::files::Entry;

/// Download a file, or a part of it (`Range: bytes=FIRST-LAST`, one range; `If-Range` with its `ETag` where a download continues).
#[utoipa::path(get, path = "/desktops/{id}/files/content", tag = "files", operation_id = "download_file", params(("id" = String, Path), FileQuery, ("range" = Option<String>, Header, description = "`bytes=FIRST-LAST`"), ("if-range" = Option<String>, Header, description = "the `ETag` of what is there already")), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 206, content_type = "application/octet-stream", body = Vec<u8>, description = "the range that was asked for"), (status = 416, description = "there is no such range")))]
pub async fn download(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<FileQuery>,
) -> Answer<Response> {
    let path = named(&query.path)?;
    let file =
        open(&app, &caller, &desktop, query.place, Deed::reading(query.place, &path)).await?.download(&path).await?;
    let (size, tag, modified) = (file.entry().size, tag(file.entry()), modified(file.entry()));
    // A file that has changed begins anew.
    let same = headers.get(header::IF_RANGE).is_none_or(|known| {
        known.as_bytes() == tag.as_bytes() || modified.as_ref().is_some_and(|date| known.as_bytes() == date.as_bytes())
    });
    let range = Chosen::of(&headers, size, same, "file")?;
    let bytes = range.bytes();
    tracing::info!(user = %caller.user.name, desktop = %desktop.name, path = ?path.as_str(), from = bytes.start, to = bytes.end, "File read");
    let part = file.part(bytes.start, bytes.end - bytes.start);
    let length = part.length();
    let pieces = part.bytes().map(|piece| piece.map_err(|error| std::io::Error::other(error.to_string())));
    let mut response = range.answer(Body::from_stream(pieces), "application/octet-stream", path.name());
    let out = response.headers_mut();
    // A file that became shorter meanwhile ends there.
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    insert(out, header::ETAG, &tag);
    if let Some(modified) = modified {
        insert(out, header::LAST_MODIFIED, &modified);
    }
    Ok(response)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// As machines tell one state of a file from another: all that SFTP says.
fn tag(entry: &Entry) -> String {
    format!("\"{:x}-{:x}\"", entry.size, entry.modified.unwrap_or_default())
}

fn modified(entry: &Entry) -> Option<String> {
    let time = Timestamp::from_second(entry.modified?.into()).ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}
