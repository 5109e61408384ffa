//! GPUs for the host in memory: a kernel in memory with a board in it. What is read, made and refused is what the real rooms make
//! of real files; only the kernel is not real.

use crate::gpus::Gpus;
use oriel_gpu::{
    kernel::Kernel,
    mode::{StateFolder, Wish},
    sysfs::Tree,
};
use oriel_model::{GpuAddress, GpuMode};
use std::{path::PathBuf, sync::Arc};

/// A profile of the Tesla M60: key, number of its type, framebuffer in MiB, most per GPU, heads, resolution, frame limit (driver 510,
/// `vgpuConfig.xml`).
type Row = (&'static str, u32, u32, u32, u32, &'static str, u32);

const M60: &[Row] = &[
    ("M60-8Q", 22, 8192, 1, 4, "5120x2880", 60),
    ("M60-4Q", 20, 4096, 2, 4, "5120x2880", 60),
    ("M60-2Q", 18, 2048, 4, 4, "5120x2880", 60),
    ("M60-1Q", 15, 1024, 8, 4, "5120x2880", 60),
    ("M60-0Q", 12, 512, 16, 2, "2560x1600", 60),
    ("M60-2B", 17, 2048, 4, 4, "5120x2880", 45),
    ("M60-1B", 14, 1024, 8, 4, "5120x2880", 45),
    ("M60-0B", 11, 512, 16, 2, "2560x1600", 45),
    ("M60-8A", 21, 8192, 1, 1, "1280x1024", 60),
    ("M60-4A", 19, 4096, 2, 1, "1280x1024", 60),
    ("M60-2A", 16, 2048, 4, 1, "1280x1024", 60),
    ("M60-1A", 13, 1024, 8, 1, "1280x1024", 60),
];

/// The board's two GPUs.
pub const M60_GPUS: [&str; 2] = ["0000:06:00.0", "0000:07:00.0"];

/// A host with a Tesla M60 under NVIDIA's driver for vGPU: two GPUs of 8 GiB, each in an IOMMU group of its own.
pub fn m60_host() -> Kernel {
    let mut host = Tree::new();
    host.file("/proc/sys/kernel/hostname", "fake\n")
        .file("/proc/sys/kernel/random/boot_id", "6f1b5d0e-0000-4000-8000-000000000001\n")
        .file("/proc/cmdline", "intel_iommu=on\n")
        .prints(&["uname", "-r"], "5.15.0-113-generic\n")
        .folder("/sys/bus/mdev/devices")
        .folder("/sys/module/vfio_pci")
        .folder("/sys/module/nvidia")
        .folder("/sys/module/nvidia_vgpu_vfio")
        .file("/sys/module/nvidia/version", "535.161.05\n")
        .link_to("/sys/class/iommu/dmar0", "../../devices/virtual/iommu/dmar0")
        .folder("/sys/devices/virtual/iommu/dmar0");
    for (group, gpu) in (41_u32..).zip(M60_GPUS) {
        let device = format!("/sys/devices/pci0000:00/{gpu}");
        for (name, content) in [
            ("vendor", "0x10de"),
            ("device", "0x13f2"),
            ("subsystem_vendor", "0x10de"),
            ("subsystem_device", "0x115e"),
            ("class", "0x030000"),
            ("revision", "0xa1"),
            ("boot_vga", "0"),
            ("numa_node", "-1"),
            ("reset_method", "bus"),
            (
                "resource",
                "0x00000000f0000000 0x00000000f0ffffff 0x0000000000040200\n\
                 0x0000038000000000 0x000003800fffffff 0x000000000014220c",
            ),
        ] {
            host.file(&format!("{device}/{name}"), format!("{content}\n"));
        }
        host.link_to(&format!("/sys/bus/pci/devices/{gpu}"), format!("../../../devices/pci0000:00/{gpu}"))
            .link_to(&format!("/sys/class/mdev_bus/{gpu}"), format!("../../devices/pci0000:00/{gpu}"))
            .link_to(&format!("{device}/driver"), "../../../bus/pci/drivers/nvidia")
            .link_to(&format!("{device}/subsystem"), "../../../bus/pci")
            .link_to(&format!("{device}/iommu_group"), format!("../../../kernel/iommu_groups/{group}"))
            .link_to(
                &format!("/sys/kernel/iommu_groups/{group}/devices/{gpu}"),
                format!("../../../../devices/pci0000:00/{gpu}"),
            );
        for (key, number, framebuffer, most, heads, resolution, frames) in M60 {
            let kind = format!("{device}/mdev_supported_types/nvidia-{number}");
            host.file(&format!("{kind}/name"), format!("GRID {key}\n"))
                .file(
                    &format!("{kind}/description"),
                    format!(
                        "num_heads={heads}, frl_config={frames}, framebuffer={framebuffer}M, max_resolution={resolution}, \
                         max_instance={most}\n"
                    ),
                )
                .file(&format!("{kind}/available_instances"), format!("{most}\n"))
                .file(&format!("{kind}/device_api"), "vfio-pci\n")
                .folder(&format!("{kind}/devices"));
        }
    }
    Kernel::new(host)
}

/// The fake's GPUs, and the folder in which their modes are kept.
pub(super) struct FakeGpus {
    pub(super) gpus: Gpus,
    state: PathBuf,
}

impl FakeGpus {
    pub(super) fn new(kernel: Arc<Kernel>, modes: &[(GpuAddress, GpuMode)]) -> Self {
        let state = std::env::temp_dir().join(format!("oriel-fake-{}", uuid::Uuid::now_v7()));
        for (gpu, mode) in modes {
            let kept = StateFolder::open(&state).and_then(|folder| folder.remember(&Wish::new(gpu.clone(), *mode)));
            if let Err(error) = kept {
                tracing::error!(%error, "The fake host cannot keep the modes of its GPUs");
            }
        }
        Self { gpus: Gpus::new(kernel, state.clone()), state }
    }
}

impl Drop for FakeGpus {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.state);
    }
}
