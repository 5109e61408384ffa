//! GPUs.

use crate::{
    Answer, App,
    api::{
        gpu::{Gpu, GpuList, GpuPlan, GpuSwitch},
        host::FindingList,
        operation::Operation,
        problem::Problem,
    },
    caller::Caller,
    extract::Body,
    names::Names,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::HeldGpu;
use oriel_model as model;
use std::collections::HashSet;

/// Of desktops of pools that are none of the reader's only that they are there.
async fn shown(app: &App, caller: &Caller, gpus: Vec<HeldGpu>) -> Answer<Vec<Gpu>> {
    let mut gpus: Vec<Gpu> = gpus.into_iter().map(Into::into).collect();
    if caller.may(model::Permission::DesktopsRead) {
        return Ok(gpus);
    }
    let desktops = app.broker.all_desktops().await?;
    let known = desktops.iter().filter(|desktop| caller.may_in(model::Permission::DesktopsRead, desktop.pool));
    let known: HashSet<String> = known.map(|desktop| desktop.id.to_string()).collect();
    for holder in gpus.iter_mut().flat_map(|gpu| &mut gpu.holders) {
        if !known.contains(&holder.desktop.id) {
            "a desktop of another pool".clone_into(&mut holder.desktop.name);
        }
    }
    Ok(gpus)
}

/// All GPUs, and who holds them.
#[utoipa::path(get, path = "/gpus", tag = "gpus", operation_id = "list_gpus", responses((status = 200, body = GpuList)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<GpuList>> {
    let gpus = app.broker.gpus().await?;
    Ok(Json(GpuList { gpus: shown(&app, &caller, gpus).await? }))
}

/// One GPU.
#[utoipa::path(get, path = "/gpus/{address}", tag = "gpus", operation_id = "show_gpu", params(("address" = String, Path)), responses((status = 200, body = Gpu)))]
pub async fn show(State(app): State<App>, caller: Caller, Path(address): Path<String>) -> Answer<Json<Gpu>> {
    let held = app.broker.find_gpu(&address).await?;
    shown(&app, &caller, vec![held]).await?.pop().map(Json).ok_or_else(|| Problem::not_found("GPU"))
}

/// What the doctor says of it.
#[utoipa::path(get, path = "/gpus/{address}/findings", tag = "gpus", operation_id = "gpu_findings", params(("address" = String, Path)), responses((status = 200, body = FindingList)))]
pub async fn findings(State(app): State<App>, Path(address): Path<String>) -> Answer<Json<FindingList>> {
    let held = app.broker.find_gpu(&address).await?;
    Ok(Json(app.broker.gpu_findings(Some(&held.gpu.address)).await?.into()))
}

async fn switch_of(app: &App, address: &str, wanted: GpuSwitch) -> Answer<model::GpuSwitch> {
    let gpu = app.broker.find_gpu(address).await?.gpu.address;
    let GpuSwitch { mode, profile, count, mixed, force, drained } = wanted;
    Ok(model::GpuSwitch { gpu, mode: mode.into(), profile, count, mixed, force, drained })
}

/// How it would be switched to another mode, or why it cannot be. Changes nothing.
#[utoipa::path(post, path = "/gpus/{address}/plan", tag = "gpus", operation_id = "plan_gpu_mode", params(("address" = String, Path)), request_body = GpuSwitch, responses((status = 200, body = GpuPlan)))]
pub async fn plan(
    State(app): State<App>,
    Path(address): Path<String>,
    Body(wanted): Body<GpuSwitch>,
) -> Answer<Json<GpuPlan>> {
    let switch = switch_of(&app, &address, wanted).await?;
    Ok(Json(app.broker.plan_gpu_mode(&switch).await?.into()))
}

/// Switch it to another mode; every step is verified, and undone when a later one fails.
#[utoipa::path(post, path = "/gpus/{address}/mode", tag = "gpus", operation_id = "set_gpu_mode", params(("address" = String, Path)), request_body = GpuSwitch, responses((status = 202, body = Operation)))]
pub async fn mode(
    State(app): State<App>,
    caller: Caller,
    Path(address): Path<String>,
    Body(wanted): Body<GpuSwitch>,
) -> Answer<(StatusCode, Json<Operation>)> {
    let switch = switch_of(&app, &address, wanted).await?;
    let operation = app.broker.switch_gpu(switch, caller.account()).await?;
    Ok((StatusCode::ACCEPTED, Json(Names::read(&app).await?.operation(&operation))))
}
