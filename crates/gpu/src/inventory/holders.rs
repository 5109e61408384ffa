//! Which processes hold a GPU's device nodes open. Read once for the whole host.
//!
//! Unbinding a function that a process holds through VFIO blocks the kernel until that process ends: this is the look before
//! the leap.

use crate::Sysfs;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Most processes looked at, and most open files of all of them together.
const PROCESSES_MAX: usize = 32_768;
const FILES_MAX: usize = 1 << 20;
/// Most threads that look, and up to how many processes one is enough.
const THREADS_MAX: usize = 8;
const ALONE_MAX: usize = 256;
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
        for (pid, path) in open_nodes(sysfs) {
            holders.add(sysfs, pid, path);
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

/// The processes of the host, by number, with every node of GPUs that they have open. A large host has tens of thousands of open
/// files, each of which must be asked where it leads: several threads do it.
pub(crate) fn open_nodes(sysfs: &dyn Sysfs) -> Vec<(u32, String)> {
    let processes = sysfs.list("/proc").unwrap_or_default();
    let mut pids: Vec<u32> = processes.iter().filter_map(|name| name.parse().ok()).take(PROCESSES_MAX).collect();
    pids.sort_unstable();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let files = AtomicUsize::new(0);
    let of = |pids: &[u32]| {
        let mut found = Vec::new();
        for pid in pids {
            if files.load(Ordering::Relaxed) > FILES_MAX {
                break;
            }
            let Ok((nodes, looked)) = sysfs.links_to(&format!("/proc/{pid}/fd"), NODES) else { continue };
            files.fetch_add(looked, Ordering::Relaxed);
            found.extend(nodes.into_iter().map(|node| (*pid, node)));
        }
        found
    };
    if threads == 1 || pids.len() < ALONE_MAX {
        return of(&pids);
    }
    std::thread::scope(|scope| {
        let of = &of;
        let parts = pids.chunks(pids.len().div_ceil(threads));
        let running: Vec<_> = parts.map(|part| scope.spawn(move || of(part))).collect();
        running.into_iter().flat_map(|one| one.join().unwrap_or_default()).collect()
    })
}
