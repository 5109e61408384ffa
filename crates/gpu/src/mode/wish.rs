//! What somebody wants a GPU to be.

use oriel_model::{GpuAddress, GpuMode};
use serde::{Deserialize, Serialize};

/// A GPU and the mode that it shall be in. Kept in `modes.json`, and fulfilled again after every boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    pub gpu: GpuAddress,
    pub mode: GpuMode,
    /// The profile's key, for `vgpu`. Without a count it is only checked: desktops get their slices when they start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Slices to carve now, or virtual functions to make (all there are when not said).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Slices of several sizes beside each other.
    #[serde(default)]
    pub mixed: bool,
    /// Also where the host's own console is on the card.
    #[serde(default)]
    pub force: bool,
    /// Vendor and device, `10de:13f2`: another card in the same slot is not meant. Empty: whatever is there.
    #[serde(default)]
    pub card: String,
}

impl Wish {
    pub fn new(gpu: GpuAddress, mode: GpuMode) -> Self {
        Self { gpu, mode, profile: None, count: None, mixed: false, force: false, card: String::new() }
    }

    #[must_use]
    pub fn profile(self, key: &str) -> Self {
        Self { profile: Some(key.to_owned()), ..self }
    }

    #[must_use]
    pub fn count(self, count: u32) -> Self {
        Self { count: Some(count), ..self }
    }
}
