//! Which package of a distribution has a firmware file. Sources: packages.debian.org (firmware-nonfree; split in Debian 13),
//! packages.ubuntu.com (linux-firmware), Fedora's linux-firmware.spec (one package per vendor since Fedora 38), Arch Linux'
//! linux-firmware (split in June 2025), openSUSE's kernel-firmware.

use crate::inventory::Distribution;

/// The package with `name` (relative to the firmware folder) for this driver; `None` on a distribution that we do not know.
pub fn package(distribution: &Distribution, kernel: &str, driver: &str, name: &str) -> Option<String> {
    let intel = matches!(driver, "i915" | "xe");
    let vendor = |intel_one: &str, amdgpu: &str, radeon: &str, nvidia: &str| {
        match driver {
            _ if intel => intel_one,
            "amdgpu" => amdgpu,
            "radeon" => radeon,
            _ => nvidia,
        }
        .to_owned()
    };
    let major: u32 = distribution.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    // Proxmox VE calls itself Debian and forbids Debian's packages beside its own.
    if kernel.ends_with("-pve") || distribution.id == "proxmox" {
        return Some("pve-firmware".to_owned());
    }
    // `radeon/…` files serve amdgpu too: the folder tells.
    let driver_folder = name.split('/').next().unwrap_or_default();
    match distribution.id.as_str() {
        // Testing and unstable have no version number.
        "debian" | "devuan" if major >= 13 || major == 0 => Some(vendor(
            "firmware-intel-graphics",
            "firmware-amd-graphics",
            "firmware-amd-graphics",
            "firmware-nvidia-graphics",
        )),
        "debian" | "devuan" => Some(vendor(
            "firmware-misc-nonfree",
            "firmware-amd-graphics",
            "firmware-amd-graphics",
            "firmware-misc-nonfree",
        )),
        "ubuntu" | "linuxmint" | "pop" => Some("linux-firmware".to_owned()),
        "fedora" if major >= 38 => {
            Some(vendor("intel-gpu-firmware", "amd-gpu-firmware", "amd-gpu-firmware", "nvidia-gpu-firmware"))
        }
        "fedora" | "rhel" | "centos" | "rocky" | "almalinux" | "ol" => Some("linux-firmware".to_owned()),
        "arch" | "manjaro" | "endeavouros" => Some(vendor(
            "linux-firmware-intel",
            if driver_folder == "radeon" { "linux-firmware-radeon" } else { "linux-firmware-amdgpu" },
            "linux-firmware-radeon",
            "linux-firmware-nvidia",
        )),
        "opensuse-leap" | "opensuse-tumbleweed" | "sles" => Some(vendor(
            "kernel-firmware-i915",
            "kernel-firmware-amdgpu",
            "kernel-firmware-radeon",
            "kernel-firmware-nvidia",
        )),
        "alpine" => Some(vendor(
            "linux-firmware-i915",
            "linux-firmware-amdgpu",
            "linux-firmware-radeon",
            "linux-firmware-nvidia",
        )),
        _ => None,
    }
}
