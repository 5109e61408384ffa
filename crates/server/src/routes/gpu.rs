//! GPUs.

use crate::{
    Answer, App,
    api::{
        gpu::{Gpu, GpuList, GpuPlan, GpuSwitch},
        host::FindingList,
        operation::Operation,
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
use oriel_model as model;

/// All GPUs, and who holds them.
#[utoipa::path(get, path = "/gpus", tag = "gpus", operation_id = "list_gpus", responses((status = 200, body = GpuList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<GpuList>> {
    Ok(Json(GpuList { gpus: app.broker.gpus().await?.into_iter().map(Into::into).collect() }))
}

/// One GPU.
#[utoipa::path(get, path = "/gpus/{address}", tag = "gpus", operation_id = "show_gpu", params(("address" = String, Path)), responses((status = 200, body = Gpu)))]
pub async fn show(State(app): State<App>, Path(address): Path<String>) -> Answer<Json<Gpu>> {
    Ok(Json(app.broker.find_gpu(&address).await?.into()))
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
