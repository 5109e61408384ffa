//! What depends on the system in the desktop.

use super::{
    Guest,
    case::{Case, enumerate},
    draft::{HOST, note, warning_if},
    nvidia,
};
use crate::inventory::Gpu;
use oriel_model::{Finding, GpuMode};

pub(super) fn host(case: &Case<'_>, findings: &mut Vec<Finding>) {
    if case.options.guest == Some(Guest::Linux) || !case.x86() || case.cards().next().is_none() {
        return;
    }
    let Some((path, value)) = case.parameter("kvm", "ignore_msrs") else { return };
    if !matches!(value.as_str(), "N" | "0") {
        return;
    }
    findings.push(
        warning_if(case.options.guest == Some(Guest::Windows), "kvm-ignore-msrs", HOST)
            .saw(path, value)
            .because("Windows 10 and 11, and drivers and tools in them, read processor registers (MSRs) that KVM does not know; KVM answers with a fault, and Windows stops with the blue screen \"SYSTEM_THREAD_EXCEPTION_NOT_HANDLED\" or \"KMODE_EXCEPTION_NOT_HANDLED\". Told to ignore such reads, KVM answers 0")

            .fix(format!(
                "echo 1 > /sys/module/kvm/parameters/ignore_msrs   # now, for desktops that start from here on\n{}   # from the next start on; the second word keeps the log quiet",
                case.system.module_options("kvm", "kvm ignore_msrs=1 report_ignored_msrs=0")
            ))
            .see("https://docs.kernel.org/admin-guide/kernel-parameters.html"),
    );
}

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if case.options.guest != Some(Guest::Windows) || !case.may_be(GpuMode::Whole) {
        return;
    }
    if nvidia::consumer(gpu) {
        // Fermi's and older cards' last driver is of branch 390 or older: it refuses for good.
        let refuses = matches!(nvidia::generation(gpu), Some(nvidia::Generation::FermiOrOlder));
        findings.push(
            warning_if(refuses, "nvidia-hiding", &gpu.address)
                .saw(format!("{}/device", gpu.path()), format!("0x{} {}", gpu.device_id, gpu.name))
                .because(if refuses {
                    "NVIDIA's last Windows driver for this card refuses to run where it sees a hypervisor: Device Manager shows \"Code 43\""
                } else {
                    "NVIDIA's Windows drivers for GeForce before 465 (March 2021) refuse to run where they see a hypervisor: Device Manager shows \"Code 43\"; newer ones do not"
                })
                .fix("# install driver 465 or later in the desktop, where there is one for the card; a card without one is better used in Linux desktops, or shared")
                .see("https://nvidia.custhelp.com/app/answers/detail/a_id/5173"),
        );
    }
    let audio: Vec<String> =
        gpu.functions.iter().filter(|function| function.class == "0403").map(|one| one.address.to_string()).collect();
    if !audio.is_empty() {
        findings.push(
            note("hdmi-audio-msi", &gpu.address)
                .saw_all(audio.iter().map(|address| (format!("/sys/bus/pci/devices/{address}/class"), "0x040300 audio".to_owned())))
                .because(format!(
                    "sound over HDMI or DisplayPort ({}) may crackle in Windows, which serves it by line interrupts unless told otherwise",
                    enumerate(&audio)
                ))
                .fix("# in the desktop, as administrator, for the audio device's instance below HKLM\\SYSTEM\\CurrentControlSet\\Enum\\PCI:\nreg add \"HKLM\\SYSTEM\\CurrentControlSet\\Enum\\PCI\\<device>\\<instance>\\Device Parameters\\Interrupt Management\\MessageSignaledInterruptProperties\" /v MSISupported /t REG_DWORD /d 1")
                .see("https://learn.microsoft.com/windows-hardware/drivers/kernel/enabling-message-signaled-interrupts-in-the-registry"),
        );
    }
}
