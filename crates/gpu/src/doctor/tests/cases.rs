//! One case for each kind: a host, what goes wrong on it, and what mends it.

use super::scene::{KERNEL, Scene, a40, card, geforce, host, integrated, m60, rom};
use crate::doctor::Guest;
use oriel_model::GpuMode;

pub(super) struct Case {
    pub id: &'static str,
    pub scene: fn() -> Scene,
    pub make: fn(&mut Scene),
    pub mend: fn(&mut Scene),
}

const fn case(id: &'static str, scene: fn() -> Scene, make: fn(&mut Scene), mend: fn(&mut Scene)) -> Case {
    Case { id, scene, make, mend }
}

const RADEON: &str = "1002:67df";
const CARD: &str = "/sys/bus/pci/devices/0000:01:00.0";
const IGPU: &str = "/sys/bus/pci/devices/0000:00:02.0";
const DEP: &str = "/lib/modules/6.1.0-56-amd64/modules.dep";
const GPU: &str = "0000:01:00.0";
const OK_BAR: &str = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";

fn radeon() -> Scene {
    card(RADEON, "030000", "amdgpu")
}

fn kaby() -> Scene {
    let mut scene = integrated("5912", "i915");
    scene.file(DEP, "kernel/drivers/vfio/mdev/mdev.ko: \nkernel/drivers/gpu/drm/i915/kvmgt.ko: \nkernel/drivers/vfio/pci/vfio-pci.ko: \n");
    scene.file("/sys/module/i915/parameters/enable_gvt", "Y\n");
    scene
}

fn flex() -> Scene {
    card("8086:56c0", "038000", "i915")
}

fn alder() -> Scene {
    let mut scene = integrated("46a6", "i915");
    scene.node("card0", "0000:00:02.0").node("renderD128", "0000:00:02.0");
    for file in ["i915/adlp_guc_70.bin", "i915/tgl_huc.bin", "i915/adlp_dmc_ver2_16.bin"] {
        scene.file(&format!("/lib/firmware/{file}"), "x");
    }
    scene
}

/// An `Acs`-less slot: a network card beside the GPU.
fn crowd(scene: &mut Scene) {
    scene.function("0000:02:00.0", "8086:1533", "020000", "igb", Some(1));
}

fn gl(scene: &mut Scene) {
    scene.tree.prints(&["qemu-system-x86_64", "-device", "help"], "name \"virtio-vga-gl\", bus PCI\n");
    scene.tree.prints(&["qemu-system-x86_64", "-display", "help"], "none\negl-headless\n");
}

fn arm() -> Scene {
    let mut scene = radeon();
    scene.file("/proc/sys/kernel/arch", "aarch64\n");
    scene
}

fn windows(scene: &mut Scene) {
    scene.options.guest = Some(Guest::Windows);
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = platform();
    cases.extend(card_itself());
    cases.extend(slices());
    cases.extend(software());
    cases
}

fn platform() -> Vec<Case> {
    vec![
        case("gpu", radeon_well, |_| (), crowd),
        case(
            "console-chip",
            || card("1a03:2000", "030000", "ast"),
            |_| (),
            |s| {
                s.file(&format!("{CARD}/vendor"), "0x10de");
            },
        ),
        case(
            "no-gpu",
            host,
            |_| (),
            |s| {
                s.function(GPU, RADEON, "030000", "amdgpu", Some(1));
            },
        ),
        case("iommu", geforce, |_| (), |s| s.tree.remove("/sys/class/iommu/dmar0")),
        case(
            "iommu-not-in-firmware",
            geforce,
            |s| {
                s.tree.remove("/sys/class/iommu/dmar0");
                s.tree.remove("/sys/firmware/acpi");
            },
            |s| {
                s.file("/sys/firmware/acpi/tables/DMAR", "");
            },
        ),
        case(
            "iommu-off-by-command-line",
            geforce,
            |s| {
                s.tree.remove("/sys/class/iommu/dmar0");
                s.boot_with("intel_iommu=off");
            },
            |s| {
                s.boot_with("quiet");
            },
        ),
        case(
            "iommu-not-in-kernel",
            geforce,
            |s| {
                s.tree.remove("/sys/class/iommu/dmar0");
                s.file(&format!("/boot/config-{KERNEL}"), "CONFIG_X=y\n# CONFIG_INTEL_IOMMU is not set\n");
            },
            |s| {
                s.file(&format!("/boot/config-{KERNEL}"), "CONFIG_INTEL_IOMMU=y\n");
            },
        ),
        case(
            "iommu-not-enabled",
            geforce,
            |s| {
                s.tree.remove("/sys/class/iommu/dmar0");
                s.boot_with("quiet");
            },
            |s| {
                s.file("/sys/class/iommu/dmar0/intel-iommu/cap", "8d2078c106f0466");
            },
        ),
        case(
            "iommu-off-for-integrated",
            kaby,
            |s| s.tree.remove(&format!("{IGPU}/iommu_group")),
            |s| {
                s.tree.link_to(&format!("{IGPU}/iommu_group"), "../../../../kernel/iommu_groups/0");
            },
        ),
        case(
            "no-iommu-group",
            geforce,
            |s| s.tree.remove(&format!("{CARD}/iommu_group")),
            |s| {
                s.tree.link_to(&format!("{CARD}/iommu_group"), "../../../../kernel/iommu_groups/1");
            },
        ),
        case(
            "interrupt-remapping",
            geforce,
            |s| {
                s.boot_with("intel_iommu=on intremap=off");
            },
            |s| {
                s.boot_with("intel_iommu=on");
            },
        ),
        // 39 bits.
        case(
            "iommu-address-width",
            geforce,
            |s| {
                s.file("/sys/class/iommu/dmar0/intel-iommu/cap", "d2008c40660462");
            },
            |s| {
                s.file("/sys/class/iommu/dmar0/intel-iommu/cap", "8d2078c106f0466");
            },
        ),
        case(
            "vfio-not-in-kernel",
            geforce,
            |s| {
                s.tree.remove("/sys/bus/pci/drivers/vfio-pci");
                s.file(DEP, "kernel/drivers/net/tun.ko: \n");
            },
            |s| {
                s.file(DEP, "kernel/drivers/vfio/pci/vfio-pci.ko.zst: kernel/drivers/vfio/vfio.ko.zst\n");
            },
        ),
        case(
            "mdev-not-in-kernel",
            kaby,
            |s| {
                s.file(DEP, "kernel/drivers/vfio/pci/vfio-pci.ko: \n");
            },
            |s| {
                s.file(DEP, "kernel/drivers/vfio/mdev/mdev.ko: \n");
            },
        ),
        case("dirty-group", geforce, crowd, |s| {
            s.driver("0000:02:00.0", "vfio-pci");
        }),
        case(
            "gpus-share-group",
            geforce,
            |s| {
                s.function("0000:02:00.0", RADEON, "030000", "vfio-pci", Some(1));
            },
            |s| {
                s.tree.remove("/sys/kernel/iommu_groups/1/devices/0000:02:00.0");
                s.function("0000:02:00.0", RADEON, "030000", "vfio-pci", Some(2));
            },
        ),
        case(
            "acs-override",
            geforce,
            |s| {
                s.boot_with("intel_iommu=on pcie_acs_override=downstream");
            },
            |s| {
                s.boot_with("intel_iommu=on");
            },
        ),
        case(
            "companions-on-host",
            geforce,
            |s| {
                s.driver(GPU, "vfio-pci");
            },
            |s| {
                s.driver("0000:01:00.1", "vfio-pci");
            },
        ),
        case(
            "hugepages",
            geforce,
            |s| {
                s.driver(GPU, "vfio-pci")
                    .file("/proc/meminfo", "MemTotal:      263084710 kB\nHugePages_Total:       0\n");
            },
            |s| {
                s.file("/proc/meminfo", "MemTotal:      263084710 kB\nHugePages_Total:       96\n");
            },
        ),
        case(
            "memory-lock",
            geforce,
            |s| {
                s.driver(GPU, "vfio-pci").file("/proc/self/status", "CapEff:\t0000000000000000\n").file(
                    "/proc/self/limits",
                    "Max locked memory         8388608              8388608              bytes\n",
                );
            },
            |s| {
                s.file(
                    "/proc/self/limits",
                    "Max locked memory         unlimited            unlimited            bytes\n",
                );
            },
        ),
        case(
            "kvm-ignore-msrs",
            geforce,
            |s| {
                windows(s);
                s.file("/sys/module/kvm/parameters/ignore_msrs", "N\n");
            },
            |s| {
                s.file("/sys/module/kvm/parameters/ignore_msrs", "Y\n");
            },
        ),
        case(
            "arm-display",
            arm,
            |_| (),
            |s| {
                s.file("/proc/sys/kernel/arch", "x86_64");
            },
        ),
    ]
}

/// A card of which nothing is to be said but good.
fn radeon_well() -> Scene {
    card("1002:73bf", "030000", "amdgpu")
}

fn card_itself() -> Vec<Case> {
    vec![
        case(
            "card-silent",
            geforce,
            |s| {
                s.of_card("config", vec![0xff; 64]);
            },
            |s| {
                s.of_card("config", vec![0xde, 0x10, 0x80, 0x1b]);
            },
        ),
        case(
            "override-without-driver",
            geforce,
            |s| {
                s.driver(GPU, "").of_card("driver_override", "vfio-pci\n");
            },
            |s| {
                s.driver(GPU, "vfio-pci");
            },
        ),
        case(
            "framebuffer-holds-bar",
            geforce,
            |s| {
                s.of_card("resource", "0x00000000e0000000 0x00000000efffffff 0x000000000014220c\n")
                    .file("/proc/iomem", "e0000000-efffffff : PCI Bus 0000:01\n  e0000000-e07fffff : efifb\n");
            },
            |s| {
                s.file("/proc/iomem", "e0000000-efffffff : PCI Bus 0000:01\n  e0000000-efffffff : 0000:01:00.0\n");
            },
        ),
        case(
            "vfio-ids-of-several",
            geforce,
            |s| {
                s.function("0000:02:00.0", "10de:1b80", "030000", "vfio-pci", Some(2))
                    .boot_with("vfio-pci.ids=10de:1b80,10de:10f0");
            },
            |s| {
                s.boot_with("intel_iommu=on");
            },
        ),
        case(
            "pcie-width",
            geforce,
            |s| {
                s.of_card("current_link_width", "4\n").of_card("max_link_width", "16\n");
            },
            |s| {
                s.of_card("current_link_width", "8\n");
            },
        ),
        case(
            "boot-vga",
            geforce,
            |s| {
                s.of_card("boot_vga", "1\n");
            },
            |s| {
                s.of_card("boot_vga", "0\n");
            },
        ),
        case(
            "no-reset",
            radeon_well,
            |s| s.tree.remove(&format!("{CARD}/reset_method")),
            |s| {
                s.of_card("reset_method", "flr\n");
            },
        ),
        case(
            "reset-by-bus",
            geforce,
            |s| s.tree.remove(&format!("{CARD}/reset_method")),
            |s| {
                s.of_card("reset_method", "bus\n");
            },
        ),
        case(
            "amd-reset-bug",
            radeon,
            |_| (),
            |s| {
                s.tree.folder("/sys/module/vendor_reset");
            },
        ),
        case(
            "vendor-reset-unused",
            radeon,
            |s| {
                s.tree.folder("/sys/module/vendor_reset");
            },
            |s| {
                s.of_card("reset_method", "device_specific bus\n");
            },
        ),
        case(
            "rom-without-uefi",
            geforce,
            |s| {
                s.of_card("rom", rom(&[0]));
            },
            |s| {
                s.of_card("rom", rom(&[0, 3]));
            },
        ),
        case(
            "rom-broken",
            geforce,
            |s| {
                s.of_card("rom", vec![0xff; 512]);
            },
            |s| {
                s.of_card("rom", rom(&[0, 3]));
            },
        ),
        case(
            "rom-shadowed",
            geforce,
            |s| {
                s.of_card("boot_vga", "1").of_card(
                    "resource",
                    format!("{}0x00000000000c0000 0x00000000000dffff 0x0000000000000212\n", OK_BAR.repeat(6)),
                );
            },
            |s| {
                s.of_card(
                    "resource",
                    format!("{}0x00000000f7000000 0x00000000f707ffff 0x0000000000046200\n", OK_BAR.repeat(6)),
                );
            },
        ),
        case(
            "rom-unread",
            geforce,
            |s| {
                windows(s);
                s.of_card(
                    "resource",
                    format!("{}0x00000000f7000000 0x00000000f707ffff 0x0000000000046200\n", OK_BAR.repeat(6)),
                );
            },
            |s| {
                s.of_card("rom", rom(&[0, 3]));
            },
        ),
        // 64 GiB and 32 MiB.
        case(
            "window-too-small",
            a40,
            |s| {
                s.of_card("resource", format!("{OK_BAR}0x0000206000000000 0x0000206fffffffff 0x000000000014220c\n{OK_BAR}0x0000207000000000 0x0000207001ffffff 0x000000000014220c\n"));
            },
            |s| {
                s.of_card("resource", format!("{OK_BAR}0x0000206000000000 0x000020600fffffff 0x000000000014220c\n"));
            },
        ),
        case(
            "bar-unassigned",
            a40,
            |s| {
                s.of_card("resource", format!("{OK_BAR}0x0000000000000000 0x0000000fffffffff 0x000000002014220c\n"));
            },
            |s| {
                s.of_card("resource", format!("{OK_BAR}0x0000206000000000 0x000020600fffffff 0x000000000014220c\n"));
            },
        ),
        case(
            "rebar-off",
            || card("8086:56a0", "030000", "i915"),
            |s| {
                s.of_card(
                    "resource",
                    format!("{OK_BAR}{OK_BAR}0x0000004000000000 0x000000400fffffff 0x000000000014220c\n"),
                )
                .of_card("resource2_resize", "0000000000003f00\n");
            },
            |s| {
                s.of_card(
                    "resource",
                    format!("{OK_BAR}{OK_BAR}0x0000004000000000 0x00000041ffffffff 0x000000000014220c\n"),
                );
            },
        ),
        case("nvidia-hiding", geforce, windows, |s| s.options.guest = Some(Guest::Linux)),
        case("hdmi-audio-msi", geforce, windows, |s| s.tree.remove("/sys/bus/pci/devices/0000:01:00.1")),
    ]
}

fn slices() -> Vec<Case> {
    vec![
        case(
            "wrong-driver",
            m60,
            |s| {
                s.driver(GPU, "nouveau");
            },
            |s| {
                s.driver(GPU, "nvidia");
            },
        ),
        case(
            "nvidia-driver-branch",
            m60,
            |s| {
                s.file("/sys/module/nvidia/version", "550.90.05\n");
            },
            |s| {
                s.file("/sys/module/nvidia/version", "535.183.04\n");
            },
        ),
        case(
            "no-vgpu-on-card",
            geforce,
            |s| s.options.mode = Some(GpuMode::Vgpu),
            |s| {
                s.of_card("device", "0x13f2");
            },
        ),
        case(
            "compute-mode",
            m60,
            |s| {
                s.of_card("class", "0x030200");
            },
            |s| {
                s.of_card("class", "0x030000");
            },
        ),
        case(
            "display-mode",
            a40,
            |s| {
                s.of_card("class", "0x030000");
            },
            |s| {
                s.of_card("class", "0x030200");
            },
        ),
        case(
            "nvidia-ecc",
            m60,
            |s| {
                s.tree.prints(&["nvidia-smi", "-q"], "GPU 00000000:01:00.0\n    Ecc Mode\n        Current                           : Enabled\n        Pending                           : Enabled\n");
            },
            |s| {
                s.tree.prints(&["nvidia-smi", "-q"], "GPU 00000000:01:00.0\n    Ecc Mode\n        Current                           : Disabled\n        Pending                           : Enabled\n");
            },
        ),
        case(
            "no-vgpu-manager",
            m60,
            |s| s.tree.remove("/sys/module/nvidia_vgpu_vfio"),
            |s| {
                s.tree.folder("/sys/module/nvidia_vgpu_vfio");
            },
        ),
        case(
            "sriov-manage-missing",
            a40,
            |s| s.tree.remove("/usr/lib/nvidia/sriov-manage"),
            |s| {
                s.file("/usr/lib/nvidia/sriov-manage", "x");
            },
        ),
        case(
            "sriov-manage-not-run",
            a40,
            |_| (),
            |s| {
                s.function("0000:01:00.4", "10de:2235", "030200", "nvidia", Some(9));
                s.tree
                    .link_to("/sys/bus/pci/devices/0000:01:00.4/physfn", "../0000:01:00.0")
                    .link_to(&format!("{CARD}/virtfn0"), "../0000:01:00.4");
                s.of_card("sriov_numvfs", "1");
            },
        ),
        case(
            "unknown-profile",
            m60,
            |s| s.options.profile = Some("M60-3Q".into()),
            |s| s.options.profile = Some("M60-2Q".into()),
        ),
        case(
            "license-edition",
            m60,
            |s| {
                s.options.profile = Some("M60-2Q".into());
                s.options.license = Some("vPC".into());
            },
            |s| s.options.license = Some("vWS".into()),
        ),
        case("license-needed", m60, |s| s.options.profile = Some("M60-2Q".into()), |s| s.options.profile = None),
        case(
            "amd-gim",
            || card("1002:6929", "030000", "amdgpu"),
            |_| (),
            |s| {
                s.tree.folder("/sys/module/gim");
            },
        ),
        case(
            "amd-closed-host-driver",
            || card("1002:73a1", "030000", "amdgpu"),
            |_| (),
            |s| {
                s.of_card("device", "0x73bf");
            },
        ),
        case("no-vf-on-card", radeon, |s| s.options.mode = Some(GpuMode::Vf), |s| s.options.mode = None),
        case("gvtg-not-on-platform", alder, |s| s.options.mode = Some(GpuMode::Vgpu), |s| s.options.mode = None),
        case(
            "gvtg-not-in-kernel",
            kaby,
            |s| {
                s.file(DEP, "kernel/drivers/vfio/mdev/mdev.ko: \n");
            },
            |s| {
                s.tree.folder("/sys/module/kvmgt");
            },
        ),
        case(
            "gvtg-off",
            kaby,
            |s| {
                s.file("/sys/module/i915/parameters/enable_gvt", "N\n");
            },
            |s| {
                s.file("/sys/module/i915/parameters/enable_gvt", "Y\n");
            },
        ),
        case(
            "gvtg-with-guc",
            kaby,
            |s| {
                s.file("/sys/module/i915/parameters/enable_guc", "3\n");
            },
            |s| {
                s.file("/sys/module/i915/parameters/enable_guc", "0\n");
            },
        ),
        case(
            "gvtg-kvmgt-not-loaded",
            kaby,
            |_| (),
            |s| {
                s.tree.folder("/sys/module/kvmgt");
            },
        ),
        case(
            "gvtg-aperture",
            kaby,
            |s| {
                s.tree.folder("/sys/module/kvmgt").folder(&format!("{IGPU}/mdev_supported_types"));
            },
            |s| {
                s.file(&format!("{IGPU}/mdev_supported_types/i915-GVTg_V5_8/available_instances"), "2");
            },
        ),
        case(
            "mode-not-restored",
            || card(RADEON, "030000", "amdgpu"),
            |s| {
                s.options.wishes = vec![crate::mode::Wish::new(GPU.parse().unwrap(), GpuMode::Whole)];
                s.options.wishes_file = "/var/lib/oriel/gpu/modes.json".to_owned();
            },
            |s| {
                s.driver(GPU, "vfio-pci").of_card("driver_override", "vfio-pci");
            },
        ),
        case("igd-whole", kaby, |s| s.options.mode = Some(GpuMode::Whole), |s| s.options.mode = None),
        case(
            "intel-sriov-kernel",
            flex,
            |_| (),
            |s| {
                s.driver(GPU, "xe").file("/proc/sys/kernel/osrelease", "6.19.2-amd64").of_card("sriov_totalvfs", "31");
            },
        ),
        case(
            "xe-max-vfs",
            flex,
            |s| {
                s.driver(GPU, "xe")
                    .file("/proc/sys/kernel/osrelease", "6.19.2-amd64")
                    .file("/sys/module/xe/parameters/max_vfs", "0\n");
            },
            |s| {
                s.file("/sys/module/xe/parameters/max_vfs", "7\n");
            },
        ),
        case(
            "sriov-no-room",
            a40,
            |s| {
                s.logs("nvidia 0000:01:00.0: not enough MMIO resources for SR-IOV\n");
            },
            |s| {
                s.logs("");
            },
        ),
        case(
            "vf-on-host-driver",
            flex,
            |s| {
                s.function("0000:01:00.1", "8086:56c0", "038000", "i915", Some(9));
                s.tree
                    .link_to("/sys/bus/pci/devices/0000:01:00.1/physfn", "../0000:01:00.0")
                    .link_to(&format!("{CARD}/virtfn0"), "../0000:01:00.1");
                s.of_card("sriov_totalvfs", "31").of_card("sriov_numvfs", "1");
            },
            |s| {
                s.driver("0000:01:00.1", "vfio-pci");
            },
        ),
    ]
}

fn software() -> Vec<Case> {
    const GUC: &str = "/sys/kernel/debug/dri/0/gt0/uc/guc_info";
    const HUC: &str = "/sys/kernel/debug/dri/0/gt0/uc/huc_info";
    vec![
        case(
            "firmware-missing",
            alder,
            |s| s.tree.remove("/lib/firmware/i915/adlp_guc_70.bin"),
            |s| {
                s.file("/lib/firmware/i915/adlp_guc_70.bin.zst", "x");
            },
        ),
        case(
            "firmware-optional",
            alder,
            |s| s.tree.remove("/lib/firmware/i915/adlp_dmc_ver2_16.bin"),
            |s| {
                s.file("/lib/firmware/updates/i915/adlp_dmc_ver2_16.bin.xz", "x");
            },
        ),
        case(
            "firmware-older",
            alder,
            |s| {
                s.tree.remove("/lib/firmware/i915/adlp_guc_70.bin");
                s.file("/lib/firmware/i915/adlp_guc_69.0.3.bin", "x");
            },
            |s| {
                s.file("/lib/firmware/i915/adlp_guc_70.bin", "x");
            },
        ),
        case(
            "firmware-not-in-initramfs",
            alder,
            |s| {
                s.logs("i915 0000:00:02.0: Direct firmware load for i915/adlp_dmc_ver2_16.bin failed with error -2\n");
            },
            |s| {
                s.logs("");
            },
        ),
        case(
            "guc-not-running",
            alder,
            |s| {
                s.file(GUC, "GuC firmware: i915/adlp_guc_70.bin\n\tstatus: LOAD FAIL\n");
            },
            |s| {
                s.file(GUC, "GuC firmware: i915/adlp_guc_70.bin\n\tstatus: RUNNING\n");
            },
        ),
        case(
            "huc-not-running",
            alder,
            |s| {
                s.file(HUC, "HuC firmware: i915/tgl_huc.bin\n\tstatus: MISSING\n");
            },
            |s| {
                s.file(HUC, "HuC firmware: i915/tgl_huc.bin\n\tstatus: RUNNING\n");
            },
        ),
        case(
            "guc-switched-off",
            alder,
            |s| {
                s.file(GUC, "\tstatus: DISABLED\n").file("/sys/module/i915/parameters/enable_guc", "0");
            },
            |s| {
                s.file(GUC, "\tstatus: RUNNING\n");
            },
        ),
        case(
            "microcode",
            alder,
            |s| {
                s.file(GUC, "\tstatus: RUNNING\n").file(HUC, "\tstatus: RUNNING\n");
            },
            |s| {
                s.file(GUC, "\tstatus: LOAD FAIL\n");
            },
        ),
        case(
            "dmc-not-loaded",
            alder,
            |s| {
                s.file("/sys/kernel/debug/dri/0/i915_dmc_info", "fw loaded: no\npath: i915/adlp_dmc_ver2_16.bin\n");
            },
            |s| {
                s.file("/sys/kernel/debug/dri/0/i915_dmc_info", "fw loaded: yes\n");
            },
        ),
        case(
            "qemu-without-gl",
            alder,
            |s| {
                s.tree.prints(&["qemu-system-x86_64", "-device", "help"], "name \"virtio-vga\", bus PCI\n");
            },
            gl,
        ),
        case(
            "no-render-node",
            alder,
            |s| s.tree.remove("/sys/class/drm/renderD128"),
            |s| {
                s.node("renderD128", "0000:00:02.0");
            },
        ),
        case("venus-kernel", alder, gl, |s| {
            s.file("/proc/sys/kernel/osrelease", "6.14.1-amd64");
        }),
        case("sharing", alder, gl, |s| {
            s.tree.prints(&["qemu-system-x86_64", "-device", "help"], "");
        }),
    ]
}
