//! Recordings in other forms.

use super::operation::OperationState;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// What a recording is turned into.
    ExportFormat = model::ExportFormat {
        /// A screen as H.264.
        Mp4,
        /// A screen as VP9.
        Webm,
        /// A shell as asciicast v2.
        Cast,
        /// What a shell printed, as plain text.
        Text,
    }
}

/// What is to be made of a recording.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExport {
    pub format: ExportFormat,
    /// Pauses become short; of screens only.
    #[serde(default)]
    pub skip_idle: bool,
}

/// A recording in another form, which is being made or can be had.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Export {
    /// The id of the operation that makes it as well.
    pub id: String,
    pub format: ExportFormat,
    pub skip_idle: bool,
    /// `done` when it can be had.
    pub state: OperationState,
    /// 0.0 to 1.0.
    pub progress: f64,
    pub step: String,
    /// Why it was given up.
    #[schema(required)]
    pub error: Option<String>,
    /// Once it is done.
    pub bytes: u64,
    /// When it is deleted, once it is done.
    #[schema(required)]
    pub until: Option<String>,
}

impl Export {
    /// `days`: how long it is kept.
    pub fn new(export: &model::Export, operation: Option<&model::Operation>, days: i64) -> Self {
        let until = model::Micros(export.since.0.saturating_add(days * 24 * 60 * 60 * 1_000_000));
        let state = if export.ready {
            OperationState::Done
        } else {
            // Without its operation, nobody makes it any more.
            operation.map_or(OperationState::Failed, |operation| operation.state.into())
        };
        Self {
            id: export.id.to_string(),
            format: export.format.into(),
            skip_idle: export.skip_idle,
            state,
            progress: if export.ready { 1.0 } else { operation.map_or(0.0, |operation| operation.progress) },
            step: operation.map(|operation| operation.step.clone()).unwrap_or_default(),
            error: operation.and_then(|operation| operation.error.clone()),
            bytes: export.bytes,
            until: export.ready.then(|| until.rfc3339()),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExportList {
    pub exports: Vec<Export>,
}
