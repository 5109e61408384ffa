//! Uploads in pieces. A piece that breaks off leaves what has arrived, and the next one goes on there.

use super::file::{Deed, named, open};
use crate::{
    Answer, App,
    api::{
        file::{FilePlace, FileUpload},
        problem::Problem,
    },
    caller::{Caller, TheDesktop},
    extract::Query,
    piece::Piece,
};
use axum::{Json, extract::State, http::StatusCode};
use oriel_gateway::Upload;
use serde::Deserialize;

/// Largest file that is taken.
pub const FILE_BYTES_MAX: u64 = 1 << 40;

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
    #[serde(default)]
    #[param(required = false)]
    pub place: FilePlace,
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
    pub size: u64,
    /// A file that is there is replaced. Otherwise the piece is refused with the code `file_exists`, whichever piece it is.
    #[serde(default)]
    #[param(required = false)]
    pub replace: bool,
    #[serde(default)]
    #[param(required = false)]
    pub place: FilePlace,
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
    let offset = open(&app, &caller, &desktop, query.place, Deed::Upload).await?.uploaded(&path, &query.tag).await?;
    Ok(Json(FileUpload { offset, complete: false }))
}

/// Upload a piece of a file (at most 32 MiB) as the request's body. The file appears when its last piece has arrived; it replaces one that is there only with `replace`.
#[utoipa::path(put, path = "/desktops/{id}/files/upload", tag = "files", operation_id = "upload_file", params(("id" = String, Path), PieceQuery), request_body(content_type = "application/octet-stream", content = Vec<u8>), responses((status = 200, body = FileUpload), (status = 409, description = "a file is there and `replace` is not set, or a folder is there, or the bytes before it are missing")))]
pub async fn upload(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<PieceQuery>,
    piece: Piece,
) -> Answer<Json<FileUpload>> {
    let PieceQuery { path, tag, offset, size, replace, place } = query;
    let path = named(&path)?;
    if size > FILE_BYTES_MAX {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "file_too_large",
            "the file is larger than 1 TiB",
            "split it",
        ));
    }
    if offset > size {
        return Err(Problem::bad_request(
            format!("the piece begins at {offset}, and the file has {size} bytes"),
            "ask how much has arrived, and go on there",
        ));
    }
    let upload = open(&app, &caller, &desktop, place, Deed::Upload).await?.upload(&path, &tag, offset, replace).await?;
    // A page that goes away ends this handler at any point; what is on its way to the machine settles all the same, so that there
    // are no holes where it goes on.
    let taking = tokio::spawn(take(upload, piece, size));
    let taken = taking.await.map_err(|_| Problem::internal())??;
    if taken.complete {
        tracing::info!(user = %caller.user.name, desktop = %desktop.name, path = ?path.as_str(), bytes = size, "File uploaded");
    }
    Ok(Json(taken))
}

async fn take(mut upload: Upload, piece: Piece, size: u64) -> Answer<FileUpload> {
    let written = write(&mut upload, piece, size).await;
    // What has arrived stays, whatever became of the rest.
    upload.settle().await?;
    written?;
    let offset = upload.at();
    let complete = offset == size;
    if complete {
        upload.complete().await?;
    }
    Ok(FileUpload { offset, complete })
}

async fn write(upload: &mut Upload, piece: Piece, size: u64) -> Answer<()> {
    let mut piece = piece.at_most(size.saturating_sub(upload.at()));
    while let Some(bytes) = piece.next().await? {
        upload.write(bytes).await?;
    }
    Ok(())
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
    open(&app, &caller, &desktop, query.place, Deed::Upload).await?.abandon(&path, &query.tag).await?;
    Ok(StatusCode::NO_CONTENT)
}
