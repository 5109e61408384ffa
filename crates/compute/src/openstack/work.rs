//! What an administrator does with one server: another flavor, another host, snapshots.
//!
//! Snapshots are private images of the project that say by their properties whose they are. A server that has some has one more tag: who
//! removes it, or makes it anew, then looks for them, and nobody else has to. They hold what a person left on their disk, and the keys of
//! one generation: they go with it.

use super::{
    OpenStackCompute, fine_when_done,
    mark::{self, Mark},
};
use crate::{ComputeError, MachineWork};
use async_trait::async_trait;
use oriel_model::{DESKTOP_SNAPSHOTS_MAX, DesktopId, DesktopSnapshot, Micros, MoveState, Name, Standing};
use oriel_openstack::{Flavor, OpenStackError, Server, ServerSnapshot, ServerStatus};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
};

/// On servers that have snapshots.
pub(super) const KEPT: &str = "oriel-has-snapshots";
/// Properties of snapshots: whose they are, of which desktop and generation, and what they are called.
const OF: &str = "oriel_of";
const DESKTOP: &str = "oriel_desktop";
const GENERATION: &str = "oriel_generation";
const NAME: &str = "oriel_snapshot";
/// Of an image that was brought: a snapshot has it from there, and is not that image.
const SHA256: &str = "oriel_sha256";

/// Whether its desktop may have snapshots.
pub(super) fn is_kept(server: &Server) -> bool {
    server.tags.iter().any(|tag| tag == KEPT)
}

/// What the image of a snapshot is called.
fn title(server: &str, snapshot: &str) -> String {
    format!("oriel {server} {snapshot}")
}

/// Nova copies a snapshot's properties to whatever is made of a server that was brought back to it: to the only disk that a shelved one
/// has, and to images that people make by hand. Only its name is its own.
fn is_called_so(one: &ServerSnapshot) -> bool {
    let ends = |snapshot: &String| one.name.ends_with(&format!(" {snapshot}"));
    one.name.starts_with("oriel ") && one.properties.get(NAME).is_some_and(ends)
}

fn state(server: &Server) -> MoveState {
    match (&server.status, &server.task) {
        (_, Some(_)) | (ServerStatus::Rebuild | ServerStatus::Build | ServerStatus::Reboot, None) => {
            MoveState::Underway
        }
        (ServerStatus::VerifyResize, None) => MoveState::Unconfirmed,
        (ServerStatus::Error, None) => MoveState::Broken,
        (ServerStatus::Other(word), None) if matches!(word.as_str(), "RESIZE" | "MIGRATING" | "REVERT_RESIZE") => {
            MoveState::Underway
        }
        _ => MoveState::Settled,
    }
}

/// Somebody else was faster: there is nothing to confirm or to revert any more.
pub(super) fn fine_when_over(error: OpenStackError) -> Result<(), OpenStackError> {
    if error.status() == Some(400) { Ok(()) } else { fine_when_done(error) }
}

impl OpenStackCompute {
    /// The newest generation's server, and which that is.
    pub(super) async fn its_server(&self, desktop: DesktopId) -> Result<(Mark, Server), ComputeError> {
        let all = self.of_desktop(desktop).await?;
        let generation = all.last().map(|(mark, _)| mark.generation);
        all.into_iter().find(|(mark, _)| Some(mark.generation) == generation).ok_or(ComputeError::NoMachine)
    }

    fn not_done(&self, reason: impl Into<String>) -> ComputeError {
        ComputeError::NotDone { cloud: self.config.name.clone(), reason: reason.into() }
    }

    /// Nova's word about something that only some may ask for, or only now.
    fn said_no(&self, error: OpenStackError, whose: &str) -> ComputeError {
        if error.is_forbidden() && !error.is_over_quota() {
            return self.not_done(format!("{error}; that is for {whose}"));
        }
        // What it does together with something else it may do in a moment; the rest it never does.
        if matches!(error.status(), Some(400 | 403 | 404 | 409)) {
            return self.not_done(error.to_string());
        }
        self.failed(error)
    }

    /// It rests where its cloud can do something with it.
    fn rests(&self, server: &Server) -> Result<(), ComputeError> {
        if server.is_host_lost() {
            return Err(self.lost(server));
        }
        match state(server) {
            MoveState::Settled => Ok(()),
            MoveState::Unconfirmed => Err(self.not_done(
                "it was moved or resized, and nobody has confirmed that yet: confirm it (oriel desktop resize DESKTOP --confirm) or revert it first",
            )),
            MoveState::Underway => Err(self.not_done(format!(
                "it is just {}: try again in a moment",
                server.task.as_deref().unwrap_or_else(|| server.status.word())
            ))),
            MoveState::Broken => Err(self.not_done("it is in error: restart it, or recycle it, first")),
        }
    }

    fn lost(&self, server: &Server) -> ComputeError {
        self.not_done(lost_words(server))
    }

    /// As [`Self::lost`], for who wants it started: waiting does not help.
    pub(super) fn no_host(&self, server: &Server) -> ComputeError {
        ComputeError::NoPlace { cloud: self.config.name.clone(), reason: lost_words(server) }
    }

    /// Of one desktop, oldest first.
    async fn snapshots_of(&self, desktop: DesktopId) -> Result<Vec<ServerSnapshot>, ComputeError> {
        let all = self.client.server_snapshots(DESKTOP, &desktop.to_string()).await;
        let mut all = all.map_err(|error| self.failed(error))?;
        // The filter is the cloud's; what is touched is decided here.
        let has = |one: &ServerSnapshot, key: &str, value: &str| one.properties.get(key).is_some_and(|it| it == value);
        all.retain(|one| {
            has(one, OF, &self.config.installation)
                && has(one, DESKTOP, &desktop.to_string())
                && is_called_so(one)
                && one.properties.get("image_type").is_some_and(|kind| kind == "snapshot")
        });
        all.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(all)
    }

    /// Deletes what was kept of a desktop, but of the generation that stays. Answers whether something stays because it is in use, as in a
    /// store whose disks are clones of their images: it goes after its server.
    pub(super) async fn drop_snapshots(&self, desktop: DesktopId, keep: Option<u32>) -> Result<bool, ComputeError> {
        let mut stays = false;
        let mut all = self.snapshots_of(desktop).await?;
        all.retain(|one| keep.is_none_or(|generation| !is_of(one, Mark { desktop, generation })));
        for one in all {
            match self.client.delete_image(&one.id).await {
                Err(error) if error.is_conflict() => {
                    tracing::debug!(cloud = self.config.name, image = one.id, %error, "A snapshot is in use");
                    stays = true;
                }
                done => done.map_err(|error| self.failed(error))?,
            }
        }
        Ok(stays)
    }

    /// The one of that name, which is the desktop's own generation's.
    async fn snapshot_named(&self, mark: Mark, name: &Name) -> Result<ServerSnapshot, ComputeError> {
        let of_it = |one: &ServerSnapshot| one.properties.get(NAME).is_some_and(|it| it == name.as_str());
        let found = self.snapshots_of(mark.desktop).await?.into_iter().find(of_it);
        found.ok_or_else(|| {
            self.not_done(format!(
                "the desktop has no snapshot {name}; `oriel desktop machine DESKTOP` lists those that there are"
            ))
        })
    }
}

fn lost_words(server: &Server) -> String {
    format!(
        "the host {} under it does not answer to the cloud: it goes on when that does, or elsewhere (oriel desktop migrate DESKTOP --evacuate), without what lay on that host's own disk",
        server.host.as_deref().unwrap_or_default()
    )
}

fn is_of(one: &ServerSnapshot, mark: Mark) -> bool {
    one.properties.get(GENERATION).is_some_and(|it| *it == mark.generation.to_string())
}

fn shown(one: &ServerSnapshot, mark: Mark) -> DesktopSnapshot {
    DesktopSnapshot {
        name: one.properties.get(NAME).cloned().unwrap_or_default(),
        created: one.created.map_or(Micros(0), |at| Micros(at.as_microsecond())),
        bytes: one.size_bytes,
        is_whole: one.status == "active",
        is_foreign: !is_of(one, mark),
    }
}

/// Whose word it takes to close a host. It is in no access rules that Oriel asks for: most clouds have admins of their own.
const SERVICES: &str = "the cloud's admins (os-services), and with access rules it takes GET /v2.1/os-services and PUT /v2.1/os-services/* beside the others";

/// Whose word it takes to bring a server to another host.
const ADMINS: &str =
    "the cloud's admins (os-migrate-server, os-evacuate): give the cloud credentials of one, or ask its admin";

#[async_trait]
impl MachineWork for OpenStackCompute {
    async fn standing(&self, desktop: DesktopId) -> Result<Standing, ComputeError> {
        let (mark, server) = self.its_server(desktop).await?;
        let snapshots = self.snapshots_of(desktop).await?;
        let state = state(&server);
        let broken = || server.fault.as_ref().map(|fault| fault.message.clone());
        Ok(Standing {
            is_host_lost: server.is_host_lost(),
            state,
            doing: server.task.clone().or_else(|| broken().filter(|_| state == MoveState::Broken)),
            snapshots: snapshots.iter().map(|one| shown(one, mark)).collect(),
            flavor: server.flavor,
            host: server.host,
        })
    }

    async fn resize(&self, desktop: DesktopId, flavor: &str) -> Result<bool, ComputeError> {
        let (_, server) = self.its_server(desktop).await?;
        let flavor = self.flavor(flavor).await?;
        if server.flavor == flavor.name && matches!(state(&server), MoveState::Settled | MoveState::Unconfirmed) {
            return Ok(false);
        }
        self.rests(&server)?;
        // One on a volume takes nothing of its host's disk.
        let disk_gib = if server.image.is_some() { flavor.disk_gib } else { 0 };
        self.has_place(&Flavor { disk_gib, ..flavor.clone() }).await?;
        tracing::info!(cloud = self.config.name, server = server.id, flavor = flavor.name, "A server is resized");
        let asked = self.client.resize_server(&server.id, &flavor.id).await;
        asked.map_err(|error| self.said_no(error, "members of the project (servers:resize)"))?;
        Ok(true)
    }

    async fn migrate(&self, desktop: DesktopId, to: Option<&str>, evacuate: bool) -> Result<bool, ComputeError> {
        let (_, server) = self.its_server(desktop).await?;
        if to.is_some() && server.host.as_deref() == to {
            return Ok(false);
        }
        let asked = if server.is_host_lost() {
            if !evacuate {
                return Err(self.lost(&server));
            }
            tracing::info!(cloud = self.config.name, server = server.id, "A server is evacuated");
            self.client.evacuate_server(&server.id, to).await
        } else if evacuate {
            return Err(self.not_done("its host is up: migrate it without evacuating, and nothing is lost"));
        } else {
            self.rests(&server)?;
            tracing::info!(cloud = self.config.name, server = server.id, "A server is brought to another host");
            match server.status {
                ServerStatus::Active | ServerStatus::Paused => self.client.live_migrate_server(&server.id, to).await,
                ServerStatus::Shutoff => self.client.migrate_server(&server.id, to).await,
                ServerStatus::Shelved => {
                    return Err(self.not_done("it is shelved, and stands on no host: it gets one when it starts"));
                }
                other => {
                    return Err(self.not_done(format!("it is {}: start it, or shut it down, first", other.word())));
                }
            }
        };
        asked.map_err(|error| self.said_no(error, ADMINS))?;
        Ok(true)
    }

    async fn on_host(&self, host: &str) -> Result<Vec<DesktopId>, ComputeError> {
        let all = self.servers(mark::common(&self.config.installation)).await?;
        let there = all.into_iter().filter(|(_, server)| server.host.as_deref() == Some(host));
        let there: BTreeSet<DesktopId> = there.map(|(mark, _)| mark.desktop).collect();
        Ok(there.into_iter().collect())
    }

    async fn close_host(&self, host: &str, reason: Option<&str>) -> Result<(), ComputeError> {
        let found = self.client.compute_service(host).await.map_err(|error| self.said_no(error, SERVICES))?;
        let Some(service) = found else {
            return Err(self.not_done(format!("it has no host {host}: `openstack compute service list` shows them")));
        };
        tracing::info!(
            cloud = self.config.name,
            host,
            closed = reason.is_some(),
            "A host of a cloud is closed or opened"
        );
        let asked = self.client.set_compute_service(&service.id, reason).await;
        asked.map_err(|error| self.said_no(error, SERVICES))
    }

    async fn confirm(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        let (_, server) = self.its_server(desktop).await?;
        if state(&server) != MoveState::Unconfirmed {
            return Ok(());
        }
        let done = self.client.confirm_move(&server.id).await.or_else(fine_when_over);
        done.map_err(|error| self.failed(error))
    }

    async fn revert(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        let (_, server) = self.its_server(desktop).await?;
        if state(&server) != MoveState::Unconfirmed {
            return Err(self.not_done("it was neither resized nor migrated, or that is confirmed already"));
        }
        let done = self.client.revert_move(&server.id).await.or_else(fine_when_over);
        done.map_err(|error| self.failed(error))
    }

    async fn take_snapshot(&self, desktop: DesktopId, snapshot: &Name) -> Result<(), ComputeError> {
        let (mark, server) = self.its_server(desktop).await?;
        let there = self.snapshots_of(desktop).await?;
        let is_it = |one: &&ServerSnapshot| one.properties.get(NAME).is_some_and(|it| it == snapshot.as_str());
        if let Some(one) = there.iter().find(is_it) {
            return if is_of(one, mark) {
                Ok(())
            } else {
                Err(self.not_done(format!(
                    "snapshot {snapshot} is of an earlier generation of the desktop: delete it first"
                )))
            };
        }
        if there.len() >= DESKTOP_SNAPSHOTS_MAX {
            return Err(self.not_done(format!("it has {DESKTOP_SNAPSHOTS_MAX} snapshots already: delete one first")));
        }
        self.rests(&server)?;
        if server.image.is_none() {
            return Err(self.not_done("its disk is a volume, of which Oriel takes no snapshots yet"));
        }
        self.has_snapshots.store(true, Ordering::Relaxed);
        // Before there is one: whoever removes the server looks for it.
        if !is_kept(&server) {
            let mut tags = server.tags.clone();
            tags.push(KEPT.to_owned());
            self.client.set_server_tags(&server.id, &tags).await.map_err(|error| self.failed(error))?;
        }
        let properties: BTreeMap<String, String> = [
            (OF, self.config.installation.clone()),
            (DESKTOP, desktop.to_string()),
            (GENERATION, mark.generation.to_string()),
            (NAME, snapshot.to_string()),
            (SHA256, String::from("none")),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        let name = title(&server.name, snapshot.as_str());
        let made = self.client.snapshot_server(&server.id, &name, &properties).await;
        let image = made.map_err(|error| self.said_no(error, "members of the project (servers:create_image)"))?;
        tracing::info!(cloud = self.config.name, server = server.id, image, "What a server's disk holds is being kept");
        Ok(())
    }

    async fn restore_snapshot(&self, desktop: DesktopId, snapshot: &Name) -> Result<(), ComputeError> {
        let (mark, server) = self.its_server(desktop).await?;
        let found = self.snapshot_named(mark, snapshot).await?;
        if !is_of(&found, mark) {
            return Err(self.not_done(format!(
                "snapshot {snapshot} is of an earlier generation of the desktop, which had other keys and perhaps another person: it cannot be restored"
            )));
        }
        if found.status != "active" {
            return Err(self.not_done(format!("snapshot {snapshot} is not whole yet ({})", found.status)));
        }
        self.rests(&server)?;
        if !matches!(server.status, ServerStatus::Active | ServerStatus::Shutoff) {
            return Err(self.not_done(format!("it is {}: start it first", server.status.word())));
        }
        tracing::info!(
            cloud = self.config.name,
            server = server.id,
            image = found.id,
            "A server gets back a disk that it had"
        );
        let asked = self.client.rebuild_server(&server, &found.id).await;
        asked.map_err(|error| self.said_no(error, "members of the project (servers:rebuild)"))
    }

    async fn drop_snapshot(&self, desktop: DesktopId, snapshot: &Name) -> Result<(), ComputeError> {
        let of_it = |one: &ServerSnapshot| one.properties.get(NAME).is_some_and(|it| it == snapshot.as_str());
        let servers = self.of_desktop(desktop).await?;
        for one in self.snapshots_of(desktop).await?.into_iter().filter(of_it) {
            // Nova makes of it again what it brings to another host, or evacuates.
            if servers.iter().any(|(_, server)| server.image.as_deref() == Some(one.id.as_str())) {
                return Err(self.not_done(format!(
                    "the desktop was brought back to snapshot {snapshot}, and its disk is made of it: bring it back to another, or recycle it, first"
                )));
            }
            let gone = self.client.delete_image(&one.id).await;
            gone.map_err(|error| self.said_no(error, "whoever may delete the project's images"))?;
        }
        Ok(())
    }
}
