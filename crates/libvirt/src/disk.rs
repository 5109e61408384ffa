//! Disks of desktops: linked clones, so that a new desktop takes no time and no space.

use crate::QemuUser;
use oriel_compute::{ComputeError, command::run};
use serde::Deserialize;
use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const QEMU_IMG_SECONDS_MAX: u64 = 60;

#[derive(Deserialize)]
struct Info {
    format: String,
    #[serde(rename = "virtual-size")]
    virtual_size: u64,
}

/// Makes `disk` a clone of `base`, grown to `size_gib`. Does nothing when it is there: it comes to its name only when whole.
pub(super) async fn clone(base: &Path, disk: &Path, size_gib: u64) -> Result<(), ComputeError> {
    if disk.exists() {
        return Ok(());
    }
    let base = std::path::absolute(base).map_err(ComputeError::file("find", base))?;
    if !base.is_file() {
        return Err(ComputeError::NoImage { path: base });
    }
    let arguments = ["info", "--output=json", "--force-share", &base.to_string_lossy()];
    let output = run("qemu-img", arguments, "read the base image", QEMU_IMG_SECONDS_MAX).await?;
    let info: Info = serde_json::from_str(&output.stdout).map_err(|error| ComputeError::Command {
        program: String::from("qemu-img"),
        action: String::from("describe the base image"),
        reason: error.to_string(),
    })?;
    let size = size_gib.saturating_mul(1 << 30).max(info.virtual_size).to_string();
    let part = disk.with_extension("qcow2.part");
    let _ = std::fs::remove_file(&part);
    let (base, part_text) = (base.to_string_lossy(), part.to_string_lossy());
    let arguments = ["create", "-q", "-f", "qcow2", "-F", &info.format, "-b", &base, &part_text, &size];
    run("qemu-img", arguments, "clone the base image", QEMU_IMG_SECONDS_MAX).await?;
    std::fs::rename(&part, disk).map_err(ComputeError::file("rename", &part))
}

/// libvirt gives QEMU the files, but not the folders on the way.
pub(super) fn check_enterable(path: &Path, qemu: QemuUser) -> Result<(), ComputeError> {
    if qemu.user == 0 || qemu.user == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let path = std::path::absolute(path).map_err(ComputeError::file("find", path))?;
    let closed: Option<PathBuf> = path.ancestors().filter(|folder| folder.is_dir()).find_map(|folder| {
        let metadata = folder.metadata().ok()?;
        let bit = match (metadata.uid() == qemu.user, metadata.gid() == qemu.group) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        (metadata.mode() & bit == 0).then(|| folder.to_owned())
    });
    closed.map_or(Ok(()), |path| Err(ComputeError::NotEnterable { user: qemu.user, path }))
}
