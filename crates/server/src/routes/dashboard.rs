//! The service at a glance: what an administrator looks at first.

use crate::{
    Answer, App,
    api::{
        dashboard::{
            Dashboard, DashboardFailure, DashboardFailureKind as Kind, DashboardGpu, DashboardHost, DashboardHostKind,
            DashboardPool, DashboardState,
        },
        gpu::Gpu,
        operation::Operation,
        problem::Problem,
        reconciler::Reconciler,
    },
    caller::Caller,
    extract::Query,
};
use axum::{Json, extract::State};
use oriel_broker::BrokerError;
use oriel_model::{AcceleratorKind, Micros, OperationState, Permission};
use serde::Deserialize;
use std::collections::BTreeSet;

const HOURS: u32 = 24;
/// As far back as anything is kept.
const HOURS_MAX: u32 = 8 * 24;
/// As many points as a chart is wide.
const POINTS_MAX: u32 = 288;
const FAILURES_MAX: usize = 50;
/// A job that failed longer ago is history.
const FAILED_SECONDS: i64 = 24 * 3600;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DashboardWanted {
    /// How far back its history reaches, 1 to 192; 24 when left out.
    #[serde(default)]
    pub hours: Option<u32>,
}

/// The service at a glance: sessions, spares against what pools want, GPUs, hosts and clouds, what failed, and how things stood over the
/// last hours. What the caller's token may not read is left out.
#[utoipa::path(get, path = "/dashboard", tag = "host", operation_id = "show_dashboard", params(DashboardWanted), responses((status = 200, body = Dashboard)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<DashboardWanted>,
) -> Answer<Json<Dashboard>> {
    let hours = wanted.hours.unwrap_or(HOURS);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(Problem::bad_request(
            format!("no history reaches {hours} hours back"),
            format!("ask for 1 to {HOURS_MAX} hours"),
        ));
    }
    let history_minutes = (hours * 60).div_ceil(POINTS_MAX);
    let connections = app.gateway.connections();
    let people: BTreeSet<_> = connections.iter().map(|info| info.connection.user).collect();
    let pools = if caller.may(Permission::PoolsRead) { app.broker.pool_numbers().await? } else { Vec::new() };
    let (gpus, gpu_trouble) = gpus(&app, &caller).await;
    let mut failures = failures(&app, &caller).await?;
    failures.extend(gpu_trouble);
    // What has no hour is going on now.
    failures.sort_by(|one, other| (other.at.is_none(), &other.at).cmp(&(one.at.is_none(), &one.at)));
    failures.truncate(FAILURES_MAX);
    Ok(Json(Dashboard {
        sessions: connections.len() as u64,
        people: people.len() as u64,
        now: app.broker.standing().await?.into(),
        history: app.broker.history(hours, history_minutes.into()).await?.into_iter().map(Into::into).collect(),
        history_minutes,
        pools: pools.iter().map(|(pool, numbers)| DashboardPool::new(pool, *numbers)).collect(),
        gpus,
        hosts: hosts(&app).await?,
        failures,
        reconcilers: app.broker.reconcilers().into_iter().map(Reconciler::from).collect(),
    }))
}

/// A host whose cards cannot be read is no reason to show nothing.
async fn gpus(app: &App, caller: &Caller) -> (Vec<DashboardGpu>, Option<DashboardFailure>) {
    if !caller.may(Permission::GpusRead) {
        return (Vec::new(), None);
    }
    let found = match app.broker.gpus().await {
        Ok(found) => found,
        Err(error) => {
            let trouble = failure(Kind::Gpus, String::new(), "GPUs of the host", error.to_string(), None);
            return (Vec::new(), Some(trouble));
        }
    };
    let gpus = found.into_iter().map(Gpu::from).map(|gpu| {
        let held = gpu.holders.iter().flat_map(|holder| &holder.slots);
        let used: BTreeSet<u8> =
            held.chain(gpu.strangers.iter().flat_map(|stranger| &stranger.slots)).copied().collect();
        let desktops: BTreeSet<&str> = gpu.holders.iter().map(|holder| holder.desktop.id.as_str()).collect();
        DashboardGpu {
            slots: gpu.slots.into(),
            used: used.len() as u64,
            desktops: desktops.len() as u64,
            address: gpu.address,
            name: gpu.board,
            mode: gpu.mode,
        }
    });
    (gpus.collect(), None)
}

async fn hosts(app: &App) -> Answer<Vec<DashboardHost>> {
    let own = match app.broker.host_facts().await {
        Ok(facts) => {
            let state = match (&facts.libvirt_version, facts.accelerator.kind) {
                (None, _) => DashboardState::Bad,
                (Some(_), AcceleratorKind::Kvm) => DashboardState::Good,
                (Some(_), AcceleratorKind::Tcg) => DashboardState::Poor,
            };
            let reason = match &facts.libvirt_version {
                None => "libvirt does not answer here: this host runs no desktops".to_owned(),
                Some(_) => facts.accelerator.reason,
            };
            DashboardHost { kind: DashboardHostKind::Host, name: facts.name, state, reason, looked_at: None }
        }
        Err(error) => DashboardHost {
            kind: DashboardHostKind::Host,
            name: "this host".to_owned(),
            state: DashboardState::Bad,
            reason: error.to_string(),
            looked_at: None,
        },
    };
    let mut hosts = vec![own];
    for cloud in app.broker.clouds().await? {
        let looked = app.broker.last_look_at_cloud(cloud.id);
        let (state, reason) = match &looked {
            None => (DashboardState::Unknown, "this program has not looked at it yet".to_owned()),
            Some(look) => match &look.problem {
                None => (DashboardState::Good, "it answered when it was last looked at".to_owned()),
                Some(problem) => (DashboardState::Bad, problem.clone()),
            },
        };
        hosts.push(DashboardHost {
            kind: DashboardHostKind::Cloud,
            name: cloud.name.to_string(),
            state,
            reason,
            looked_at: looked.map(|look| look.at.rfc3339()),
        });
    }
    Ok(hosts)
}

fn failure(kind: Kind, id: String, name: impl ToString, reason: String, at: Option<Micros>) -> DashboardFailure {
    DashboardFailure { kind, id, name: name.to_string(), reason, at: at.map(Micros::rfc3339) }
}

async fn failures(app: &App, caller: &Caller) -> Result<Vec<DashboardFailure>, BrokerError> {
    let mut failures = Vec::new();
    for one in app.broker.reconcilers() {
        if let Some(error) = one.last_error {
            failures.push(failure(Kind::Reconciler, one.name.to_owned(), one.name, error, one.last_run));
        }
    }
    if caller.may(Permission::DesktopsRead) {
        for desktop in app.broker.desktops_in_trouble(FAILURES_MAX as u64).await? {
            let (kind, id) = match desktop.external {
                None => (Kind::Desktop, desktop.id.to_string()),
                Some(_) => (Kind::Machine, desktop.pool.to_string()),
            };
            let reason = desktop.failure.unwrap_or_else(|| "nobody said why".to_owned());
            failures.push(failure(kind, id, &desktop.name, reason, Some(desktop.changed)));
        }
    }
    if caller.may(Permission::OperationsRead) {
        let since = Micros(jiff::Timestamp::now().as_microsecond()).plus_seconds(-FAILED_SECONDS);
        let failed = |one: &oriel_model::Operation| one.state == OperationState::Failed && one.changed >= since;
        for one in app.broker.operations().await?.into_iter().filter(failed) {
            let title = Operation::new(&one, None).title;
            let reason = one.error.unwrap_or_else(|| "its log says more".to_owned());
            failures.push(failure(Kind::Operation, one.id.to_string(), title, reason, Some(one.changed)));
        }
    }
    if caller.may(Permission::PoolsRead) {
        for finding in app.broker.rollout_findings().await? {
            failures.push(failure(Kind::Rollout, String::new(), finding.subject, finding.reason, None));
        }
    }
    if caller.may(Permission::AuditRead) {
        for one in app.broker.webhooks().await?.0 {
            if let Some(error) = one.subscription.last_error.filter(|_| one.subscription.failures > 0) {
                failures.push(failure(Kind::Webhook, one.id.to_string(), one.url, error, None));
            }
        }
    }
    Ok(failures)
}
