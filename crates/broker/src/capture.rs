//! A version of an image that is made from a desktop: its guest is told to forget who it is, it is shut down, and its disk is copied
//! into one file.
//!
//! An operation leads, and the intent `capture` holds the desktop meanwhile: nobody gets in, and no pool starts, stops or wipes it. How far it
//! is stands in its row, so a program that is killed goes on from there. What becomes of the desktop afterwards is done by its reconciler,
//! which looks whether the operation still goes on ([`Broker::let_go_of_capture`]).

use crate::clock::now;
use crate::farewell::Farewell;
use crate::{Broker, BrokerError, fault};
use async_trait::async_trait;
use oriel_compute::{ComputeError, Sealed};
use oriel_image::{FlatDisk, ImageError, Job};
use oriel_model::{
    Capture, CaptureStep, Desktop, DesktopId, DesktopIntent, DesktopState, Image, ImageOs, ImageSource, Name,
    Operation, OperationId, OperationKind, OperationState, PoolKind, UserId,
};
use std::time::{Duration, Instant};

/// Between two looks how far the machine is.
const LOOK: Duration = Duration::from_millis(250);
/// A machine is waited for so long: Windows takes its time to forget who it is.
const OFF_SECONDS_MAX: u64 = 2 * 3600;
/// What of the operation is over when the disk is copied.
const COPY_BEGINS: f64 = 0.2;

/// What an admin asks for.
pub struct NewCapture {
    /// Of the image: a new one, or one that gets its next version.
    pub name: Name,
    /// The guest is not told to forget who it is.
    pub unsealed: bool,
    /// Also while somebody is in it.
    pub forced: bool,
}

/// What an operation is about.
#[derive(Clone, Copy)]
pub(crate) struct Capturing {
    pub operation: OperationId,
    pub desktop: DesktopId,
    pub unsealed: bool,
    pub forced: bool,
}

/// What came of it.
pub(crate) struct Captured {
    pub disk: FlatDisk,
    pub os: ImageOs,
    pub source: ImageSource,
}

impl Broker {
    /// A version of an image is to be made from a desktop's disk. The desktop is shut down for that, and afterwards made anew where its pool's
    /// desktops go from person to person, or else what it was before.
    ///
    /// Errors: conflicts `external_machine`, `not_on_clouds_yet`, `session_host_pool`, `desktop_busy`, `desktop_in_use`, `desktop_off`,
    /// `cannot_seal`, `too_many_operations`; `Invalid` name of an image of another system.
    pub async fn capture_desktop(
        &self,
        desktop: &Desktop,
        new: NewCapture,
        by: Option<UserId>,
    ) -> Result<Operation, BrokerError> {
        if desktop.external.is_some() {
            return Err(BrokerError::conflict(
                "external_machine",
                format!("{} is an external machine: its disk is not Oriel's to copy", desktop.name),
                "copy its disk where it stands, and bring it in: oriel image import FILE --name NAME",
            ));
        }
        let host = self.host_of(desktop).await?;
        if host.is_cloud() {
            return Err(not_on_clouds_yet(desktop));
        }
        let pool = self.pool_of(desktop.id).await?;
        if pool.kind == PoolKind::SessionHost {
            return Err(BrokerError::conflict(
                "session_host_pool",
                format!("{} is a session host: accounts of many people may be on it", desktop.name),
                "make the image from a desktop of a dedicated pool with the same image",
            ));
        }
        if !is_quiet(desktop) {
            return Err(busy(desktop));
        }
        let image = self.image_under(desktop).await?;
        if let Some(other) = self.inner.store.image_by_name(&new.name, None).await?
            && other.os != image.os
        {
            return Err(BrokerError::invalid(
                "other_system",
                format!("versions of image {} hold another system than {}", new.name, desktop.name),
                "give the image a name of its own",
            ));
        }
        let others = self.operations().await?;
        if let Some(other) = others.iter().find(|one| is_about(one, desktop.id)) {
            return Err(BrokerError::conflict(
                "desktop_busy",
                format!("operation {} is about {} already, and is {}", other.id, desktop.name, other.state.word()),
                "wait for it, or cancel it",
            ));
        }
        if !new.forced && self.is_entered(desktop).await? {
            return Err(entered(desktop));
        }
        if !new.unsealed {
            if desktop.state == DesktopState::Stopped {
                return Err(BrokerError::conflict(
                    "desktop_off",
                    format!("{} is off, and only a guest that runs can be told to forget who it is", desktop.name),
                    "start it first; or say `unsealed`, where it forgot by itself before it went off",
                ));
            }
            if image.os == ImageOs::Other {
                return Err(cannot_seal(desktop, "how its system forgets who it is, nobody knows"));
            }
            if let Err(error) = host.check_agent(desktop.id).await {
                return Err(unsealable(desktop, error));
            }
        }
        let kind = OperationKind::ImageCapture {
            desktop: desktop.id,
            title: desktop.name.to_string(),
            name: new.name.to_string(),
            unsealed: new.unsealed,
            forced: new.forced,
        };
        self.queue_operation(kind, by).await
    }

    /// What its disk is a clone of.
    async fn image_under(&self, desktop: &Desktop) -> Result<Image, BrokerError> {
        let id = desktop.facts.image.ok_or_else(|| busy(desktop))?;
        self.inner.store.image(id).await?.ok_or_else(|| BrokerError::missing("image", id))
    }

    /// Whether somebody is connected to it, through this program or another.
    async fn is_entered(&self, desktop: &Desktop) -> Result<bool, BrokerError> {
        if self.sessions().is_some_and(|sessions| sessions.connected().contains(&desktop.id)) {
            return Ok(true);
        }
        let presence = self.inner.store.presence_in(desktop.pool).await?;
        Ok(presence.get(&desktop.id).is_some_and(|until| *until > now()))
    }

    /// The operation's work.
    pub(crate) async fn perform_capture(&self, of: Capturing, job: &dyn Job) -> Result<Captured, BrokerError> {
        let found = self.inner.store.desktop(of.desktop).await?;
        let desktop = found.ok_or_else(|| BrokerError::missing("desktop", of.desktop))?;
        if !is_held_by(&desktop, of.operation) {
            if of.forced {
                self.see_out(&desktop, job).await?;
            }
            self.claim(&desktop, of).await?;
        }
        fault::point("capture.claimed");
        self.wake_desktop(of.desktop);
        let image = self.image_under(&desktop).await?;
        let desktop = self.until_off(of, &image, job).await?;
        self.check_lead()?;
        let host = self.acting_host(&desktop).await?;
        let disk = host.disk_file(desktop.id, desktop.generation).ok_or_else(|| not_on_clouds_yet(&desktop))?;
        let base = self.inner.images.path(&image.sha256)?;
        let disk = self.inner.images.flatten(&disk, &base, &Rest(job)).await?;
        // Another program that leads now may be at the same file.
        self.check_lead()?;
        // QEMU lets nobody write to a disk that is read, and the row says that nobody was to.
        if let Err(error) = self.held(of).await {
            // A file that no version names would stay until the next start.
            let known = self.inner.store.images().await?;
            if !known.iter().any(|image| image.sha256 == disk.sha256) {
                self.inner.images.remove(&disk.sha256)?;
            }
            return Err(error);
        }
        let source = ImageSource::Captured {
            desktop: desktop.name.to_string(),
            of: format!("{}:{}", image.name, image.version),
            recipe: image.source.recipe().map(str::to_owned),
        };
        Ok(Captured { disk, os: image.os, source })
    }

    /// Whoever is in it, which is known and wanted, has a moment to save their work.
    async fn see_out(&self, desktop: &Desktop, job: &dyn Job) -> Result<(), BrokerError> {
        let pool = self.pool_of(desktop.id).await?;
        loop {
            let found = self.inner.store.desktop(desktop.id).await?;
            let desktop = found.ok_or_else(|| BrokerError::missing("desktop", desktop.id))?;
            if !self.is_entered(&desktop).await? || self.farewell(&pool, &desktop).await? == Farewell::Over {
                return Ok(());
            }
            job.progress(0.0, "whoever is in it was told, and may save their work");
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = job.cancelled() => return Err(ImageError::Cancelled.into()),
            }
        }
    }

    /// From here on nobody gets in.
    async fn claim(&self, desktop: &Desktop, of: Capturing) -> Result<(), BrokerError> {
        self.check_lead()?;
        if !of.forced && self.is_entered(desktop).await? {
            return Err(entered(desktop));
        }
        let moment = now();
        let may = |row: &Desktop, last: Option<oriel_model::Micros>| {
            is_quiet(row) && (of.forced || last.is_none_or(|until| until <= moment))
        };
        if self.inner.store.hold_for_capture(of.desktop, of.operation, moment, may).await? {
            tracing::info!(desktop = %desktop.name, operation = %of.operation, "Desktop is held: an image is made of it");
            return Ok(());
        }
        let found = self.inner.store.desktop(of.desktop).await?;
        let desktop = found.ok_or_else(|| BrokerError::missing("desktop", of.desktop))?;
        Err(if is_quiet(&desktop) { entered(&desktop) } else { busy(&desktop) })
    }

    /// Seals it, where that is wanted, and waits until it is off.
    async fn until_off(&self, of: Capturing, image: &Image, job: &dyn Job) -> Result<Desktop, BrokerError> {
        let began = Instant::now();
        loop {
            let (desktop, step) = self.held(of).await?;
            match (desktop.state, step) {
                (DesktopState::Stopped, CaptureStep::Sealed) => return Ok(desktop),
                // It went off by itself, as it was told to.
                (DesktopState::Stopped, CaptureStep::Leaving) => self.capture_is(of, CaptureStep::Sealed).await?,
                (DesktopState::Ready | DesktopState::InUse | DesktopState::Stopped, CaptureStep::Claimed)
                    if of.unsealed =>
                {
                    self.capture_is(of, CaptureStep::Sealed).await?;
                    fault::point("capture.sealed");
                    continue;
                }
                (DesktopState::Stopped, CaptureStep::Claimed | CaptureStep::Sealing) => {
                    return Err(cannot_seal(&desktop, "it went off before it had forgotten who it is"));
                }
                (DesktopState::Ready | DesktopState::InUse, CaptureStep::Claimed | CaptureStep::Sealing) => {
                    job.progress(0.02, "telling the guest to forget who it is");
                    self.seal(of, &desktop, image.os, job).await?;
                    fault::point("capture.sealed");
                    continue;
                }
                (
                    DesktopState::Failed
                    | DesktopState::Unreachable
                    | DesktopState::Deleting
                    | DesktopState::Recycling
                    | DesktopState::Requested
                    | DesktopState::Placed
                    | DesktopState::Provisioning,
                    _,
                ) => return Err(busy(&desktop)),
                _ => {}
            }
            if began.elapsed() > Duration::from_secs(OFF_SECONDS_MAX) {
                return Err(cannot_seal(&desktop, &format!("it is not off after {OFF_SECONDS_MAX} s")));
            }
            job.progress(0.1, "waiting until it is off");
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = job.cancelled() => return Err(ImageError::Cancelled.into()),
            }
        }
    }

    async fn seal(&self, of: Capturing, desktop: &Desktop, os: ImageOs, job: &dyn Job) -> Result<(), BrokerError> {
        if let Some(sessions) = self.sessions() {
            sessions.end_desktop(desktop.id, &format!("{} is being made into an image", desktop.name)).await;
        }
        let host = self.acting_host(desktop).await?;
        // Half of it may be done when it fails: from here on it must be set up anew before anybody gets in.
        self.capture_is(of, CaptureStep::Sealing).await?;
        let account = desktop.facts.guest_user.as_deref();
        let sealed = tokio::select! {
            sealed = host.seal(desktop.id, os, account) => sealed,
            () = job.cancelled() => return Err(ImageError::Cancelled.into()),
        };
        let step = match sealed {
            Ok(Sealed::Done) => CaptureStep::Sealed,
            Ok(Sealed::GoesOff) => CaptureStep::Leaving,
            Err(error) => return Err(unsealable(desktop, error)),
        };
        self.capture_is(of, step).await
    }

    /// The desktop, as long as it is held for this operation.
    async fn held(&self, of: Capturing) -> Result<(Desktop, CaptureStep), BrokerError> {
        let found = self.inner.store.desktop(of.desktop).await?;
        let desktop = found.ok_or_else(|| BrokerError::missing("desktop", of.desktop))?;
        match desktop.facts.capture {
            Some(capture) if is_held_by(&desktop, of.operation) => Ok((desktop, capture.step)),
            _ => Err(BrokerError::conflict(
                "desktop_busy",
                format!("{} was started, or is to go, while its image was made", desktop.name),
                "make the image anew when nothing else is done with it",
            )),
        }
    }

    async fn capture_is(&self, of: Capturing, step: CaptureStep) -> Result<(), BrokerError> {
        let written = self.inner.store.modify_desktop(of.desktop, |row| {
            if is_held_by(row, of.operation)
                && let Some(capture) = row.facts.capture.as_mut()
            {
                capture.step = step;
            }
        });
        written.await?;
        self.wake_desktop(of.desktop);
        Ok(())
    }

    /// Lets go of a desktop whose operation is over, however that ended. Answers whether it did.
    pub(crate) async fn let_go_of_capture(&self, desktop: &Desktop) -> Result<bool, BrokerError> {
        let operation = match desktop.facts.capture {
            Some(capture) => self.inner.store.operation(capture.operation).await?,
            None => None,
        };
        let state = operation.map(|operation| operation.state);
        if matches!(state, Some(OperationState::Queued | OperationState::Running)) {
            return Ok(false);
        }
        let is_shared = self.pool_of(desktop.id).await?.kind.is_shared();
        let is_next = state == Some(OperationState::Done) && is_shared;
        self.check_lead()?;
        let written = self.inner.store.modify_desktop(desktop.id, |row| {
            if row.intent == DesktopIntent::Capture && row.facts.capture == desktop.facts.capture {
                let capture = row.facts.capture.take();
                row.intent = afterwards(row, capture, is_next);
            }
        });
        let written = written.await?;
        tracing::info!(desktop = %written.name, intent = ?written.intent, "Desktop is no longer held for an image");
        self.wake_pool(written.pool);
        Ok(true)
    }
}

/// What is wanted of it when its image is made, or is not.
fn afterwards(desktop: &Desktop, capture: Option<Capture>, is_next: bool) -> DesktopIntent {
    match capture {
        // It goes to the next person, and was somebody's. What an administrator made for somebody stays theirs.
        _ if is_next && (desktop.owner.is_none() || desktop.facts.seat.is_some()) => DesktopIntent::Recycle,
        Some(Capture { was_running: true, step, .. }) => match (step, desktop.state) {
            (_, DesktopState::Stopped) => DesktopIntent::Running,
            // What failed starts by being told to again.
            (CaptureStep::Claimed, state) if state != DesktopState::Failed => DesktopIntent::Running,
            // It has forgotten who it is, in part perhaps, and is told again when it starts.
            _ => DesktopIntent::Restart,
        },
        _ => DesktopIntent::Stopped,
    }
}

fn is_held_by(desktop: &Desktop, operation: OperationId) -> bool {
    desktop.intent == DesktopIntent::Capture
        && desktop.facts.capture.is_some_and(|capture| capture.operation == operation)
}

/// Nothing is being done with it.
const fn is_quiet(desktop: &Desktop) -> bool {
    matches!(desktop.intent, DesktopIntent::Running | DesktopIntent::Stopped)
        && matches!(desktop.state, DesktopState::Ready | DesktopState::InUse | DesktopState::Stopped)
}

/// Another operation about that desktop's machine is not over.
fn is_about(operation: &Operation, id: DesktopId) -> bool {
    matches!(operation.state, OperationState::Queued | OperationState::Running)
        && match &operation.kind {
            OperationKind::ImageCapture { desktop, .. } | OperationKind::Desktop { desktop, .. } => *desktop == id,
            _ => false,
        }
}

/// The second part of the operation's progress.
struct Rest<'a>(&'a dyn Job);

#[async_trait]
impl Job for Rest<'_> {
    fn progress(&self, fraction: f64, step: &str) {
        self.0.progress(COPY_BEGINS + (1.0 - COPY_BEGINS) * fraction, step);
    }

    fn log(&self, line: &str) {
        self.0.log(line);
    }

    async fn cancelled(&self) {
        self.0.cancelled().await;
    }
}

/// For who wants something else of it meanwhile.
pub(crate) fn held_for_capture(desktop: &Desktop) -> BrokerError {
    let operation = desktop.facts.capture.map(|capture| capture.operation.to_string()).unwrap_or_default();
    BrokerError::conflict(
        "desktop_captured",
        format!("{} is being made into an image", desktop.name),
        format!("wait until that is done, or cancel it: oriel operation cancel {operation}"),
    )
}

fn busy(desktop: &Desktop) -> BrokerError {
    BrokerError::conflict(
        "desktop_busy",
        format!("{} is {}", desktop.name, desktop.state.word()),
        "wait until it is ready or off",
    )
}

fn entered(desktop: &Desktop) -> BrokerError {
    BrokerError::conflict(
        "desktop_in_use",
        format!("somebody is in {}, whose account and files on it would be lost", desktop.name),
        "wait until they have left, or force it",
    )
}

fn not_on_clouds_yet(desktop: &Desktop) -> BrokerError {
    BrokerError::conflict(
        "not_on_clouds_yet",
        format!("{} stands on a cloud, where images are not made from desktops yet", desktop.name),
        "make the image from a desktop on Oriel's own host, and bring it there: oriel cloud image CLOUD IMAGE",
    )
}

fn cannot_seal(desktop: &Desktop, why: &str) -> BrokerError {
    BrokerError::conflict(
        "cannot_seal",
        format!("{} cannot be sealed: {why}", desktop.name),
        "mend that and ask again; or say `unsealed`, where its system forgets by itself who it is",
    )
}

fn unsealable(desktop: &Desktop, error: ComputeError) -> BrokerError {
    match error {
        ComputeError::NoAgent { .. } | ComputeError::NotSealed { .. } | ComputeError::NoSealing { .. } => {
            cannot_seal(desktop, &error.to_string())
        }
        other => other.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use oriel_model::{DesktopFacts, Micros, PoolId, Seat};

    #[test]
    fn what_becomes_of_it_is_whose_it_is() {
        let mut desktop = Desktop {
            id: DesktopId::new(),
            name: "floor-1".parse().unwrap(),
            pool: PoolId::new(),
            owner: None,
            intent: DesktopIntent::Capture,
            state: DesktopState::Stopped,
            failure: None,
            step: None,
            generation: 1,
            host: None,
            port_base: None,
            facts: DesktopFacts::default(),
            external: None,
            created: Micros(0),
            changed: Micros(0),
        };
        let of = |step| Some(Capture { operation: OperationId::new(), step, was_running: true });
        let (claimed, sealed) = (of(CaptureStep::Claimed), of(CaptureStep::Sealed));
        assert_eq!(afterwards(&desktop, sealed, true), DesktopIntent::Recycle);
        desktop.owner = Some(UserId::new());
        assert_eq!(afterwards(&desktop, sealed, true), DesktopIntent::Running, "it was made for somebody");
        desktop.facts.seat = Some(Seat { since: Micros(0), seen: Micros(0) });
        assert_eq!(afterwards(&desktop, sealed, true), DesktopIntent::Recycle);
        assert_eq!(afterwards(&desktop, sealed, false), DesktopIntent::Running);
        assert_eq!(afterwards(&desktop, None, false), DesktopIntent::Stopped);
        desktop.state = DesktopState::Failed;
        assert_eq!(afterwards(&desktop, claimed, false), DesktopIntent::Restart, "it crashed");
        desktop.state = DesktopState::Ready;
        assert_eq!(afterwards(&desktop, claimed, false), DesktopIntent::Running);
        assert_eq!(afterwards(&desktop, sealed, false), DesktopIntent::Restart);
    }
}
