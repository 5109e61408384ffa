//! Small hosts, one trait each. Whole hosts are in the zoo.

use super::{Gpu, Inventory, Options, Regime, SliceKind, VgpuInterface, inventory};
use crate::sysfs::Tree;
use oriel_model::{GpuAddress, GpuMode};

/// A host with an Intel IOMMU that is on.
fn host() -> Tree {
    let mut tree = Tree::new();
    tree.file("/proc/sys/kernel/osrelease", "6.1.0-56-amd64")
        .file("/proc/cmdline", "root=/dev/sda1 intel_iommu=on")
        .file("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n")
        .file("/sys/firmware/acpi/tables/DMAR", "")
        .file("/sys/class/iommu/dmar0/intel-iommu/cap", "d2008c40660462")
        .folder("/sys/bus/pci/drivers/vfio-pci");
    tree
}

/// A PCI function: `vendor:device` and class in hexadecimal digits; without a driver when that is empty.
fn function(tree: &mut Tree, address: &str, ids: &str, class: &str, driver: &str, group: Option<u32>) {
    let (vendor, device) = ids.split_once(':').unwrap();
    let real = format!("/sys/devices/pci0000:00/{address}");
    tree.link_to(&format!("/sys/bus/pci/devices/{address}"), format!("../../../devices/pci0000:00/{address}"))
        .file(&format!("{real}/vendor"), format!("0x{vendor}\n"))
        .file(&format!("{real}/device"), format!("0x{device}\n"))
        .file(&format!("{real}/class"), format!("0x{class}\n"));
    if !driver.is_empty() {
        tree.link_to(&format!("{real}/driver"), format!("../../../bus/pci/drivers/{driver}"));
    }
    if let Some(group) = group {
        tree.link_to(&format!("{real}/iommu_group"), format!("../../../kernel/iommu_groups/{group}"));
        tree.link_to(
            &format!("/sys/kernel/iommu_groups/{group}/devices/{address}"),
            format!("../../../../devices/pci0000:00/{address}"),
        );
    }
}

fn virtual_function(tree: &mut Tree, of: &str, index: u32, address: &str, ids: &str, driver: &str, group: u32) {
    function(tree, address, ids, "030200", driver, Some(group));
    tree.link_to(&format!("/sys/devices/pci0000:00/{address}/physfn"), format!("../{of}"));
    tree.link_to(&format!("/sys/devices/pci0000:00/{of}/virtfn{index}"), format!("../{address}"));
}

fn mdev_type(tree: &mut Tree, parent: &str, id: &str, name: &str, description: &str, available: u32) {
    let folder = format!("{parent}/mdev_supported_types/{id}");
    tree.file(&format!("{folder}/name"), format!("{name}\n"))
        .file(&format!("{folder}/device_api"), "vfio-pci\n")
        .file(&format!("{folder}/description"), format!("{description}\n"))
        .file(&format!("{folder}/available_instances"), format!("{available}\n"));
}

fn mdev(tree: &mut Tree, parent: &str, uuid: &str, type_id: &str, group: u32) {
    tree.link_to(&format!("/sys/bus/mdev/devices/{uuid}"), format!("../../../..{parent}/{uuid}"))
        .link_to(&format!("{parent}/{uuid}/mdev_type"), format!("../mdev_supported_types/{type_id}"))
        .link_to(&format!("{parent}/{uuid}/iommu_group"), format!("../../../../kernel/iommu_groups/{group}"))
        .link_to(&format!("{parent}/{uuid}/driver"), "../../../../bus/mdev/drivers/nvidia_vgpu_vfio");
}

fn read(tree: &Tree) -> Inventory {
    inventory(tree, &Options::default()).unwrap()
}

fn one(tree: &Tree) -> Gpu {
    let mut gpus = read(tree).gpus;
    assert_eq!(gpus.len(), 1);
    gpus.remove(0)
}

#[test]
fn a_card_with_its_companion() {
    let mut tree = host();
    function(&mut tree, "0000:01:00.0", "10de:1b80", "030000", "vfio-pci", Some(1));
    function(&mut tree, "0000:01:00.1", "10de:10f0", "040300", "snd_hda_intel", Some(1));
    function(&mut tree, "0000:00:01.0", "8086:1901", "060400", "pcieport", Some(1));
    tree.link_to("/proc/77/fd/9", "/dev/vfio/1").file("/proc/77/comm", "qemu-system-x86\n");
    let gpu = one(&tree);
    assert_eq!(gpu.name, "GP104 [GeForce GTX 1080]");
    assert_eq!(gpu.functions.iter().map(|one| one.class.as_str()).collect::<Vec<_>>(), ["0300", "0403"]);
    let group = gpu.iommu_group.as_ref().unwrap();
    // The own sound function is a companion, the root port leaves DMA to others: neither blocks.
    assert!(group.viable && group.blockers.is_empty() && group.members.len() == 3);
    assert!(
        gpu.modes.whole.available
            && !gpu.modes.vgpu.available
            && !gpu.modes.vf.available
            && !gpu.modes.shared.available
    );
    assert_eq!(gpu.mode, GpuMode::Whole);
    assert_eq!((gpu.holders[0].pid, gpu.holders[0].process.as_str()), (77, "qemu-system-x86"));
    let inventory = read(&tree);
    assert!(inventory.gpu(&"01:00.1".parse().unwrap()).is_ok());
    let error = inventory.gpu(&"02:00.0".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("0000:01:00.0"), "{error}");
}

#[test]
fn a_dirty_group_names_who_is_in_the_way() {
    let mut tree = host();
    function(&mut tree, "0000:01:00.0", "1002:67df", "030000", "amdgpu", Some(1));
    function(&mut tree, "0000:02:00.0", "8086:1533", "020000", "igb", Some(1));
    function(&mut tree, "0000:03:00.0", "1002:67df", "030000", "amdgpu", Some(1));
    function(&mut tree, "0000:04:00.0", "8086:1533", "020000", "", Some(1));
    function(&mut tree, "0000:05:00.0", "144d:a808", "010802", "vfio-pci", Some(1));
    let gpus = read(&tree).gpus;
    let group = gpus[0].iommu_group.as_ref().unwrap();
    let blockers: Vec<String> = group.blockers.iter().map(|one| one.address.to_string()).collect();
    assert_eq!(blockers, ["0000:02:00.0", "0000:03:00.0"]);
    assert!(group.blockers[0].reason.contains("`igb`") && group.blockers[1].reason.contains("another GPU"));
    assert!(!gpus[0].modes.whole.available && gpus[0].modes.whole.reasons.len() == 2);
    let twice = &gpus[1].modes.whole.reasons;
    assert!(
        twice[0].contains("0000:01:00.0") && twice[1].contains("Ethernet controller 0000:02:00.0 (`igb`)"),
        "{twice:?}"
    );
}

#[test]
fn without_an_iommu_the_reason_is_the_cause() {
    let reason = |change: fn(&mut Tree)| {
        let mut tree = host();
        tree.remove("/sys/class/iommu/dmar0");
        change(&mut tree);
        function(&mut tree, "0000:00:02.0", "8086:3e92", "030000", "i915", None);
        one(&tree).modes.whole.reasons.remove(0)
    };
    assert!(reason(|tree| tree.remove("/sys/firmware/acpi/tables/DMAR")).contains("VT-d is off in the BIOS"));
    let missing = reason(|tree| {
        tree.file("/proc/cmdline", "quiet");
    });
    assert_eq!(missing, "no IOMMU group: the IOMMU is off (intel_iommu=on is missing on the kernel command line)");
    let off = reason(|tree| {
        tree.file("/proc/cmdline", "intel_iommu=off");
    });
    assert!(off.contains("intel_iommu=off stands"), "{off}");
    let integrated = reason(|tree| {
        tree.file("/sys/class/iommu/dmar0/intel-iommu/cap", "d2008c40660462");
    });
    assert!(integrated.contains("integrated GPU"), "{integrated}");
}

const M60: &str = "/sys/devices/pci0000:00/0000:05:00.0";

fn m60() -> Tree {
    let mut tree = host();
    function(&mut tree, "0000:05:00.0", "10de:13f2", "030000", "nvidia", Some(5));
    tree.file("/sys/module/nvidia/version", "535.129.03\n").folder("/sys/module/nvidia_vgpu_vfio");
    tree
}

#[test]
fn slices_of_one_type_on_the_gpu() {
    let mut tree = m60();
    let two = "num_heads=4, frl_config=60, framebuffer=2048M, max_resolution=4096x2160, max_instance=4";
    mdev_type(&mut tree, M60, "nvidia-18", "GRID M60-2Q", two, 3);
    mdev_type(
        &mut tree,
        M60,
        "nvidia-17",
        "GRID M60-2B",
        "num_heads=2, frl_config=45, framebuffer=2048M, max_resolution=4096x2160, max_instance=4",
        0,
    );
    mdev(&mut tree, M60, "2d1e0c4a-6a3e-4d6b-8f6e-111111111111", "nvidia-18", 40);
    tree.link_to("/proc/4/fd/1", "/dev/vfio/40");
    let gpu = one(&tree);
    let vgpu = &gpu.modes.vgpu;
    assert_eq!(
        (vgpu.interface, vgpu.regime, vgpu.incomplete),
        (Some(VgpuInterface::Mdev), Some(Regime::SameType), false)
    );
    // The list on the GPU itself is whole: what this driver does not list, it does not make.
    assert_eq!(vgpu.profiles.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["M60-2Q", "M60-2B"]);
    let profile = gpu.profile("M60-2Q").unwrap();
    assert_eq!((profile.id.as_str(), profile.free, profile.max_per_gpu, profile.heads), ("nvidia-18", 3, 4, 4));
    assert_eq!((profile.license.as_deref(), profile.max_resolution.as_str()), (Some("vWS"), "4096x2160"));
    assert_eq!(gpu.profile("nvidia-17").unwrap().free, 0);
    assert_eq!(gpu.mode, GpuMode::Vgpu);
    let slice = &gpu.slices[0];
    assert_eq!(
        (slice.kind, slice.profile.as_deref(), slice.iommu_group, slice.in_use),
        (SliceKind::Mdev, Some("M60-2Q"), Some(40), true)
    );
}

#[test]
fn a_card_in_another_drivers_hands_is_known_from_the_tables() {
    let mut tree = m60();
    tree.link_to(&format!("{M60}/driver"), "../../../bus/pci/drivers/vfio-pci");
    let gpu = one(&tree);
    assert!(gpu.modes.vgpu.available && gpu.mode == GpuMode::Whole);
    assert_eq!((gpu.modes.vgpu.profiles.len(), gpu.profile("M60-8Q").unwrap().free), (14, 1));
    tree.remove("/sys/module/nvidia_vgpu_vfio");
    let gpu = one(&tree);
    assert!(!gpu.modes.vgpu.available && gpu.modes.vgpu.reasons[0].contains("vgpuConfig.xml is missing"));
    assert_eq!(gpu.profile("M60-8Q").unwrap().free, 0);
}

#[test]
fn a_driver_that_no_longer_knows_the_card() {
    let mut tree = m60();
    tree.file("/sys/module/nvidia/version", "550.54.10");
    assert!(one(&tree).modes.vgpu.reasons[0].contains("last branch for Maxwell"));
}

/// An A40 with four virtual functions.
fn a40(vendor_interface: bool) -> Tree {
    let mut tree = host();
    function(&mut tree, "0000:41:00.0", "10de:2235", "030200", "nvidia", Some(5));
    let pf = "/sys/devices/pci0000:00/0000:41:00.0";
    tree.file(&format!("{pf}/sriov_totalvfs"), "32").folder("/sys/module/nvidia_vgpu_vfio");
    for index in 0..4 {
        let address = format!("0000:41:00.{}", index + 4);
        virtual_function(&mut tree, "0000:41:00.0", index, &address, "10de:2235", "nvidia", 50 + index);
        if vendor_interface {
            let vf = format!("/sys/devices/pci0000:00/{address}/nvidia");
            tree.file(&format!("{vf}/current_vgpu_type"), "0\n").file(
                &format!("{vf}/creatable_vgpu_types"),
                "ID    : vGPU Name\n557   : NVIDIA A40-1Q\n558   : NVIDIA A40-2Q\n564   : NVIDIA A40-16Q\n",
            );
        }
    }
    tree
}

#[test]
fn slices_on_virtual_functions_by_the_vendors_interface() {
    let mut tree = a40(true);
    let gpu = one(&tree);
    assert_eq!(gpu.functions.len(), 1, "virtual functions are no companions");
    assert_eq!((gpu.modes.vf.total, gpu.modes.vf.enabled, gpu.modes.vf.functions.len()), (32, 4, 4));
    let vgpu = &gpu.modes.vgpu;
    assert_eq!(
        (vgpu.available, vgpu.interface, vgpu.regime),
        (true, Some(VgpuInterface::VendorVf), Some(Regime::SameSize))
    );
    // Four functions: the sum of what each offers would be far more, and the card's own rule allows 24.
    assert_eq!((gpu.profile("A40-2Q").unwrap().free, gpu.profile("A40-2Q").unwrap().max_per_gpu), (4, 24));
    assert_eq!((gpu.profile("A40-16Q").unwrap().free, gpu.profile("558").unwrap().key.as_str()), (3, "A40-2Q"));

    let vf = "/sys/devices/pci0000:00/0000:41:00.4/nvidia";
    tree.file(&format!("{vf}/current_vgpu_type"), "558\n").file(&format!("{vf}/creatable_vgpu_types"), "");
    tree.file(&format!("{vf}/vgpu_params"), "frame_rate_limiter=0, vgpu-placement-id=6");
    for index in 5..8 {
        let list = "ID    : vGPU Name\n558   : NVIDIA A40-2Q\n";
        tree.file(&format!("/sys/devices/pci0000:00/0000:41:00.{index}/nvidia/creatable_vgpu_types"), list);
    }
    let gpu = one(&tree);
    // The list has shrunk; the card has not.
    assert_eq!(gpu.profile("A40-1Q").unwrap().free, 0);
    assert_eq!(gpu.profile("A40-2Q").unwrap().free, 3);
    let slice = &gpu.slices[0];
    assert_eq!(
        (slice.kind, slice.name.as_str(), slice.profile.as_deref()),
        (SliceKind::VendorVf, "0000:41:00.4", Some("A40-2Q"))
    );
    assert_eq!((slice.placement, gpu.mode), (Some(6), GpuMode::Vgpu));
}

#[test]
fn slices_on_virtual_functions_by_mediated_devices() {
    let mut tree = a40(false);
    // Functions are there, types are not yet.
    let gpu = one(&tree);
    assert!(gpu.modes.vgpu.incomplete && !gpu.modes.vgpu.available);
    assert!(gpu.modes.vgpu.reasons[0].contains("incomplete reading"));
    for index in 4..8 {
        let parent = format!("/sys/devices/pci0000:00/0000:41:00.{index}");
        let id = if index == 7 { "pci-558" } else { "nvidia-558" };
        mdev_type(
            &mut tree,
            &parent,
            id,
            "NVIDIA A40-2Q",
            "num_heads=4, frl_config=60, framebuffer=2048M, max_resolution=7680x4320, max_instance=24",
            1,
        );
    }
    assert!(one(&tree).modes.vgpu.incomplete, "one function is still coming up");
    tree.remove("/sys/devices/pci0000:00/0000:41:00.7/mdev_supported_types");
    let parent = "/sys/devices/pci0000:00/0000:41:00.5";
    mdev(&mut tree, parent, "2d1e0c4a-6a3e-4d6b-8f6e-222222222222", "nvidia-558", 60);
    let gpu = one(&tree);
    assert_eq!((gpu.modes.vgpu.incomplete, gpu.modes.vgpu.interface), (false, Some(VgpuInterface::MdevOnVf)));
    let profile = gpu.profile("A40-2Q").unwrap();
    assert_eq!((profile.id.as_str(), profile.free, profile.max_per_gpu), ("nvidia-558", 3, 24));
    assert_eq!(gpu.slices[0].parent.unwrap().to_string(), "0000:41:00.5");
}

#[test]
fn before_its_functions_are_made_the_tables_speak() {
    let mut tree = host();
    tree.file("/proc/sys/kernel/osrelease", "6.8.0-50-generic");
    function(&mut tree, "0000:41:00.0", "10de:26b9", "030200", "nvidia", Some(5));
    tree.file("/sys/devices/pci0000:00/0000:41:00.0/sriov_totalvfs", "32")
        .folder("/sys/module/nvidia_vgpu_vfio")
        .prints(
            &["nvidia-smi", "-q"],
            "GPU 00000000:41:00.0\n    vGPU Device Capability\n        Heterogeneous Time-Slice Sizes    : Supported\n\
         \x20   GPU Virtualization Mode\n        vGPU Heterogeneous Mode           : Enabled\n",
        );
    let gpu = one(&tree);
    assert_eq!(
        (gpu.modes.vgpu.interface, gpu.modes.vgpu.regime),
        (Some(VgpuInterface::VendorVf), Some(Regime::MixedSize))
    );
    let two = gpu.profile("L40S-2Q").unwrap();
    assert_eq!((two.max_per_gpu, two.free, two.placement_ids[1]), (16, 16, 4));
    assert_eq!(gpu.mode, GpuMode::Host);
}

#[test]
fn instances_of_a_card_in_mig_mode() {
    let mut tree = host();
    function(&mut tree, "0000:41:00.0", "10de:2331", "030200", "nvidia", Some(5));
    tree.file("/sys/devices/pci0000:00/0000:41:00.0/sriov_totalvfs", "20")
        .folder("/sys/module/nvidia_vgpu_vfio")
        .prints(&["nvidia-smi", "-q"], "GPU 00000000:41:00.0\n    MIG Mode\n        Current                           : Enabled\n")
        .prints(&["nvidia-smi", "mig", "-lgip"], "|   0  MIG 1g.10gb       19     4/7        9.50       No     14     0     0   |\n|   0  MIG 3g.40gb        9     1/2        39.25      No     42     2     0    |\n")
        .prints(&["nvidia-smi", "mig", "-lgipp"], "GPU  0 Profile ID 19 Placements: {0,1,2,3,4,5,6}:1\nGPU  0 Profile ID  9 Placements: {0,4}:4\n")
        .prints(&["nvidia-smi", "mig", "-lgi"], "|   0  MIG 1g.10gb         19        7          0:1     |\n|   0  MIG 1g.10gb         19        8          1:1     |\n");
    let gpu = one(&tree);
    assert_eq!(gpu.modes.vgpu.regime, Some(Regime::Mig));
    assert!(
        gpu.modes.vgpu.profiles.iter().all(|one| one.key.starts_with("H100-") && one.key.matches('-').count() == 2)
    );
    // Two instances wait, five more would fit; of the halves the second one.
    assert_eq!((gpu.profile("H100-1-10C").unwrap().free, gpu.profile("H100-3-40C").unwrap().free), (7, 1));
    assert_eq!(gpu.slices.len(), 2);
    assert_eq!(
        (gpu.slices[1].kind, gpu.slices[1].profile.as_deref(), gpu.slices[1].placement),
        (SliceKind::MigInstance, Some("H100-1-10C"), Some(1))
    );
}

#[test]
fn gvt_is_a_pool() {
    let mut tree = host();
    function(&mut tree, "0000:00:02.0", "8086:3e92", "030000", "i915", Some(0));
    tree.file("/sys/module/i915/parameters/enable_gvt", "N\n");
    let reasons = one(&tree).modes.vgpu.reasons;
    assert!(reasons[0].contains("i915.enable_gvt=1 is missing") && reasons[1].contains("kvmgt"), "{reasons:?}");
    let parent = "/sys/devices/pci0000:00/0000:00:02.0";
    let text = |low: u32, high: u32| {
        format!("low_gm_size: {low}MB\nhigh_gm_size: {high}MB\nfence: 4\nresolution: 1920x1200\nweight: 4")
    };
    mdev_type(&mut tree, parent, "i915-GVTg_V5_4", "GVTg_V5_4", &text(128, 512), 1);
    mdev_type(&mut tree, parent, "i915-GVTg_V5_8", "GVTg_V5_8", &text(64, 384), 2);
    let gpu = one(&tree);
    assert_eq!((gpu.modes.vgpu.regime, gpu.modes.vgpu.available), (Some(Regime::FreePool), true));
    let profile = gpu.profile("GVTg_V5_4").unwrap();
    assert_eq!((profile.framebuffer_mib, profile.free, profile.max_resolution.as_str()), (640, 1, "1920x1200"));
    assert!(profile.license.is_none() && profile.placement_ids.is_empty());
}

#[test]
fn parents_that_are_no_pci_device() {
    let mut tree = host();
    let parent = "/sys/devices/virtual/mbochs/mbochs";
    tree.link_to("/sys/class/mdev_bus/mbochs", "../../devices/virtual/mbochs/mbochs");
    for (name, size, available) in [("small", 4, 60), ("medium", 16, 15), ("large", 64, 3)] {
        mdev_type(
            &mut tree,
            parent,
            &format!("mbochs-{name}"),
            &format!("mbochs-{name}"),
            &format!("virtual display, {size} MB video memory"),
            available,
        );
    }
    mdev(&mut tree, parent, "2d1e0c4a-6a3e-4d6b-8f6e-333333333333", "mbochs-medium", 9);
    // A serial port has types, too, and is no display.
    let serial = "/sys/devices/virtual/mtty/mtty";
    tree.link_to("/sys/class/mdev_bus/mtty", "../../devices/virtual/mtty/mtty")
        .file(&format!("{serial}/mdev_supported_types/mtty-1/device_api"), "vfio-pci")
        .file(&format!("{serial}/mdev_supported_types/mtty-1/available_instances"), "24");
    let gpu = one(&tree);
    assert_eq!((&gpu.address, gpu.mode), (&GpuAddress::Device("mbochs".into()), GpuMode::Vgpu));
    let profile = gpu.profile("mbochs-medium").unwrap();
    assert_eq!((profile.framebuffer_mib, profile.free, profile.max_per_gpu), (16, 15, 16));
    assert_eq!((gpu.slices[0].profile.as_deref(), gpu.driver.as_deref()), (Some("mbochs-medium"), Some("mbochs")));
    assert!(!gpu.modes.whole.available && !gpu.modes.vf.available && !gpu.modes.shared.available);
}

#[test]
fn virtual_functions_of_amd_and_intel() {
    let mut tree = host();
    function(&mut tree, "0000:06:00.0", "1002:6929", "030000", "gim", Some(6));
    tree.file("/sys/devices/pci0000:00/0000:06:00.0/sriov_totalvfs", "16");
    for index in 0..2 {
        virtual_function(
            &mut tree,
            "0000:06:00.0",
            index,
            &format!("0000:06:02.{index}"),
            "1002:692f",
            "vfio-pci",
            70 + index,
        );
    }
    let gpu = one(&tree);
    assert_eq!(
        (gpu.modes.vf.available, gpu.modes.vf.total, gpu.modes.vf.enabled, gpu.mode),
        (true, 16, 2, GpuMode::Vf)
    );
    assert_eq!((gpu.slices.len(), gpu.slices[1].kind, gpu.slices[1].name.as_str()), (2, SliceKind::Vf, "0000:06:02.1"));

    let mut tree = host();
    function(&mut tree, "0000:00:02.0", "8086:4680", "030000", "i915", Some(0));
    let reason = one(&tree).modes.vf.reasons.remove(0);
    assert!(reason.contains("12th") && reason.contains("6.19") && reason.contains("i915.max_vfs=7"), "{reason}");
    tree.file("/sys/devices/pci0000:00/0000:00:02.0/sriov_totalvfs", "7");
    assert!(one(&tree).modes.vf.available);
}

#[test]
fn a_host_that_renders_may_share() {
    let mut tree = host();
    function(&mut tree, "0000:03:00.0", "1002:67df", "030000", "amdgpu", Some(3));
    tree.link_to("/sys/class/drm/renderD128/device", "../../../bus/pci/devices/0000:03:00.0")
        .link_to("/proc/9/fd/3", "/dev/dri/renderD128");
    tree.file("/proc/9/comm", "Xorg");
    let gpu = one(&tree);
    assert_eq!(gpu.modes.shared.render_node.as_deref(), Some("/dev/dri/renderD128"));
    assert_eq!((gpu.holders.len(), gpu.mode), (1, GpuMode::Host));
    let wanted = [(gpu.address.clone(), GpuMode::Shared)].into_iter().collect();
    let options = Options { wanted, ..Options::default() };
    assert_eq!(inventory(&tree, &options).unwrap().gpus[0].mode, GpuMode::Shared);
}

#[test]
fn graphics_on_a_chip_may_be_shared() {
    let mut tree = Tree::new();
    let chip = "/sys/devices/platform/axi/1002000000.v3d";
    tree.link_to("/sys/class/drm/renderD128", "../../devices/platform/axi/1002000000.v3d/drm/renderD128")
        .link_to(&format!("{chip}/drm/renderD128/device"), "../../../1002000000.v3d")
        .link_to(&format!("{chip}/driver"), "../../../../bus/platform/drivers/v3d")
        // A display that only scans out, and one that the kernel makes up.
        .link_to("/sys/class/drm/card1/device", "../../../devices/platform/axi/gpu")
        .folder("/sys/devices/platform/axi/gpu")
        .link_to("/sys/class/drm/renderD129/device", "../../../devices/platform/vgem")
        .folder("/sys/devices/platform/vgem")
        // A virtio GPU's node lies below its function.
        .link_to("/sys/class/drm/renderD130/device", "../../../devices/pci0000:00/0000:00:03.0/virtio0")
        .folder("/sys/devices/pci0000:00/0000:00:03.0/virtio0");
    function(&mut tree, "0000:00:03.0", "1af4:1050", "038000", "virtio-pci", None);
    let gpus = read(&tree).gpus;
    assert_eq!(gpus.len(), 2);
    assert_eq!(gpus[0].modes.shared.render_node.as_deref(), Some("/dev/dri/renderD130"));
    let v3d = &gpus[1];
    assert_eq!(
        (v3d.address.to_string().as_str(), v3d.name.as_str(), v3d.path().as_str()),
        ("v3d", "Broadcom VideoCore", chip)
    );
    assert_eq!(v3d.modes.shared.render_node.as_deref(), Some("/dev/dri/renderD128"));
    assert!(v3d.modes.whole.reasons[0].contains("processor's chip") && v3d.mode == GpuMode::Host);
}

#[test]
fn classes_of_a_lab() {
    let mut tree = host();
    function(&mut tree, "0000:04:00.0", "1b36:0010", "010802", "nvme", Some(3));
    assert!(read(&tree).gpus.is_empty());
    let options = Options::default().with_classes("0108, zz,");
    assert_eq!(options.classes, ["03", "12", "0108"]);
    assert_eq!(inventory(&tree, &options).unwrap().gpus.len(), 1);
}
