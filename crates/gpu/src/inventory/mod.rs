//! What a host has: its GPUs, and of the host itself what decides over them.

mod gpu;
mod host;
mod modes;

pub use gpu::{Bar, BarKind, Blocker, Firmware, Function, Gpu, IommuGroup, ResizableBar, Slice, SliceKind};
pub use host::{Distribution, Host, Iommu};
pub use modes::{Modes, Profile, Regime, Shared, Vf, Vgpu, VgpuInterface, Whole};

use crate::{GpuError, Sysfs};
use oriel_model::GpuAddress;
use serde::{Deserialize, Serialize};

/// A host and its GPUs, as `oriel gpu list --json` prints them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    pub host: Host,
    /// By address.
    pub gpus: Vec<Gpu>,
}

impl Inventory {
    /// The GPU of that address, or an error that names those there are. A function of its slot will do as well.
    pub fn gpu(&self, address: &GpuAddress) -> Result<&Gpu, GpuError> {
        let of_slot = |gpu: &&Gpu| match (gpu.address.pci(), address.pci()) {
            (Some(one), Some(other)) => {
                one.same_slot(other) && gpu.functions.iter().any(|function| function.address == other)
            }
            _ => false,
        };
        self.gpus.iter().find(|gpu| gpu.address == *address).or_else(|| self.gpus.iter().find(of_slot)).ok_or_else(
            || {
                let known: Vec<String> = self.gpus.iter().map(|gpu| gpu.address.to_string()).collect();
                GpuError::NoSuchGpu {
                    address: address.clone(),
                    host: self.host.name.clone(),
                    known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
                }
            },
        )
    }
}

/// PCI classes that are GPUs, as prefixes of the six hexadecimal digits: display controllers and processing accelerators.
pub const CLASSES: &[&str] = &["03", "12"];

/// Which controllers count as GPUs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Prefixes of PCI class codes, [`CLASSES`] unless a lab asks for more.
    pub classes: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { classes: CLASSES.iter().map(|class| (*class).to_owned()).collect() }
    }
}

/// Reads a host. What is absent or unreadable is left out: a strange host is described, never refused.
pub fn inventory(sysfs: &dyn Sysfs, options: &Options) -> Result<Inventory, GpuError> {
    let _ = options;
    Ok(Inventory { host: Host::read(sysfs), gpus: Vec::new() })
}
