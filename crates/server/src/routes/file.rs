//! A desktop's files: listing, downloading with ranges, uploading in pieces that can be continued.

use crate::{
    Answer, App,
    api::{
        file::{FileList, FileMove, FileUpload, FolderNew},
        problem::Problem,
    },
    caller::{Caller, TheDesktop},
    extract::Body,
};
use axum::{
    Json,
    body::Body as Bytes,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use oriel_gateway::terminal::files::{Download, Files, FilesError, RemotePath, Upload};
use oriel_model::Desktop;
use serde::Deserialize;
use std::sync::Arc;

/// Most bytes of one piece of an upload. A piece must arrive within the time of a request: pages choose smaller ones on slow
/// networks.
pub const PIECE_BYTES_MAX: u64 = 32 << 20;
/// Largest file that is taken.
pub const FILE_BYTES_MAX: u64 = 1 << 40;

/// Which file or folder.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FileQuery {
    /// Below the folder that may be seen, names separated by slashes; empty for that folder.
    #[serde(default)]
    #[param(required = false)]
    pub path: String,
}

/// Which upload.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UploadQuery {
    /// Where the file goes.
    #[serde(default)]
    #[param(required = false)]
    pub path: String,
    /// Tells this upload from others to the same place: 1 to 32 letters and digits of the page's choice, the same when it
    /// continues.
    #[serde(default)]
    #[param(required = false)]
    pub tag: String,
}

/// Which piece of an upload.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PieceQuery {
    /// As where its offset was asked for.
    #[serde(default)]
    #[param(required = false)]
    pub path: String,
    #[serde(default)]
    #[param(required = false)]
    pub tag: String,
    /// Where in the file the body's first byte goes; at most what has arrived.
    #[serde(default)]
    #[param(required = false)]
    pub offset: u64,
    /// The file's size: when so many bytes are there, it is put in its place.
    #[serde(default)]
    #[param(required = false)]
    pub size: u64,
}

async fn files(app: &App, caller: &Caller, desktop: &Desktop) -> Answer<Arc<Files>> {
    Ok(app.gateway.files(caller.user.id, desktop.id).await?)
}

fn path(text: &str) -> Answer<RemotePath> {
    Ok(RemotePath::parse(text)?)
}

/// A path that names something below the root.
fn named(text: &str) -> Answer<RemotePath> {
    let path = path(text)?;
    if path.is_root() {
        return Err(Problem::bad_request("the request names no file", "add `path` to the address"));
    }
    Ok(path)
}

/// The entries of a folder.
#[utoipa::path(get, path = "/desktops/{id}/files", tag = "files", operation_id = "list_files", params(("id" = String, Path), FileQuery), responses((status = 200, body = FileList)))]
pub async fn list(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<FileQuery>,
) -> Answer<Json<FileList>> {
    let path = path(&query.path)?;
    let files = files(&app, &caller, &desktop).await?;
    let listing = files.list(&path).await?;
    Ok(Json(FileList {
        path: path.as_str().to_owned(),
        root: files.root().to_owned(),
        files: listing.entries.into_iter().map(Into::into).collect(),
        cut: listing.cut,
    }))
}

/// Delete a file, a link or an empty folder.
#[utoipa::path(delete, path = "/desktops/{id}/files", tag = "files", operation_id = "delete_file", params(("id" = String, Path), FileQuery), responses((status = 204)))]
pub async fn delete(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<FileQuery>,
) -> Answer<StatusCode> {
    let path = named(&query.path)?;
    files(&app, &caller, &desktop).await?.remove(&path).await?;
    tracing::info!(user = %caller.user.name, desktop = %desktop.name, path = path.as_str(), "File deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Rename or move a file or a folder.
#[utoipa::path(post, path = "/desktops/{id}/files/move", tag = "files", operation_id = "move_file", params(("id" = String, Path)), request_body = FileMove, responses((status = 204)))]
pub async fn rename(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Body(body): Body<FileMove>,
) -> Answer<StatusCode> {
    let (from, to) = (named(&body.from)?, named(&body.to)?);
    files(&app, &caller, &desktop).await?.rename(&from, &to, body.replace).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a folder.
#[utoipa::path(post, path = "/desktops/{id}/files/folder", tag = "files", operation_id = "make_folder", params(("id" = String, Path)), request_body = FolderNew, responses((status = 201)))]
pub async fn folder(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Body(body): Body<FolderNew>,
) -> Answer<StatusCode> {
    let path = named(&body.path)?;
    files(&app, &caller, &desktop).await?.make_folder(&path).await?;
    Ok(StatusCode::CREATED)
}

/// Download a file, or a part of it (`Range: bytes=FROM-TO`, one range).
#[utoipa::path(get, path = "/desktops/{id}/files/content", tag = "files", operation_id = "download_file", params(("id" = String, Path), FileQuery), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 206, description = "the range"), (status = 416, description = "there are no such bytes")))]
pub async fn download(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<FileQuery>,
) -> Answer<Response> {
    let path = named(&query.path)?;
    let files = files(&app, &caller, &desktop).await?;
    let whole = files.download(&path, 0, None).await?;
    let size = whole.length();
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).and_then(|text| range(text, size));
    let mut response = match asked {
        None => {
            let mut response = body(whole);
            // Bytes as they are: the length is the progress bar's.
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
            response
        }
        Some(None) => {
            let text = "the file is shorter than the range that was asked for";
            let problem =
                Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "no_such_range", text, "ask for its size first");
            let mut response = problem.into_response();
            insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(response);
        }
        Some(Some((first, last))) => {
            drop(whole);
            let part = files.download(&path, first, Some(last - first + 1)).await?;
            let mut response = body(part);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            insert(&mut response, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{size}"));
            response
        }
    };
    insert(&mut response, header::ACCEPT_RANGES, "bytes");
    // Whatever it is, it is saved and never run as a page of this server.
    insert(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    insert(
        &mut response,
        header::CONTENT_DISPOSITION,
        &format!("attachment; filename*=UTF-8''{}", percent(path.name())),
    );
    Ok(response)
}

fn body(download: Download) -> Response {
    let length = download.length();
    let bytes = download.bytes().map(|piece| piece.map_err(|error| std::io::Error::other(error.to_string())));
    let mut response = Response::new(Bytes::from_stream(bytes));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// One range of RFC 9110 section 14.1.2 as first and last byte: `None` where it is to be ignored, `Some(None)` where there are
/// no such bytes.
fn range(text: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    if first.trim().is_empty() {
        // The last so many.
        let count = number(last)?.min(size);
        return Some((count > 0).then(|| (size - count, size - 1)));
    }
    let first = number(first)?;
    let last = if last.trim().is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    Some((first < size).then(|| (first, last.min(size - 1))))
}

/// RFC 8187: a name as `filename*` takes it.
fn percent(name: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").ok();
        }
    }
    text
}

/// How much of an upload has arrived: where it goes on.
#[utoipa::path(get, path = "/desktops/{id}/files/upload", tag = "files", operation_id = "show_upload", params(("id" = String, Path), UploadQuery), responses((status = 200, body = FileUpload)))]
pub async fn uploaded(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<UploadQuery>,
) -> Answer<Json<FileUpload>> {
    let path = named(&query.path)?;
    let offset = files(&app, &caller, &desktop).await?.uploaded(&path, &query.tag).await?;
    Ok(Json(FileUpload { offset, complete: false }))
}

/// Upload a piece of a file as the request's body. The file appears when its last piece has arrived, and replaces what is there.
#[utoipa::path(put, path = "/desktops/{id}/files/upload", tag = "files", operation_id = "upload_file", params(("id" = String, Path), PieceQuery), request_body(content_type = "application/octet-stream", content = Vec<u8>), responses((status = 200, body = FileUpload)))]
pub async fn upload(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<PieceQuery>,
    piece: Bytes,
) -> Answer<Json<FileUpload>> {
    let path = named(&query.path)?;
    let room = query.size.saturating_sub(query.offset).min(PIECE_BYTES_MAX);
    if query.size > FILE_BYTES_MAX {
        return Err(too_large("the file is larger than 1 TiB"));
    }
    let files = files(&app, &caller, &desktop).await?;
    let mut upload = files.upload(&path, &query.tag, query.offset).await?;
    let written = write(&mut upload, piece, room).await;
    // What has arrived stays, whatever became of the rest.
    let settled = upload.settle().await;
    written?;
    settled?;
    let offset = upload.at();
    let complete = offset == query.size;
    if complete {
        upload.complete().await?;
        tracing::info!(user = %caller.user.name, desktop = %desktop.name, path = path.as_str(), bytes = offset, "File uploaded");
    }
    Ok(Json(FileUpload { offset, complete }))
}

async fn write(upload: &mut Upload, piece: Bytes, mut room: u64) -> Answer<()> {
    let mut pieces = piece.into_data_stream();
    while let Some(bytes) = pieces.next().await {
        let bytes = bytes
            .map_err(|_| Problem::bad_request("the upload broke off", "ask how much has arrived, and go on there"))?;
        room = room
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| too_large("the piece is longer than 32 MiB, or than what is missing of the file"))?;
        upload.write(bytes).await?;
    }
    Ok(())
}

fn too_large(what: &str) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", what, "send the file in smaller pieces")
}

/// Give an upload up: what has arrived is deleted.
#[utoipa::path(delete, path = "/desktops/{id}/files/upload", tag = "files", operation_id = "abandon_upload", params(("id" = String, Path), UploadQuery), responses((status = 204)))]
pub async fn abandon(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<UploadQuery>,
) -> Answer<StatusCode> {
    let path = named(&query.path)?;
    files(&app, &caller, &desktop).await?.abandon(&path, &query.tag).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<FilesError> for Problem {
    fn from(error: FilesError) -> Self {
        let (status, code) = match &error {
            FilesError::BadPath { .. } => (StatusCode::BAD_REQUEST, "bad_path"),
            FilesError::NotAFile { .. } => (StatusCode::BAD_REQUEST, "not_a_file"),
            FilesError::Missing => (StatusCode::NOT_FOUND, "no_such_file"),
            FilesError::Outside { .. } => (StatusCode::CONFLICT, "outside"),
            FilesError::Denied => (StatusCode::CONFLICT, "file_denied"),
            FilesError::Exists { .. } => (StatusCode::CONFLICT, "file_exists"),
            FilesError::Gap { .. } => (StatusCode::CONFLICT, "upload_gap"),
            FilesError::Failed(_) => (StatusCode::CONFLICT, "file_failed"),
            FilesError::Connection(_) | FilesError::NotThere(_) => (StatusCode::BAD_GATEWAY, "files_unreachable"),
            FilesError::Shrunk | FilesError::Strange(_) | FilesError::Broken(_) => {
                (StatusCode::BAD_GATEWAY, "files_broken")
            }
        };
        let text = error.to_string();
        let (detail, next_step) = text.rsplit_once("; ").unwrap_or((&text, "try again in a moment"));
        Self::new(status, code, detail, next_step)
    }
}

#[cfg(test)]
mod tests {
    use super::{percent, range};

    #[test]
    fn ranges() {
        assert_eq!(range("bytes=0-4", 10), Some(Some((0, 4))));
        assert_eq!(range("bytes=5-", 10), Some(Some((5, 9))));
        assert_eq!(range("bytes=5-99", 10), Some(Some((5, 9))));
        assert_eq!(range("bytes=-3", 10), Some(Some((7, 9))));
        assert_eq!(range("bytes=-30", 10), Some(Some((0, 9))));
        for none in ["bytes=10-", "bytes=-0"] {
            assert_eq!(range(none, 10), Some(None), "{none}");
        }
        assert_eq!(range("bytes=0-", 0), Some(None));
        for ignored in ["bytes=4-2", "lines=1-2", "bytes=", "bytes=a-b", "bytes=0-1,3-4", "bytes=--1"] {
            assert_eq!(range(ignored, 10), None, "{ignored}");
        }
    }

    #[test]
    fn names_in_headers() {
        assert_eq!(percent("a b\"\r\nü.txt"), "a%20b%22%0D%0A%C3%BC.txt");
    }
}
