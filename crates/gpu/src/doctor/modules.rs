//! Modules that the kernel must have: VFIO, and mediated devices where slices are made by them.

use super::{
    case::{Case, intel},
    draft::{HOST, error, note, warning_if},
    nvidia,
};
use oriel_model::{Finding, GpuMode};

const VFIO: &str = "https://docs.kernel.org/driver-api/vfio.html";

pub(super) fn host(case: &Case<'_>, findings: &mut Vec<Finding>) {
    if case.inventory.gpus.is_empty() {
        let nodes: Vec<String> = case
            .sysfs
            .list("/sys/class/drm")
            .unwrap_or_default()
            .into_iter()
            .filter(|name| name.starts_with("renderD"))
            .collect();
        findings.push(
            note("no-gpu", HOST)
                .saw("/sys/bus/pci/devices", "no device of class 03xx or 12xx")
                .saw("/sys/class/drm", if nodes.is_empty() { "no render node".to_owned() } else { nodes.join(" ") })
                .because(if nodes.is_empty() {
                    "this host has no GPU that Oriel could hand out; desktops are drawn by the processor"
                } else {
                    "this host's GPU is part of its processor and no PCI device: it cannot be handed out, and desktops are drawn by the processor"
                })
                .fix("# if there should be one: lspci -nn | grep -E '\\[(03|12)'   # a card that is not even there is a matter of power, slot or BIOS")
                .see(VFIO),
        );
        return;
    }
    if case.cards().next().is_none() {
        return;
    }
    let kernel = &case.host.kernel;
    let evidence = format!("/lib/modules/{kernel}/modules.dep");
    let full_kernel = || match case.host.distribution.id.as_str() {
        "debian" => format!(
            "apt-get install linux-image-{}   # rather than the cloud kernel\nreboot",
            if case.arm() { "arm64" } else { "amd64" }
        ),
        "ubuntu" => format!("apt-get install linux-modules-extra-{kernel}"),
        _ => case.system.packages("linux-image-amd64", "kernel-modules", "linux", "kernel-default"),
    };
    let vfio_driver = case.sysfs.exists("/sys/bus/pci/drivers/vfio-pci");
    if !vfio_driver && case.module("vfio-pci") == Some(false) {
        findings.push(
            error("vfio-not-in-kernel", HOST)
                .saw(&evidence, "no vfio-pci.ko")
                .because(format!("the kernel {kernel} has no vfio-pci, which hands cards to desktops"))
                .fix(full_kernel())
                .see(VFIO),
        );
    }
    let wants_mdev =
        case.cards().find(|gpu| intel(gpu).is_some_and(crate::firmware::Platform::gvt_g) || nvidia::needs_mdev(gpu));
    if let Some(gpu) = wants_mdev
        && case.module("mdev") == Some(false)
    {
        findings.push(
            warning_if(case.asked_for(GpuMode::Vgpu) || gpu.vendor_id == "10de", "mdev-not-in-kernel", HOST)
                .saw(&evidence, "no mdev.ko")
                .because(format!("the kernel {kernel} has no mediated devices (mdev): {} cannot be sliced", gpu.name))
                .fix(full_kernel())
                .see("https://docs.kernel.org/driver-api/vfio-mediated-device.html"),
        );
    }
}
