//! What a capture has beyond what this version's engine asked for: small facts that a later one may want.

use super::Recorder;
use crate::{Inventory, Sysfs, firmware};
use std::collections::BTreeSet;

/// Files of every PCI function.
const FUNCTION: &[&str] = &[
    "class",
    "vendor",
    "device",
    "subsystem_vendor",
    "subsystem_device",
    "revision",
    "numa_node",
    "driver_override",
    "enable",
    "modalias",
    "current_link_speed",
    "current_link_width",
    "max_link_speed",
    "max_link_width",
    "power_state",
    "d3cold_allowed",
    "reset_method",
    "boot_vga",
    "resource",
    "sriov_totalvfs",
    "sriov_numvfs",
    "sriov_offset",
    "sriov_stride",
    "sriov_vf_device",
    "sriov_drivers_autoprobe",
    "resource0_resize",
    "resource1_resize",
    "resource2_resize",
    "resource3_resize",
    "resource4_resize",
    "resource5_resize",
    "mem_info_vram_total",
    "tile0/physical_vram_size_bytes",
];
const LINKS: &[&str] = &["driver", "iommu_group", "physfn"];
/// Modules whose version and parameters count.
const MODULES: &[&str] = &[
    "vfio",
    "vfio_pci",
    "vfio_pci_core",
    "vfio_iommu_type1",
    "vfio_virqfd",
    "iommufd",
    "mdev",
    "vfio_mdev",
    "kvmgt",
    "kvm",
    "kvm_intel",
    "kvm_amd",
    "i915",
    "xe",
    "amdgpu",
    "radeon",
    "nouveau",
    "nova_core",
    "nvidia",
    "nvidia_drm",
    "nvidia_modeset",
    "nvidia_vgpu_vfio",
    "gim",
    "ast",
    "mgag200",
    "vendor_reset",
    "snd_hda_intel",
    "pci_stub",
    "firmware_class",
    "efifb",
    "simpledrm",
    "vc4",
    "v3d",
];
/// Most parameters of one module.
const PARAMETERS_MAX: usize = 256;
/// Folders of firmware whose names are listed, below each place where the kernel looks.
const FIRMWARE: &[&str] = &["i915", "xe", "amdgpu", "radeon", "nvidia"];
/// Single files.
const FILES: &[&str] = &[
    "/proc/cmdline",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/iomem",
    "/proc/fb",
    "/proc/version",
    "/etc/os-release",
    "/proc/sys/kernel/arch",
    "/proc/sys/vm/nr_hugepages",
    "/proc/sys/vm/nr_overcommit_hugepages",
    "/sys/module/nvidia/version",
    "/proc/driver/nvidia/version",
    "/usr/share/nvidia/vgpu/vgpuConfig.xml",
    "/etc/gim_config",
    "/sys/kernel/mm/transparent_hugepage/enabled",
];
const NAMES: &[&str] = &[
    "/sys/firmware/efi",
    "/sys/firmware/acpi/tables/DMAR",
    "/sys/firmware/acpi/tables/IVRS",
    "/sys/firmware/acpi/tables/IORT",
    "/sys/bus/pci/drivers/vfio-pci",
    "/sys/bus/pci/drivers/pci-pf-stub",
    "/usr/lib/nvidia/sriov-manage",
    "/dev/kvm",
    "/dev/vfio/vfio",
    "/dev/iommu",
];
/// Folders whose names count.
const FOLDERS: &[&str] = &[
    "/sys/class/iommu",
    "/sys/class/mdev_bus",
    "/sys/bus/mdev/devices",
    "/sys/kernel/iommu_groups",
    "/dev/dri",
    "/dev/vfio",
    "/sys/devices/system/node",
    "/sys/kernel/mm/hugepages",
];

pub(super) fn read(recorder: &Recorder, host: &Inventory) {
    for path in FILES {
        recorder.read(path).ok();
    }
    for path in NAMES.iter().filter(|path| recorder.exists(path)) {
        recorder.note_name(path);
    }
    for path in FOLDERS {
        recorder.list(path).ok();
    }
    bus(recorder);
    for module in MODULES {
        self::module(recorder, module);
    }
    for size in recorder.list("/sys/kernel/mm/hugepages").unwrap_or_default() {
        for name in ["nr_hugepages", "free_hugepages"] {
            recorder.read(&format!("/sys/kernel/mm/hugepages/{size}/{name}")).ok();
        }
    }
    for name in recorder.list("/etc/modprobe.d").unwrap_or_default().into_iter().take(PARAMETERS_MAX) {
        recorder.read(&format!("/etc/modprobe.d/{name}")).ok();
    }
    recorder.read(&format!("/boot/config-{}", host.host.kernel)).ok();
    for place in firmware::folders(recorder, &host.host.kernel) {
        for folder in FIRMWARE {
            recorder.list(&format!("{place}/{folder}")).ok();
        }
    }
}

fn bus(recorder: &Recorder) {
    const DEVICES: &str = "/sys/bus/pci/devices";
    let mut groups = BTreeSet::new();
    for address in recorder.list(DEVICES).unwrap_or_default() {
        for name in FUNCTION {
            recorder.read(&format!("{DEVICES}/{address}/{name}")).ok();
        }
        for name in LINKS {
            recorder.link(&format!("{DEVICES}/{address}/{name}")).ok();
        }
        groups.extend(recorder.link_name(&format!("{DEVICES}/{address}/iommu_group")));
    }
    for group in groups {
        recorder.list(&format!("/sys/kernel/iommu_groups/{group}/devices")).ok();
        recorder.read(&format!("/sys/kernel/iommu_groups/{group}/type")).ok();
    }
}

fn module(recorder: &Recorder, name: &str) {
    let folder = format!("/sys/module/{name}");
    if !recorder.exists(&folder) {
        return;
    }
    recorder.read(&format!("{folder}/version")).ok();
    recorder.read(&format!("{folder}/initstate")).ok();
    for parameter in recorder.list(&format!("{folder}/parameters")).unwrap_or_default().into_iter().take(PARAMETERS_MAX)
    {
        recorder.read(&format!("{folder}/parameters/{parameter}")).ok();
    }
}
