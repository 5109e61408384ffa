//! What the kernel's errors mean here, and what to do.

use super::Action;
use crate::kernel::errno::{self, EACCES, EBUSY, EEXIST, EINVAL, EIO, ENODEV, ENOENT, ENOSPC, EPERM, ERANGE, EUSERS};
use std::io;

/// An error of an action in words.
pub(crate) fn explain(action: &Action, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::ReadOnlyFilesystem {
        return "this is not a running host that may be changed, or /sys is mounted read-only (in a container?)"
            .to_owned();
    }
    match action {
        Action::Write { path, content } => written(path, content.trim(), error),
        Action::Run { argv } => match error.kind() {
            io::ErrorKind::NotFound => {
                format!("there is no program `{}` on this host; install it", argv.first().map_or("", String::as_str))
            }
            _ if error.to_string().contains("exit status: 19") => {
                format!("{error}; a vGPU still exists on the card: every one must go first")
            }
            _ => error.to_string(),
        },
        Action::Wait { path, .. } => format!("{path}: {error}"),
        Action::Save { path, .. } => format!("{path} cannot be written: {error}"),
    }
}

fn written(path: &str, word: &str, error: &io::Error) -> String {
    let number = error.raw_os_error().unwrap_or(match error.kind() {
        io::ErrorKind::NotFound => ENOENT,
        io::ErrorKind::PermissionDenied => EACCES,
        _ => 0,
    });
    let name = path.rsplit('/').next().unwrap_or_default();
    let meaning = match (name, number) {
        ("sriov_numvfs", ERANGE) => "the card has fewer virtual functions than that (`sriov_totalvfs`)",
        ("sriov_numvfs", ENOENT) => {
            "no driver that can make virtual functions is bound to the card; its own driver must be"
        }
        ("sriov_numvfs", EBUSY) => {
            "there are virtual functions already; their number only changes through 0, with none in use"
        }
        ("sriov_numvfs", ENOSPC) => {
            "the firmware left no room for them; enable SR-IOV and `Above 4G decoding` in the BIOS"
        }
        ("bind" | "drivers_probe", EBUSY) => {
            "it has a driver already, or VFIO holds its IOMMU group; stop what uses the group"
        }
        ("bind" | "drivers_probe", ENODEV) => {
            "the driver does not take this device: it is unknown to it, or `driver_override` names another"
        }
        ("bind", ENOENT) => "that driver is not loaded",
        ("unbind", ENODEV) => "it is not bound to that driver",
        ("bind", EINVAL) => "it has no IOMMU group; switch the IOMMU on",
        ("create", EEXIST) => "that UUID is taken by another device of this host",
        ("create", ENOSPC | EUSERS) => {
            "the card has no room for another of this type; slices of other types may be in the way"
        }
        ("create", EINVAL) => "the kernel does not take the UUID",
        ("create", ENODEV) => "its parent is going away; its driver is being unloaded",
        ("create", ENOENT) => "the card does not offer this type now",
        ("remove", EBUSY) => "it is in use; stop the desktop that holds it",
        ("current_vgpu_type", EIO) => {
            "the card does not take this type here: another size is on it, or functions that were not freed still hold its memory"
        }
        ("current_vgpu_type", EPERM) => "the function carries a vGPU already; 0 must be written first",
        ("current_vgpu_type" | "unbindLock" | "driver_override", ENOENT) => {
            "the file is not there: the device or its driver has gone"
        }
        (_, EACCES | EPERM) => "only root may do that",
        (_, EBUSY) => "something uses it",
        (_, ENODEV) => "there is no such device now",
        _ => return format!("writing `{word}` to {path} failed: {error}"),
    };
    format!("writing `{word}` to {path} failed with {}: {meaning}", errno::name(number))
}
