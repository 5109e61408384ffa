//! The host around its GPUs.

use crate::Sysfs;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its host name.
    pub name: String,
    /// `uname -r`, for example `6.1.0-56-amd64`.
    pub kernel: String,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    pub distribution: Distribution,
    /// `/proc/cmdline`, without what looks like a secret.
    pub command_line: String,
    /// `GenuineIntel`, `AuthenticAMD`; empty on others.
    pub cpu_vendor: String,
    pub cpu_model: String,
    pub cpus: u32,
    /// Physical address width of the processor in bits; 0 when unknown.
    pub physical_bits: u32,
    pub memory_mib: u64,
    pub numa_nodes: u32,
    /// Started by UEFI (`/sys/firmware/efi`).
    pub uefi: bool,
    pub iommu: Iommu,
}

/// `/etc/os-release`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// `debian`, `ubuntu`.
    pub id: String,
    /// `12`, `24.04`; empty on rolling ones.
    pub version: String,
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub pretty: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Iommu {
    /// Anything in `/sys/class/iommu`: it is on.
    pub present: bool,
    /// Names in `/sys/class/iommu`: `dmar0`, `ivhd0`, `smmu3.0x…`.
    pub units: Vec<String>,
    /// Firmware describes one (`/sys/firmware/acpi/tables/DMAR` or `IVRS`, `IORT`), be it on or not.
    pub in_firmware: bool,
    /// `None` when it cannot be told.
    pub interrupt_remapping: Option<bool>,
    /// Width of the addresses it translates, in bits; smallest over the units.
    pub address_bits: Option<u32>,
}

impl Host {
    pub fn read(sysfs: &dyn Sysfs) -> Self {
        Self { name: sysfs.text("/proc/sys/kernel/hostname").unwrap_or_default(), ..Self::default() }
    }
}
