//! The PCI functions of a host: listed once, looked at when somebody asks.

use super::{Function, names};
use crate::Sysfs;
use oriel_model::PciAddress;
use std::collections::BTreeMap;

/// Where the kernel lists all functions.
pub(crate) const DEVICES: &str = "/sys/bus/pci/devices";
/// Most virtual functions of one card that are read; SR-IOV allows more, no GPU has them.
pub(crate) const VFS_MAX: u32 = 256;

/// A function's folder.
pub(crate) fn path(address: PciAddress) -> String {
    format!("{DEVICES}/{address}")
}

pub(crate) struct Pci<'a> {
    sysfs: &'a dyn Sysfs,
    /// Six hexadecimal digits of class code by address.
    classes: BTreeMap<PciAddress, String>,
}

impl<'a> Pci<'a> {
    pub fn read(sysfs: &'a dyn Sysfs) -> Self {
        let names = sysfs.list(DEVICES).unwrap_or_default();
        let class = |address: PciAddress| {
            let text = sysfs.text(&format!("{DEVICES}/{address}/class")).unwrap_or_default();
            text.trim_start_matches("0x").to_lowercase()
        };
        let addresses = names.iter().filter_map(|name| name.parse::<PciAddress>().ok());
        Self { sysfs, classes: addresses.map(|address| (address, class(address))).collect() }
    }

    pub fn addresses(&self) -> impl Iterator<Item = (PciAddress, &str)> {
        self.classes.iter().map(|(address, class)| (*address, class.as_str()))
    }

    /// Six hexadecimal digits; empty when there is no such function.
    pub fn class(&self, address: PciAddress) -> &str {
        self.classes.get(&address).map_or("", String::as_str)
    }

    /// Made by another function through SR-IOV.
    pub fn is_virtual(&self, address: PciAddress) -> bool {
        self.sysfs.link(&format!("{}/physfn", path(address))).is_ok()
    }

    /// The physical function of a virtual one.
    pub fn physical_of(&self, address: PciAddress) -> Option<PciAddress> {
        self.sysfs.link_name(&format!("{}/physfn", path(address)))?.parse().ok()
    }

    /// Hexadecimal digits of an id file without `0x`.
    pub fn id(&self, address: PciAddress, name: &str) -> String {
        let text = self.sysfs.text(&format!("{}/{name}", path(address))).unwrap_or_default();
        text.trim_start_matches("0x").to_lowercase()
    }

    pub fn driver(&self, address: PciAddress) -> Option<String> {
        self.sysfs.link_name(&format!("{}/driver", path(address)))
    }

    pub fn group(&self, address: PciAddress) -> Option<u32> {
        self.sysfs.link_name(&format!("{}/iommu_group", path(address)))?.parse().ok()
    }

    pub fn function(&self, address: PciAddress) -> Function {
        let (vendor_id, device_id) = (self.id(address, "vendor"), self.id(address, "device"));
        let class = self.class(address);
        Function {
            address,
            class: class.get(..4).unwrap_or(class).to_owned(),
            name: names::device(&vendor_id, &device_id, class),
            driver: self.driver(address),
            vendor_id,
            device_id,
        }
    }

    /// The functions of a slot, virtual ones left out, in order.
    pub fn slot(&self, of: PciAddress) -> Vec<PciAddress> {
        let first = PciAddress { function: 0, ..of };
        let last = PciAddress { function: 7, ..of };
        let functions = self.classes.range(first..=last).map(|(address, _)| *address);
        functions.filter(|address| *address == of || !self.is_virtual(*address)).collect()
    }

    /// The virtual functions of a physical one, in the order of their numbers.
    pub fn virtual_functions(&self, of: PciAddress) -> Vec<PciAddress> {
        let folder = path(of);
        (0..VFS_MAX)
            .map_while(|index| self.sysfs.link_name(&format!("{folder}/virtfn{index}")))
            .filter_map(|name| name.parse().ok())
            .collect()
    }
}
