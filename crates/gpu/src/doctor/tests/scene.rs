//! Small hosts.

use crate::{doctor::Options, sysfs::Tree};

pub(super) struct Scene {
    pub tree: Tree,
    pub options: Options,
}

/// Kernel's folder of the scene.
pub(super) const KERNEL: &str = "6.1.0-56-amd64";

impl Scene {
    /// Adds a PCI function. Its folder is the path in the bus itself, which is all that the doctor asks for.
    pub fn function(&mut self, address: &str, ids: &str, class: &str, driver: &str, group: Option<u32>) -> &mut Self {
        let (vendor, device) = ids.split_once(':').unwrap();
        let folder = format!("/sys/bus/pci/devices/{address}");
        self.tree
            .file(&format!("{folder}/vendor"), format!("0x{vendor}\n"))
            .file(&format!("{folder}/device"), format!("0x{device}\n"))
            .file(&format!("{folder}/class"), format!("0x{class}\n"))
            .file(&format!("{folder}/revision"), "0x05\n");
        self.driver(address, driver);
        if let Some(group) = group {
            self.tree
                .link_to(&format!("{folder}/iommu_group"), format!("../../../../kernel/iommu_groups/{group}"))
                .link_to(
                    &format!("/sys/kernel/iommu_groups/{group}/devices/{address}"),
                    format!("../../../../bus/pci/devices/{address}"),
                );
        }
        self
    }

    /// Binds it to another driver; to none when that is empty.
    pub fn driver(&mut self, address: &str, driver: &str) -> &mut Self {
        let link = format!("/sys/bus/pci/devices/{address}/driver");
        self.tree.remove(&link);
        if !driver.is_empty() {
            self.tree.link_to(&link, format!("../../drivers/{driver}"));
            self.tree.folder(&format!("/sys/bus/pci/drivers/{driver}"));
        }
        self
    }

    pub fn boot_with(&mut self, words: &str) -> &mut Self {
        self.tree.file("/proc/cmdline", format!("root=/dev/sda1 ro {words}\n"));
        self
    }

    pub fn logs(&mut self, lines: &str) -> &mut Self {
        self.tree.prints(&["dmesg", "--notime"], lines);
        self
    }

    pub fn file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> &mut Self {
        self.tree.file(path, content);
        self
    }

    /// A node in /dev/dri, by its name in sysfs.
    pub fn node(&mut self, name: &str, address: &str) -> &mut Self {
        self.tree.link_to(&format!("/sys/class/drm/{name}/device"), format!("../../../{address}"));
        self
    }

    pub fn of_card(&mut self, name: &str, content: impl Into<Vec<u8>>) -> &mut Self {
        self.tree.file(&format!("/sys/bus/pci/devices/0000:01:00.0/{name}"), content);
        self
    }
}

/// An Intel host with everything as it should be, and no card.
pub(super) fn host() -> Scene {
    let mut tree = Tree::new();
    tree.file("/proc/sys/kernel/osrelease", KERNEL)
        .file("/proc/sys/kernel/hostname", "oak")
        .file("/proc/sys/kernel/arch", "x86_64")
        .file("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\naddress sizes\t: 46 bits physical, 48 bits virtual\n")
        .file("/proc/meminfo", "MemTotal:       32884710 kB\nHugePages_Total:       0\n")
        .file("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n")
        .file("/etc/apt/sources.list", "deb http://deb.debian.org/debian bookworm main\n")
        .file("/sys/firmware/acpi/tables/DMAR", "")
        // 46 bits wide, remaps interrupts.
        .file("/sys/class/iommu/dmar0/intel-iommu/cap", "8d2078c106f0466\n")
        .file("/sys/class/iommu/dmar0/intel-iommu/ecap", "f020df\n")
        .folder("/sys/bus/pci/drivers/vfio-pci");
    let mut scene = Scene { tree, options: Options::default() };
    scene.boot_with("intel_iommu=on");
    scene
}

/// A GTX 1080 with its sound, at 0000:01:00.
pub(super) fn geforce() -> Scene {
    let mut scene = host();
    scene
        .function("0000:00:01.0", "8086:1901", "060400", "pcieport", Some(1))
        .function("0000:01:00.0", "10de:1b80", "030000", "nvidia", Some(1))
        .function("0000:01:00.1", "10de:10f0", "040300", "snd_hda_intel", Some(1))
        .of_card("reset_method", "bus\n")
        .file("/sys/module/nvidia/version", "535.183.01\n")
        .node("renderD128", "0000:01:00.0");
    scene
}

/// One card alone at 0000:01:00.0.
pub(super) fn card(ids: &str, class: &str, driver: &str) -> Scene {
    let mut scene = host();
    scene
        .function("0000:00:01.0", "8086:1901", "060400", "pcieport", Some(1))
        .function("0000:01:00.0", ids, class, driver, Some(1))
        .of_card("reset_method", "flr bus\n");
    scene
}

/// A Tesla M60 with the vGPU manager.
pub(super) fn m60() -> Scene {
    let mut scene = card("10de:13f2", "030000", "nvidia");
    scene.file("/sys/module/nvidia/version", "535.183.04\n").tree.folder("/sys/module/nvidia_vgpu_vfio");
    for (id, name, framebuffer, most) in [
        ("nvidia-18", "GRID M60-2Q", 2048, 4),
        ("nvidia-14", "GRID M60-1B", 1024, 8),
        ("nvidia-13", "GRID M60-1A", 1024, 8),
    ] {
        let folder = format!("mdev_supported_types/{id}");
        scene
            .of_card(&format!("{folder}/name"), name)
            .of_card(&format!("{folder}/device_api"), "vfio-pci")
            .of_card(&format!("{folder}/available_instances"), format!("{most}"))
            .of_card(&format!("{folder}/description"), format!("num_heads=4, frl_config=60, framebuffer={framebuffer}M, max_resolution=4096x2160, max_instance={most}"));
    }
    scene.tree.link_to("/sys/class/mdev_bus/0000:01:00.0", "../../bus/pci/devices/0000:01:00.0");
    scene
}

/// An A40 with the vGPU manager, its displays off.
pub(super) fn a40() -> Scene {
    let mut scene = card("10de:2235", "030200", "nvidia");
    scene
        .file("/sys/module/nvidia/version", "550.90.05\n")
        .file("/usr/lib/nvidia/sriov-manage", "#!/bin/bash\n")
        .of_card("sriov_totalvfs", "32")
        .of_card("sriov_numvfs", "0")
        .tree
        .folder("/sys/module/nvidia_vgpu_vfio");
    scene
}

/// The processor's own GPU, at 0000:00:02.0.
pub(super) fn integrated(device: &str, driver: &str) -> Scene {
    let mut scene = host();
    scene.function("0000:00:02.0", &format!("8086:{device}"), "030000", driver, Some(0));
    scene.tree.file("/sys/bus/pci/devices/0000:00:02.0/reset_method", "flr\n");
    scene
}

/// A ROM with an image of each of these code types.
pub(super) fn rom(codes: &[u8]) -> Vec<u8> {
    let mut rom = Vec::new();
    for (index, code) in codes.iter().enumerate() {
        let mut image = vec![0; 512];
        image[..2].copy_from_slice(&[0x55, 0xaa]);
        image[0x18] = 0x40;
        image[0x40..0x44].copy_from_slice(b"PCIR");
        image[0x50] = 1;
        image[0x54] = *code;
        image[0x55] = if index + 1 == codes.len() { 0x80 } else { 0 };
        rom.extend(image);
    }
    rom
}
