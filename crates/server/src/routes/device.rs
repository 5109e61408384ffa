//! Devices in front of machines.

use crate::{
    Answer, App,
    api::{
        device::{Device, DeviceDriveChange, DevicePowerAction, DeviceSwitchChange},
        problem::Problem,
    },
    caller::Caller,
    extract::{Body, Query},
};
use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use oriel_broker::DriveWish;
use oriel_model::ShadowingPolicy;
use serde::Deserialize;
use serde_json::Value;

/// Which image.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImageQuery {
    /// Its name in the device's storage.
    #[serde(default)]
    pub name: String,
}

/// Power, picture, drive and switches of the device in front of a machine (one that speaks `pikvm`): it is asked.
#[utoipa::path(get, path = "/machines/{id}/device", tag = "devices", operation_id = "show_device", params(("id" = String, Path)), responses((status = 200, body = Device)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Device>> {
    let machine = app.broker.find_machine(&id).await?;
    Ok(Json(app.broker.device_overview(&machine).await?.into()))
}

/// Press a button of the machine. Whether its power light follows is seen in the device a moment later: machines shut down slowly.
#[utoipa::path(post, path = "/machines/{id}/device/power/{action}", tag = "devices", operation_id = "device_power", params(("id" = String, Path), ("action" = inline(DevicePowerAction), Path)), responses((status = 204)))]
pub async fn power(State(app): State<App>, Path((id, action)): Path<(String, String)>) -> Answer<StatusCode> {
    let action: DevicePowerAction = serde_json::from_value(Value::String(action)).map_err(|_| {
        Problem::bad_request(
            "that is nothing that a device can do to its machine's power",
            "use one of on, off, off_hard, reset_hard, press, press_long, press_reset",
        )
    })?;
    let machine = app.broker.find_machine(&id).await?;
    app.broker.device_power(&machine, action.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leave a switch of the device on or off, or press it for a moment.
#[utoipa::path(post, path = "/machines/{id}/device/switches/{channel}", tag = "devices", operation_id = "device_switch", params(("id" = String, Path), ("channel" = String, Path)), request_body = DeviceSwitchChange, responses((status = 204)))]
pub async fn switch(
    State(app): State<App>,
    Path((id, channel)): Path<(String, String)>,
    Body(change): Body<DeviceSwitchChange>,
) -> Answer<StatusCode> {
    let machine = app.broker.find_machine(&id).await?;
    app.broker.device_switch(&machine, &channel, change.on).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Put an image of the device's storage into its drive, or nothing, and let the machine see it or not.
#[utoipa::path(post, path = "/machines/{id}/device/drive", tag = "devices", operation_id = "device_drive", params(("id" = String, Path)), request_body = DeviceDriveChange, responses((status = 200, body = Device)))]
pub async fn drive(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(change): Body<DeviceDriveChange>,
) -> Answer<Json<Device>> {
    let machine = app.broker.find_machine(&id).await?;
    let DeviceDriveChange { image, cdrom, writable, connected } = change;
    let wish = DriveWish { image, cdrom, writable, connected };
    Ok(Json(app.broker.device_drive(&machine, wish).await?.into()))
}

/// Remove an image from the device's storage.
#[utoipa::path(delete, path = "/machines/{id}/device/images", tag = "devices", operation_id = "delete_device_image", params(("id" = String, Path), ImageQuery), responses((status = 204)))]
pub async fn delete_image(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<ImageQuery>,
) -> Answer<StatusCode> {
    let machine = app.broker.find_machine(&id).await?;
    app.broker.device_remove_image(&machine, &query.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A small picture of what the machine shows. The device's streamer is started for it where nobody watches, which takes seconds.
#[utoipa::path(get, path = "/machines/{id}/device/picture", tag = "devices", operation_id = "device_picture", params(("id" = String, Path)), responses((status = 200, content_type = "image/jpeg", body = Vec<u8>)))]
pub async fn picture(State(app): State<App>, Path(id): Path<String>, caller: Caller) -> Answer<impl IntoResponse> {
    let machine = app.broker.find_machine(&id).await?;
    // There is no looking on unseen, not even small: by the rules of whoever is there.
    for other in app.gateway.others_on(machine.id, caller.user.id) {
        if app.broker.session_policy(other, machine.id).await?.shadowing != ShadowingPolicy::Tell {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "in_use",
                format!("{} is in use, and by its rules nobody looks on unseen", machine.name),
                "shadow the session: its person is asked",
            ));
        }
    }
    let jpeg = app.broker.device_picture(&machine).await?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store")], jpeg))
}
