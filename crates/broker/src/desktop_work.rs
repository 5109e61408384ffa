//! Another size, another host and snapshots of a desktop's machine: asked for as operations, which the leader carries out. Only clouds do
//! that: a host of Oriel's own is the only one that it has.

use crate::{Broker, BrokerError};
use oriel_compute::MachineWork;
use oriel_image::{ImageError, Job};
use oriel_model::{
    Desktop, DesktopId, DesktopIntent, DesktopState, DesktopWork, MoveState, Operation, OperationKind, OperationState,
    Standing, UserId,
};
use std::time::{Duration, Instant};

/// Between two looks how far a machine is.
const LOOK: Duration = Duration::from_secs(2);
/// A machine is waited for so long: one that is large and busy takes its time to be copied.
const WORK_SECONDS_MAX: u64 = 3 * 3600;

impl Broker {
    /// How the desktop's machine stands, asked of its cloud. Errors: conflict `not_on_a_cloud`.
    pub async fn desktop_standing(&self, desktop: &Desktop) -> Result<Standing, BrokerError> {
        let host = self.host_of(desktop).await?;
        let of = host.machine_work().ok_or_else(|| not_on_a_cloud(desktop))?;
        Ok(of.standing(desktop.id).await?)
    }

    /// Something is to be done with a desktop's machine.
    ///
    /// Errors: conflict `not_on_a_cloud`, `desktop_busy`, `too_many_operations`.
    pub async fn work_on_desktop(
        &self,
        desktop: &Desktop,
        work: DesktopWork,
        by: Option<UserId>,
    ) -> Result<Operation, BrokerError> {
        if self.host_of(desktop).await?.machine_work().is_none() {
            return Err(not_on_a_cloud(desktop));
        }
        rests(desktop, &work)?;
        self.only_one(desktop).await?;
        let kind = OperationKind::Desktop { desktop: desktop.id, title: desktop.name.to_string(), work };
        self.queue_operation(kind, by).await
    }

    /// Asked twice by one who is in a hurry, a restore would take what was written since the first, and a migration go on to a third
    /// host.
    async fn only_one(&self, desktop: &Desktop) -> Result<(), BrokerError> {
        let all = self.operations().await?;
        let is_its = |one: &&Operation| {
            matches!(one.state, OperationState::Queued | OperationState::Running)
                && matches!(&one.kind, OperationKind::Desktop { desktop: of, .. } if *of == desktop.id)
        };
        let Some(other) = all.iter().find(is_its) else { return Ok(()) };
        Err(BrokerError::conflict(
            "desktop_busy",
            format!(
                "operation {} is about the machine of {} already, and is {}",
                other.id,
                desktop.name,
                other.state.word()
            ),
            "wait for it, or cancel it",
        ))
    }

    /// The operation's work. Answers one line for people.
    pub(crate) async fn perform_desktop_work(
        &self,
        id: DesktopId,
        work: &DesktopWork,
        job: &dyn Job,
    ) -> Result<String, BrokerError> {
        let desktop = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("desktop", id))?;
        let host = self.host_of(&desktop).await?;
        let of = host.machine_work().ok_or_else(|| not_on_a_cloud(&desktop))?;
        // One that was cut off finds what it has begun.
        let evacuates = is_evacuation(work);
        let before = until(of, id, job, |now| now.state != MoveState::Underway || (evacuates && is_stuck(now))).await?;
        let desktop = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("desktop", id))?;
        rests(&desktop, work)?;
        self.check_lead()?;
        let name = &desktop.name;
        let rested = |now: &Standing| now.state != MoveState::Underway;
        match work {
            DesktopWork::Resize => {
                let pool = self.pool_of(id).await?;
                let place = pool.cloud.as_ref().ok_or_else(|| not_on_a_cloud(&desktop))?;
                let asked = of.resize(id, &place.flavor).await?;
                // Not before: whoever is connected stays where there is nothing to do, or the cloud says no.
                if asked {
                    self.end_for(&desktop, "gets another size, and starts again").await;
                }
                let now = not_broken(until(of, id, job, rested).await?)?;
                if asked && now.flavor == before.flavor {
                    return Err(gave_up(&desktop, "resize"));
                }
                Ok(said(&now, format!("{name} is of flavor {}", now.flavor)))
            }
            DesktopWork::Migrate { to, evacuate } => {
                let asked = of.migrate(id, to.as_deref(), *evacuate).await?;
                let now = not_broken(until(of, id, job, rested).await?)?;
                if asked && now.host.is_some() && now.host == before.host {
                    return Err(gave_up(&desktop, "move"));
                }
                let place = now.host.clone().unwrap_or_else(|| "another host".to_owned());
                self.wake_desktop(id);
                Ok(said(&now, format!("{name} stands on {place}")))
            }
            DesktopWork::Confirm => {
                of.confirm(id).await?;
                let now = until(of, id, job, |now| !matches!(now.state, MoveState::Underway | MoveState::Unconfirmed));
                let now = not_broken(now.await?)?;
                Ok(format!("{name} stays as it is, of flavor {}", now.flavor))
            }
            DesktopWork::Revert => {
                of.revert(id).await?;
                self.end_for(&desktop, "goes back to what it was, and starts again").await;
                let now = until(of, id, job, |now| !matches!(now.state, MoveState::Underway | MoveState::Unconfirmed));
                let now = not_broken(now.await?)?;
                Ok(format!("{name} is what it was before, of flavor {}", now.flavor))
            }
            DesktopWork::Snapshot { snapshot } => {
                of.take_snapshot(id, snapshot).await?;
                let now = until(of, id, job, |now| {
                    now.state != MoveState::Underway
                        && !now.snapshots.iter().any(|one| one.name == snapshot.as_str() && !one.is_whole)
                });
                if !now.await?.snapshots.iter().any(|one| one.name == snapshot.as_str()) {
                    return Err(gave_up(&desktop, "keep a snapshot of"));
                }
                Ok(format!("snapshot {snapshot} of {name} is kept"))
            }
            DesktopWork::Restore { snapshot } => {
                of.restore_snapshot(id, snapshot).await?;
                self.end_for(&desktop, "gets back what it was at a snapshot, and starts again").await;
                not_broken(until(of, id, job, rested).await?)?;
                self.wake_desktop(id);
                Ok(format!("{name} is what it was at snapshot {snapshot}"))
            }
            DesktopWork::DropSnapshot { snapshot } => {
                of.drop_snapshot(id, snapshot).await?;
                Ok(format!("snapshot {snapshot} of {name} is gone"))
            }
        }
    }

    /// Whoever is connected is told why it ends.
    async fn end_for(&self, desktop: &Desktop, what: &str) {
        if let Some(sessions) = self.sessions() {
            sessions.end_desktop(desktop.id, &format!("{} {what}", desktop.name)).await;
        }
    }
}

/// Looks until it is so. A cloud that does not answer for a while is waited for.
async fn until(
    of: &dyn MachineWork,
    desktop: DesktopId,
    job: &dyn Job,
    done: impl Fn(&Standing) -> bool + Send,
) -> Result<Standing, BrokerError> {
    let began = Instant::now();
    loop {
        let late = began.elapsed() > Duration::from_secs(WORK_SECONDS_MAX);
        match of.standing(desktop).await {
            Ok(now) if done(&now) => return Ok(now),
            Ok(now) if late => {
                let doing = now.doing.unwrap_or_else(|| "at it".to_owned());
                return Err(BrokerError::conflict(
                    "cloud_is_slow",
                    format!("the cloud is still {doing} after {WORK_SECONDS_MAX} s"),
                    "look at it there, then resume this operation",
                ));
            }
            Ok(now) => job.progress(0.5, &format!("the cloud is at it: {}", now.doing.as_deref().unwrap_or("waiting"))),
            Err(error) if late || !error.is_passing() => return Err(error.into()),
            Err(error) => job.progress(0.5, &format!("waiting for the cloud: {error}")),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = job.cancelled() => return Err(ImageError::Cancelled.into()),
        }
    }
}

const fn is_evacuation(work: &DesktopWork) -> bool {
    matches!(work, DesktopWork::Migrate { evacuate: true, .. })
}

/// What its cloud was doing with it waits for a host that is gone. Making it anew elsewhere does not.
fn is_stuck(now: &Standing) -> bool {
    now.is_host_lost && !now.doing.as_deref().is_some_and(|doing| doing.starts_with("rebuild"))
}

fn said(now: &Standing, text: String) -> String {
    if now.state == MoveState::Unconfirmed {
        format!("{text}; confirm it, or revert it: it can go back until then")
    } else {
        text
    }
}

fn not_broken(now: Standing) -> Result<Standing, BrokerError> {
    if now.state != MoveState::Broken {
        return Ok(now);
    }
    let doing = now.doing.unwrap_or_else(|| "nothing more".to_owned());
    Err(BrokerError::conflict(
        "cloud_broke_it",
        format!("the cloud says that it broke: {doing}"),
        "restart the desktop; where that does not help, recycle it",
    ))
}

/// Nova takes such an order before it looks for a host, and says nothing to whoever gave it.
fn gave_up(desktop: &Desktop, what: &str) -> BrokerError {
    BrokerError::conflict(
        "cloud_gave_up",
        format!("the cloud took the order to {what} {} and did not do it: it is as it was", desktop.name),
        "`openstack server event list` and `openstack server migration list` say why; most often no other host has room",
    )
}

fn not_on_a_cloud(desktop: &Desktop) -> BrokerError {
    BrokerError::conflict(
        "not_on_a_cloud",
        format!(
            "{} stands on no cloud: Oriel's own host is the only one that it could be on, and sizes hold from a desktop's next start",
            desktop.name
        ),
        "change its pool's size and restart it; for what its person keeps, give the pool a personal disk, which has snapshots",
    )
}

/// Nothing else is being done with it. What was to start, or to stop, on a host that is down is evacuated all the same.
fn rests(desktop: &Desktop, work: &DesktopWork) -> Result<(), BrokerError> {
    let is_quiet = matches!(
        desktop.state,
        DesktopState::Ready
            | DesktopState::InUse
            | DesktopState::Stopped
            | DesktopState::Failed
            | DesktopState::Unreachable
    ) || (is_evacuation(work)
        && matches!(desktop.state, DesktopState::Starting | DesktopState::Stopping));
    let is_promised =
        matches!(desktop.intent, DesktopIntent::Recycle | DesktopIntent::Capture | DesktopIntent::Deleted);
    if is_quiet && !is_promised {
        return Ok(());
    }
    Err(BrokerError::conflict(
        "desktop_busy",
        format!("{} is {}", desktop.name, desktop.state.word()),
        "wait until it is ready or off",
    ))
}
