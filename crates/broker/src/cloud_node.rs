//! Emptying one of a cloud's own hosts: it takes no new servers, and what of ours stands there goes to others, one after the other. Only
//! credentials of the cloud's admins may.

use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_compute::Compute;
use oriel_image::{ImageError, Job};
use oriel_model::{CloudId, DesktopId, DesktopWork, MoveState, Operation, OperationKind, UserId, maintenance_reason};
use std::sync::Arc;

/// Longest name of a host of a cloud.
const NODE_BYTES_MAX: usize = 255;
/// Desktops that stay, of which the error tells.
const STAYS_TOLD_MAX: usize = 5;

/// One of several parts of a job.
struct Part<'a> {
    job: &'a dyn Job,
    at: usize,
    of: usize,
}

impl Part<'_> {
    fn begun(&self) -> f64 {
        self.at as f64 / self.of.max(1) as f64
    }
}

#[async_trait]
impl Job for Part<'_> {
    fn progress(&self, fraction: f64, step: &str) {
        let step = format!("{} of {}: {step}", self.at + 1, self.of);
        self.job.progress(self.begun() + fraction / self.of.max(1) as f64, &step);
    }

    fn log(&self, line: &str) {
        self.job.log(line);
    }

    async fn cancelled(&self) {
        self.job.cancelled().await;
    }
}

impl Broker {
    /// One of a cloud's hosts takes no new servers, and what of ours stands there is migrated: what runs live, what is off cold. With
    /// `evacuate`, what a host that is down had is made anew elsewhere. As an operation.
    ///
    /// Errors: `Invalid` host or reason; conflict `too_many_operations`.
    pub async fn empty_cloud_host(
        &self,
        id: CloudId,
        host: &str,
        reason: &str,
        evacuate: bool,
        by: Option<UserId>,
    ) -> Result<Operation, BrokerError> {
        let cloud = self.cloud(id).await?;
        let host = checked_host(host)?;
        let reason =
            maintenance_reason(reason).map_err(|text| BrokerError::invalid("bad_reason", text, "say it shorter"))?;
        let title = format!("{host} of {}", cloud.name);
        self.queue_operation(OperationKind::CloudHost { cloud: id, host, reason, evacuate, title }, by).await
    }

    /// One of a cloud's hosts takes new servers again. What left it stays where it is.
    ///
    /// Errors: `Invalid` host; `Compute` for who is no admin there.
    pub async fn open_cloud_host(&self, id: CloudId, host: &str) -> Result<(), BrokerError> {
        let (on, host) = (self.cloud_host(id).await?, checked_host(host)?);
        let of = on.machine_work().ok_or_else(|| not_moved(&on))?;
        Ok(of.close_host(&host, None).await?)
    }

    /// The operation's work. Answers one line for people.
    pub(crate) async fn perform_emptying(
        &self,
        (id, host): (CloudId, &str),
        reason: &str,
        evacuate: bool,
        job: &dyn Job,
    ) -> Result<String, BrokerError> {
        let on = self.cloud_host(id).await?;
        let of = on.machine_work().ok_or_else(|| not_moved(&on))?;
        self.check_lead()?;
        let why = if reason.is_empty() { "drained by Oriel" } else { reason };
        of.close_host(host, Some(why)).await?;
        let there = of.on_host(host).await?;
        let mut stays = Vec::new();
        for (at, desktop) in there.iter().enumerate() {
            let part = Part { job, at, of: there.len() };
            match self.move_off(*desktop, evacuate, &part).await {
                Err(BrokerError::Image(ImageError::Cancelled)) => return Err(ImageError::Cancelled.into()),
                // Another program goes on with those that are left.
                Err(error @ BrokerError::Conflict { code: "not_leading", .. }) => return Err(error),
                Err(error) => {
                    job.log(&error.to_string());
                    stays.push(error.to_string());
                }
                Ok(line) => job.log(&line),
            }
        }
        if stays.is_empty() {
            return Ok(format!("{host} takes no new servers, and {} desktops left it", there.len()));
        }
        let (count, all) = (stays.len(), there.len());
        stays.truncate(STAYS_TOLD_MAX);
        Err(BrokerError::conflict(
            "host_not_empty",
            format!("{count} of {all} desktops stay on {host}, which takes no new servers: {}", stays.join("; ")),
            "see to each, then resume this operation: it goes on with those that are left",
        ))
    }

    async fn move_off(&self, desktop: DesktopId, evacuate: bool, job: &dyn Job) -> Result<String, BrokerError> {
        let row = self.inner.store.desktop(desktop).await?.ok_or_else(|| BrokerError::missing("desktop", desktop))?;
        let on = self.host_of(&row).await?;
        let of = on.machine_work().ok_or_else(|| not_moved(&on))?;
        let evacuate = evacuate && of.standing(desktop).await?.is_host_lost;
        let line = self.perform_desktop_work(desktop, &DesktopWork::Migrate { to: None, evacuate }, job).await?;
        // Until somebody confirms it, it keeps its room on the host that it left.
        if of.standing(desktop).await?.state == MoveState::Unconfirmed {
            self.perform_desktop_work(desktop, &DesktopWork::Confirm, job).await?;
        }
        Ok(line)
    }
}

fn not_moved(on: &Arc<dyn Compute>) -> BrokerError {
    BrokerError::conflict("not_on_a_cloud", format!("{} moves no machines", on.name()), "name a cloud's host")
}

fn checked_host(host: &str) -> Result<String, BrokerError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if host.is_empty() || host.len() > NODE_BYTES_MAX || !host.chars().all(is_name) {
        return Err(BrokerError::invalid(
            "bad_cloud_host",
            format!("{:?} is no name of a cloud's host", host.chars().take(80).collect::<String>()),
            "`openstack compute service list` shows them",
        ));
    }
    Ok(host.to_owned())
}
