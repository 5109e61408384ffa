//! Who holds what: looked at when a plan is made, and again immediately before every step that would take something away.
//!
//! Unbinding or removing a device that a process holds through VFIO blocks the kernel until that process ends, often for ever.

use super::{Action, DEVICES, MDEVS};
use crate::{Sysfs, inventory::open_nodes};
use std::collections::BTreeMap;

/// Open device nodes, with who holds them.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    open: BTreeMap<String, String>,
}

impl Usage {
    pub fn read(sysfs: &dyn Sysfs) -> Self {
        let mut open = BTreeMap::new();
        for (pid, node) in open_nodes(sysfs) {
            open.entry(node).or_insert_with(|| {
                let name = sysfs.text(&format!("/proc/{pid}/comm")).unwrap_or_else(|| "a process".to_owned());
                format!("{name} (process {pid})")
            });
        }
        Self { open }
    }

    pub fn node(&self, path: &str) -> Option<&str> {
        self.open.get(path).map(String::as_str)
    }

    /// Who holds a device through VFIO, by its group or by its own node (`/dev/vfio/devices/vfioN`, Linux 6.6).
    pub fn device(&self, sysfs: &dyn Sysfs, path: &str) -> Option<String> {
        let by_group =
            sysfs.link_name(&format!("{path}/iommu_group")).and_then(|group| self.node(&format!("/dev/vfio/{group}")));
        let by_node = || {
            let nodes = sysfs.list(&format!("{path}/vfio-dev")).unwrap_or_default();
            nodes.iter().find_map(|node| self.node(&format!("/dev/vfio/devices/{node}")))
        };
        by_group.or_else(by_node).map(str::to_owned)
    }

    /// Who holds anything that a physical function's virtual functions, or mediated devices on it or on them, are.
    pub fn below(&self, sysfs: &dyn Sysfs, path: &str) -> Option<(String, String)> {
        let mut parents = vec![path.to_owned()];
        for index in 0..super::carved::FUNCTIONS_MAX {
            match sysfs.link_name(&format!("{path}/virtfn{index}")) {
                Some(address) => {
                    let function = format!("{DEVICES}/{address}");
                    if let Some(who) = self.device(sysfs, &function) {
                        return Some((address, who));
                    }
                    parents.push(function);
                }
                None => break,
            }
        }
        super::carved::mdevs(sysfs, &parents)
            .into_iter()
            .find_map(|mdev| Some((mdev.uuid.to_string(), self.device(sysfs, &format!("{MDEVS}/{}", mdev.uuid))?)))
    }
}

/// Why a step must not be taken now: what it would take away is in use.
pub(crate) fn blocked(sysfs: &dyn Sysfs, action: &Action) -> Option<String> {
    let held = |what: &str, who: &str| Some(format!("{what} is in use by {who}; stop the desktop that holds it first"));
    match action {
        Action::Write { path, content } => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let device = match path.rsplit('/').next()? {
                "unbind" => format!("{DEVICES}/{}", content.trim()),
                "remove" => folder.to_owned(),
                "current_vgpu_type" => folder.rsplit_once('/').map_or("", |(device, _)| device).to_owned(),
                "sriov_numvfs" => {
                    let (what, who) = Usage::read(sysfs).below(sysfs, folder)?;
                    return held(&what, &who);
                }
                _ => return None,
            };
            let usage = Usage::read(sysfs);
            if let Some(who) = usage.device(sysfs, &device) {
                return held(device.rsplit('/').next().unwrap_or_default(), &who);
            }
            if path.ends_with("/unbind") {
                let (what, who) = usage.below(sysfs, &device)?;
                return held(&what, &who);
            }
            None
        }
        Action::Run { argv } if argv.iter().map(String::as_str).eq(["modprobe", "-r", "gim"]) => {
            let usage = Usage::read(sysfs);
            let cards = sysfs.list("/sys/bus/pci/drivers/gim").unwrap_or_default();
            let (what, who) = cards.iter().find_map(|card| usage.below(sysfs, &format!("{DEVICES}/{card}")))?;
            held(&what, &who)
        }
        Action::Run { argv } => {
            let address = argv.iter().find(|word| word.contains(':') && word.contains('.'))?;
            let takes = argv
                .iter()
                .any(|word| matches!(word.as_str(), "-d" | "-e" | "-mig" | "-dci" | "-dgi" | "-shm" | "--gpu-reset"));
            if !takes {
                return None;
            }
            let (what, who) = Usage::read(sysfs).below(sysfs, &format!("{DEVICES}/{address}"))?;
            held(&what, &who)
        }
        Action::Wait { .. } | Action::Save { .. } => None,
    }
}
