//! Disks of people: qcow2 files in `{data}/personal-disks/`, one for each, which no generation of a desktop owns.
//!
//! While a disk is in a machine, QEMU holds a lock on its file: nothing here gets at it then, whoever forgot to look.

use crate::{LibvirtCompute, connection, disk, find};
use oriel_compute::{
    ComputeError,
    command::{run, run_any, short},
};
use oriel_machine::HomeDrive;
use oriel_model::{DesktopId, DiskFacts, DiskSnapshot, Micros, Name, PersonalDiskId};
use serde::Deserialize;
use std::{
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};
use virt::sys;

/// Making, growing, and going back to a snapshot write metadata only.
const QUICK_SECONDS_MAX: u64 = 120;
/// A copy reads all that there is.
const COPY_SECONDS_MAX: u64 = 24 * 60 * 60;
/// Between two looks at how far a copy is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// `stat` counts in these.
const BLOCK_BYTES: u64 = 512;

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    snapshots: Vec<Snapshot>,
}

#[derive(Deserialize)]
struct Snapshot {
    name: String,
    #[serde(rename = "date-sec")]
    seconds: i64,
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Bytes that a file takes of its disk.
fn used(path: &Path) -> Option<u64> {
    path.metadata().ok().map(|file| file.blocks().saturating_mul(BLOCK_BYTES))
}

impl LibvirtCompute {
    fn existing_disk(&self, disk: PersonalDiskId) -> Result<PathBuf, ComputeError> {
        let path = self.layout.personal_disk(disk);
        if path.is_file() { Ok(path) } else { Err(ComputeError::DiskGone { path }) }
    }

    pub(super) async fn make_disk(&self, disk: PersonalDiskId, size_gib: u64) -> Result<(), ComputeError> {
        let path = self.layout.personal_disk(disk);
        if path.exists() {
            return Ok(());
        }
        self.layout.make_personal_disks_folder()?;
        if let Ok(user) = self.connection.qemu_user().await {
            disk::check_enterable(&path, user)?;
        }
        // It comes to its name only when whole.
        let part = path.with_extension("qcow2.part");
        let _ = std::fs::remove_file(&part);
        let size = size_gib.saturating_mul(1 << 30).to_string();
        let arguments = ["create", "-q", "-f", "qcow2", &text(&part), &size];
        run("qemu-img", arguments, "make a personal disk", QUICK_SECONDS_MAX).await?;
        std::fs::rename(&part, &path).map_err(ComputeError::file("rename", &part))
    }

    pub(super) async fn take_disk_out(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        self.with(move |connect, home| {
            let Some((domain, _)) = find(connect, home, desktop)? else { return Ok(()) };
            if domain.is_active().map_err(connection::failed("look at the machine"))? {
                return Err(ComputeError::StillRunning);
            }
            let xml =
                domain.get_xml_desc(super::INACTIVE).map_err(connection::failed("look at the machine's disks"))?;
            let Some(drive) = HomeDrive::find(&xml) else { return Ok(()) };
            // One that is suspended to disk (libvirt-guests does that when a host goes down) would go on with the disk as it remembers
            // it, whoever wrote to it meanwhile.
            if domain.has_managed_save(0).map_err(connection::failed("look whether the machine is suspended"))? {
                tracing::warn!(%desktop, "What the machine was suspended with is dropped: its personal disk is taken out");
                domain.managed_save_remove(0).map_err(connection::failed("drop what the machine was suspended with"))?;
            }
            domain
                .detach_device_flags(&drive.xml()?, sys::VIR_DOMAIN_AFFECT_CONFIG)
                .map(drop)
                .map_err(connection::failed("take the personal disk out of the machine"))
        })
        .await
    }

    pub(super) async fn disk_facts(&self, disk: PersonalDiskId) -> Result<DiskFacts, ComputeError> {
        let path = self.existing_disk(disk)?;
        // A machine may have it: what is read then is what it was a moment ago.
        let arguments = ["info", "--output=json", "--force-share", &text(&path)];
        let output = run("qemu-img", arguments, "read a personal disk", QUICK_SECONDS_MAX).await?;
        let info: Info = serde_json::from_str(&output.stdout).map_err(|error| ComputeError::Command {
            program: String::from("qemu-img"),
            action: String::from("describe a personal disk"),
            reason: error.to_string(),
        })?;
        let snapshots = info
            .snapshots
            .into_iter()
            .map(|one| DiskSnapshot { name: one.name, created: Micros(one.seconds.saturating_mul(1_000_000)) })
            .collect();
        let export_bytes = self.layout.disk_export(disk).metadata().ok().map(|file| file.len());
        Ok(DiskFacts { used_bytes: used(&path).unwrap_or(0), snapshots, export_bytes })
    }

    pub(super) async fn grow_disk(&self, disk: PersonalDiskId, size_gib: u64) -> Result<(), ComputeError> {
        let path = self.existing_disk(disk)?;
        let size = size_gib.saturating_mul(1 << 30).to_string();
        // Without --shrink it only ever grows.
        run("qemu-img", ["resize", "-q", "-f", "qcow2", &text(&path), &size], "grow a personal disk", QUICK_SECONDS_MAX)
            .await
            .map(drop)
    }

    async fn snapshot(&self, disk: PersonalDiskId, how: &str, name: &Name, action: &str) -> Result<(), ComputeError> {
        let path = self.existing_disk(disk)?;
        run("qemu-img", ["snapshot", how, name.as_str(), &text(&path)], action, QUICK_SECONDS_MAX).await.map(drop)
    }

    async fn has_snapshot(&self, disk: PersonalDiskId, name: &Name) -> Result<bool, ComputeError> {
        Ok(self.disk_facts(disk).await?.snapshots.iter().any(|one| one.name == name.as_str()))
    }

    /// Its answer may have been lost: one of that name is this one.
    pub(super) async fn make_disk_snapshot(&self, disk: PersonalDiskId, name: &Name) -> Result<(), ComputeError> {
        if self.has_snapshot(disk, name).await? {
            return Ok(());
        }
        self.snapshot(disk, "-c", name, "make a snapshot of a personal disk").await
    }

    pub(super) async fn restore_disk_snapshot(&self, disk: PersonalDiskId, name: &Name) -> Result<(), ComputeError> {
        if !self.has_snapshot(disk, name).await? {
            return Err(ComputeError::NoSnapshot { name: name.to_string() });
        }
        self.snapshot(disk, "-a", name, "bring a personal disk back to a snapshot").await
    }

    pub(super) async fn drop_disk_snapshot(&self, disk: PersonalDiskId, name: &Name) -> Result<(), ComputeError> {
        if !self.has_snapshot(disk, name).await? {
            return Ok(());
        }
        self.snapshot(disk, "-d", name, "delete a snapshot of a personal disk").await
    }

    pub(super) async fn copy_disk(
        &self,
        disk: PersonalDiskId,
        progress: &(dyn Fn(f64) + Send + Sync),
    ) -> Result<u64, ComputeError> {
        let (path, export) = (self.existing_disk(disk)?, self.layout.disk_export(disk));
        let part = export.with_extension("part");
        let _ = std::fs::remove_file(&part);
        let whole = used(&path).unwrap_or(0).max(1);
        // Compressed, and without snapshots: one file that any QEMU reads.
        let (from, to) = (text(&path), text(&part));
        let arguments = ["convert", "-q", "-c", "-f", "qcow2", "-O", "qcow2", &from, &to];
        let copying = run("qemu-img", arguments, "copy a personal disk", COPY_SECONDS_MAX);
        let mut copying = std::pin::pin!(copying);
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let done = loop {
            tokio::select! {
                done = &mut copying => break done,
                // What is compressed is smaller: this comes short of the end, and jumps there.
                _ = looks.tick() => progress((used(&part).unwrap_or(0) as f64 / whole as f64).min(1.0)),
            }
        };
        if let Err(error) = done {
            let _ = std::fs::remove_file(&part);
            return Err(error);
        }
        // Everything that somebody keeps is in it.
        std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o600))
            .map_err(ComputeError::file("set the permissions of", &part))?;
        std::fs::rename(&part, &export).map_err(ComputeError::file("rename", &part))?;
        export.metadata().map(|file| file.len()).map_err(ComputeError::file("look at", &export))
    }

    pub(super) async fn remove_whole_disk(&self, disk: PersonalDiskId) -> Result<(), ComputeError> {
        let path = self.layout.personal_disk(disk);
        if path.is_file() {
            // Files are removed under whoever has them open; QEMU's lock is asked first. After a restore the database may not know of a
            // machine that has it. What is damaged may go all the same.
            let action = "look whether a personal disk is in use";
            let output = run_any("qemu-img", ["info", &text(&path)], action, QUICK_SECONDS_MAX).await?;
            if output.code != Some(0) && output.stderr.contains("lock") {
                return Err(ComputeError::Command {
                    program: String::from("qemu-img"),
                    action: String::from("make sure that no machine has a personal disk"),
                    reason: short(&output.stderr),
                });
            }
        }
        self.remove_disk(disk, false)
    }

    pub(super) fn remove_disk(&self, disk: PersonalDiskId, only_export: bool) -> Result<(), ComputeError> {
        let export = self.layout.disk_export(disk);
        let mut gone = vec![export.with_extension("part"), export];
        if !only_export {
            gone.push(self.layout.personal_disk(disk));
        }
        for path in gone {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ComputeError::file("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
