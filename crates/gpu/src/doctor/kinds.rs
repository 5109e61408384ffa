//! Every kind of finding there is.

use oriel_model::GpuMode::{self, Host, Shared, Vf, Vgpu, Whole};

/// One kind of finding.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Stable, as in [`oriel_model::Finding::id`].
    pub id: &'static str,
    /// A few words for lists.
    pub about: &'static str,
    /// The modes that it stands in the way of.
    pub modes: &'static [GpuMode],
}

const ALL: &[GpuMode] = &[Whole, Vgpu, Vf, Shared, Host];
const GIVEN: &[GpuMode] = &[Whole, Vgpu, Vf];
const WHOLE: &[GpuMode] = &[Whole];
const VGPU: &[GpuMode] = &[Vgpu];
const VF: &[GpuMode] = &[Vf];
const SHARED: &[GpuMode] = &[Shared];
/// The host's driver works.
const DRIVEN: &[GpuMode] = &[Vgpu, Vf, Shared, Host];

const fn kind_of(id: &'static str, about: &'static str, modes: &'static [GpuMode]) -> Kind {
    Kind { id, about, modes }
}

/// By id; by family, in the order in which they are looked for.
pub const KINDS: &[Kind] = &[
    kind_of("gpu", "a card with nothing above a note", ALL),
    kind_of("console-chip", "a chip for the console only", &[]),
    kind_of("no-gpu", "no GPU in the host", ALL),
    kind_of("iommu", "the IOMMU is on", GIVEN),
    kind_of("iommu-not-in-firmware", "no IOMMU, or off in the BIOS", GIVEN),
    kind_of("iommu-off-by-command-line", "IOMMU switched off on the command line", GIVEN),
    kind_of("iommu-not-in-kernel", "the kernel has no driver for the IOMMU", GIVEN),
    kind_of("iommu-not-enabled", "the kernel was not told to use the IOMMU", GIVEN),
    kind_of("iommu-off-for-integrated", "IOMMU off for the integrated GPU only", GIVEN),
    kind_of("no-iommu-group", "a card behind no IOMMU", GIVEN),
    kind_of("interrupt-remapping", "interrupts are not remapped", GIVEN),
    kind_of("iommu-address-width", "the IOMMU is narrower than the processor", WHOLE),
    kind_of("vfio-not-in-kernel", "the kernel has no vfio-pci", GIVEN),
    kind_of("mdev-not-in-kernel", "the kernel has no mediated devices", VGPU),
    kind_of("dirty-group", "devices of the host in the card's IOMMU group", GIVEN),
    kind_of("gpus-share-group", "two cards in one IOMMU group", WHOLE),
    kind_of("acs-override", "groups that are claimed rather than real", GIVEN),
    kind_of("companions-on-host", "functions of the slot left behind", WHOLE),
    kind_of("card-silent", "a card that does not answer", ALL),
    kind_of("override-without-driver", "only one driver may bind, and did not", ALL),
    kind_of("framebuffer-holds-bar", "the boot's picture holds the card", WHOLE),
    kind_of("vfio-ids-of-several", "vfio-pci told to take every card of a model", ALL),
    kind_of("pcie-width", "fewer lanes than the card has", ALL),
    kind_of("boot-vga", "the host's console is on the card", GIVEN),
    kind_of("mode-not-restored", "a mode that was set and is not", ALL),
    kind_of("wrong-driver", "a driver that cannot do what the card can", VGPU),
    kind_of("no-reset", "no way to reset the card", WHOLE),
    kind_of("reset-by-bus", "only the whole slot can be reset", WHOLE),
    kind_of("amd-reset-bug", "AMD's reset bug", WHOLE),
    kind_of("vendor-reset-unused", "vendor-reset is there and not asked", WHOLE),
    kind_of("rom-without-uefi", "a ROM without UEFI part", WHOLE),
    kind_of("rom-broken", "no ROM in the ROM", WHOLE),
    kind_of("rom-shadowed", "the boot's used copy instead of the ROM", WHOLE),
    kind_of("rom-unread", "a ROM that was not looked into", WHOLE),
    kind_of("window-too-small", "BARs larger than a desktop's window", WHOLE),
    kind_of("bar-unassigned", "BARs without addresses", ALL),
    kind_of("rebar-off", "resizable BAR not used", ALL),
    kind_of("hugepages", "no huge pages", GIVEN),
    kind_of("memory-lock", "a limit on locked memory", GIVEN),
    kind_of("kvm-ignore-msrs", "unknown registers stop Windows", ALL),
    kind_of("nvidia-hiding", "a driver that refuses under a hypervisor", WHOLE),
    kind_of("hdmi-audio-msi", "crackling sound in Windows", WHOLE),
    kind_of("nvidia-driver-branch", "a driver too old or too new for the card", VGPU),
    kind_of("no-vgpu-on-card", "a card that has no vGPU", VGPU),
    kind_of("compute-mode", "a board in compute mode", VGPU),
    kind_of("display-mode", "a board with its displays on", VGPU),
    kind_of("nvidia-ecc", "error correction where vGPU has none", VGPU),
    kind_of("no-vgpu-manager", "no vGPU manager on the host", VGPU),
    kind_of("sriov-manage-missing", "NVIDIA's script is not there", VGPU),
    kind_of("sriov-manage-not-run", "virtual functions not switched on", VGPU),
    kind_of("unknown-profile", "a profile that the card does not have", VGPU),
    kind_of("license-edition", "a licence that does not cover the profile", VGPU),
    kind_of("license-needed", "a profile that takes a licence", VGPU),
    kind_of("amd-gim", "AMD's host driver for virtual functions", VF),
    kind_of("amd-closed-host-driver", "a host driver that AMD keeps", VF),
    kind_of("no-vf-on-card", "a card without virtual functions", VF),
    kind_of("gvtg-not-on-platform", "a GPU without GVT-g", VGPU),
    kind_of("gvtg-not-in-kernel", "a kernel without GVT-g", VGPU),
    kind_of("gvtg-off", "GVT-g switched off", VGPU),
    kind_of("gvtg-with-guc", "GVT-g kept off by GuC", VGPU),
    kind_of("gvtg-kvmgt-not-loaded", "half of GVT-g not loaded", VGPU),
    kind_of("gvtg-aperture", "an aperture too small for GVT-g", VGPU),
    kind_of("igd-whole", "what the processor's GPU needs in a desktop", WHOLE),
    kind_of("intel-sriov-kernel", "a kernel that makes no VFs of this GPU", VF),
    kind_of("xe-max-vfs", "xe was told to make no VFs", VF),
    kind_of("sriov-no-room", "no addresses for virtual functions", &[Vgpu, Vf]),
    kind_of("vf-on-host-driver", "VFs held by the host", VF),
    kind_of("firmware-missing", "firmware that the driver needs", DRIVEN),
    kind_of("firmware-optional", "firmware that the driver does without", DRIVEN),
    kind_of("firmware-older", "an older firmware in use", DRIVEN),
    kind_of("firmware-not-in-initramfs", "firmware not in the initial RAM disk", DRIVEN),
    kind_of("guc-not-running", "GuC does not run", DRIVEN),
    kind_of("huc-not-running", "HuC does not run", DRIVEN),
    kind_of("guc-switched-off", "GuC was switched off", DRIVEN),
    kind_of("microcode", "GuC, HuC and DMC run", DRIVEN),
    kind_of("dmc-not-loaded", "DMC is not loaded", DRIVEN),
    kind_of("qemu-without-gl", "QEMU without OpenGL", SHARED),
    kind_of("no-render-node", "no render node", SHARED),
    kind_of("venus-kernel", "a kernel too old for Vulkan in shared desktops", SHARED),
    kind_of("sharing", "GPUs can be shared", SHARED),
    kind_of("arm-display", "virtio-gpu rather than VGA on arm64", ALL),
];

pub fn kind(id: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.id == id)
}
