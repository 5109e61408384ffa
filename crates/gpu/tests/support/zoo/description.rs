//! What a description may say.

use serde::Deserialize;
use std::collections::BTreeMap;

/// One host. `source` fields are for readers: where the fact beside them was seen, or that it is assumed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// One line for people.
    pub title: String,
    pub host: Host,
    /// Boards and chipsets in `descriptions/platforms` whose functions are there too.
    #[serde(default)]
    pub platforms: Vec<String>,
    /// PCI functions in any order.
    #[serde(default)]
    pub pci: Vec<Pci>,
    pub nvidia: Option<Nvidia>,
    /// Files whose presence matters and whose content does not: firmware, device nodes.
    #[serde(default)]
    pub present: Vec<String>,
    /// Firmware files below `/lib/firmware`.
    #[serde(default)]
    pub firmware: Vec<String>,
    pub qemu: Option<Qemu>,
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// What a command prints, by its words joined with spaces; `@name` is the list of that name in `descriptions/lists`.
    #[serde(default)]
    pub commands: BTreeMap<String, String>,
    #[expect(dead_code, reason = "for readers of the description")]
    pub source: Option<String>,
}

/// Functions that several hosts have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    pub pci: Vec<Pci>,
    #[expect(dead_code, reason = "for readers of the description")]
    pub source: String,
}

/// The host's QEMU, as its help says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qemu {
    pub version: String,
    /// Of `-display help`.
    pub displays: Vec<String>,
    /// Of `-device help`: the graphics devices.
    pub devices: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    pub name: String,
    /// Who sells it, and as what.
    #[serde(default)]
    pub machine: Vec<String>,
    /// `uname -r`.
    pub kernel: String,
    pub distribution: Distribution,
    pub cmdline: String,
    /// `x86_64` unless said.
    #[serde(default = "x86_64")]
    pub arch: String,
    /// Model name; its maker follows from it on x86.
    #[serde(default)]
    pub cpu: String,
    pub cpus: u32,
    pub physical_bits: Option<u32>,
    pub memory_gib: u64,
    #[serde(default = "one")]
    pub nodes: u32,
    pub iommu: Iommu,
    /// Width of what it translates.
    pub iommu_bits: Option<u32>,
    #[serde(default = "yes")]
    pub interrupt_remapping: bool,
    #[serde(default = "yes")]
    pub uefi: bool,
    /// 2 MiB pages set aside.
    #[serde(default)]
    pub hugepages: u64,
    /// Modules that are loaded.
    #[serde(default)]
    pub modules: Vec<String>,
    /// Modules that could be loaded: what distributions' kernels have of those that matter here, unless said.
    #[serde(default = "installed")]
    pub installed: Vec<String>,
    /// `kvm.ignore_msrs` = `N`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    #[expect(dead_code, reason = "for readers of the description")]
    pub source: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    pub id: String,
    pub version: String,
    pub codename: Option<String>,
    pub pretty: String,
}

/// Whose IOMMU, and whether it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Iommu {
    Intel,
    Amd,
    Smmu,
    /// Firmware describes an Intel one; the kernel does not use it.
    IntelOff,
    /// Firmware describes none: the machine has none, or it is off in its set-up.
    None,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pci {
    /// Addresses of functions that are alike, `03:00.0` or with a domain.
    pub at: Vec<String>,
    /// `10de:13f2`.
    pub id: String,
    pub sub: Option<String>,
    pub rev: Option<String>,
    /// Six digits.
    pub class: String,
    pub driver: Option<String>,
    /// Of bridges: the bus behind it, one per address.
    #[serde(default)]
    pub bus: Vec<String>,
    /// Isolated from its siblings and what lies behind it by Access Control Services. Bridges: yes unless said; others: no.
    pub acs: Option<bool>,
    /// Behind it lies conventional PCI: what is there shares one requester id.
    #[serde(default)]
    pub conventional: bool,
    /// `0:16M 1:256M:64p 5:128:io rom:512K`: number, size, kind (`64p` is 64-bit prefetchable, `32` when nothing is said).
    #[serde(default)]
    pub bars: String,
    /// The boot VGA's ROM is the copy in low memory.
    #[serde(default)]
    pub rom_shadowed: bool,
    /// Resizable BARs: number to the bitmap that `resourceN_resize` shows (bit 0 is 1 MiB).
    #[serde(default)]
    pub resizable: BTreeMap<String, String>,
    #[serde(default)]
    pub boot_vga: bool,
    /// `reset_method`; absent when there is none.
    pub reset: Option<String>,
    pub numa: Option<i32>,
    /// Behind the IOMMU; Debian's kernel leaves the integrated GPU out unless it is told.
    #[serde(default = "yes")]
    pub translated: bool,
    pub sriov: Option<Sriov>,
    pub mdev: Option<Mdev>,
    /// Card number, render number, and connectors.
    #[serde(default)]
    pub drm: Vec<Drm>,
    /// What `nvidia-smi -q` says of it.
    pub smi: Option<Smi>,
    /// Other attributes below its folder.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    pub source: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drm {
    pub card: u32,
    pub render: Option<u32>,
    #[serde(default)]
    pub connectors: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sriov {
    pub total: u32,
    /// Enabled now.
    #[serde(default)]
    pub enabled: u32,
    pub offset: u32,
    pub stride: u32,
    /// Device id of the functions.
    pub device: String,
    pub driver: Option<String>,
    #[serde(default)]
    pub bars: String,
    /// A profile table: the functions are vGPUs through NVIDIA's vendor VFIO.
    pub vendor_vfio: Option<String>,
    /// A profile table: the functions are parents of mediated devices.
    pub mdev: Option<String>,
    /// The GPU is cut into so many MIG instances, all alike: what is backed by MIG lies on them.
    #[serde(default)]
    pub mig_instances: u32,
    /// Vendor VFIO: several sizes on one GPU.
    #[serde(default)]
    pub mixed_size: bool,
    /// What is there now.
    #[serde(default)]
    pub created: Vec<Created>,
    #[expect(dead_code, reason = "for readers of the description")]
    pub source: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mdev {
    /// A profile table in `descriptions/profiles`.
    pub table: String,
    #[serde(default)]
    pub created: Vec<Created>,
}

/// A slice that exists.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// The profile's short name, `2Q`.
    pub profile: String,
    /// Which of the alike GPUs, from 0.
    #[serde(default)]
    pub gpu: usize,
    /// Which virtual function, from 0.
    #[serde(default)]
    pub vf: u32,
    pub uuid: Option<String>,
    /// Vendor VFIO with several sizes: where it lies.
    pub placement: Option<u32>,
}

/// A row of `nvidia-smi -q`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smi {
    pub product: String,
    pub brand: String,
    pub architecture: String,
    pub memory_mib: u64,
    /// `Non SR-IOV`, `SR-IOV`; none when it makes no vGPUs.
    pub host_vgpu: Option<String>,
    /// `Supported`, `Not Supported`: several sizes on one GPU.
    pub heterogeneous_sizes: Option<String>,
    /// `Enabled`, `Disabled`.
    pub heterogeneous_mode: Option<String>,
    /// `Enabled`, `Disabled`; N/A when it has none.
    pub mig: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nvidia {
    /// The driver's version.
    pub driver: String,
    /// It is the host driver of vGPU: `sriov-manage`, `nvidia-vgpud` and `vgpuConfig.xml` are there.
    #[serde(default)]
    pub vgpu_host: bool,
    /// Built as NVIDIA's open modules.
    #[serde(default)]
    pub open: bool,
    #[expect(dead_code, reason = "for readers of the description")]
    pub source: Option<String>,
}

fn x86_64() -> String {
    "x86_64".to_owned()
}

fn installed() -> Vec<String> {
    let names = [
        "arch/x86/kvm/kvm",
        "arch/x86/kvm/kvm-amd",
        "arch/x86/kvm/kvm-intel",
        "drivers/gpu/drm/amd/amdgpu/amdgpu",
        "drivers/gpu/drm/ast/ast",
        "drivers/gpu/drm/i915/i915",
        "drivers/gpu/drm/i915/kvmgt",
        "drivers/gpu/drm/nouveau/nouveau",
        "drivers/pci/pci-pf-stub",
        "drivers/vfio/mdev/mdev",
        "drivers/vfio/pci/vfio-pci",
        "drivers/vfio/pci/vfio-pci-core",
        "drivers/vfio/vfio",
        "drivers/vfio/vfio_iommu_type1",
    ];
    names.map(str::to_owned).to_vec()
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}
