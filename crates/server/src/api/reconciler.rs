//! What keeps desired and observed state together, and how it fares.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Reconciler {
    pub name: String,
    /// It runs at least this often, and whenever it is woken.
    pub period_seconds: f64,
    #[schema(required)]
    pub last_run_at: Option<String>,
    #[schema(required)]
    pub last_duration_ms: Option<f64>,
    #[schema(required)]
    pub last_error: Option<String>,
    pub runs: u64,
    /// What it did last, for people.
    #[schema(required)]
    pub progress: Option<String>,
}

impl From<oriel_broker::ReconcilerStatus> for Reconciler {
    fn from(status: oriel_broker::ReconcilerStatus) -> Self {
        Self {
            name: status.name.to_owned(),
            period_seconds: status.period.as_secs_f64(),
            last_run_at: status.last_run.map(oriel_model::Micros::rfc3339),
            last_duration_ms: status.last_run.map(|_| status.last_duration.as_secs_f64() * 1000.0),
            last_error: status.last_error,
            runs: status.runs,
            progress: (!status.progress.is_empty()).then_some(status.progress),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReconcilerList {
    pub reconcilers: Vec<Reconciler>,
}
