//! From a wish to a plan.

use super::{Plan, Wish, draft::Draft, functions, native, vgpu, whole};
use crate::{GpuError, Inventory, Sysfs};
use oriel_model::GpuMode;

/// What must be done so that a GPU is as wished. Steps are only what differs: a GPU that is as wished has an empty plan. What
/// cannot be is no error but a refusal in the plan; errors are an address that is not there.
///
/// Codes of refusals: `in-use`, `dirty-group`, `no-iommu`, `boot-vga`, `no-pci`, `no-vgpu`, `no-vf`, `no-shared`, `no-such-profile`,
/// `console-chip`, `profile-needed`, `too-many`, `count`, `no-mixed-size`, `no-driver`, `ask-on-host-driver`, `use-vgpu`, `other-card`.
pub fn plan(sysfs: &dyn Sysfs, inventory: &Inventory, wish: &Wish) -> Result<Plan, GpuError> {
    let gpu = inventory.gpu(&wish.gpu)?;
    let mut draft = Draft::new(sysfs, inventory, gpu, wish);
    if !wish.card.is_empty() && wish.card != format!("{}:{}", gpu.vendor_id, gpu.device_id) {
        draft.refuse(
            "other-card",
            format!(
                "the mode was set for a card {} but {} holds {}:{} now; set the mode anew",
                wish.card, gpu.address, gpu.vendor_id, gpu.device_id
            ),
        );
        return Ok(draft.finish(wish.mode));
    }
    if wish.count.is_some() && !matches!(wish.mode, GpuMode::Vgpu | GpuMode::Vf) {
        draft.refuse("count", format!("mode `{}` takes no count; only `vgpu` and `vf` do", wish.mode));
    }
    if wish.count == Some(0) {
        draft.refuse("count", "a count of 0 makes nothing; mode `host` takes everything back");
    }
    if (wish.profile.is_some() || wish.mixed) && wish.mode != GpuMode::Vgpu {
        draft.refuse("count", format!("mode `{}` takes no profile; only `vgpu` does", wish.mode));
    }
    if draft.refused.is_empty() {
        match wish.mode {
            GpuMode::Whole => whole::draft(&mut draft),
            GpuMode::Vgpu => vgpu::draft(&mut draft),
            GpuMode::Vf => functions::draft(&mut draft),
            GpuMode::Shared => native::draft_shared(&mut draft),
            GpuMode::Host => native::draft_host(&mut draft),
        }
    }
    Ok(draft.finish(wish.mode))
}
