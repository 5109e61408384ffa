//! One physical GPU and what surrounds it.

use super::{Holder, Modes, Profile};
use oriel_model::{GpuAddress, GpuMode, PciAddress};
use serde::{Deserialize, Serialize};

/// A display, 3D or processing controller (PCI class 03xx, 12xx), graphics on a processor's chip that render, or a parent of mediated
/// devices that is no PCI device. Virtual functions are not GPUs of their own: they are slices of their physical function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    pub address: GpuAddress,
    /// Four hexadecimal digits, `10de`; empty for what is no PCI device.
    pub vendor_id: String,
    pub device_id: String,
    pub subsystem_vendor_id: String,
    pub subsystem_device_id: String,
    /// Two hexadecimal digits.
    pub revision: String,
    /// From the PCI ID database, shortened to what people say: `NVIDIA`, `AMD`, `Intel`.
    pub vendor: String,
    /// `GM204GL [Tesla M60]`.
    pub name: String,
    /// What it is sold as, where the database knows the board: `Tesla M60`.
    #[serde(default)]
    pub board: Option<String>,
    /// Four hexadecimal digits of class and subclass, `0300`.
    pub class: String,
    pub driver: Option<String>,
    /// What only may bind, when somebody said so.
    pub driver_override: Option<String>,
    /// How it is handed out as things stand.
    pub mode: GpuMode,
    pub boot_vga: bool,
    /// `None` when the host has one node or does not say.
    pub numa_node: Option<u32>,
    /// All functions of its slot, its own first.
    pub functions: Vec<Function>,
    /// `None` without an IOMMU.
    pub iommu_group: Option<IommuGroup>,
    pub bars: Vec<Bar>,
    /// Video memory in MiB, as people say it (49152 for an L40S); where only a resizable BAR tells, rounded up to a power of two.
    /// `None` when unknown, and for graphics that borrow the host's memory.
    #[serde(default)]
    pub vram_mib: Option<u64>,
    /// In the order in which the kernel tries them; empty when it cannot be reset.
    pub reset_methods: Vec<String>,
    /// What the card's driver wants of firmware files; empty where unknown.
    pub firmware: Vec<Firmware>,
    pub modes: Modes,
    /// What is carved out of it now.
    pub slices: Vec<Slice>,
    /// Its folder in sysfs where neither the PCI bus nor the class of mediated parents has it; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device_path: String,
    /// Processes that have its device nodes open, as far as the reader may see them: through VFIO the machine that has it, else the
    /// host's own programs (`/dev/dri/…`). NVIDIA's `/dev/nvidia<n>` are left out: their numbers do not say which card.
    #[serde(default)]
    pub holders: Vec<Holder>,
}

impl Gpu {
    /// The profile of that key or id.
    pub fn profile(&self, key: &str) -> Option<&Profile> {
        let profiles = &self.modes.vgpu.profiles;
        profiles.iter().find(|profile| profile.key == key).or_else(|| profiles.iter().find(|profile| profile.id == key))
    }

    /// Its folder in sysfs.
    pub fn path(&self) -> String {
        match &self.address {
            _ if !self.device_path.is_empty() => self.device_path.clone(),
            GpuAddress::Pci(address) => format!("/sys/bus/pci/devices/{address}"),
            GpuAddress::Device(name) => format!("/sys/class/mdev_bus/{name}"),
        }
    }
}

/// One function of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    pub address: PciAddress,
    pub class: String,
    pub vendor_id: String,
    pub device_id: String,
    pub name: String,
    pub driver: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IommuGroup {
    pub id: u32,
    /// All members, bridges too.
    pub members: Vec<PciAddress>,
    /// Nothing outside the GPU's own slot stands in the way of VFIO.
    pub viable: bool,
    pub blockers: Vec<Blocker>,
}

/// A member of the group, not of the GPU's slot, that a host driver holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    pub address: PciAddress,
    pub driver: Option<String>,
    pub class: String,
    pub name: String,
    /// One sentence for people.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// 0 to 5; 6 is the expansion ROM.
    pub index: u8,
    pub kind: BarKind,
    pub prefetchable: bool,
    /// Of any size down to some bytes (I/O ports), which MiB cannot say.
    pub size_bytes: u64,
    /// The same in whole MiB; 0 for less than one.
    #[serde(default)]
    pub size_mib: u64,
    pub resizable: Option<ResizableBar>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarKind {
    Memory32,
    Memory64,
    Io,
    Rom,
}

/// `resourceN_resize` (Linux 6.1 and later).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizableBar {
    pub sizes_mib: Vec<u64>,
}

/// One file, or ordered alternatives of which one is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firmware {
    /// What it is for: `GuC`, `HuC`, `DMC`, or the driver's name.
    pub role: String,
    /// Relative to the firmware folders, best first.
    pub alternatives: Vec<String>,
    /// The first that is there, with its real path.
    pub found: Option<String>,
    pub optional: bool,
    /// The folders of firmware could not be looked into (a capture without them): nothing says whether it is there.
    #[serde(default)]
    pub unknown: bool,
    /// The package that has it on this distribution.
    pub package: Option<String>,
}

/// Something carved out of a GPU that exists now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    pub kind: SliceKind,
    /// A UUID for mediated devices, an address for functions, an id for MIG instances.
    pub name: String,
    /// The profile's key, where it has one.
    pub profile: Option<String>,
    /// The function below which it was made, where that is not the GPU itself.
    pub parent: Option<PciAddress>,
    pub driver: Option<String>,
    pub iommu_group: Option<u32>,
    /// The first of the card's slots that it takes, where that can be told (placement ID, start of a MIG instance).
    #[serde(default)]
    pub placement: Option<u8>,
    /// A process holds it open.
    pub in_use: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SliceKind {
    Mdev,
    /// A virtual function with an NVIDIA vGPU on it.
    VendorVf,
    Vf,
    MigInstance,
}
