//! What exists and nobody claims: a desktop was deleted while its host was away, or a program died between two steps.

use crate::{
    Inventory, Sysfs,
    inventory::SliceKind,
    mode::{Owner, carved, owner},
};
use oriel_model::{GpuAddress, GpuHold, GpuMode, GpuUnit};
use uuid::Uuid;

/// A slice that can be taken back with [`super::release`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub hold: GpuHold,
    /// A process holds it: it cannot be taken back yet.
    pub in_use: bool,
}

/// Slices that were made for desktops and that no claim names. Mediated devices carry our mark; NVIDIA's own VFIO has no room for
/// one, so of the cards in `ours` (those that Oriel hands out, and that no mode has carved) every vGPU counts.
pub fn leftovers(sysfs: &dyn Sysfs, inventory: &Inventory, claimed: &[GpuHold], ours: &[GpuAddress]) -> Vec<Leftover> {
    let mut all = Vec::new();
    for gpu in &inventory.gpus {
        for slice in &gpu.slices {
            let unit = match slice.kind {
                SliceKind::Mdev => {
                    let Ok(uuid) = slice.name.parse::<Uuid>() else { continue };
                    let known =
                        |hold: &GpuHold| matches!(&hold.unit, GpuUnit::Mdev { uuid: other, .. } if *other == uuid);
                    if owner(uuid) != Some(Owner::Desktop) || claimed.iter().any(known) {
                        continue;
                    }
                    let parent = slice.parent.map_or_else(|| gpu.address.clone(), GpuAddress::Pci);
                    let type_id =
                        sysfs.link_name(&format!("{}/{uuid}/mdev_type", crate::mode::MDEVS)).unwrap_or_default();
                    GpuUnit::Mdev { uuid, parent, type_id }
                }
                SliceKind::VendorVf => {
                    let Ok(address) = slice.name.parse() else { continue };
                    let known = |hold: &GpuHold| matches!(&hold.unit, GpuUnit::VendorVf { address: other, .. } if *other == address);
                    if !ours.contains(&gpu.address) || claimed.iter().any(known) {
                        continue;
                    }
                    let type_id = sysfs.number(&carved::vendor_file(address)).unwrap_or(0) as u32;
                    GpuUnit::VendorVf { address, type_id }
                }
                SliceKind::Vf | SliceKind::MigInstance => continue,
            };
            let hold = GpuHold {
                gpu: gpu.address.clone(),
                mode: GpuMode::Vgpu,
                profile: slice.profile.clone(),
                slots: Vec::new(),
                unit,
            };
            all.push(Leftover { hold, in_use: slice.in_use });
        }
    }
    all
}
