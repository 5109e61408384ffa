//! Devices by what the guest has drivers for.

use crate::Arch;
use oriel_model::ImageOs;

pub(super) struct Drivers {
    pub(super) disk_bus: &'static str,
    pub(super) disk_device: &'static str,
    pub(super) seed_device: &'static str,
    /// libvirt refuses SATA disks that cannot be written; those systems know CD drives, and look there too.
    pub(super) seed_kind: &'static str,
    pub(super) network_model: &'static str,
    pub(super) network_device: &'static str,
    pub(super) video: Video,
    pub(super) clock: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Video {
    Virtio,
    Vga,
    Ramfb,
}

impl Video {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Vga => "vga",
            Self::Ramfb => "ramfb",
        }
    }
}

const VIRTIO: Drivers = Drivers {
    disk_bus: "virtio",
    disk_device: "vda",
    seed_device: "vdb",
    seed_kind: "disk",
    network_model: "virtio",
    network_device: "virtio-net-pci",
    video: Video::Virtio,
    clock: "utc",
};

/// Drivers that every system for PCs brings along; virtio needs to be installed first.
const COMMON: Drivers = Drivers {
    disk_bus: "sata",
    disk_device: "sda",
    seed_device: "sdb",
    seed_kind: "cdrom",
    network_model: "e1000e",
    network_device: "e1000e",
    video: Video::Vga,
    clock: "utc",
};

impl Drivers {
    pub(super) const fn of(arch: Arch, os: ImageOs) -> Self {
        match (arch, os) {
            // The `virt` board has nothing but virtio, so what runs on it knows it; Windows sees USB disks and plain pictures.
            (_, ImageOs::Linux) | (Arch::Aarch64, ImageOs::Other) => VIRTIO,
            (Arch::Aarch64, ImageOs::Windows) => Self {
                disk_bus: "usb",
                disk_device: "sda",
                seed_device: "sdb",
                seed_kind: "cdrom",
                video: Video::Ramfb,
                clock: "localtime",
                ..VIRTIO
            },
            (Arch::X86_64, ImageOs::Windows) => Self { clock: "localtime", ..COMMON },
            (Arch::X86_64, ImageOs::Other) => COMMON,
        }
    }
}
