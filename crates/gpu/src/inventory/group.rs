//! IOMMU groups: who is in them, and whether VFIO may have one.
//!
//! A group goes to VFIO as a whole. What counts is *DMA ownership*: a member whose driver maps DMA for the host blocks it; a member
//! without a driver, or with one that leaves DMA to others (`vfio-*`, `pci-stub`, `pcieport` on a bridge) does not
//! (Documentation/driver-api/vfio.rst; `driver_managed_dma` in drivers/pci).

use super::{Blocker, IommuGroup, names, pci::Pci};
use crate::Sysfs;
use oriel_model::PciAddress;
use std::{cell::RefCell, collections::BTreeMap};

/// Where the kernel lists groups.
const GROUPS: &str = "/sys/kernel/iommu_groups";
/// Members of one group that are looked at: a host without ACS may have everything in one.
const MEMBERS_MAX: usize = 1024;

pub(crate) struct Groups<'a> {
    sysfs: &'a dyn Sysfs,
    members: RefCell<BTreeMap<u32, Vec<PciAddress>>>,
}

impl<'a> Groups<'a> {
    pub fn new(sysfs: &'a dyn Sysfs) -> Self {
        Self { sysfs, members: RefCell::default() }
    }

    fn members(&self, id: u32) -> Vec<PciAddress> {
        let read = || {
            let names = self.sysfs.list(&format!("{GROUPS}/{id}/devices")).unwrap_or_default();
            let mut members: Vec<PciAddress> =
                names.iter().take(MEMBERS_MAX).filter_map(|name| name.parse().ok()).collect();
            members.sort_unstable();
            members
        };
        self.members.borrow_mut().entry(id).or_insert_with(read).clone()
    }

    /// The group of a GPU whose functions are `own`; `gpus` are the GPUs of the host, to say when two share a group.
    pub fn of(&self, pci: &Pci, gpu: PciAddress, own: &[PciAddress], gpus: &[PciAddress]) -> Option<IommuGroup> {
        let id = pci.group(gpu)?;
        let mut members = self.members(id);
        if members.is_empty() {
            members.push(gpu);
        }
        let foreign = members
            .iter()
            .copied()
            .filter(|member| !own.contains(member) && !member.same_slot(gpu) && pci.physical_of(*member) != Some(gpu));
        let blockers: Vec<Blocker> = foreign.filter_map(|member| blocker(pci, member, gpus)).collect();
        Some(IommuGroup { id, viable: blockers.is_empty(), members, blockers })
    }
}

fn blocker(pci: &Pci, member: PciAddress, gpus: &[PciAddress]) -> Option<Blocker> {
    let driver = pci.driver(member)?;
    let class = pci.class(member);
    let bridge = class.starts_with("0604");
    if driver == "pci-stub"
        || driver.starts_with("vfio")
        || driver.ends_with("vfio-pci")
        || (bridge && driver == "pcieport")
    {
        return None;
    }
    let function = pci.function(member);
    let kind = names::class(class);
    let other_gpu = gpus.iter().find(|gpu| gpu.same_slot(member));
    let reason = if let Some(other) = other_gpu {
        format!(
            "{kind} {member} of another GPU ({other}) shares the IOMMU group and `{driver}` holds it: the bridge above both has no ACS, \
             so they can only be given away together; another slot may part them"
        )
    } else {
        format!(
            "{kind} {member} ({}) shares the IOMMU group and `{driver}` holds it for the host: VFIO takes a group only whole; \
             move the card to a slot of another root port, or do without that device on the host",
            function.name
        )
    };
    Some(Blocker { address: member, driver: Some(driver), class: function.class, name: function.name, reason })
}
