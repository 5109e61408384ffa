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

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReconcilerList {
    pub reconcilers: Vec<Reconciler>,
}
