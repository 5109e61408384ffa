//! Which processes hold a GPU's device nodes open. Read once for the whole host.
//!
//! Unbinding a function that a process holds through VFIO blocks the kernel until that process ends: this is the look before
//! the leap.

use crate::Sysfs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most processes looked at, and most open files of all of them together.
const PROCESSES_MAX: usize = 32_768;
const FILES_MAX: usize = 1 << 20;
/// Most holders kept for one node.
const HOLDERS_MAX: usize = 64;
/// What of `/dev` concerns GPUs.
pub(crate) const NODES: &[&str] = &["/dev/vfio/", "/dev/dri/", "/dev/nvidia", "/dev/kfd"];

/// A process that has a device node open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    /// Its command's name (`/proc/PID/comm`).
    pub process: String,
    /// `/dev/vfio/42`, `/dev/dri/renderD128`.
    pub path: String,
}

#[derive(Default)]
pub(crate) struct Holders {
    by_path: BTreeMap<String, Vec<Holder>>,
}

impl Holders {
    pub fn read(sysfs: &dyn Sysfs) -> Self {
        let mut holders = Self::default();
        let mut files = 0;
        let processes = sysfs.list("/proc").unwrap_or_default();
        for pid in processes.iter().filter_map(|name| name.parse::<u32>().ok()).take(PROCESSES_MAX) {
            for file in sysfs.list(&format!("/proc/{pid}/fd")).unwrap_or_default() {
                files += 1;
                if files > FILES_MAX {
                    return holders;
                }
                let Ok(target) = sysfs.link(&format!("/proc/{pid}/fd/{file}")) else { continue };
                if NODES.iter().any(|node| target.starts_with(node)) {
                    holders.add(sysfs, pid, target);
                }
            }
        }
        holders
    }

    fn add(&mut self, sysfs: &dyn Sysfs, pid: u32, path: String) {
        let known = self.by_path.entry(path.clone()).or_default();
        if known.len() < HOLDERS_MAX && !known.iter().any(|one| one.pid == pid) {
            let process = sysfs.text(&format!("/proc/{pid}/comm")).unwrap_or_default();
            known.push(Holder { pid, process, path });
        }
    }

    pub fn of(&self, path: &str) -> &[Holder] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }
}
