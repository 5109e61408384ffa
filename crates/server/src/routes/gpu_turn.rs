//! Time plans of GPUs.

use crate::{
    Answer, App,
    api::{
        Named,
        gpu_turn::{GpuTurn, GpuTurnList, GpuTurnNew},
    },
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::NewGpuTurn;
use oriel_model::{self as model, Micros};
use std::collections::HashMap;

fn shown(turn: model::GpuTurn, pool: &str) -> GpuTurn {
    let now = Micros(jiff::Timestamp::now().as_microsecond());
    GpuTurn {
        id: turn.id.to_string(),
        gpu: turn.gpu.to_string(),
        pool: Named::new(turn.pool, pool),
        mode: turn.mode.into(),
        hours: turn.hours.to_string(),
        now: turn.is_now(now),
        ready: turn.is_ready,
        host: turn.host,
        profile: turn.profile,
    }
}

/// Which GPUs are whose at which hours of the week.
#[utoipa::path(get, path = "/gpu-turns", tag = "gpus", operation_id = "list_gpu_turns", responses((status = 200, body = GpuTurnList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<GpuTurnList>> {
    let (turns, pools) = tokio::try_join!(app.broker.gpu_turns(), app.broker.pools())?;
    let pools: HashMap<_, _> = pools.into_iter().map(|pool| (pool.id, pool.name.to_string())).collect();
    let turns = turns.into_iter().filter_map(|turn| {
        let pool = pools.get(&turn.pool)?;
        Some(shown(turn, pool))
    });
    Ok(Json(GpuTurnList { turns: turns.collect() }))
}

/// Give a GPU to a pool at some hours of the week. Before a turn ends its desktops are led out, and the GPU is switched for the next one.
/// Turns of one GPU do not overlap.
#[utoipa::path(post, path = "/gpu-turns", tag = "gpus", operation_id = "create_gpu_turn", request_body = GpuTurnNew, responses((status = 201, body = GpuTurn)))]
pub async fn create(State(app): State<App>, Body(new): Body<GpuTurnNew>) -> Answer<(StatusCode, Json<GpuTurn>)> {
    let pool = app.broker.find_pool(&new.pool).await?;
    let name = pool.name.to_string();
    let GpuTurnNew { gpu, mode, profile, hours, .. } = new;
    let turn = app.broker.add_gpu_turn(NewGpuTurn { gpu, pool, mode: mode.into(), profile, hours }).await?;
    Ok((StatusCode::CREATED, Json(shown(turn, &name))))
}

/// Take a turn away. A GPU without any turn is everybody's again, in the mode in which it is.
#[utoipa::path(delete, path = "/gpu-turns/{id}", tag = "gpus", operation_id = "delete_gpu_turn", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    app.broker.remove_gpu_turn(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
