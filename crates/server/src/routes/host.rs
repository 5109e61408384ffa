//! The machine, the doctor and the reconcilers.

use crate::{
    Answer, App,
    api::{
        host::{FindingList, Host},
        reconciler::{Reconciler, ReconcilerList},
    },
};
use axum::{Json, extract::State};

/// The machine that runs the desktops.
#[utoipa::path(get, path = "/host", tag = "host", operation_id = "show_host", responses((status = 200, body = Host)))]
pub async fn host(State(app): State<App>) -> Answer<Json<Host>> {
    Ok(Json(app.broker.host_facts().await?.into()))
}

/// What the doctor finds on it.
#[utoipa::path(get, path = "/doctor", tag = "host", operation_id = "doctor", responses((status = 200, body = FindingList)))]
pub async fn doctor(State(app): State<App>) -> Answer<Json<FindingList>> {
    let mut findings = (app.doctor)().await;
    findings.extend(app.broker.rollout_findings().await?);
    let findings = findings.into_iter().map(Into::into).collect();
    Ok(Json(FindingList { findings }))
}

/// What keeps desired and observed state together, and how it fares.
#[utoipa::path(get, path = "/reconcilers", tag = "host", operation_id = "list_reconcilers", responses((status = 200, body = ReconcilerList)))]
pub async fn reconcilers(State(app): State<App>) -> Answer<Json<ReconcilerList>> {
    let reconcilers = app.broker.reconcilers().into_iter().map(Reconciler::from).collect();
    Ok(Json(ReconcilerList { reconcilers }))
}
