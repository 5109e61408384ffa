//! Drivers and devices (`drivers/base/{bus,dd}.c`, `drivers/pci/pci-driver.c`), groups and who owns their DMA (`drivers/iommu/iommu.c`).

use super::{
    DEVICES, DRIVERS, GROUPS, State,
    errno::{EBUSY, EEXIST, EINVAL, ENODEV, EPERM},
    error, name_of, parent_of,
};
use crate::sysfs::{Node, Sysfs};
use std::io;

/// Who holds an open group in `/proc`.
const HOLDER: &str = "/proc/424242";

/// What drivers make below a device and take away with them.
const OF_DRIVERS: &[&str] = &["drm", "mdev_supported_types", "nvidia", "hwmon", "graphics"];

/// VFIO's own drivers and their variants.
pub(super) fn is_vfio(driver: &str) -> bool {
    driver.starts_with("vfio-pci") || driver.ends_with("vfio-pci") || driver.ends_with("vfio_pci")
}

/// Drivers that leave a group's DMA to others (`driver_managed_dma`).
fn leaves_dma(driver: &str) -> bool {
    is_vfio(driver) || matches!(driver, "pci-stub" | "pcieport" | "vfio_mdev" | "nvidia-vgpu-vfio")
}

impl State {
    fn matches(&self, driver: &str, device: &str) -> bool {
        let wanted = self.text(&format!("{device}/driver_override"));
        if !wanted.is_empty() && wanted != "(null)" {
            return wanted == driver;
        }
        let ids = self.ids(device);
        self.native.get(&ids).is_some_and(|native| native == driver)
            || self.dynamic.contains(&(driver.to_owned(), ids.0, ids.1))
    }

    /// `drivers_probe`: whoever matches takes it; nobody is no error.
    pub(super) fn probe(&mut self, address: &str) -> io::Result<()> {
        let device = self.device_or(address)?;
        if self.driver(&device).is_some() {
            return Ok(());
        }
        let drivers = self.tree.list(DRIVERS).unwrap_or_default();
        if let Some(driver) = drivers.into_iter().find(|driver| self.matches(driver, &device)) {
            // A probe that fails leaves the device without a driver; the write succeeds all the same.
            self.attach(&driver, &device).ok();
        }
        Ok(())
    }

    pub(super) fn bind(&mut self, driver: &str, address: &str) -> io::Result<()> {
        let device = self.device_or(address)?;
        if !self.matches(driver, &device) {
            return Err(error(ENODEV));
        }
        if self.driver(&device).is_some() {
            return Err(error(EBUSY));
        }
        self.attach(driver, &device)
    }

    pub(super) fn attach(&mut self, driver: &str, device: &str) -> io::Result<()> {
        let group = self.group(device);
        if is_vfio(driver) && group.is_none() {
            return Err(error(EINVAL));
        }
        if !leaves_dma(driver) && group.is_some_and(|group| self.open.contains(&group)) {
            return Err(error(EBUSY));
        }
        let address = name_of(device).to_owned();
        self.tree.link_to(&format!("{device}/driver"), format!("{DRIVERS}/{driver}"));
        self.tree.link_to(&format!("{DRIVERS}/{driver}/{address}"), device.to_owned());
        if is_vfio(driver) {
            self.vfio_node(device);
        } else {
            for (path, node) in self.stash.remove(&address).unwrap_or_default() {
                self.tree.put(&path, node);
            }
        }
        self.nvidia_bound(driver, &address);
        Ok(())
    }

    pub(super) fn unbind(&mut self, driver: &str, address: &str) -> io::Result<()> {
        let device = self.device_or(address)?;
        if self.driver(&device).as_deref() != Some(driver) {
            return Err(error(ENODEV));
        }
        self.detach(&device);
        Ok(())
    }

    /// Takes a device from its driver, with all that the driver made.
    pub(super) fn detach(&mut self, device: &str) {
        let Some(driver) = self.driver(device) else { return };
        let address = name_of(device).to_owned();
        if is_vfio(&driver) {
            self.must_be_idle(device, "unbinding");
        }
        self.may_leave_nvidia(&driver, &address);
        self.remove_functions(device);
        self.remove_mdevs_below(device);
        if !is_vfio(&driver) {
            self.put_away(device, &address);
        }
        self.tree.remove(&format!("{device}/driver"));
        self.tree.remove(&format!("{DRIVERS}/{driver}/{address}"));
        self.drop_vfio_node(device);
    }

    fn put_away(&mut self, device: &str, address: &str) {
        let mut taken: Vec<(String, Node)> = Vec::new();
        let mut roots: Vec<String> = OF_DRIVERS.iter().map(|name| format!("{device}/{name}")).collect();
        let made = roots.clone();
        roots.push(format!("/sys/class/mdev_bus/{address}"));
        for (path, node) in self.tree.nodes() {
            let points_into = match node {
                Node::Link(_) if path.starts_with("/sys/class/drm/") || path.starts_with("/dev/dri/by-path/") => self
                    .tree
                    .real_path(path)
                    .is_ok_and(|real| made.iter().any(|root| real.starts_with(&format!("{root}/")))),
                _ => false,
            };
            if points_into || roots.iter().any(|root| path == root || path.starts_with(&format!("{root}/"))) {
                taken.push((path.to_owned(), node.clone()));
            }
        }
        for (path, _) in &taken {
            self.tree.remove(path);
        }
        self.stash.insert(address.to_owned(), taken);
    }

    /// `new_id`: every device of those ids that no driver has is taken at once, which is why nobody should use it.
    pub(super) fn new_id(&mut self, driver: &str, word: &str) -> io::Result<()> {
        let mut words = word.split_whitespace().map(|id| format!("0x{}", id.to_ascii_lowercase()));
        let (Some(vendor), Some(device)) = (words.next(), words.next()) else { return Err(error(EINVAL)) };
        if !self.dynamic.insert((driver.to_owned(), vendor.clone(), device.clone())) {
            return Err(error(EEXIST));
        }
        for address in self.tree.list(DEVICES).unwrap_or_default() {
            let Some(path) = self.device(&address) else { continue };
            let meant = self.ids(&path) == (vendor.clone(), device.clone()) && self.matches(driver, &path);
            // By this driver alone (`driver_attach`), though another may have come first; a probe that fails is no error.
            if meant && self.driver(&path).is_none() {
                self.attach(driver, &path).ok();
            }
        }
        Ok(())
    }

    /// `remove_id`: what is bound stays bound.
    pub(super) fn remove_id(&mut self, driver: &str, word: &str) -> io::Result<()> {
        let mut words = word.split_whitespace().map(|id| format!("0x{}", id.to_ascii_lowercase()));
        let (Some(vendor), Some(device)) = (words.next(), words.next()) else { return Err(error(EINVAL)) };
        if self.dynamic.remove(&(driver.to_owned(), vendor, device)) { Ok(()) } else { Err(error(ENODEV)) }
    }

    /// `/dev/vfio/GROUP`, there while any member is VFIO's.
    pub(super) fn vfio_node(&mut self, device: &str) {
        if let Some(group) = self.group(device) {
            self.tree.file("/dev/vfio/vfio", "");
            self.tree.file(&format!("/dev/vfio/{group}"), "");
        }
    }

    fn drop_vfio_node(&mut self, device: &str) {
        let Some(group) = self.group(device) else { return };
        let held =
            self.members(group).iter().any(|member| self.driver(member).is_some_and(|driver| leaves_dma(&driver)));
        if !held {
            self.tree.remove(&format!("/dev/vfio/{group}"));
        }
    }

    fn members(&self, group: u32) -> Vec<String> {
        let folder = format!("{GROUPS}/{group}/devices");
        let names = self.tree.list(&folder).unwrap_or_default();
        names.iter().filter_map(|name| self.tree.real_path(&format!("{folder}/{name}")).ok()).collect()
    }

    /// A fresh group around one device: the lowest free number, as `ida` gives it.
    pub(super) fn make_group(&mut self, device: &str) -> u32 {
        let mut group = 0_u32;
        while self.tree.exists(&format!("{GROUPS}/{group}")) {
            group += 1;
        }
        self.tree.folder(&format!("{GROUPS}/{group}/devices"));
        self.tree.link_to(&format!("{GROUPS}/{group}/devices/{}", name_of(device)), device.to_owned());
        self.tree.link_to(&format!("{device}/iommu_group"), format!("{GROUPS}/{group}"));
        group
    }

    /// Removes a device from the host with its group.
    pub(super) fn remove_device(&mut self, device: &str) {
        self.must_be_idle(device, "removing");
        self.detach(device);
        let address = name_of(device).to_owned();
        if let Some(group) = self.group(device) {
            self.tree.remove(&format!("{GROUPS}/{group}/devices/{address}"));
            if self.members(group).is_empty() {
                self.tree.remove(&format!("{GROUPS}/{group}"));
                self.tree.remove(&format!("/dev/vfio/{group}"));
            }
        }
        self.stash.remove(&address);
        self.tree.remove(device);
        if parent_of(device) != DEVICES {
            self.tree.remove(&format!("{DEVICES}/{address}"));
        }
    }

    /// A real host would hang here for ever in state D.
    pub(super) fn must_be_idle(&self, device: &str, doing: &str) {
        let held = self.group(device).is_some_and(|group| self.open.contains(&group));
        assert!(!held, "hang: {doing} {device} while a process holds its VFIO group");
    }

    pub(super) fn open_group(&mut self, group: u32) -> io::Result<()> {
        if self.tree.node(&format!("/dev/vfio/{group}")).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let drivers: Vec<String> = self.members(group).iter().filter_map(|member| self.driver(member)).collect();
        if drivers.iter().any(|driver| !leaves_dma(driver)) {
            return Err(error(EPERM));
        }
        if !self.open.insert(group) {
            return Err(error(EBUSY));
        }
        self.tree.file(&format!("{HOLDER}/comm"), "qemu-system-x86\n");
        self.tree.link_to(&format!("{HOLDER}/fd/{}", 100 + group), format!("/dev/vfio/{group}"));
        Ok(())
    }

    pub(super) fn close_group(&mut self, group: u32) {
        self.open.remove(&group);
        self.tree.remove(&format!("{HOLDER}/fd/{}", 100 + group));
        if self.open.is_empty() {
            self.tree.remove(HOLDER);
        }
    }
}
