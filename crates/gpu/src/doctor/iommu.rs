//! The IOMMU: without it no card can be given to a desktop safely, and VFIO refuses.

use super::{
    bios::{Setting, words},
    case::{Case, integrated, intel},
    draft::{HOST, error, note, ok, warning, warning_if},
};
use crate::inventory::Gpu;
use oriel_model::Finding;

const VFIO: &str = "https://docs.kernel.org/driver-api/vfio.html";
const PARAMETERS: &str = "https://docs.kernel.org/admin-guide/kernel-parameters.html";
const TABLES: &str = "/sys/firmware/acpi/tables";

/// Words that switch it off.
const OFF: [&str; 4] = ["intel_iommu=off", "amd_iommu=off", "iommu=off", "iommu.off=1"];

pub(super) fn host(case: &Case<'_>, findings: &mut Vec<Finding>) {
    // Where there is nothing to hand out, nothing is missing.
    if case.cards().next().is_none() {
        return;
    }
    let iommu = &case.host.iommu;
    let units = if iommu.units.is_empty() { "empty".to_owned() } else { iommu.units.join(" ") };
    if iommu.present {
        let remapping = match iommu.interrupt_remapping {
            Some(true) => ", interrupts are remapped",
            _ => "",
        };
        findings.push(
            ok("iommu", HOST)
                .saw("/sys/class/iommu", &units)
                .because(format!("the IOMMU is on{remapping}: cards can be kept apart and handed to desktops"))
                .see(VFIO),
        );
        interrupts(case, findings);
        addresses(case, findings);
        return;
    }
    const WHY: &str = "no card or slice of one can be handed to a desktop: without an IOMMU its memory accesses would reach all of the host's memory";
    let intel = case.host.cpu_vendor == "GenuineIntel";
    let amd = case.host.cpu_vendor == "AuthenticAMD";
    let on = if intel { "intel_iommu=on iommu=pt" } else { "iommu=pt" };
    if let Some(word) = case.booted_with_any(&OFF) {
        findings.push(
            error("iommu-off-by-command-line", HOST)
                .saw("/proc/cmdline", &case.host.command_line)
                .saw("/sys/class/iommu", &units)
                .because(format!("`{word}` on the kernel's command line switches the IOMMU off; {WHY}"))
                .fix(case.system.boot_without(word))
                .see(PARAMETERS),
        );
    } else if !iommu.in_firmware {
        let (what, fix) = if case.arm() {
            (
                "the firmware describes no SMMU (no IORT table or device-tree node in use)",
                "# update the firmware, and enable \"SMMU\" in its setup; boards such as the Raspberry Pi have none before their PCIe,\n# and can only share a GPU: oriel gpu mode set ADDRESS shared".to_owned(),
            )
        } else {
            (
                "the firmware describes no IOMMU: it is switched off in the BIOS, or the machine has none",
                format!("{}\n# then start with it on:\n{}", words(case, Setting::Iommu), case.system.boot_with(on)),
            )
        };
        findings.push(
            error("iommu-not-in-firmware", HOST)
                .saw(TABLES, if case.arm() { "no IORT" } else { "neither DMAR (Intel) nor IVRS (AMD)" })
                .saw("/sys/class/iommu", &units)
                .because(format!("{what}; {WHY}"))
                .fix(fix)
                .see(VFIO),
        );
    } else if let Some((path, line)) = kernel_lacks(case, if amd { "CONFIG_AMD_IOMMU" } else { "CONFIG_INTEL_IOMMU" }) {
        let cloud = case.host.kernel.contains("cloud");
        findings.push(
            error("iommu-not-in-kernel", HOST)
                .saw(path, line)
                .saw("/proc/sys/kernel/osrelease", &case.host.kernel)
                .because(format!("this kernel was built without a driver for the processor's IOMMU; {WHY}"))
                .fix(if cloud && case.host.distribution.id == "debian" {
                    "apt-get install linux-image-amd64   # the cloud kernel leaves it out\nreboot   # choose the kernel without `cloud` in its name".to_owned()
                } else {
                    "# start the distribution's ordinary kernel rather than a cloud or minimal one".to_owned()
                })
                .see(VFIO),
        );
    } else {
        findings.push(
            error("iommu-not-enabled", HOST)
                .saw(TABLES, "the firmware describes one")
                .saw("/sys/class/iommu", &units)
                .saw("/proc/cmdline", &case.host.command_line)
                .because(format!("the machine has an IOMMU, and the kernel was not told to use it; {WHY}"))
                .fix(case.system.boot_with(on))
                .see(PARAMETERS),
        );
    }
}

/// A line of the kernel's configuration that says a driver is not built.
fn kernel_lacks(case: &Case<'_>, option: &str) -> Option<(String, String)> {
    if !case.x86() {
        return None;
    }
    let path = format!("/boot/config-{}", case.host.kernel);
    let text = case.sysfs.text(&path)?;
    let line = format!("# {option} is not set");
    text.lines().any(|one| one == line).then_some((path, line))
}

fn interrupts(case: &Case<'_>, findings: &mut Vec<Finding>) {
    if case.host.iommu.interrupt_remapping != Some(false) || !case.x86() {
        return;
    }
    let unsafe_path = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";
    let allowed = case.sysfs.text(unsafe_path).is_some_and(|text| text == "Y");
    let word = case.booted_with_any(&["intremap=off", "nointremap", "intremap=no_x2apic_optout"]);
    let draft =
        if allowed { warning_if(true, "interrupt-remapping", HOST) } else { error("interrupt-remapping", HOST) };
    let mut draft = draft
        .saw("/proc/cmdline", &case.host.command_line)
        .saw_all(case.logged(&["remapping"], 4).iter().map(|line| ("dmesg".to_owned(), (*line).to_owned())));
    if allowed {
        draft = draft.saw(unsafe_path, "Y");
    }
    findings.push(
        draft
            .because(if allowed {
                "interrupts are not remapped, and VFIO was told to go on all the same: a guest can send the host interrupts of its choice, so hand cards only to people whom you trust with the host"
            } else {
                "interrupts are not remapped: VFIO refuses to hand out any card (EPERM), since a guest could send the host interrupts of its choice"
            })
            .fix(match word {
                Some(word) if word != "intremap=no_x2apic_optout" => case.system.boot_without(word),
                _ => format!(
                    "{}\n# also there: \"Interrupt Remapping\", \"x2APIC\"; a BIOS update repairs broken tables\n# last resort, only with guests that you trust:\n{}",
                    words(case, Setting::Iommu),
                    case.system.module_options("vfio", "vfio_iommu_type1 allow_unsafe_interrupts=1")
                ),
            })
            .see(VFIO),
    );
}

fn addresses(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let Some(bits) = case.host.iommu.address_bits else { return };
    let processor = case.host.physical_bits;
    if processor == 0 || bits >= processor {
        return;
    }
    findings.push(
        note("iommu-address-width", HOST)
            .saw("/sys/class/iommu/dmar0/intel-iommu/cap", format!("{bits} bits"))
            .saw("/proc/cpuinfo", format!("{processor} bits physical"))
            .because(format!("the IOMMU translates {bits} bits of address, the processor has {processor}: a UEFI guest that puts a large BAR above {} GiB does not start (vfio_container_dma_map … = -22)", (1u64 << bits.min(60)) >> 30))
            .fix(format!("# libvirt, in <cpu mode='host-passthrough'>: <maxphysaddr mode='passthrough' limit='{bits}'/>\n# QEMU: -cpu host,host-phys-bits=on,host-phys-bits-limit={bits}"))
            .see("https://www.qemu.org/docs/master/system/i386/cpu.html"),
    );
}

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if !case.host.iommu.present || gpu.iommu_group.is_some() || gpu.address.pci().is_none() {
        return;
    }
    let link = format!("{}/iommu_group", gpu.path());
    if integrated(gpu) && intel(gpu).is_some() {
        let word = case.booted_with_any(&["intel_iommu=igfx_off", "intel_iommu=on,igfx_off"]);
        let path = format!("/boot/config-{}", case.host.kernel);
        let built = case.sysfs.text(&path).and_then(|text| {
            text.lines().find(|line| line.starts_with("CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=y")).map(str::to_owned)
        });
        // Where the console's GPU is not the only one, the others may be what it is about.
        let draft = if case.console_beside_others(gpu) {
            warning("iommu-off-for-integrated", &gpu.address)
        } else {
            error("iommu-off-for-integrated", &gpu.address)
        };
        let mut draft = draft.saw(link, "absent").saw("/proc/cmdline", &case.host.command_line);
        if let Some(line) = built {
            draft = draft.saw(path, line);
        }
        findings.push(
            draft
                .because("the IOMMU is on for every card but the processor's own GPU, as Debian's kernels do by default: this GPU can be handed out neither whole, nor by GVT-g, nor by SR-IOV")
                .fix(match word {
                    Some(word) => case.system.boot_without(word),
                    None => case.system.boot_with("intel_iommu=on iommu=pt"),
                })
                .see(PARAMETERS),
        );
        return;
    }
    findings.push(
        error("no-iommu-group", &gpu.address)
            .saw(link, "absent")
            .saw("/sys/class/iommu", case.host.iommu.units.join(" "))
            .because("the IOMMU is on, but this card is behind none: it can be handed to no desktop")
            .fix(format!(
                "# move the card to a slot of the processor; update the BIOS\n{}",
                if case.arm() {
                    "# the device tree or IORT must map the slot's root complex to an SMMU".to_owned()
                } else {
                    words(case, Setting::Iommu)
                }
            ))
            .see(VFIO),
    );
}
