//! Giving units of GPUs to desktops and taking them back.

use crate::{Inventory, inventory::Gpu};
use oriel_model::{DesktopId, GpuHold, GpuMode};

/// What was decided for one unit of a desktop: a card, a mode, where on the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub mode: GpuMode,
    /// The profile's key, for `vgpu`.
    pub profile: Option<String>,
    /// Slots of the card, ascending; for `vf` the number of the virtual function.
    pub slots: Vec<u8>,
    pub desktop: DesktopId,
    /// Which of the desktop's units, from 0.
    pub ordinal: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    #[error("{gpu} cannot be handed out so: {reason}")]
    Impossible { gpu: String, reason: String },
}

/// The unit in full: which function, which mediated device (its UUID follows from desktop and ordinal). Reads nothing and changes
/// nothing; `taken` are the units that other desktops hold.
pub fn hold(inventory: &Inventory, gpu: &Gpu, wish: &Wish, taken: &[GpuHold]) -> Result<GpuHold, AssignError> {
    let _ = (inventory, taken);
    Err(AssignError::Impossible { gpu: gpu.address.to_string(), reason: format!("{} is not written yet", wish.mode) })
}
