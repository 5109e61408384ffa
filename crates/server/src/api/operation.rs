//! Long jobs.

use super::Named;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    OperationState = model::OperationState { Queued, Running, Done, Failed, Cancelled }
}

impl OperationState {
    /// Nothing happens any more by itself.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    pub id: String,
    /// `image_build`, `image_import`, `image_capture`, `image_upload`, `gpu_switch`, `recording_export`, `personal_disk`, `desktop` or `reseal`.
    pub kind: String,
    /// A sentence for people: `build image debian-desktop`.
    pub title: String,
    pub state: OperationState,
    /// 0.0 to 1.0.
    pub progress: f64,
    /// What it does right now.
    pub step: String,
    /// The last lines of its log, oldest first.
    pub log: Vec<String>,
    /// Why it failed, with what to do next.
    #[schema(required)]
    pub error: Option<String>,
    /// The id of what it made.
    #[schema(required)]
    pub result: Option<String>,
    /// Who asked for it.
    #[schema(required)]
    pub by: Option<Named>,
    pub created_at: String,
    pub changed_at: String,
}

impl Operation {
    /// `by`: the person's name, where there is one.
    pub fn new(operation: &model::Operation, by: Option<&str>) -> Self {
        let (kind, title) = match &operation.kind {
            model::OperationKind::GpuSwitch { switch, .. } => {
                ("gpu_switch", format!("switch GPU {} to mode {}", switch.gpu, switch.mode))
            }
            model::OperationKind::ImageBuild { name, .. } => ("image_build", format!("build image {name}")),
            model::OperationKind::ImageImport { name, .. } => ("image_import", format!("import image {name}")),
            model::OperationKind::ImageCapture { title, name, .. } => {
                ("image_capture", format!("make image {name} from desktop {title}"))
            }
            model::OperationKind::ImageUpload { title, .. } => ("image_upload", format!("upload image {title}")),
            model::OperationKind::RecordingExport { desktop, format, .. } => {
                ("recording_export", format!("export the recording of {desktop} as {}", format.word()))
            }
            model::OperationKind::PersonalDisk { title, work, .. } => ("personal_disk", disk_work(title, work)),
            model::OperationKind::Desktop { title, work, .. } => ("desktop", desktop_work(title, work)),
            model::OperationKind::Reseal { key } => ("reseal", format!("seal all secrets with the key {key}")),
        };
        Self {
            id: operation.id.to_string(),
            kind: kind.to_owned(),
            title,
            state: operation.state.into(),
            progress: operation.progress,
            step: operation.step.clone(),
            log: operation.log.clone(),
            error: operation.error.clone(),
            result: operation.result.clone(),
            by: operation.by.map(|id| Named::new(id, by.unwrap_or("someone who is gone"))),
            created_at: operation.created.rfc3339(),
            changed_at: operation.changed.rfc3339(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OperationList {
    pub operations: Vec<Operation>,
}

fn disk_work(title: &str, work: &model::DiskWork) -> String {
    match work {
        model::DiskWork::Grow { size_gib } => format!("grow the personal disk {title} to {size_gib} GiB"),
        model::DiskWork::Snapshot { snapshot } => format!("keep snapshot {snapshot} of the personal disk {title}"),
        model::DiskWork::Restore { snapshot } => format!("bring the personal disk {title} back to snapshot {snapshot}"),
        model::DiskWork::DropSnapshot { snapshot } => {
            format!("delete snapshot {snapshot} of the personal disk {title}")
        }
        model::DiskWork::Export => format!("copy the personal disk {title}"),
        model::DiskWork::Delete => format!("delete the personal disk {title}"),
    }
}

fn desktop_work(title: &str, work: &model::DesktopWork) -> String {
    match work {
        model::DesktopWork::Resize => format!("resize desktop {title} to its pool's flavor"),
        model::DesktopWork::Migrate { to: Some(host), .. } => format!("migrate desktop {title} to {host}"),
        model::DesktopWork::Migrate { to: None, .. } => format!("migrate desktop {title}"),
        model::DesktopWork::Confirm => format!("confirm what desktop {title} was brought to"),
        model::DesktopWork::Revert => format!("bring desktop {title} back to what it was before"),
        model::DesktopWork::Snapshot { snapshot } => format!("keep snapshot {snapshot} of desktop {title}"),
        model::DesktopWork::Restore { snapshot } => format!("bring desktop {title} back to snapshot {snapshot}"),
        model::DesktopWork::DropSnapshot { snapshot } => format!("delete snapshot {snapshot} of desktop {title}"),
    }
}
