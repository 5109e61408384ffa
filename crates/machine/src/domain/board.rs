//! The board: firmware, processors, memory, clocks.

use super::drivers::Drivers;
use crate::{
    Arch, Boot, Firmware, XmlError,
    quirks::{Case, Part},
    xml::{Element, element},
};

/// From this libvirt on a guest's address width can be said.
const LIBVIRT_WITH_PHYS_BITS: u32 = 8_007_000;
/// What Hyper-V's interface calls itself where the guest must not know that it is one: twelve characters, as CPUID has it.
const HIDDEN_VENDOR: &str = "OrielDesktop";
/// As Windows Server 2012 and newer expect it (the value that QEMU's documentation gives).
const SPINLOCK_RETRIES: u32 = 8191;

/// Wishes that contradict each other.
pub(super) fn check(case: &Case<'_>) -> Result<(), XmlError> {
    let hardware = &case.spec.hardware;
    let bios = hardware.firmware == Firmware::Bios || case.has(Part::IgdLegacy);
    let wrong = if case.spec.arch == Arch::Aarch64 && hardware.firmware == Firmware::Bios {
        "arm64 machines start by UEFI; leave the firmware to Oriel"
    } else if bios && hardware.tpm {
        "a TPM goes with UEFI; leave the firmware to Oriel, or the TPM out"
    } else if bios && case.has(Part::SecureBoot) {
        "Secure Boot goes with UEFI; an integrated GPU as the only display starts by BIOS: choose one of them"
    } else if case.has(Part::IgdLegacy) && case.passed_through().count() > 1 {
        "an integrated GPU as the only display leaves no place for a second card; take it as a second display (universal)"
    } else if case.has(Part::IgdLegacy) && case.spec.vcpus > 255 {
        "the old board that an integrated GPU needs as the only display has at most 255 processors"
    } else {
        return Ok(());
    };
    Err(XmlError::Impossible(wrong))
}

pub(super) fn boot(case: &Case<'_>) -> Element {
    let machine = match case.spec.arch {
        Arch::X86_64 if case.has(Part::IgdLegacy) => "pc",
        Arch::X86_64 => "q35",
        Arch::Aarch64 => "virt",
    };
    let mut os = element("os");
    if case.has(Part::Uefi) {
        os = os.with("firmware", "efi");
    }
    os = os.child(element("type").with("arch", case.spec.arch.word()).with("machine", machine).text("hvm"));
    if case.has(Part::Uefi) {
        // Said in either case: libvirt would take the first firmware it finds, which often is the one that refuses.
        let secure = if case.has(Part::SecureBoot) { "yes" } else { "no" };
        let feature = |name| element("feature").with("enabled", secure).with("name", name);
        os = os.child(element("firmware").child(feature("enrolled-keys")).child(feature("secure-boot")));
    }
    match &case.spec.boot {
        Boot::Disk => os.child(element("boot").with("dev", "hd")),
        // Each drive says its place itself: the seed may be a CD as well.
        Boot::Drive => os,
        Boot::Kernel { kernel, initrd, command_line } => os
            .child(element("kernel").text(kernel.display()))
            .children(initrd.as_ref().map(|initrd| element("initrd").text(initrd.display())))
            .child(element("cmdline").text(command_line)),
    }
}

/// What the firmware is told through QEMU; libvirt keeps `opt/ovmf/` to itself.
pub(super) fn firmware_settings(case: &Case<'_>) -> Vec<String> {
    let window = case.window_mib().filter(|_| case.has(Part::Window64));
    window.map_or_else(Vec::new, |mib| {
        Vec::from(["-fw_cfg".to_owned(), format!("name=opt/ovmf/X-PciMmio64Mb,string={mib}")])
    })
}

fn switch(name: &'static str) -> Element {
    element(name).with("state", "on")
}

pub(super) fn features(case: &Case<'_>) -> Element {
    let mut features = element("features").child(element("acpi"));
    match case.spec.arch {
        Arch::X86_64 => features = features.child(element("apic")),
        Arch::Aarch64 => {
            // Under KVM the host's own version is the only one that works.
            features = features.child(element("gic").with("version", if case.kvm() { "host" } else { "3" }));
        }
    }
    let (windows, hidden) = (case.has(Part::HyperV), case.has(Part::HiddenHypervisor));
    if windows || hidden {
        let mut hyperv = element("hyperv").with("mode", "custom");
        if windows {
            hyperv = hyperv
                .child(switch("relaxed"))
                .child(switch("vapic"))
                .child(switch("spinlocks").with("retries", SPINLOCK_RETRIES))
                .child(switch("vpindex"))
                .child(switch("runtime"))
                .child(switch("synic"))
                .child(switch("stimer").child(switch("direct")))
                .child(switch("reset"));
        }
        if hidden {
            hyperv = hyperv.child(switch("vendor_id").with("value", HIDDEN_VENDOR));
        }
        if windows {
            hyperv = hyperv.child(switch("frequencies")).child(switch("tlbflush")).child(switch("ipi"));
        }
        features = features.child(hyperv);
    }
    if hidden {
        features = features.child(element("kvm").child(switch("hidden")));
    }
    if case.has(Part::SecureBoot) && case.spec.arch == Arch::X86_64 {
        features = features.child(switch("smm"));
    }
    if case.has(Part::WideInterrupts) {
        features = features.child(element("ioapic").with("driver", "qemu"));
    }
    features
}

pub(super) fn cpu(case: &Case<'_>, libvirt: u32) -> Element {
    let mode = if case.kvm() { "host-passthrough" } else { "maximum" };
    let mut cpu = element("cpu").with("mode", mode).with("check", "none");
    if case.kvm() && case.spec.arch == Arch::X86_64 {
        // QEMU knows the word for x86 only.
        cpu = cpu.with("migratable", "on");
    }
    let width = if libvirt < LIBVIRT_WITH_PHYS_BITS {
        None
    } else if case.has(Part::HostPhysBits) {
        Some(element("maxphysaddr").with("mode", "passthrough"))
    } else {
        let bits = case.host.address_bits.filter(|_| case.has(Part::NarrowIommu));
        bits.map(|bits| element("maxphysaddr").with("mode", "emulate").with("bits", bits))
    };
    let topology =
        element("topology").with("sockets", 1).with("dies", 1).with("cores", case.spec.vcpus).with("threads", 1);
    cpu.child(topology).children(width)
}

pub(super) fn clock(case: &Case<'_>, drivers: &Drivers) -> Element {
    let clock = element("clock").with("offset", drivers.clock);
    match case.spec.arch {
        Arch::Aarch64 => clock,
        Arch::X86_64 => clock
            .child(element("timer").with("name", "rtc").with("tickpolicy", "catchup"))
            .child(element("timer").with("name", "pit").with("tickpolicy", "delay"))
            .child(element("timer").with("name", "hpet").with("present", "no"))
            .children(
                case.has(Part::HyperV).then(|| element("timer").with("name", "hypervclock").with("present", "yes")),
            ),
    }
}

pub(super) fn memory_backing(case: &Case<'_>) -> Option<Element> {
    let mut parts = Vec::new();
    if let Some(mib) = case.spec.hardware.hugepages_mib {
        let page = element("page").with("size", mib.saturating_mul(1024)).with("unit", "KiB");
        parts.push(element("hugepages").child(page));
    }
    if case.has(Part::LockMemory) {
        parts.push(element("locked"));
    }
    if case.has(Part::Venus) {
        // What the guest shows to the host's GPU must have a file descriptor.
        parts.push(element("source").with("type", "memfd"));
        parts.push(element("access").with("mode", "shared"));
    }
    (!parts.is_empty()).then(|| element("memoryBacking").children(parts))
}

/// Which of the host's processors and memory it runs on.
pub(super) fn placement(case: &Case<'_>) -> Vec<Element> {
    let Some(node) = case.node().filter(|_| case.has(Part::NumaPinning)) else { return Vec::new() };
    let pin = |vcpu| element("vcpupin").with("vcpu", vcpu).with("cpuset", &node.cpus);
    let tune = element("cputune")
        .children((0..case.spec.vcpus).map(pin))
        .child(element("emulatorpin").with("cpuset", &node.cpus));
    // Huge pages are counted by node, so that another node's would surprise whoever reserved them.
    let mode = if case.has(Part::Hugepages) { "strict" } else { "preferred" };
    let memory = element("memory").with("mode", mode).with("nodeset", node.id);
    Vec::from([tune, element("numatune").child(memory)])
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_hidden_name_fits_its_registers() {
        assert_eq!(super::HIDDEN_VENDOR.len(), 12);
    }
}
