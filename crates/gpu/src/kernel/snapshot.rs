//! The files of a host that the model knows rules for, copied: what `examples/conformance.rs` starts from.

use super::{DEVICES, DRIVERS, GROUPS};
use crate::sysfs::{Sysfs, Tree};

/// Attributes of PCI devices that are copied.
const ATTRIBUTES: &[&str] = &[
    "vendor",
    "device",
    "class",
    "revision",
    "subsystem_vendor",
    "subsystem_device",
    "driver_override",
    "numa_node",
    "boot_vga",
    "resource",
    "modalias",
    "sriov_totalvfs",
    "sriov_numvfs",
    "sriov_drivers_autoprobe",
    "sriov_offset",
    "sriov_stride",
    "sriov_vf_device",
];

/// PCI devices, drivers, groups, and parents of mediated devices.
pub fn snapshot(sysfs: &dyn Sysfs) -> Tree {
    let mut tree = Tree::new();
    for driver in sysfs.list(DRIVERS).unwrap_or_default() {
        tree.folder(&format!("{DRIVERS}/{driver}"));
    }
    for address in sysfs.list(DEVICES).unwrap_or_default() {
        let link = format!("{DEVICES}/{address}");
        let Ok(real) = sysfs.real_path(&link) else { continue };
        tree.folder(&real).link_to(&link, real.clone());
        for name in ATTRIBUTES {
            if let Ok(content) = sysfs.read(&format!("{real}/{name}")) {
                tree.file(&format!("{real}/{name}"), content);
            }
        }
        if let Some(driver) = sysfs.link_name(&format!("{real}/driver")) {
            tree.link_to(&format!("{real}/driver"), format!("{DRIVERS}/{driver}"));
        }
        if let Some(group) = sysfs.link_name(&format!("{real}/iommu_group")) {
            tree.link_to(&format!("{real}/iommu_group"), format!("{GROUPS}/{group}"));
            tree.link_to(&format!("{GROUPS}/{group}/devices/{address}"), real.clone());
        }
        for name in sysfs.list(&real).unwrap_or_default() {
            let path = format!("{real}/{name}");
            if (name == "physfn" || name.starts_with("virtfn"))
                && let Ok(target) = sysfs.real_path(&path)
            {
                tree.link_to(&path, target);
            }
        }
    }
    for name in sysfs.list("/sys/class/mdev_bus").unwrap_or_default() {
        let link = format!("/sys/class/mdev_bus/{name}");
        let Ok(real) = sysfs.real_path(&link) else { continue };
        tree.link_to(&link, real.clone());
        let folder = format!("{real}/mdev_supported_types");
        for kind in sysfs.list(&folder).unwrap_or_default() {
            for file in ["name", "description", "device_api", "available_instances"] {
                if let Ok(content) = sysfs.read(&format!("{folder}/{kind}/{file}")) {
                    tree.file(&format!("{folder}/{kind}/{file}"), content);
                }
            }
        }
    }
    tree
}
