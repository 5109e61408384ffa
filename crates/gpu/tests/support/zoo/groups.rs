//! IOMMU groups by the kernel's rules (`pci_device_group` in `drivers/iommu/iommu.c`): a function joins the group of the first
//! bridge above it from which the way up is not isolated, and of its siblings in the slot when it is not isolated from them.

use super::pci::{Function, Machine};
use std::collections::BTreeMap;

/// Each function's group, by its place in the machine.
pub fn of(machine: &Machine) -> BTreeMap<usize, u32> {
    let mut groups = BTreeMap::new();
    let mut next = 0;
    for (index, function) in machine.functions.iter().enumerate() {
        let group = joined(machine, index, function, &groups).unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        groups.insert(index, group);
    }
    groups
}

fn joined(machine: &Machine, index: usize, function: &Function, groups: &BTreeMap<usize, u32>) -> Option<u32> {
    if let Some(parent) = function.parent {
        let mut way_up = Some(parent);
        let mut isolated = true;
        while let Some(bridge) = way_up.map(|at| (at, &machine.functions[at])) {
            isolated &= bridge.1.acs && !bridge.1.conventional;
            way_up = bridge.1.parent;
        }
        if !isolated {
            return groups.get(&parent).copied();
        }
    }
    if function.acs || function.physical.is_some() {
        return None;
    }
    let sibling = |(other, one): &(usize, &Function)| {
        *other < index && one.address.same_slot(function.address) && !one.acs && one.physical.is_none()
    };
    machine.functions.iter().enumerate().find(sibling).and_then(|(other, _)| groups.get(&other).copied())
}
