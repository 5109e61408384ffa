//! The service at a glance.

use super::{gpu::GpuMode, pool::PoolKind, reconciler::Reconciler};
use oriel_broker::PoolNumbers;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Dashboard {
    /// Connections of this program that are open now.
    pub sessions: u64,
    /// People who have those.
    pub people: u64,
    /// How things stand now.
    pub now: DashboardPoint,
    /// How they stood, oldest first: points of `history_minutes` each.
    pub history: Vec<DashboardPoint>,
    pub history_minutes: u32,
    /// By name.
    pub pools: Vec<DashboardPool>,
    pub gpus: Vec<DashboardGpu>,
    pub hosts: Vec<DashboardHost>,
    /// The latest first, at most 50.
    pub failures: Vec<DashboardFailure>,
    pub reconcilers: Vec<Reconciler>,
}

/// How things stood over some minutes: the most of everything, and the fewest spares.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DashboardPoint {
    pub at: String,
    /// Desktops and machines that somebody was connected to, through whatever program.
    pub in_use: u64,
    /// Desktops that were on.
    pub running: u64,
    pub desktops: u64,
    /// Desktops that failed, and machines that did not answer.
    pub failed: u64,
    /// Running desktops that were nobody's.
    pub spares: u64,
    /// How many of those the pools wanted.
    pub spares_wanted: u64,
    /// Units of GPUs that desktops held.
    pub gpu_units: u64,
}

impl From<model::HistoryPoint> for DashboardPoint {
    fn from(point: model::HistoryPoint) -> Self {
        Self {
            at: model::Micros(point.minute.saturating_mul(60_000_000)).rfc3339(),
            in_use: point.in_use,
            running: point.running,
            desktops: point.desktops,
            failed: point.failed,
            spares: point.spares,
            spares_wanted: point.spares_wanted,
            gpu_units: point.gpu_units,
        }
    }
}

/// A pool's desktops, and its spares against what it wants at this hour.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DashboardPool {
    pub id: String,
    pub name: String,
    pub kind: PoolKind,
    pub desktops: u64,
    pub desktops_max: u32,
    pub in_use: u64,
    pub running: u64,
    pub failed: u64,
    pub running_spares: u64,
    pub running_spares_wanted: u64,
    pub stopped_spares: u64,
    pub stopped_spares_wanted: u64,
}

impl DashboardPool {
    pub fn new(pool: &model::Pool, numbers: PoolNumbers) -> Self {
        Self {
            id: pool.id.to_string(),
            name: pool.name.to_string(),
            kind: pool.kind.into(),
            desktops: numbers.desktops,
            desktops_max: pool.desktops_max,
            in_use: numbers.in_use,
            running: numbers.running,
            failed: numbers.failed,
            running_spares: numbers.running_spares,
            running_spares_wanted: numbers.running_spares_wanted,
            stopped_spares: numbers.stopped_spares,
            stopped_spares_wanted: numbers.stopped_spares_wanted,
        }
    }
}

/// How much of a card is in use.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DashboardGpu {
    pub address: String,
    /// What is printed on the box.
    pub name: String,
    pub mode: GpuMode,
    /// Into how many slots it is divided in its mode; 0 when it gives nothing, or has a pool instead.
    pub slots: u64,
    /// Slots that desktops and others have.
    pub used: u64,
    /// Desktops that hold something of it.
    pub desktops: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DashboardHostKind {
    /// The machine that this program runs on.
    Host,
    Cloud,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DashboardState {
    Good,
    /// It works, with less than it could.
    Poor,
    Bad,
    /// It was not looked at yet.
    Unknown,
}

/// Where desktops stand.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DashboardHost {
    pub kind: DashboardHostKind,
    pub name: String,
    pub state: DashboardState,
    /// A sentence: why it is so.
    pub reason: String,
    /// When it was last looked at.
    #[schema(required)]
    pub looked_at: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DashboardFailureKind {
    /// A desktop that failed; `id` is its.
    Desktop,
    /// A machine that did not answer; `id` is its pool's.
    Machine,
    /// A long job that failed in the last day.
    Operation,
    /// A webhook that does not take its messages.
    Webhook,
    /// A roll-out of an image that stopped by itself.
    Rollout,
    /// A reconciler whose last round failed.
    Reconciler,
    /// A GPU inventory that cannot be read.
    Gpus,
}

/// Something that needs somebody.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DashboardFailure {
    pub kind: DashboardFailureKind,
    /// Of what failed, where it has one; else empty.
    pub id: String,
    /// What failed, for people.
    pub name: String,
    /// Why.
    pub reason: String,
    #[schema(required)]
    pub at: Option<String>,
}
