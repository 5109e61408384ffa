//! Devices of machines: a PiKVM in front of one, a BMC in one.

use crate::{
    Answer, App,
    api::{
        Named,
        device::{
            Device, DeviceBootSource, DeviceDriveChange, DeviceInside, DeviceKind, DeviceLog, DeviceNow, DevicePort,
            DevicePowerAction, DeviceSwitchChange, DeviceTile, DeviceTileList,
        },
        problem::Problem,
    },
    audit::About,
    caller::Caller,
    extract::{Body, Query},
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use oriel_broker::{BrokerError, DriveWish};
use oriel_model::{External, Permission, PoolKind, ShadowingPolicy};
use serde::Deserialize;
use serde_json::Value;

/// How far back its log is asked for, and how much of it is shown.
const LOG_SECONDS: u32 = 3600;
const LOG_LINES_MAX: usize = 200;
const LOG_LINE_CHARS_MAX: usize = 500;

/// Which image.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImageQuery {
    /// Its name in the device's storage.
    #[serde(default)]
    pub name: String,
}

/// How a picture is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PictureQuery {
    /// One that is on its way is waited for, up to 12 seconds. Pages that ask again by themselves do not wait: they are told
    /// `picture_on_its_way`.
    #[serde(default = "waits")]
    #[param(required = false)]
    pub wait: bool,
}

const fn waits() -> bool {
    true
}

/// Power, picture, drive and switches of a machine's device (one that speaks `pikvm`, `redfish` or `ipmi`): it is asked.
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

/// Put an image of the device's storage into its drive, or nothing, and let the machine see it or not. A BMC fetches the image from an
/// address, and its machine sees it.
#[utoipa::path(post, path = "/machines/{id}/device/drive", tag = "devices", operation_id = "device_drive", params(("id" = String, Path)), request_body = DeviceDriveChange, responses((status = 200, body = Device)))]
pub async fn drive(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(change): Body<DeviceDriveChange>,
) -> Answer<(Option<Extension<About>>, Json<Device>)> {
    let machine = app.broker.find_machine(&id).await?;
    let DeviceDriveChange { image, cdrom, writable, connected } = change;
    let about = image.clone().map(|image| Extension(About(image)));
    let wish = DriveWish { image, cdrom, writable, connected };
    Ok((about, Json(app.broker.device_drive(&machine, wish).await?.into())))
}

/// Tell a machine with a BMC what to start from, at its next start alone.
#[utoipa::path(post, path = "/machines/{id}/device/boot/{source}", tag = "devices", operation_id = "device_boot", params(("id" = String, Path), ("source" = inline(DeviceBootSource), Path)), responses((status = 204)))]
pub async fn boot(State(app): State<App>, Path((id, source)): Path<(String, String)>) -> Answer<StatusCode> {
    let source: DeviceBootSource = serde_json::from_value(Value::String(source)).map_err(|_| {
        Problem::bad_request(
            "that is nothing that a machine can be told to start from",
            "use one of cd, pxe, disk, usb, setup, normal",
        )
    })?;
    let machine = app.broker.find_machine(&id).await?;
    app.broker.device_boot(&machine, source.into()).await?;
    Ok(StatusCode::NO_CONTENT)
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

/// A small picture of what the machine shows, at most a few seconds old: the device is asked once a second, however many ask here. Its
/// streamer is started where nobody watches, which takes seconds.
#[utoipa::path(get, path = "/machines/{id}/device/picture", tag = "devices", operation_id = "device_picture", params(("id" = String, Path), PictureQuery), responses((status = 200, content_type = "image/jpeg", body = Vec<u8>), (status = 304, description = "the picture has not changed")))]
pub async fn picture(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
    Query(query): Query<PictureQuery>,
    headers: HeaderMap,
) -> Answer<Response> {
    let machine = app.broker.find_machine(&id).await?;
    // There is no looking on unseen, not even small: by the rules of whoever is there.
    for (other, at) in app.gateway.others_at(machine.id, caller.user.id) {
        if app.broker.session_policy(other, at).await?.shadowing != ShadowingPolicy::Tell {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "in_use",
                format!("{} is in use, and by its rules nobody looks on unseen", machine.name),
                "shadow the session: its person is asked",
            ));
        }
    }
    let picture = app.broker.device_picture(&machine, query.wait).await?;
    let (etag, age) = (format!("\"{}\"", picture.etag), picture.age().as_secs().to_string());
    let tags =
        [(header::ETAG, etag.as_str()), (header::AGE, age.as_str()), (header::CACHE_CONTROL, "private, no-cache")];
    if crate::assets::is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, tags).into_response());
    }
    Ok((tags, [(header::CONTENT_TYPE, "image/jpeg")], picture.jpeg).into_response())
}

/// A device as it was a moment ago, for whoever looks at it: one connection and one question a second for all.
#[utoipa::path(get, path = "/machines/{id}/device/live", tag = "devices", operation_id = "watch_device", params(("id" = String, Path)), responses((status = 200, body = DeviceNow)))]
pub async fn live(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<DeviceNow>> {
    let machine = app.broker.find_machine(&id).await?;
    let look = app.broker.device_look(&machine).await?;
    Ok(Json(DeviceNow {
        device: look.overview.as_ref().clone().into(),
        age_ms: u64::try_from(look.age.as_millis()).unwrap_or(u64::MAX),
        transfer: app.broker.device_transfer(machine.id).map(Into::into),
    }))
}

/// What the device wrote down in the last hour.
#[utoipa::path(get, path = "/machines/{id}/device/log", tag = "devices", operation_id = "device_log", params(("id" = String, Path)), responses((status = 200, body = DeviceLog)))]
pub async fn log(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<DeviceLog>> {
    let machine = app.broker.find_machine(&id).await?;
    let text = app.broker.device_log(&machine, LOG_SECONDS).await?;
    let plain =
        |line: &str| -> String { line.chars().filter(|one| !one.is_control()).take(LOG_LINE_CHARS_MAX).collect() };
    let mut lines: Vec<String> = text.lines().rev().take(LOG_LINES_MAX).map(plain).collect();
    lines.reverse();
    Ok(Json(DeviceLog { lines }))
}

/// The machine that a device says is inside, for whom it is. One that is gone, or was never there, is none.
async fn inside(app: &App, caller: &Caller, device: &External) -> Answer<Option<DeviceInside>> {
    let Some(name) = &device.parameters.inside else { return Ok(None) };
    let found = match app.broker.find_machine(name).await {
        Ok(found) => found,
        Err(BrokerError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let door = found.external.as_ref().and_then(|external| external.protocol.door());
    Ok(door.filter(|_| caller.may_in(Permission::DesktopsUse, found.pool)).map(|door| DeviceInside {
        id: found.id.to_string(),
        name: found.name.to_string(),
        kind: door.into(),
    }))
}

/// The devices of those pools whose machines the caller may operate, with what is known of them. None is asked.
#[utoipa::path(get, path = "/devices", tag = "devices", operation_id = "list_devices", responses((status = 200, body = DeviceTileList)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<DeviceTileList>> {
    let mut devices = Vec::new();
    for pool in app.broker.pools().await? {
        if pool.kind != PoolKind::External || !caller.may_in(Permission::DesktopsOperate, pool.id) {
            continue;
        }
        for machine in app.broker.machines(&pool).await? {
            let Some(external) = machine.external.as_ref().filter(|external| external.protocol.is_device()) else {
                continue;
            };
            let known = app.broker.device_known(&machine).await;
            let overview = known.look.map(|look| look.overview);
            devices.push(DeviceTile {
                id: machine.id.to_string(),
                name: machine.name.to_string(),
                pool: Named::new(pool.id, pool.name.as_str()),
                kind: DeviceKind::of(external.protocol),
                connections: app.gateway.connections_to(machine.id) as u64,
                power: overview.as_ref().and_then(|overview| overview.power).map(Into::into),
                video: overview.as_ref().and_then(|overview| overview.video).map(Into::into),
                failure: known.trouble,
                inside: inside(&app, &caller, external).await?,
                port: external
                    .behind()
                    .map(|(device, port)| DevicePort { device: device.to_owned(), port: port.to_string() }),
            });
        }
    }
    devices.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(DeviceTileList { devices }))
}
