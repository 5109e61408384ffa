//! Runs operations, one at a time of a lane: those that build and download would only take turns on the same disk; exports of
//! recordings compute, and may take hours that no image waits for.

use super::{Again, Reconciler, Round};
use crate::capture::Capturing;
use crate::clock::now;
use crate::{Broker, BrokerError, fault};
use async_trait::async_trait;
use oriel_film::FilmError;
use oriel_image::{ImageError, Job};
use oriel_model::{
    Image, ImageId, ImageOs, ImageSource, ImageState, Name, Operation, OperationId, OperationKind, OperationState,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Progress is written at most so often.
const WRITE_EVERY: Duration = Duration::from_millis(500);

pub(super) struct Operations {
    stop: CancellationToken,
    /// What is begun ends with it: another program goes on with that when this one leads no longer.
    lead: CancellationToken,
    tasks: TaskTracker,
    running: Vec<Running>,
    /// Jobs left over by an earlier run of the program, or by one that led before, have been put back into the queue.
    requeued: bool,
}

/// Operations of different lanes run beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Making,
    Exporting,
    /// Copying somebody's disk may take hours, too.
    Disks,
    /// And so may a machine that goes to another host of a cloud.
    Desktops,
    /// Rows of the database, which no disk waits for.
    Secrets,
    /// A card's turn begins at its hour, whatever is being built.
    Cards,
}

impl Lane {
    const fn of(kind: &OperationKind) -> Self {
        match kind {
            OperationKind::RecordingExport { .. } => Self::Exporting,
            OperationKind::PersonalDisk { .. } => Self::Disks,
            OperationKind::Desktop { .. } | OperationKind::CloudHost { .. } => Self::Desktops,
            OperationKind::Reseal { .. } => Self::Secrets,
            OperationKind::GpuSwitch { .. } => Self::Cards,
            OperationKind::ImageBuild { .. }
            | OperationKind::ImageImport { .. }
            | OperationKind::ImageCapture { .. }
            | OperationKind::ImageUpload { .. } => Self::Making,
        }
    }
}

struct Running {
    id: OperationId,
    lane: Lane,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Operations {
    pub(super) fn new(stop: CancellationToken, tasks: TaskTracker) -> Self {
        let lead = stop.child_token();
        Self { stop, lead, tasks, running: Vec::new(), requeued: false }
    }
}

#[async_trait]
impl Reconciler for Operations {
    fn name(&self) -> &'static str {
        "operations"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(20)
    }

    fn leads(&self) -> bool {
        true
    }

    fn forget(&mut self) {
        self.running.retain(|running| !running.task.is_finished());
        if !self.running.is_empty() {
            self.lead.cancel();
            self.lead = self.stop.child_token();
        }
        self.requeued = false;
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let store = &broker.inner.store;
        self.running.retain(|running| !running.task.is_finished());
        if !self.requeued {
            // Of what this program began when it led before.
            if !self.running.is_empty() {
                return Ok(Round { again: Again::Soon, summary: "what was begun comes to its end first".into() });
            }
            store.requeue_running().await?;
            sweep_files(broker).await?;
            self.requeued = true;
        }
        let operations = store.operations(1000).await?;
        // How it ended could not be written, or it ended with a lead that came back.
        let is_here = |id: OperationId| self.running.iter().any(|running| running.id == id);
        let begun = operations.iter().filter(|op| op.state == OperationState::Running).map(|op| op.id);
        let lost: Vec<OperationId> = begun.filter(|id| !is_here(*id)).collect();
        let was_left = !lost.is_empty();
        for id in lost {
            tracing::warn!(operation = %id, "An operation that nobody carries out is queued again");
            store
                .modify_operation(id, |op| {
                    if op.state == OperationState::Running {
                        op.state = OperationState::Queued;
                    }
                })
                .await?;
        }
        for running in &self.running {
            if operations.iter().any(|op| op.id == running.id && op.cancel_requested) {
                running.cancel.cancel();
            }
        }
        for lane in [Lane::Making, Lane::Exporting, Lane::Disks, Lane::Desktops, Lane::Secrets, Lane::Cards] {
            if self.running.iter().any(|running| running.lane == lane) {
                continue;
            }
            // Oldest first: the list is newest first.
            let waits = |op: &&Operation| op.state == OperationState::Queued && Lane::of(&op.kind) == lane;
            let Some(next) = operations.iter().rev().find(waits) else { continue };
            let claimed = store
                .modify_operation(next.id, |op| {
                    if op.state == OperationState::Queued {
                        op.state = OperationState::Running;
                        op.step = "starting".into();
                    }
                })
                .await?;
            if claimed.state == OperationState::Running {
                let cancel = self.lead.child_token();
                let work = perform(broker.clone(), claimed, cancel.clone(), self.lead.clone());
                self.running.push(Running { id: next.id, lane, cancel, task: self.tasks.spawn(work) });
            }
        }
        Ok(match self.running.len() {
            0 if was_left => Round { again: Again::Soon, summary: "what was left is queued again".into() },
            0 => Round { again: Again::Later, summary: "nothing to do".into() },
            1 => Round { again: Again::Soon, summary: "one operation is running".into() },
            count => Round { again: Again::Soon, summary: format!("{count} operations are running") },
        })
    }
}

/// Image files that no row names are leftovers of a fault or a kill.
async fn sweep_files(broker: &Broker) -> Result<(), BrokerError> {
    let known: Vec<String> = broker.inner.store.images().await?.into_iter().map(|image| image.sha256).collect();
    broker.inner.images.sweep(&known)?;
    Ok(())
}

async fn perform(broker: Broker, operation: Operation, cancel: CancellationToken, stop: CancellationToken) {
    let id = operation.id;
    let report = Arc::new(Report::new(cancel.clone()));
    let work = work(&broker, &operation, &report);
    tokio::pin!(work);
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            () = tokio::time::sleep(WRITE_EVERY) => report.write(&broker, id).await,
        }
    };
    report.write(&broker, id).await;
    // Stopped with the program, or with its lead, rather than by a person: it is queued again at the next start, or by who leads then.
    let leads_no_longer = matches!(&outcome, Err(BrokerError::Conflict { code: "not_leading", .. }));
    if leads_no_longer || (stop.is_cancelled() && outcome.is_err()) {
        return;
    }
    let written = broker
        .inner
        .store
        .modify_operation(id, |op| match outcome {
            Ok(outcome) => {
                op.state = OperationState::Done;
                op.progress = 1.0;
                op.step = outcome.step;
                op.result = outcome.result;
            }
            Err(BrokerError::Film(FilmError::Cancelled)) => {
                op.state = OperationState::Cancelled;
                op.step = "cancelled; resuming begins anew".into();
            }
            Err(BrokerError::Image(ImageError::Cancelled)) => {
                op.state = OperationState::Cancelled;
                op.step = "cancelled; resuming goes on from the finished steps".into();
            }
            Err(error) => {
                op.state = OperationState::Failed;
                op.step = "failed".into();
                op.error = Some(super::chain(&error));
            }
        })
        .await;
    if let Err(error) = written {
        tracing::error!(operation = %id, %error, "Cannot record how an operation ended");
    }
    broker.wake_operations();
    broker.wake_desktops();
}

/// What an operation came to.
struct Outcome {
    /// One line for people.
    step: String,
    /// The id of what it made.
    result: Option<String>,
}

async fn work(broker: &Broker, operation: &Operation, job: &Arc<Report>) -> Result<Outcome, BrokerError> {
    if let OperationKind::GpuSwitch { switch, .. } = &operation.kind {
        let progress = |at: usize, of: usize, step: &str| job.progress(at as f64 / of.max(1) as f64, step);
        broker.perform_gpu_switch(operation.id, switch, &progress).await?;
        return Ok(Outcome { step: format!("{} is in mode {}", switch.gpu, switch.mode), result: None });
    }
    if let OperationKind::RecordingExport { .. } = &operation.kind {
        let step = broker.perform_export(operation.id, job.as_ref()).await?;
        return Ok(Outcome { step, result: Some(operation.id.to_string()) });
    }
    if let OperationKind::PersonalDisk { disk, work, .. } = &operation.kind {
        let step = broker.perform_disk_work(operation.id, *disk, work, job.as_ref()).await?;
        return Ok(Outcome { step, result: Some(disk.to_string()) });
    }
    if let OperationKind::Desktop { desktop, work, .. } = &operation.kind {
        let step = broker.perform_desktop_work(*desktop, work, job.as_ref()).await?;
        return Ok(Outcome { step, result: Some(desktop.to_string()) });
    }
    if let OperationKind::Reseal { key } = &operation.kind {
        let step = broker.perform_resealing(key, job.as_ref()).await?;
        return Ok(Outcome { step, result: None });
    }
    if let OperationKind::CloudHost { cloud, host, reason, evacuate, .. } = &operation.kind {
        let step = broker.perform_emptying((*cloud, host.as_str()), reason, *evacuate, job.as_ref()).await?;
        return Ok(Outcome { step, result: None });
    }
    if let OperationKind::ImageUpload { cloud, image, title } = &operation.kind {
        let remote = broker.perform_upload(*cloud, *image, job.as_ref()).await?;
        return Ok(Outcome { step: format!("{title}: image {remote} there"), result: Some(remote) });
    }
    let image = make_image(broker, operation, job).await?;
    Ok(Outcome { step: format!("made {}:{}", image.name, image.version), result: Some(image.id.to_string()) })
}

async fn make_image(broker: &Broker, operation: &Operation, job: &Report) -> Result<Image, BrokerError> {
    let store = &broker.inner.store;
    let images = &broker.inner.images;
    let (name, made) = match &operation.kind {
        OperationKind::GpuSwitch { .. }
        | OperationKind::ImageUpload { .. }
        | OperationKind::RecordingExport { .. }
        | OperationKind::PersonalDisk { .. }
        | OperationKind::CloudHost { .. }
        | OperationKind::Desktop { .. }
        | OperationKind::Reseal { .. } => {
            return Err(BrokerError::internal("making an image", "the operation is none of images"));
        }
        OperationKind::ImageBuild { recipe, name } => {
            let built = images.build(recipe, job).await?;
            let source = ImageSource::Built { recipe: recipe.clone(), inputs: built.inputs, packages: built.packages };
            (
                name,
                Made {
                    source,
                    os: built.os,
                    sha256: built.sha256,
                    virtual_bytes: built.virtual_bytes,
                    file_bytes: built.file_bytes,
                },
            )
        }
        OperationKind::ImageImport { from, name, sha256, os } => {
            let imported = images.import(from, sha256.as_deref(), *os, job).await?;
            let source = ImageSource::Imported { from: imported.from };
            (
                name,
                Made {
                    source,
                    os: imported.os,
                    sha256: imported.sha256,
                    virtual_bytes: imported.virtual_bytes,
                    file_bytes: imported.file_bytes,
                },
            )
        }
        OperationKind::ImageCapture { desktop, name, unsealed, forced, .. } => {
            let how = Capturing { operation: operation.id, desktop: *desktop, unsealed: *unsealed, forced: *forced };
            let captured = broker.perform_capture(how, job).await?;
            (
                name,
                Made {
                    source: captured.source,
                    os: captured.os,
                    sha256: captured.disk.sha256,
                    virtual_bytes: captured.disk.virtual_bytes,
                    file_bytes: captured.disk.file_bytes,
                },
            )
        }
    };
    fault::point("operation.image_made");
    let name: Name = name.parse().map_err(|error| BrokerError::internal("reading an operation", error))?;
    // The same content under the same name is the same version: a job that was killed here finds its own work.
    if let Some(same) =
        store.images().await?.into_iter().find(|image| image.name == name && image.sha256 == made.sha256)
    {
        return Ok(same);
    }
    let image = Image {
        id: ImageId::new(),
        name,
        version: 0,
        state: ImageState::Ready,
        os: made.os,
        source: made.source,
        sha256: made.sha256,
        virtual_bytes: made.virtual_bytes,
        file_bytes: made.file_bytes,
        created: now(),
    };
    Ok(store.put_image(&image).await?)
}

/// A golden disk, however it came to be.
struct Made {
    source: ImageSource,
    os: ImageOs,
    sha256: String,
    virtual_bytes: u64,
    file_bytes: u64,
}

/// Collects what a job says; written to its row now and then.
struct Report {
    cancel: CancellationToken,
    said: Mutex<Said>,
}

struct Said {
    progress: f64,
    step: String,
    lines: Vec<String>,
    fresh: bool,
    since: Instant,
}

impl Report {
    fn new(cancel: CancellationToken) -> Self {
        let said =
            Said { progress: 0.0, step: "starting".into(), lines: Vec::new(), fresh: false, since: Instant::now() };
        Self { cancel, said: Mutex::new(said) }
    }

    async fn write(&self, broker: &Broker, id: OperationId) {
        let (progress, step, lines) = {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if !said.fresh {
                return;
            }
            said.fresh = false;
            (said.progress, said.step.clone(), std::mem::take(&mut said.lines))
        };
        let written = broker
            .inner
            .store
            .modify_operation(id, |op| {
                op.progress = progress.clamp(0.0, 1.0);
                op.step = step;
                op.log.extend(lines);
            })
            .await;
        if let Err(error) = written {
            tracing::warn!(operation = %id, %error, "Cannot write an operation's progress");
        }
    }
}

#[async_trait]
impl Job for Report {
    fn progress(&self, fraction: f64, step: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.step != step {
            let elapsed = said.since.elapsed().as_secs();
            said.lines.push(format!("[{elapsed:>4} s] {step}"));
            step.clone_into(&mut said.step);
        }
        said.progress = fraction;
        said.fresh = true;
    }

    fn log(&self, line: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.lines.push(line.chars().take(Operation::LOG_CHARS_MAX).collect());
        let excess = said.lines.len().saturating_sub(Operation::LOG_LINES_MAX);
        said.lines.drain(..excess);
        said.fresh = true;
    }

    async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }
}
