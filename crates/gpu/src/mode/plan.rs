//! A plan: what will be done, in order, and what undoes each step.

use super::Wish;
use oriel_model::{GpuAddress, GpuMode};
use serde::{Deserialize, Serialize};

/// From one mode to another. A plan with refusals has no steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub gpu: GpuAddress,
    pub from: GpuMode,
    pub to: GpuMode,
    /// The profile's key, for `vgpu`.
    pub profile: Option<String>,
    /// How many slices or virtual functions there shall be.
    pub count: Option<u32>,
    /// Slices of several sizes beside each other, for `vgpu` on NVIDIA cards that can.
    #[serde(default)]
    pub mixed: bool,
    /// Somebody insisted.
    #[serde(default)]
    pub force: bool,
    /// Vendor and device of the card that it was made for, `10de:13f2`; empty for what is no PCI device.
    #[serde(default)]
    pub card: String,
    pub steps: Vec<Step>,
    /// What will stop working, one sentence each: the console on this card, CUDA on the host…
    pub stops: Vec<String>,
    pub needs_reboot: bool,
    /// Desktops hold units of it: these must go first.
    pub needs_drain: bool,
    pub refused: Vec<Refusal>,
}

impl Plan {
    /// The card is as wished: there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.steps.is_empty() && self.refused.is_empty()
    }

    /// What it fulfils, as it is kept and done again at boot.
    pub fn wish(&self) -> Wish {
        Wish {
            gpu: self.gpu.clone(),
            mode: self.to,
            profile: self.profile.clone(),
            count: self.count,
            mixed: self.mixed,
            force: self.force,
            card: self.card.clone(),
        }
    }
}

/// Why a plan cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable: `in-use`, `dirty-group`, `no-iommu`, `no-such-profile`…
    pub code: String,
    /// What stands in the way, and what to do.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// For people: `bind 0000:41:00.0 to vfio-pci`.
    pub does: String,
    /// The same as a shell would do it.
    pub command: String,
    /// What a shell would do to take it back; `None` when there is nothing to take back.
    pub undo: Option<String>,
    /// What is really done.
    pub action: Action,
    pub undo_action: Option<Action>,
}

/// One change of the host. Arguments are vectors, never shell text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// One write to a file of sysfs or procfs.
    Write { path: String, content: String },
    /// A program of the host: `modprobe`, `nvidia-smi`, `/usr/lib/nvidia/sriov-manage`.
    Run { argv: Vec<String> },
    /// Until a path is there (`gone`: is no more), at most so many milliseconds. A path that ends in `*` is there when any name
    /// begins so.
    Wait { path: String, gone: bool, limit_ms: u64 },
    /// A configuration file as a whole; `None` removes it.
    Save { path: String, content: Option<String> },
}
