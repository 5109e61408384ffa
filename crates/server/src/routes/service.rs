//! What the API says about itself.

use crate::{
    Answer, App,
    api::{Health, problem::Problem},
    metrics,
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use std::time::Duration;

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "service", operation_id = "openapi", responses((status = 200, description = "an OpenAPI document", content_type = "application/json", body = serde_json::Value)))]
pub async fn openapi(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], app.openapi.clone()).into_response()
}

/// Whether the server is there.
#[utoipa::path(get, path = "/health", tag = "service", operation_id = "health", responses((status = 200, body = Health)))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// Longest wait for the database, for those who ask whether requests can be answered now.
const READY_TIME_MAX: Duration = Duration::from_secs(2);

/// Whether requests can be answered now: the database answers. For load balancers and probes.
#[utoipa::path(get, path = "/health/ready", tag = "service", operation_id = "ready", responses((status = 200, body = Health)))]
pub async fn ready(State(app): State<App>) -> Answer<Json<Health>> {
    match tokio::time::timeout(READY_TIME_MAX, app.broker.database_answers()).await {
        Ok(Ok(())) => Ok(health().await),
        failed => {
            tracing::warn!(?failed, "Not ready: the database does not answer");
            Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "database_unavailable",
                "the database does not answer",
                "try again in a moment; an administrator finds the reason in the log",
            ))
        }
    }
}

/// Numbers for Prometheus: requests, desktops and spares by pool, sessions, GPUs, reconcilers, the process. Make a token for it with
/// `oriel token create --permission host_read`.
#[utoipa::path(get, path = "/metrics", tag = "service", operation_id = "metrics", responses((status = 200, description = "OpenMetrics 1.0", content_type = "application/openmetrics-text", body = String)))]
pub async fn metrics(State(app): State<App>) -> Answer<Response> {
    let text = metrics::scrape(&app).await?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}
