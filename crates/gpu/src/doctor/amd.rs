//! AMD: MxGPU, which slices by virtual functions, and the host drivers for it.

use super::{
    case::{Case, held_by_vfio},
    draft::{note, warning_if},
};
use crate::inventory::Gpu;
use oriel_model::{Finding, GpuMode};

const OLD_GIM: &str = "https://github.com/GPUOpen-LibrariesAndSDKs/MxGPU-Virtualization";
const NEW_GIM: &str = "https://github.com/amd/MxGPU-Virtualization";

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if gpu.vendor_id != "1002" || !case.may_be(GpuMode::Vf) {
        return;
    }
    let asked = case.asked_for(GpuMode::Vf);
    if held_by_vfio(gpu.driver.as_deref()) && !asked {
        return;
    }
    let device = (format!("{}/device", gpu.path()), format!("0x{} {}", gpu.device_id, gpu.name));
    let driver = gpu.driver.as_deref().unwrap_or("none");
    let gim = case.sysfs.exists("/sys/module/gim");
    match gpu.device_id.as_str() {
        // FirePro S7150 and S7150x2.
        "6929" if !gim => findings.push(
            warning_if(asked, "amd-gim", &gpu.address)
                .saw(device.0, device.1)
                .saw(format!("{}/driver", gpu.path()), driver)
                .saw("/sys/module/gim", "absent")
                .because("the card can be sliced into virtual functions (MxGPU), by AMD's host driver GIM only; it was left in 2018 for Linux 4.4 (Ubuntu 16.04) and does not build on this kernel without patches. Whole, the card goes to one desktop on any kernel")
                .fix(format!("{}# on a host kept for it:\necho 'blacklist amdgpu' > /etc/modprobe.d/gim.conf\ngit clone {OLD_GIM} && cd MxGPU-Virtualization && make && make install && modprobe gim\n# slices: vf_num and fb_option in /etc/gim_config", if driver == "amdgpu" { "# amdgpu must let go of it first\n" } else { "" }))
                .see(OLD_GIM),
        ),
        // Radeon PRO V710; Instinct MI300X, MI325X, MI350X.
        "7460" | "7461" | "74a1" | "74a5" | "75a0" if !gim => findings.push(
            warning_if(asked, "amd-gim", &gpu.address)
                .saw(device.0, device.1)
                .saw(format!("{}/driver", gpu.path()), driver)
                .saw("/sys/module/gim", "absent")
                .because("the card can be sliced into virtual functions by AMD's open host driver GIM, which is not loaded; amdgpu does not make them")
                .fix(format!("git clone {NEW_GIM} && cd MxGPU-Virtualization && make && make install   # tried by AMD on Ubuntu 22.04 and 24.04\necho 'blacklist amdgpu' > /etc/modprobe.d/gim.conf\nmodprobe gim vf_num=4   # V710: 1 to 12"))
                .see(NEW_GIM),
        ),
        // V520, V620.
        "7360" | "7362" | "73a1" => findings.push(
            warning_if(asked, "amd-closed-host-driver", &gpu.address)
                .saw(device.0, device.1)
                .because("the card has virtual functions, but AMD gives its host driver only to clouds and to VMware: under KVM it is handed out whole")
                .fix(format!("oriel gpu mode set {} whole", gpu.address))
                .see(NEW_GIM),
        ),
        _ if asked && gpu.modes.vf.total == 0 => findings.push(
            note("no-vf-on-card", &gpu.address)
                .saw(device.0, device.1)
                .saw(format!("{}/sriov_totalvfs", gpu.path()), "absent")
                .because("the card has no virtual functions: it can be handed out whole, or shared")
                .fix(format!("oriel gpu mode set {} whole", gpu.address))
                .see(NEW_GIM),
        ),
        _ => {}
    }
}
