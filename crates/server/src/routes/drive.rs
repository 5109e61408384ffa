//! The drive of a desktop: CD images come in pieces, lie on its host, and are put in and taken out.

use super::file::{Deed, enter};
use crate::{
    Answer, App,
    api::{
        drive::{DesktopDrive, DesktopDriveChange},
        file::FileUpload,
        problem::Problem,
    },
    audit::About,
    caller::{Caller, TheDesktop},
    extract::{Body, Query},
    piece::Piece,
};
use axum::{Extension, Json, extract::State, http::StatusCode};
use oriel_broker::DriveUpload;
use serde::Deserialize;

/// Which image.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DriveImageQuery {
    /// Its name: 1 to 200 bytes without slashes, and no dot in front.
    #[serde(default)]
    #[param(required = false)]
    pub name: String,
}

/// Which piece of an image.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DrivePieceQuery {
    /// The image's name.
    #[serde(default)]
    #[param(required = false)]
    pub name: String,
    /// Where in the image the body's first byte goes: what has arrived, or 0 to begin anew.
    #[serde(default)]
    #[param(required = false)]
    pub offset: u64,
    /// The image's size: when so many bytes are there, it can be put into the drive.
    pub size: u64,
}

/// What is in a desktop's CD drive, and the images that can be put into it.
#[utoipa::path(get, path = "/desktops/{id}/drive", tag = "desktops", operation_id = "show_desktop_drive", params(("id" = String, Path)), responses((status = 200, body = DesktopDrive), (status = 409, description = "it has no drive")))]
pub async fn show(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
) -> Answer<Json<DesktopDrive>> {
    enter(&app, &caller, &desktop, Deed::Upload).await?;
    Ok(Json(app.broker.drive(&desktop).await?.into()))
}

/// Put one of its images into a desktop's CD drive, or take out what is in it. The desktop sees it at once, and after restarts. It is for whoever may bring files to the desktop.
#[utoipa::path(post, path = "/desktops/{id}/drive", tag = "desktops", operation_id = "change_desktop_drive", params(("id" = String, Path)), request_body = DesktopDriveChange, responses((status = 200, body = DesktopDrive), (status = 409, description = "it has no drive")))]
pub async fn change(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Body(change): Body<DesktopDriveChange>,
) -> Answer<(Option<Extension<About>>, Json<DesktopDrive>)> {
    enter(&app, &caller, &desktop, Deed::Upload).await?;
    app.broker.drive_insert(&desktop, change.image.as_deref()).await?;
    let drive = app.broker.drive(&desktop).await?;
    Ok((change.image.map(|image| Extension(About(image))), Json(drive.into())))
}

/// Have a desktop start from the CD in its drive: when it starts next, and not again. Whoever does that has all of its disk before them, so that its owner alone may not.
#[utoipa::path(put, path = "/desktops/{id}/drive/start", tag = "desktops", operation_id = "start_desktop_from_drive", params(("id" = String, Path)), responses((status = 200, body = DesktopDrive), (status = 409, description = "it has no drive, or nothing is in it")))]
pub async fn start(State(app): State<App>, TheDesktop(desktop): TheDesktop) -> Answer<Json<DesktopDrive>> {
    Ok(Json(app.broker.drive_start(&desktop, true).await?.into()))
}

/// Take back that a desktop starts from the CD in its drive.
#[utoipa::path(delete, path = "/desktops/{id}/drive/start", tag = "desktops", operation_id = "start_desktop_from_disk", params(("id" = String, Path)), responses((status = 200, body = DesktopDrive), (status = 409, description = "it has no drive")))]
pub async fn start_usual(State(app): State<App>, TheDesktop(desktop): TheDesktop) -> Answer<Json<DesktopDrive>> {
    Ok(Json(app.broker.drive_start(&desktop, false).await?.into()))
}

/// Send a piece (at most 32 MiB) of a CD image for a desktop's drive as the request's body. Images go with the desktop's disk when it is made anew.
#[utoipa::path(put, path = "/desktops/{id}/drive/image", tag = "desktops", operation_id = "upload_desktop_drive_image", params(("id" = String, Path), DrivePieceQuery), request_body(content_type = "application/octet-stream", content = Vec<u8>), responses((status = 200, body = FileUpload), (status = 409, description = "it has no drive or no room, the image is there already, or the bytes before the piece are missing")))]
pub async fn upload(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<DrivePieceQuery>,
    piece: Piece,
) -> Answer<Json<FileUpload>> {
    let DrivePieceQuery { name, offset, size } = query;
    enter(&app, &caller, &desktop, Deed::Upload).await?;
    let upload = app.broker.drive_upload(&desktop, &name, offset, size).await?;
    // Whoever sends it may go away at any point; what has come of the piece settles all the same.
    let taking = tokio::spawn(take(upload, piece, size));
    let taken = taking.await.map_err(|_| Problem::internal())??;
    if taken.complete {
        tracing::info!(user = %caller.user.name, desktop = %desktop.name, image = ?name, bytes = size, "Image sent for a desktop's drive");
    }
    Ok(Json(taken))
}

async fn take(mut upload: DriveUpload, piece: Piece, size: u64) -> Answer<FileUpload> {
    let written = write(&mut upload, piece, size).await;
    // What has arrived stays, whatever became of the rest.
    let offset = upload.at();
    let complete = upload.settle().await?;
    written?;
    Ok(FileUpload { offset, complete })
}

async fn write(upload: &mut DriveUpload, piece: Piece, size: u64) -> Answer<()> {
    let mut piece = piece.at_most(size.saturating_sub(upload.at()));
    while let Some(bytes) = piece.next().await? {
        upload.write(&bytes).await?;
    }
    Ok(())
}

/// Remove an image for a desktop's drive, or what has arrived of one. One that is in the drive is taken out first.
#[utoipa::path(delete, path = "/desktops/{id}/drive/image", tag = "desktops", operation_id = "delete_desktop_drive_image", params(("id" = String, Path), DriveImageQuery), responses((status = 204), (status = 409, description = "it is in the drive, or there is no drive")))]
pub async fn delete_image(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<DriveImageQuery>,
) -> Answer<StatusCode> {
    enter(&app, &caller, &desktop, Deed::Upload).await?;
    app.broker.drive_remove(&desktop, &query.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
