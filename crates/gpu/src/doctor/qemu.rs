//! Sharing the host's GPU: virtio-gpu with VirGL (OpenGL) or Venus (Vulkan).

use super::{
    case::Case,
    draft::{HOST, note, ok, warning_if},
};
use crate::inventory::Gpu;
use oriel_model::{Finding, GpuMode};

const VIRTIO_GPU: &str = "https://www.qemu.org/docs/master/system/devices/virtio/virtio-gpu.html";

/// Drivers that draw through Mesa, so that QEMU can.
const MESA: [&str; 8] = ["i915", "xe", "amdgpu", "radeon", "nouveau", "panfrost", "v3d", "msm"];

fn shareable(gpu: &Gpu) -> bool {
    gpu.driver.as_deref().is_some_and(|driver| MESA.contains(&driver)) || gpu.modes.shared.render_node.is_some()
}

pub(super) fn host(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let asked = case.asked_for(GpuMode::Shared);
    if !(asked || case.cards().any(shareable)) || !case.may_be(GpuMode::Shared) {
        return;
    }
    let (program, device) =
        if case.arm() { ("qemu-system-aarch64", "virtio-gpu-gl-pci") } else { ("qemu-system-x86_64", "virtio-vga-gl") };
    // Without QEMU there is a finding of `oriel doctor` already.
    let Ok(devices) = case.sysfs.command(&[program, "-device", "help"]) else { return };
    let displays = case.sysfs.command(&[program, "-display", "help"]).ok();
    let has_device = devices.contains(&format!("\"{device}\""));
    let has_display = displays.as_deref().is_none_or(|text| text.lines().any(|line| line.trim() == "egl-headless"));
    if !has_device || !has_display {
        // Debian and Ubuntu made a package of their own of these modules with QEMU 8.
        let version = case.sysfs.command(&[program, "--version"]).unwrap_or_default();
        let major = version.split("version ").nth(1).and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
        let old = major.is_some_and(|major| major < 8);
        let mut draft = warning_if(asked, "qemu-without-gl", HOST);
        if !has_device {
            draft = draft.saw(format!("{program} -device help"), format!("no {device}"));
        }
        if !has_display {
            draft = draft.saw(
                format!("{program} -display help"),
                displays.unwrap_or_default().lines().map(str::trim).collect::<Vec<_>>().join(" "),
            );
        }
        findings.push(
            draft
                .because("QEMU's modules for OpenGL are not installed: desktops cannot share the host's GPU and are drawn by the processor")
                .fix(case.system.packages(
                    if old { "qemu-system-gui" } else { "qemu-system-modules-opengl" },
                    "qemu-ui-egl-headless qemu-device-display-virtio-gpu-gl qemu-device-display-virtio-vga-gl virglrenderer",
                    "qemu-ui-egl-headless qemu-hw-display-virtio-vga-gl qemu-hw-display-virtio-gpu-pci-gl virglrenderer",
                    "qemu-ui-opengl qemu-hw-display-virtio-vga virglrenderer0",
                ))
                .see(VIRTIO_GPU),
        );
        return;
    }
    let nodes: Vec<&str> = case.cards().filter_map(|gpu| gpu.modes.shared.render_node.as_deref()).collect();
    if nodes.is_empty() {
        return;
    }
    if case.kernel_before(6, 13) {
        findings.push(
            note("venus-kernel", HOST)
                .saw("/proc/sys/kernel/osrelease", &case.host.kernel)
                .because("shared desktops get OpenGL (VirGL) but no Vulkan (Venus): KVM can map the GPU's memory into a guest only since Linux 6.13")
                .fix(match case.host.distribution.id.as_str() {
                    "debian" => "# a kernel of 6.13 or later: apt-get install -t \"$(. /etc/os-release; echo $VERSION_CODENAME)-backports\" linux-image-amd64, where it is that new; and virglrenderer 1.0 or later",
                    "ubuntu" => "apt-get install linux-generic-hwe-24.04   # where it is 6.13 or later; and virglrenderer 1.0 or later",
                    _ => "# a kernel of 6.13 or later, and virglrenderer 1.0 or later",
                })
                .see(VIRTIO_GPU),
        );
    }
    findings.push(
        ok("sharing", HOST)
            .saw(format!("{program} -device help"), device)
            .because(format!(
                "desktops can share a GPU through {} (VirGL): QEMU's OpenGL modules are there",
                nodes.join(", ")
            ))
            .see(VIRTIO_GPU),
    );
}

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if gpu.modes.shared.render_node.is_some() {
        return;
    }
    let Some(driver) = gpu.driver.as_deref() else { return };
    // NVIDIA's own driver shares nothing, with a render node or without.
    if !MESA.contains(&driver) {
        return;
    }
    let names = case.drm(gpu);
    // Where the folder is missing, it was not captured.
    if names.iter().any(|name| name.starts_with("renderD")) || !case.sysfs.exists("/sys/class/drm") {
        return;
    }
    findings.push(
        warning_if(case.asked_for(GpuMode::Shared), "no-render-node", &gpu.address)
            .saw("/sys/class/drm", if names.is_empty() { "nothing of this card".to_owned() } else { names.join(" ") })
            .because(format!("{driver} offers no render node (/dev/dri/renderD…), so desktops cannot share this GPU"))
            .fix(format!(
                "dmesg | grep -i {driver}   # the driver says why it gave up; missing firmware is the usual cause"
            ))
            .see("https://docs.kernel.org/gpu/drm-uapi.html#render-nodes"),
    );
}
