//! Images on their way to a device's storage: in pieces from a browser, or fetched by the device itself. Nothing is held whole.

use crate::{
    Answer, App,
    api::{
        device::{DeviceFetch, DeviceTransfer},
        file::FileUpload,
        problem::Problem,
    },
    caller::Caller,
    extract::{Body, Query},
    piece::Piece,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::{ImageUpload, UploadPiece};
use serde::Deserialize;

/// Which upload.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImageUploadQuery {
    /// What the image is called in the device's storage.
    #[serde(default)]
    #[param(required = false)]
    pub name: String,
    /// Tells this upload from others of the same name: letters and digits of the page's choice, the same when it continues.
    #[serde(default)]
    #[param(required = false)]
    pub tag: String,
}

/// Which piece of an upload.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImagePieceQuery {
    /// As where its offset was asked for.
    #[serde(default)]
    #[param(required = false)]
    pub name: String,
    #[serde(default)]
    #[param(required = false)]
    pub tag: String,
    /// Where in the image the body's first byte goes: what has arrived.
    #[serde(default)]
    #[param(required = false)]
    pub offset: u64,
    /// The image's size: when so many bytes have arrived, the device lists it.
    pub size: u64,
}

/// How much of an image has arrived at a device: where it goes on.
#[utoipa::path(get, path = "/machines/{id}/device/upload", tag = "devices", operation_id = "show_device_upload", params(("id" = String, Path), ImageUploadQuery), responses((status = 200, body = FileUpload)))]
pub async fn uploaded(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<ImageUploadQuery>,
) -> Answer<Json<FileUpload>> {
    let machine = app.broker.find_machine(&id).await?;
    let offset = app.broker.device_uploaded(machine.id, &query.name, &query.tag);
    Ok(Json(FileUpload { offset, complete: false }))
}

/// Send a piece of an image (at most 32 MiB) to a device's storage as the request's body. One image at a time is on its way to a device; where the device lost what had arrived, it begins anew.
#[utoipa::path(put, path = "/machines/{id}/device/upload", tag = "devices", operation_id = "upload_device_image", params(("id" = String, Path), ImagePieceQuery), request_body(content_type = "application/octet-stream", content = Vec<u8>), responses((status = 200, body = FileUpload), (status = 409, description = "another image is on its way, the bytes before it are missing, or the device refused")))]
pub async fn upload(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
    Query(query): Query<ImagePieceQuery>,
    piece: Piece,
) -> Answer<Json<FileUpload>> {
    let ImagePieceQuery { name, tag, offset, size } = query;
    let machine = app.broker.find_machine(&id).await?;
    let piece_of = UploadPiece { name: name.clone(), tag, offset, size };
    let upload = app.broker.device_upload(&machine, piece_of).await?;
    // A page that goes away ends this handler at any point; what has come of the piece goes on to the device all the same.
    let taking = tokio::spawn(take(upload, piece, size));
    let taken = taking.await.map_err(|_| Problem::internal())??;
    if taken.complete {
        tracing::info!(user = %caller.user.name, machine = %machine.name, image = name, bytes = size, "Image sent to a device");
    }
    Ok(Json(taken))
}

async fn take(mut upload: ImageUpload, piece: Piece, size: u64) -> Answer<FileUpload> {
    let deadline = piece.deadline();
    let mut piece = piece.at_most(size.saturating_sub(upload.at()));
    while let Some(bytes) = piece.next().await? {
        upload.write(bytes, deadline).await?;
    }
    let offset = upload.at();
    let complete = upload.settle(deadline).await?;
    Ok(FileUpload { offset, complete })
}

/// Let the device fetch an image from an address. How far it is: `GET /machines/{id}/device/live`.
#[utoipa::path(post, path = "/machines/{id}/device/fetch", tag = "devices", operation_id = "fetch_device_image", params(("id" = String, Path)), request_body = DeviceFetch, responses((status = 202, body = DeviceTransfer), (status = 409, description = "another image is on its way")))]
pub async fn fetch(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(fetch): Body<DeviceFetch>,
) -> Answer<(StatusCode, Json<DeviceTransfer>)> {
    let machine = app.broker.find_machine(&id).await?;
    let begun = app.broker.device_fetch(&machine, &fetch.url, fetch.name)?;
    Ok((StatusCode::ACCEPTED, Json(begun.into())))
}

/// Stop the image that is on its way to a device: it removes what has arrived. What is over is shown no longer.
#[utoipa::path(delete, path = "/machines/{id}/device/upload", tag = "devices", operation_id = "stop_device_transfer", params(("id" = String, Path)), responses((status = 204)))]
pub async fn stop(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let machine = app.broker.find_machine(&id).await?;
    app.broker.device_stop_transfer(&machine);
    Ok(StatusCode::NO_CONTENT)
}
