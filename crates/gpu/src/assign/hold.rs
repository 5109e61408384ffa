//! Which unit of a GPU a desktop gets, once it is decided that it gets one of this GPU.

use super::AssignError;
use crate::{
    Inventory,
    inventory::{Gpu, Profile, SliceKind, VgpuInterface},
    mode::desktop_slice,
};
use oriel_model::{DesktopId, GpuAddress, GpuHold, GpuMode, GpuUnit, PciAddress};

/// What placement has decided.
#[derive(Clone, Debug)]
pub struct Wish {
    pub mode: GpuMode,
    /// The profile's key, for `vgpu`.
    pub profile: Option<String>,
    /// The card's slots that it takes.
    pub slots: Vec<u8>,
    pub desktop: DesktopId,
    /// Which of the desktop's units this is, counted from 0.
    pub ordinal: u32,
}

/// Names the unit. Changes nothing; the same question has the same answer while `taken`, what is claimed already on this host,
/// is the same.
///
/// # Errors
/// The card does not offer it, or every virtual function is taken.
pub fn hold(inventory: &Inventory, gpu: &Gpu, wish: &Wish, taken: &[GpuHold]) -> Result<GpuHold, AssignError> {
    let gpu = inventory.gpus.iter().find(|one| one.address == gpu.address).unwrap_or(gpu);
    let not_ready = |why: String| AssignError::NotReady { gpu: gpu.address.clone(), mode: wish.mode, why };
    let unit = match wish.mode {
        GpuMode::Whole => GpuUnit::Whole { functions: gpu.functions.iter().map(|function| function.address).collect() },
        GpuMode::Shared => {
            let node = gpu.modes.shared.render_node.clone();
            GpuUnit::Shared { render_node: node.ok_or_else(|| not_ready("it has no render node".to_owned()))? }
        }
        GpuMode::Vf => GpuUnit::Vf { address: free_function(gpu, wish, taken)? },
        GpuMode::Vgpu => vgpu(gpu, wish, taken)?,
        GpuMode::Host => return Err(not_ready("the host keeps it for itself".to_owned())),
    };
    Ok(GpuHold {
        gpu: gpu.address.clone(),
        mode: wish.mode,
        profile: wish.profile.clone(),
        slots: wish.slots.clone(),
        unit,
    })
}

fn vgpu(gpu: &Gpu, wish: &Wish, taken: &[GpuHold]) -> Result<GpuUnit, AssignError> {
    let not_ready = |why: String| AssignError::NotReady { gpu: gpu.address.clone(), mode: wish.mode, why };
    let key = wish.profile.as_deref().unwrap_or_default();
    let profile: &Profile = gpu.profile(key).ok_or_else(|| not_ready(format!("it has no profile `{key}`")))?;
    let uuid = desktop_slice(wish.desktop.0, wish.ordinal);
    // What was made before stays where it is.
    let made = gpu.slices.iter().find(|slice| slice.kind == SliceKind::Mdev && slice.name == uuid.to_string());
    if let Some(slice) = made {
        let parent = slice.parent.map_or_else(|| gpu.address.clone(), GpuAddress::Pci);
        return Ok(GpuUnit::Mdev { uuid, parent, type_id: profile.id.clone() });
    }
    match gpu.modes.vgpu.interface {
        Some(VgpuInterface::MdevOnVf) => {
            let parent = GpuAddress::Pci(free_function(gpu, wish, taken)?);
            Ok(GpuUnit::Mdev { uuid, parent, type_id: profile.id.clone() })
        }
        Some(VgpuInterface::VendorVf) => {
            let number = profile.id.parse();
            let type_id = number.map_err(|_| not_ready(format!("the driver's number of `{key}` is not known now")))?;
            Ok(GpuUnit::VendorVf { address: free_function(gpu, wish, taken)?, type_id })
        }
        _ => Ok(GpuUnit::Mdev { uuid, parent: gpu.address.clone(), type_id: profile.id.clone() }),
    }
}

/// The first virtual function of the card that nobody claims and nothing is on.
fn free_function(gpu: &Gpu, wish: &Wish, taken: &[GpuHold]) -> Result<PciAddress, AssignError> {
    let functions = &gpu.modes.vf.functions;
    let claimed = |address: PciAddress| {
        taken.iter().any(|hold| match &hold.unit {
            GpuUnit::Mdev { parent, .. } => parent.pci() == Some(address),
            GpuUnit::VendorVf { address: other, .. } | GpuUnit::Vf { address: other } => *other == address,
            GpuUnit::Whole { .. } | GpuUnit::Shared { .. } => false,
        })
    };
    let occupied = |address: PciAddress| {
        gpu.slices.iter().any(|slice| match slice.kind {
            SliceKind::Mdev => slice.parent == Some(address),
            SliceKind::VendorVf => slice.name == address.to_string(),
            SliceKind::Vf => slice.in_use && slice.name == address.to_string(),
            SliceKind::MigInstance => false,
        })
    };
    let free = functions.iter().copied().find(|address| !claimed(*address) && !occupied(*address));
    free.ok_or_else(|| match functions.len() {
        0 => AssignError::NotReady {
            gpu: gpu.address.clone(),
            mode: wish.mode,
            why: "it has no virtual functions now".to_owned(),
        },
        count => AssignError::NoRoom {
            gpu: gpu.address.clone(),
            what: wish.profile.as_deref().unwrap_or("a virtual function").to_owned(),
            why: format!("all {count} virtual functions are taken"),
        },
    })
}
