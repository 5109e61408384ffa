//! A plan: what will be done, in order, and what undoes each step.

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
    pub steps: Vec<Step>,
    /// What will stop working, one sentence each: the console on this card, CUDA on the host…
    pub stops: Vec<String>,
    pub needs_reboot: bool,
    /// Desktops hold units of it: these must go first.
    pub needs_drain: bool,
    pub refused: Vec<Refusal>,
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
    /// Until a path is there (`gone`: is no more), at most so many milliseconds.
    Wait { path: String, gone: bool, limit_ms: u64 },
}
