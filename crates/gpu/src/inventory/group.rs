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
    let reason = match other_gpu(member, gpus) {
        Some(other) => format!(
            "{kind} {member} belongs to another GPU ({other}) and `{driver}` holds it; the bridge above both has no ACS, so both GPUs \
             can only be given away together"
        ),
        None => format!(
            "{kind} {member} ({}) is held for the host by `{driver}`, and VFIO takes a group only whole",
            function.name
        ),
    };
    Some(Blocker { address: member, driver: Some(driver), class: function.class, name: function.name, reason })
}

/// The GPU, if any, to whose slot a function belongs.
fn other_gpu(member: PciAddress, gpus: &[PciAddress]) -> Option<PciAddress> {
    gpus.iter().copied().find(|gpu| gpu.same_slot(member))
}

/// Why a group cannot go to VFIO: one sentence for each other GPU in it, one for all the rest.
pub(crate) fn reasons(group: &IommuGroup, gpus: &[PciAddress]) -> Vec<String> {
    let mut by_gpu: BTreeMap<PciAddress, Vec<String>> = BTreeMap::new();
    let mut rest = Vec::new();
    for blocker in &group.blockers {
        let driver = blocker.driver.as_deref().unwrap_or("nothing");
        let words = format!("{} {} (`{driver}`)", names::class(&blocker.class), blocker.address);
        match other_gpu(blocker.address, gpus) {
            Some(gpu) => by_gpu.entry(gpu).or_default().push(words),
            None => rest.push(words),
        }
    }
    let mut reasons: Vec<String> = by_gpu
        .iter()
        .map(|(gpu, held)| {
            format!(
                "its IOMMU group {} has another GPU in it, {gpu}, and the host uses that: {}; both can only be given away together, \
                 since the bridge above them has no ACS; another slot may part them",
                group.id,
                held.join(", ")
            )
        })
        .collect();
    if !rest.is_empty() {
        reasons.push(format!(
            "its IOMMU group {} has devices in it that the host uses: {}; VFIO takes a group only whole: move the card to a slot of \
             another root port, or do without them on the host",
            group.id,
            rest.join(", ")
        ));
    }
    reasons
}
