//! A long job: it shows progress, can be cancelled, and survives a restart.
//!
//! ```text
//! Queued ─▶ Running ─▶ Done
//!    │         ├─────▶ Failed
//!    └────┬────┴─────▶ Cancelled ─▶ (resume) Queued
//! ```
//! An operation found `Running` when the program starts is put back to `Queued`: its work is idempotent.

use crate::{Micros, OperationId, UserId};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    pub id: OperationId,
    pub kind: OperationKind,
    pub state: OperationState,
    /// 0.0 to 1.0.
    pub progress: f64,
    /// What it does right now, for people.
    pub step: String,
    /// The last lines of its log, oldest first, at most `LOG_LINES_MAX`.
    pub log: Vec<String>,
    /// Why it failed, with what to do next.
    pub error: Option<String>,
    /// What it made: an image's id, for example.
    pub result: Option<String>,
    pub cancel_requested: bool,
    pub by: Option<UserId>,
    pub created: Micros,
    pub changed: Micros,
}

impl Operation {
    pub const LOG_LINES_MAX: usize = 200;
    /// Longest log line, in characters.
    pub const LOG_CHARS_MAX: usize = 500;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OperationKind {
    ImageBuild {
        recipe: String,
        name: String,
    },
    GpuSwitch {
        host: String,
        switch: crate::GpuSwitch,
    },
    ImageImport {
        from: String,
        name: String,
        sha256: Option<String>,
        os: crate::ImageOs,
    },
    /// A version is made from a desktop. `title`: what the desktop was called.
    ImageCapture {
        desktop: crate::DesktopId,
        title: String,
        name: String,
        /// Its guest is not told to forget who it is: it has done that by itself, or never will.
        unsealed: bool,
        /// Also while somebody is in it.
        forced: bool,
    },
    /// A version goes to a cloud. `title`: what image and cloud were called.
    ImageUpload {
        cloud: crate::CloudId,
        image: crate::ImageId,
        title: String,
    },
    /// `desktop`: the name that the recording has.
    RecordingExport {
        recording: crate::RecordingId,
        desktop: String,
        format: crate::ExportFormat,
        skip_idle: bool,
    },
    /// Something is done with a person's disk. `title`: what it was called.
    PersonalDisk {
        disk: crate::PersonalDiskId,
        title: String,
        work: crate::DiskWork,
    },
    /// Something is done with a desktop's machine. `title`: what the desktop was called.
    Desktop {
        desktop: crate::DesktopId,
        title: String,
        work: crate::DesktopWork,
    },
    /// What is sealed with other keys is sealed anew. `key`: the fingerprint of the one that seals.
    Reseal {
        key: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl OperationState {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
