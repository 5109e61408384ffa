//! What a machine needs beyond the plain one, as a list: when, why, and who says so. The XML follows this list and nothing
//! else, so it can be read, shown ([`quirks`]) and argued about.
//!
//! A machine without a GPU gets none of it, unless its pool wishes for it.

use crate::{
    Arch, Card, Console, Firmware, Igd, MachineSpec, MdevDisplay, Numa, Surroundings,
    hardware::{mdev_display, window_mib},
};
use oriel_model::{AcceleratorKind, GpuHold, GpuUnit, ImageOs};

/// The parts of a machine that a GPU, a guest or a host may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Uefi,
    SecureBoot,
    Tpm,
    RootPort,
    Multifunction,
    Window64,
    HostPhysBits,
    NarrowIommu,
    NoBalloon,
    LockMemory,
    Hugepages,
    NumaPinning,
    HiddenHypervisor,
    HyperV,
    WideInterrupts,
    MdevDisplay,
    Ramfb,
    HeadlessGl,
    IgdOpRegion,
    IgdOnRootBus,
    IgdLegacy,
    LegacyVga,
    NoConsole,
    Virgl,
    Venus,
    VendorVf,
    Gic,
    VirtioScreen,
}

/// One entry of the list.
#[derive(Clone, Copy, Debug)]
pub struct Quirk {
    pub part: Part,
    /// Stable, for programs: `root-port`.
    pub id: &'static str,
    /// What is done.
    pub does: &'static str,
    /// Why.
    pub reason: &'static str,
    /// Who says so.
    pub source: &'static str,
    applies: fn(&Case<'_>) -> bool,
}

const IGD: &str = "https://www.qemu.org/docs/master/system/devices/igd-assign.html";
const VIRTIO_GPU: &str = "https://www.qemu.org/docs/master/system/devices/virtio/virtio-gpu.html";

/// All there are.
pub const QUIRKS: &[Quirk] = &[
    Quirk {
        part: Part::Uefi,
        id: "uefi",
        does: "starts by UEFI (OVMF, AAVMF) instead of BIOS",
        reason: "the UEFI part of a card's ROM brings it up without VGA's old ranges, and only OVMF finds room for large BARs; arm64 has no BIOS",
        source: "https://pve.proxmox.com/wiki/PCI_Passthrough",
        applies: |case| case.uefi(),
    },
    Quirk {
        part: Part::SecureBoot,
        id: "secure-boot",
        does: "starts only what is signed with enrolled keys, and guards them by system management mode",
        reason: "Windows 11 asks for it",
        source: "https://www.microsoft.com/windows/windows-11-specifications",
        applies: |case| case.spec.hardware.firmware == Firmware::SecureUefi,
    },
    Quirk {
        part: Part::Tpm,
        id: "tpm",
        does: "adds an emulated TPM 2.0",
        reason: "Windows 11 asks for it",
        source: "https://www.microsoft.com/windows/windows-11-specifications",
        applies: |case| case.spec.hardware.tpm,
    },
    Quirk {
        part: Part::RootPort,
        id: "root-port",
        does: "gives each unit a PCI Express root port of its own",
        reason: "drivers look for the link that a card of the real world has, and a card behind a port of its own can be reset alone",
        source: "https://libvirt.org/pci-hotplug.html",
        applies: |case| !case.igd_legacy() && case.passed_through().any(|hold| !case.on_root_bus(hold)),
    },
    Quirk {
        part: Part::Multifunction,
        id: "multifunction",
        does: "puts all functions of a card into one slot of the guest",
        reason: "a card's sound and USB-C are functions of the same device, and drivers look for them beside it",
        source: "https://libvirt.org/formatdomain.html#device-addresses",
        applies: |case| case.spec.gpus.iter().any(|hold| functions(hold) > 1),
    },
    Quirk {
        part: Part::Window64,
        id: "window-64",
        does: "tells OVMF how much room above 4 GiB the BARs need",
        reason: "the firmware's own 32 GiB do not hold them: the card would have no memory in the guest",
        source: "https://github.com/tianocore/edk2/blob/master/OvmfPkg/Library/PlatformInitLib/MemDetect.c",
        applies: |case| case.spec.arch == Arch::X86_64 && case.uefi() && case.window_mib().is_some(),
    },
    Quirk {
        part: Part::HostPhysBits,
        id: "host-phys-bits",
        does: "shows the guest as many address bits as the host has",
        reason: "OVMF sizes its window after them, and a guest with 40 bits cannot reach beyond 1 TiB",
        source: "https://libvirt.org/formatdomain.html#cpu-model-and-topology",
        applies: |case| case.x86_kvm() && case.passes_through() && !case.narrow(),
    },
    Quirk {
        part: Part::NarrowIommu,
        id: "narrow-iommu",
        does: "shows the guest as few address bits as the IOMMU translates",
        reason: "QEMU cannot map what lies beyond them (vfio_container_dma_map … Invalid argument), and OVMF would put BARs there",
        source: IGD,
        applies: |case| case.x86_kvm() && case.narrow(),
    },
    Quirk {
        part: Part::NoBalloon,
        id: "no-balloon",
        does: "leaves the memory balloon out",
        reason: "the card may write to all of the guest's memory at any time, so all of it is pinned and none can be lent back",
        source: "https://docs.kernel.org/driver-api/vfio.html",
        applies: |case| case.passes_through(),
    },
    Quirk {
        part: Part::LockMemory,
        id: "lock-memory",
        does: "keeps QEMU's own memory in RAM too",
        reason: "the pool wishes it; the guest's memory is pinned by VFIO anyway",
        source: "https://libvirt.org/formatdomain.html#memory-backing",
        applies: |case| case.spec.hardware.lock_memory,
    },
    Quirk {
        part: Part::Hugepages,
        id: "hugepages",
        does: "takes the guest's memory from the host's huge pages",
        reason: "pinning page by page makes machines with much memory start slowly, and the IOMMU's tables stay small",
        source: "https://libvirt.org/formatdomain.html#memory-backing",
        applies: |case| case.spec.hardware.hugepages_mib.is_some(),
    },
    Quirk {
        part: Part::NumaPinning,
        id: "numa-pinning",
        does: "runs on the processors of the card's node and takes memory there first",
        reason: "the way over to another node's card costs latency and bandwidth",
        source: "https://libvirt.org/formatdomain.html#numa-node-tuning",
        applies: |case| case.spec.hardware.numa == Numa::BesideCard && case.node().is_some(),
    },
    Quirk {
        part: Part::HiddenHypervisor,
        id: "hidden-hypervisor",
        does: "hides KVM's signature and gives Hyper-V's another name",
        reason: "NVIDIA's drivers for GeForce cards before 465 stop with code 43 when they find a hypervisor",
        source: "https://nvidia.custhelp.com/app/answers/detail/a_id/5173",
        applies: |case| case.spec.hardware.hide_hypervisor && case.x86_kvm(),
    },
    Quirk {
        part: Part::HyperV,
        id: "hyper-v",
        does: "offers Windows the interfaces of Hyper-V: timers, interrupts, spinlocks, remote TLB flushes",
        reason: "Windows then needs far fewer exits to the host, and a GPU's interrupts come through quicker",
        source: "https://www.qemu.org/docs/master/system/i386/hyperv.html",
        applies: |case| case.spec.os == ImageOs::Windows && case.x86_kvm() && !case.spec.gpus.is_empty(),
    },
    Quirk {
        part: Part::WideInterrupts,
        id: "wide-interrupts",
        does: "adds an emulated IOMMU with interrupt remapping and an I/O APIC in QEMU",
        reason: "processors beyond the 255th have APIC ids that only remapped interrupts reach",
        source: "https://libvirt.org/formatdomain.html#iommu-devices",
        applies: |case| case.spec.arch == Arch::X86_64 && !case.igd_legacy() && case.spec.vcpus > PLAIN_VCPUS_MAX,
    },
    Quirk {
        part: Part::MdevDisplay,
        id: "mdev-display",
        does: "shows what the slice draws on the console",
        reason: "these types have a display that QEMU can read",
        source: "https://libvirt.org/formatdomain.html#host-device-assignment",
        applies: |case| case.displayed().is_some(),
    },
    Quirk {
        part: Part::Ramfb,
        id: "ramfb",
        does: "lets firmware and boot loader draw into plain memory until the slice's driver is there; no other display",
        reason: "a mediated device has no ROM, so nothing would be seen of the start, and a second display would hide the slice's",
        source: "https://libvirt.org/formatdomain.html#host-device-assignment",
        applies: |case| case.displayed().is_some(),
    },
    Quirk {
        part: Part::HeadlessGl,
        id: "headless-gl",
        does: "gives QEMU a render node of the host, without a window",
        reason: "pictures that lie in a GPU reach VNC only through OpenGL",
        source: "https://libvirt.org/formatdomain.html#graphical-framebuffers",
        applies: |case| case.render_node().is_some(),
    },
    Quirk {
        part: Part::IgdOpRegion,
        id: "igd-opregion",
        does: "copies the firmware's OpRegion to the guest",
        reason: "Intel's drivers read from it which outputs there are (the VBT)",
        source: IGD,
        applies: |case| case.spec.gpus.iter().any(|hold| case.intel_integrated(hold)),
    },
    Quirk {
        part: Part::IgdOnRootBus,
        id: "igd-on-root-bus",
        does: "puts the integrated GPU on the root bus, not behind a port",
        reason: "there it is on every real machine: an endpoint of the root complex, which has no link that a port could lead to",
        source: IGD,
        applies: |case| case.spec.gpus.iter().any(|hold| case.on_root_bus(hold)),
    },
    Quirk {
        part: Part::IgdLegacy,
        id: "igd-legacy",
        does: "builds an i440FX machine with SeaBIOS whose only display is the integrated GPU, at 00:02.0, with VGA's old ranges",
        reason: "its video BIOS works nowhere else, and without it nothing is seen on the host's sockets",
        source: IGD,
        applies: |case| case.igd_legacy(),
    },
    Quirk {
        part: Part::LegacyVga,
        id: "legacy-vga",
        does: "routes VGA's old ranges to the card",
        reason: "under BIOS a card that is the only display starts by its VGA BIOS",
        source: "https://docs.kernel.org/driver-api/vfio.html",
        applies: |case| {
            !case.uefi() && !case.igd_legacy() && case.spec.hardware.console == Console::Without && case.vga().is_some()
        },
    },
    Quirk {
        part: Part::NoConsole,
        id: "no-console",
        does: "leaves the emulated display out",
        reason: "the pool wishes that the GPU is the only one",
        source: "https://libvirt.org/formatdomain.html#video-devices",
        applies: |case| case.spec.hardware.console == Console::Without && case.passes_through(),
    },
    Quirk {
        part: Part::Virgl,
        id: "virgl",
        does: "draws the guest's OpenGL on the host's GPU",
        reason: "the desktop holds a seat at a shared GPU",
        source: VIRTIO_GPU,
        applies: |case| case.seat().is_some(),
    },
    Quirk {
        part: Part::Venus,
        id: "venus",
        does: "carries Vulkan to the host's GPU, with memory that both sides see",
        reason: "the pool wishes Vulkan, and this host has Linux 6.13 or newer",
        source: VIRTIO_GPU,
        applies: |case| case.seat().is_some() && case.spec.hardware.vulkan && case.host.blobs,
    },
    Quirk {
        part: Part::VendorVf,
        id: "vendor-vf",
        does: "leaves the virtual function with the vendor's driver",
        reason: "the vGPU lives in NVIDIA's driver: bound to anything else, the function loses it",
        source: "https://docs.nvidia.com/vgpu/17.0/grid-vgpu-user-guide/index.html",
        applies: |case| case.spec.gpus.iter().any(|hold| matches!(hold.unit, GpuUnit::VendorVf { .. })),
    },
    Quirk {
        part: Part::Gic,
        id: "gic",
        does: "takes the third version of ARM's interrupt controller, under KVM the host's own",
        reason: "the second serves eight processors and cannot carry a PCI device's MSI",
        source: "https://libvirt.org/formatdomain.html#hypervisor-features",
        applies: |case| case.spec.arch == Arch::Aarch64,
    },
    Quirk {
        part: Part::VirtioScreen,
        id: "virtio-screen",
        does: "shows pictures by virtio-gpu (Windows: ramfb), never by VGA",
        reason: "under KVM an ARM guest maps VGA's memory uncached while QEMU reads it through the cache: pictures break up",
        source: "https://bugzilla.redhat.com/show_bug.cgi?id=1679680",
        applies: |case| case.spec.arch == Arch::Aarch64,
    },
];

/// Processors that a machine may have without [`Part::WideInterrupts`].
const PLAIN_VCPUS_MAX: u32 = 255;

/// What of [`QUIRKS`] applies to this machine, in the list's order.
pub fn quirks(spec: &MachineSpec, host: &Surroundings) -> Vec<&'static Quirk> {
    let case = Case { spec, host };
    QUIRKS.iter().filter(|quirk| (quirk.applies)(&case)).collect()
}

/// A machine on a host, and the questions that the list asks.
pub(crate) struct Case<'a> {
    pub(crate) spec: &'a MachineSpec,
    pub(crate) host: &'a Surroundings,
}

impl<'a> Case<'a> {
    /// Whether the list says so.
    pub(crate) fn has(&self, part: Part) -> bool {
        QUIRKS.iter().any(|quirk| quirk.part == part && (quirk.applies)(self))
    }

    pub(crate) fn card(&self, hold: &GpuHold) -> Option<&'a Card> {
        self.host.cards.iter().find(|card| card.gpu == hold.gpu)
    }

    /// Units that the guest drives itself.
    pub(crate) fn passed_through(&self) -> impl Iterator<Item = &'a GpuHold> {
        self.spec.gpus.iter().filter(|hold| !matches!(hold.unit, GpuUnit::Shared { .. }))
    }

    fn passes_through(&self) -> bool {
        self.passed_through().next().is_some()
    }

    pub(crate) fn kvm(&self) -> bool {
        self.spec.accelerator == AcceleratorKind::Kvm
    }

    fn x86_kvm(&self) -> bool {
        self.kvm() && self.spec.arch == Arch::X86_64
    }

    /// The IOMMU translates for what is a function of its own, less far than the processor reaches. What a mediated device may
    /// touch, its driver sees to.
    fn narrow(&self) -> bool {
        let function = |hold: &GpuHold| !matches!(hold.unit, GpuUnit::Mdev { .. });
        self.host.address_bits.is_some() && self.passed_through().any(function)
    }

    fn uefi(&self) -> bool {
        match self.spec.hardware.firmware {
            _ if self.spec.arch == Arch::Aarch64 => true,
            _ if self.igd_legacy() => false,
            Firmware::Bios => false,
            Firmware::Uefi | Firmware::SecureUefi => true,
            Firmware::Auto if self.spec.hardware.tpm => true,
            // A disk without an EFI system partition would end in the firmware's shell.
            Firmware::Auto => self.passes_through() && self.host.efi_disk != Some(false),
        }
    }

    pub(crate) fn window_mib(&self) -> Option<u64> {
        let bars = self.passed_through().filter_map(|hold| self.card(hold)).flat_map(|card| card.bars.iter().copied());
        window_mib(bars)
    }

    /// The node of all cards; `None` when they sit at several.
    pub(crate) fn node(&self) -> Option<&'a crate::Node> {
        let mut nodes = self.spec.gpus.iter().map(|hold| self.card(hold)?.node.as_ref());
        let first = nodes.next().flatten()?;
        nodes.all(|node| node == Some(first)).then_some(first)
    }

    /// The seat at a shared GPU: its render node.
    pub(crate) fn seat(&self) -> Option<&'a str> {
        self.spec.gpus.iter().find_map(|hold| match &hold.unit {
            GpuUnit::Shared { render_node } => Some(render_node.as_str()),
            _ => None,
        })
    }

    /// The one slice whose display the console shows: there is one console.
    pub(crate) fn displayed(&self) -> Option<&'a GpuHold> {
        self.spec.gpus.iter().find(|hold| match &hold.unit {
            GpuUnit::Mdev { type_id, .. } => match mdev_display(type_id) {
                Some(MdevDisplay::Region) => true,
                Some(MdevDisplay::Dmabuf) => self.card(hold).is_some_and(|card| card.render_node.is_some()),
                None => false,
            },
            _ => false,
        })
    }

    /// What QEMU's OpenGL runs on.
    pub(crate) fn render_node(&self) -> Option<&'a str> {
        self.seat().or_else(|| {
            let hold = self.displayed()?;
            let GpuUnit::Mdev { type_id, .. } = &hold.unit else { return None };
            (mdev_display(type_id) == Some(MdevDisplay::Dmabuf))
                .then(|| self.card(hold)?.render_node.as_deref())
                .flatten()
        })
    }

    /// Intel's GPU in the processor, whole, or a GVT-g slice of it.
    pub(crate) fn intel_integrated(&self, hold: &GpuHold) -> bool {
        let home = |address: oriel_model::PciAddress| (address.bus, address.device, address.function) == (0, 2, 0);
        match &hold.unit {
            GpuUnit::Whole { functions } => {
                self.card(hold).is_some_and(|card| card.vendor_id == "8086")
                    && functions.first().copied().is_some_and(home)
            }
            GpuUnit::Mdev { type_id, .. } => type_id.starts_with("i915-GVTg_"),
            _ => false,
        }
    }

    pub(crate) fn on_root_bus(&self, hold: &GpuHold) -> bool {
        self.intel_integrated(hold)
    }

    pub(crate) fn igd_legacy(&self) -> bool {
        let whole = |hold: &GpuHold| matches!(hold.unit, GpuUnit::Whole { .. }) && self.intel_integrated(hold);
        self.spec.hardware.igd == Igd::Legacy && self.spec.arch == Arch::X86_64 && self.spec.gpus.iter().any(whole)
    }

    /// The first whole card that is a VGA controller.
    pub(crate) fn vga(&self) -> Option<&'a GpuHold> {
        self.spec.gpus.iter().find(|hold| {
            matches!(hold.unit, GpuUnit::Whole { .. })
                && self.card(hold).is_some_and(|card| card.class.starts_with("0300"))
        })
    }
}

fn functions(hold: &GpuHold) -> usize {
    match &hold.unit {
        GpuUnit::Whole { functions } => functions.len(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_entry_says_why_and_who_says_so() {
        let ids: BTreeSet<&str> = QUIRKS.iter().map(|quirk| quirk.id).collect();
        let parts: BTreeSet<Part> = QUIRKS.iter().map(|quirk| quirk.part).collect();
        assert_eq!((ids.len(), parts.len()), (QUIRKS.len(), QUIRKS.len()), "each once");
        for quirk in QUIRKS {
            assert!(
                quirk.source.starts_with("https://") && !quirk.reason.is_empty() && !quirk.does.is_empty(),
                "{}",
                quirk.id
            );
        }
    }
}
