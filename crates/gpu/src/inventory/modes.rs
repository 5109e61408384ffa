//! For each mode of a GPU: whether it can be had, or why not.

use oriel_model::PciAddress;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Modes {
    pub whole: Whole,
    pub vgpu: Vgpu,
    pub vf: Vf,
    pub shared: Shared,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Whole {
    pub available: bool,
    /// Why not, one sentence each; empty when available.
    pub reasons: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vgpu {
    pub available: bool,
    pub reasons: Vec<String>,
    pub interface: Option<VgpuInterface>,
    pub regime: Option<Regime>,
    pub profiles: Vec<Profile>,
    /// The card is coming up, or somebody looked in between: nothing may be concluded from what is missing, and nothing changed.
    #[serde(default)]
    pub incomplete: bool,
}

/// How slices are made on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VgpuInterface {
    /// `mdev_supported_types` on the GPU (NVIDIA up to Turing, GVT-g, the kernel's samples).
    Mdev,
    /// `mdev_supported_types` on its virtual functions (NVIDIA Ampere and later on older kernels).
    MdevOnVf,
    /// `nvidia/current_vgpu_type` on its virtual functions (Linux 6.8 and later).
    VendorVf,
}

/// Which slices may share one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// All of one type (NVIDIA Maxwell to Turing).
    SameType,
    /// All of one framebuffer size (NVIDIA's cards with virtual functions, Ampere and later).
    SameSize,
    /// Any mix that the placement IDs allow.
    MixedSize,
    Mig,
    /// Any mix while there is room (GVT-g, mbochs).
    FreePool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// What people call it and pools ask for: `M60-2Q`, `GVTg_V5_4`, `mbochs-small`.
    pub key: String,
    /// What the host calls it: `nvidia-18`, `557`. Opaque.
    pub id: String,
    pub framebuffer_mib: u64,
    /// On an empty GPU.
    pub max_per_gpu: u32,
    /// How many more could be made now.
    pub free: u32,
    pub heads: u32,
    /// `4096x2160`.
    pub max_resolution: String,
    /// In frames a second; `None` without a limit.
    pub frame_rate_limit: Option<u32>,
    /// The licence edition it needs: `vWS`, `vPC`, `vApps`, `NVAIE`; `None` when it needs none.
    pub license: Option<String>,
    /// Where instances may lie, in slots of the GPU; empty where the regime is a free pool. For same-size an arithmetic
    /// progression, for mixed-size NVIDIA's placement IDs, for MIG the memory slices.
    pub placement_ids: Vec<u8>,
    /// Slots that one instance takes.
    pub placement_size: u8,
    /// Where instances may lie while sizes are mixed, whatever the GPU's regime now; empty where it cannot or nobody knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixed_placement_ids: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vf {
    pub available: bool,
    pub reasons: Vec<String>,
    pub total: u32,
    pub enabled: u32,
    /// The virtual functions that exist, in the order of their numbers; NVIDIA's too, though theirs serve the mode vgpu.
    #[serde(default)]
    pub functions: Vec<PciAddress>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shared {
    pub available: bool,
    pub reasons: Vec<String>,
    /// `/dev/dri/renderD128`.
    pub render_node: Option<String>,
}
