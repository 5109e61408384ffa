//! Intel: GVT-g on the platforms that have it, SR-IOV on those after, and the kernels that can.

use super::{
    bios::{Setting, words},
    case::{Case, held_by_vfio, intel},
    draft::{note, warning_if},
};
use crate::{firmware::Platform, inventory::Gpu};
use oriel_model::{Finding, GpuMode};

const GVT: &str = "https://github.com/intel/gvt-linux/wiki/GVTg_Setup_Guide";
const SRIOV_DKMS: &str = "https://github.com/strongtz/i915-sriov-dkms";
const XE: &str = "https://docs.kernel.org/gpu/xe/index.html";

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let Some(platform) = intel(gpu) else { return };
    if platform.integrated() && case.asked_for(GpuMode::Whole) {
        findings.push(igd(gpu, platform));
    }
    if platform.gvt_g() {
        if case.may_be(GpuMode::Vgpu) {
            gvt(case, gpu, platform, findings);
        }
    } else if case.asked_for(GpuMode::Vgpu) {
        findings.push(no_gvt(gpu, platform));
    }
    if case.may_be(GpuMode::Vf) {
        sriov(case, gpu, platform, findings);
    }
}

/// GVT-d: the processor's GPU is wired to the chipset and the BIOS in ways that a card is not.
fn igd(gpu: &Gpu, platform: Platform) -> Finding {
    let legacy = platform < Platform::Broadwell;
    note("igd-whole", &gpu.address)
        .saw(format!("{}/device", gpu.path()), format!("0x{} ({})", gpu.device_id, platform.name()))
        .because(if legacy {
            "a desktop with this GPU must look like its own board: machine i440fx, the GPU at 00:02.0, started by BIOS (SeaBIOS) with the GPU's ROM"
        } else {
            "a desktop with this GPU uses it beside the virtual screen (UPT) with any machine; for a picture on the monitor itself it must be the only one: machine i440fx, at 00:02.0, with the GPU's ROM and OpRegion. Taken back, i915 may not find it as it was until the host is restarted"
        })
        .fix(if legacy {
            "# Oriel gives it to desktops as a second screen only (UPT), which needs a GPU from Broadwell on; leave this one to the host".to_owned()
        } else {
            format!("oriel gpu mode set {} whole   # Oriel gives it to desktops as a second screen, with the firmware's OpRegion; nothing else is needed", gpu.address)
        })
        .see("https://www.qemu.org/docs/master/system/devices/igd-assign.html")
}

fn no_gvt(gpu: &Gpu, platform: Platform) -> Finding {
    let (instead, fix) = match Maker::of(platform) {
        Some(_) if gpu.modes.vf.available => {
            ("It has virtual functions (SR-IOV) instead", format!("oriel gpu mode set {} vf", gpu.address))
        }
        Some(_) => (
            "It would have virtual functions (SR-IOV) instead, and something is missing for them",
            format!("oriel gpu doctor {} --for vf   # says what", gpu.address),
        ),
        None => ("It can be handed out whole, or shared", format!("oriel gpu mode set {} shared", gpu.address)),
    };
    warning_if(true, "gvtg-not-on-platform", &gpu.address)
        .saw(format!("{}/device", gpu.path()), format!("0x{} ({})", gpu.device_id, platform.name()))
        .because(format!("{} has no GVT-g: Intel built it for Broadwell to Comet Lake. {instead}", platform.name()))
        .fix(fix)
        .see(GVT)
}

fn gvt(case: &Case<'_>, gpu: &Gpu, platform: Platform, findings: &mut Vec<Finding>) {
    let asked = case.asked_for(GpuMode::Vgpu);
    if held_by_vfio(gpu.driver.as_deref()) && !asked {
        return;
    }
    let boot = |words: &str| {
        format!(
            "{}\necho kvmgt > /etc/modules-load.d/kvmgt.conf",
            case.system.boot_with(words).trim_end_matches("reboot").trim_end()
        ) + "\nreboot"
    };
    if case.module("kvmgt") == Some(false) {
        findings.push(
            warning_if(asked, "gvtg-not-in-kernel", &gpu.address)
                .saw(format!("/lib/modules/{}/modules.dep", case.host.kernel), "no kvmgt.ko")
                .because(format!(
                    "{} can be sliced by GVT-g, and this kernel was built without it (kvmgt)",
                    platform.name()
                ))
                .fix("# Debian's and Arch's ordinary kernels have it; Ubuntu's since 22.04 and RHEL's do not")
                .see(GVT),
        );
        return;
    }
    let Some((path, value)) = case.parameter("i915", "enable_gvt") else { return };
    if matches!(value.as_str(), "N" | "0") {
        findings.push(
            warning_if(asked, "gvtg-off", &gpu.address)
                .saw(path, value)
                .because(format!("{} can be sliced for several desktops by GVT-g, which is switched off by default; Intel has stopped developing it, and it still works", platform.name()))
                .fix(boot("intel_iommu=on i915.enable_gvt=1 i915.enable_guc=0"))
                .see(GVT),
        );
        return;
    }
    if let Some((path, value)) =
        case.parameter("i915", "enable_guc").filter(|(_, value)| value.parse::<i32>().is_ok_and(|bits| bits > 0))
    {
        findings.push(
            warning_if(true, "gvtg-with-guc", &gpu.address)
                .saw(path, value)
                .because("GVT-g is switched on, and so is GuC, which keeps it from starting (\"Graphics virtualization is not yet supported with GuC submission\")")
                .fix(case.system.boot_with("i915.enable_guc=0"))
                .see(GVT),
        );
        return;
    }
    if !case.sysfs.exists("/sys/module/kvmgt") {
        findings.push(
            warning_if(true, "gvtg-kvmgt-not-loaded", &gpu.address)
                .saw(path, value)
                .saw("/sys/module/kvmgt", "absent")
                .because("GVT-g is switched on, and its other half, the module kvmgt, is not loaded: no types of slices are offered")
                .fix("modprobe kvmgt && echo kvmgt > /etc/modules-load.d/kvmgt.conf")
                .see(GVT),
        );
        return;
    }
    let types = format!("{}/mdev_supported_types", gpu.path());
    if case.sysfs.list(&types).is_ok_and(|names| names.is_empty()) {
        findings.push(
            warning_if(true, "gvtg-aperture", &gpu.address)
                .saw(types, "empty")
                .because("GVT-g runs and offers no type of slice: the GPU's aperture, out of which each slice takes 64 MB at least, is too small")
                .fix(words(case, Setting::Aperture))
                .see(GVT),
        );
    }
}

/// Who makes virtual functions of a platform that has them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// xe, from this kernel on.
    Xe(u32, u32),
    /// Only i915 from outside the kernel.
    Outside,
}

impl Maker {
    fn of(platform: Platform) -> Option<Self> {
        Some(match platform {
            Platform::Battlemage | Platform::PantherLake => Self::Xe(6, 17),
            Platform::TigerLake
            | Platform::AlderLakeS
            | Platform::RaptorLakeS
            | Platform::AlderLakeP
            | Platform::AlderLakeN
            | Platform::RaptorLakeP
            | Platform::AtsM => Self::Xe(6, 19),
            Platform::MeteorLake => Self::Outside,
            _ => return None,
        })
    }

    /// This kernel's own xe can.
    fn in_kernel(self, case: &Case<'_>) -> bool {
        match self {
            Self::Xe(major, minor) => case.kernel().is_some_and(|kernel| kernel >= (major, minor)),
            Self::Outside => false,
        }
    }
}

fn sriov(case: &Case<'_>, gpu: &Gpu, platform: Platform, findings: &mut Vec<Finding>) {
    let asked = case.asked_for(GpuMode::Vf);
    if held_by_vfio(gpu.driver.as_deref()) && !asked {
        return;
    }
    let device = (format!("{}/device", gpu.path()), format!("0x{} ({})", gpu.device_id, platform.name()));
    let Some(maker) = Maker::of(platform) else {
        if asked {
            findings.push(
                note("no-vf-on-card", &gpu.address)
                    .saw(device.0, device.1)
                    .because(format!(
                        "{} has no virtual functions{}",
                        platform.name(),
                        if platform.gvt_g() { "; it has GVT-g: mode vgpu" } else { "" }
                    ))
                    .fix(format!(
                        "oriel gpu mode set {} {}",
                        gpu.address,
                        if platform.gvt_g() { "vgpu" } else { "whole" }
                    ))
                    .see(XE),
            );
        }
        return;
    };
    // The driver says how many it would make; xe says none while `max_vfs` is 0.
    if gpu.modes.vf.total > 0 && driver_makes_them(case, gpu) {
        return;
    }
    if let Some((path, value)) = case.parameter("xe", "max_vfs").filter(|(_, value)| value == "0")
        && gpu.driver.as_deref() == Some("xe")
        && maker.in_kernel(case)
    {
        findings.push(
            warning_if(asked, "xe-max-vfs", &gpu.address)
                .saw(path, value)
                .because("xe on this kernel can make virtual functions of this GPU, and was told to make none (xe.max_vfs=0)")
                .fix(case.system.boot_with("xe.max_vfs=7"))
                .see(XE),
        );
        return;
    }
    if maker.in_kernel(case) && gpu.driver.as_deref() == Some("xe") {
        return;
    }
    let dkms = !matches!(platform, Platform::Battlemage | Platform::PantherLake);
    let mut fix = Vec::new();
    let mut makers = Vec::new();
    if let Maker::Xe(major, minor) = maker {
        makers.push(format!("by the driver xe of Linux {major}.{minor} or later"));
        fix.push(format!(
            "# a kernel of {major}.{minor} or later with the driver xe instead of i915:\n{}",
            case.system.boot_with(&format!(
                "i915.force_probe=!{id} xe.force_probe={id} xe.max_vfs=7 intel_iommu=on",
                id = gpu.device_id
            ))
        ));
    }
    if dkms {
        makers.push("by an i915 from outside the kernel".to_owned());
        let packages = case.system.packages(
            "dkms git \"linux-headers-$(uname -r)\"",
            "dkms git kernel-devel",
            "dkms git linux-headers",
            "dkms git kernel-devel",
        );
        fix.push(format!(
            "# or the community's i915 with SR-IOV, for kernels 6.1 to 6.7 (branch intel-lts) and 6.8 on; in the desktops too:\n{packages}\ngit clone {SRIOV_DKMS} && dkms add ./i915-sriov-dkms && dkms install i915-sriov-dkms/$(sed -n 's/^PACKAGE_VERSION=\"\\(.*\\)\"/\\1/p' i915-sriov-dkms/dkms.conf)\n{}",
            case.system.boot_with("intel_iommu=on i915.enable_guc=3 i915.max_vfs=7 module_blacklist=xe")
        ));
    }
    findings.push(
        warning_if(asked, "intel-sriov-kernel", &gpu.address)
            .saw(device.0, device.1)
            .saw("/proc/sys/kernel/osrelease", &case.host.kernel)
            .saw(format!("{}/driver", gpu.path()), gpu.driver.as_deref().unwrap_or("none"))
            .because(format!(
                "{} has virtual functions (SR-IOV), one for each desktop; they are made {}, and not by the driver of this kernel",
                platform.name(),
                makers.join(" or ")
            ))
            .fix(fix.join("\n"))
            .see(if dkms { SRIOV_DKMS } else { XE }),
    );
}

/// The capability is in the hardware; the kernel's own i915 shows it and refuses to use it.
fn driver_makes_them(case: &Case<'_>, gpu: &Gpu) -> bool {
    if gpu.modes.vf.enabled > 0 {
        return true;
    }
    match gpu.driver.as_deref() {
        Some("i915") => {
            case.sysfs.exists("/sys/module/i915/parameters/max_vfs")
                || case.drm(gpu).iter().any(|card| case.sysfs.exists(&format!("/sys/class/drm/{card}/prelim_iov")))
        }
        Some("xe") => {
            intel(gpu).and_then(Maker::of).is_some_and(|maker| maker.in_kernel(case))
                && case.parameter("xe", "max_vfs").is_none_or(|(_, value)| value != "0")
        }
        _ => false,
    }
}
