//! What a machine with a GPU is made of: what its host knows. What its pool wishes is [`oriel_model::Hardware`].

use oriel_model::GpuAddress;
use std::path::PathBuf;

/// What only the host knows and what decides how a machine with a GPU looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// One for each GPU of [`crate::MachineSpec::gpus`]; one that is missing is taken for a plain card.
    pub cards: Vec<Card>,
    /// Width of the addresses that the IOMMU translates, where that is less than the processor's, in bits.
    pub address_bits: Option<u8>,
    /// Linux 6.13 or newer: host memory of the GPU may be mapped into the guest. QEMU's virglrenderer must be 1.0 or newer, too, which
    /// no file of the host says; the doctor does (`venus-kernel`).
    pub blobs: bool,
    /// Whether the machine's disk has an EFI system partition; `None` when nobody looked.
    pub efi_disk: Option<bool>,
}

/// One GPU of the host, as far as it decides how a guest's machine looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    pub gpu: GpuAddress,
    /// Four hexadecimal digits each, `8086`; empty when unknown.
    pub vendor_id: String,
    pub class: String,
    /// Sizes of the 64-bit prefetchable BARs of one unit, all its functions, in bytes.
    pub bars: Vec<u64>,
    /// Where it sits, on a host with several nodes.
    pub node: Option<Node>,
    /// A file with its ROM, where the one on the card cannot be read or is shadowed.
    pub rom: Option<PathBuf>,
    /// Where the host draws with it: `/dev/dri/renderD128`.
    pub render_node: Option<String>,
}

impl Card {
    /// A card of which only the address is known.
    pub fn plain(gpu: GpuAddress) -> Self {
        Self {
            gpu,
            vendor_id: String::new(),
            class: String::new(),
            bars: Vec::new(),
            node: None,
            rom: None,
            render_node: None,
        }
    }
}

/// A NUMA node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub id: u32,
    /// Its processors as Linux lists them: `0-15,32-47`.
    pub cpus: String,
}

/// How the display of a mediated device comes to the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MdevDisplay {
    /// A region of memory that QEMU reads.
    Region,
    /// A buffer of the host's GPU: QEMU needs OpenGL on a render node to show it.
    Dmabuf,
}

/// By the driver that the type's id begins with (`nvidia-18`, `i915-GVTg_V5_4`, `mdpy-hd`); `None` for those without one.
pub fn mdev_display(type_id: &str) -> Option<MdevDisplay> {
    /// Driver and kind; from the drivers' answer to `VFIO_DEVICE_QUERY_GFX_PLANE`.
    const DISPLAYS: [(&str, MdevDisplay); 4] = [
        ("nvidia-", MdevDisplay::Region),
        ("mdpy-", MdevDisplay::Region),
        ("i915-GVTg_", MdevDisplay::Dmabuf),
        ("mbochs-", MdevDisplay::Dmabuf),
    ];
    DISPLAYS.into_iter().find(|(driver, _)| type_id.starts_with(driver)).map(|(_, display)| display)
}

/// What OVMF reserves for 64-bit BARs by itself, in MiB (edk2, `PcdPciMmio64Size`).
pub const WINDOW_MIB_DEFAULT: u64 = 32 * 1024;
/// Widest window that is asked for: half of what 46 address bits can name.
pub const WINDOW_MIB_MAX: u64 = 1 << 25;

/// How much room above 4 GiB BARs of these sizes (in bytes) need, in MiB: a power of two, because each lies at a multiple of
/// its own size. `None` when the firmware's own [`WINDOW_MIB_DEFAULT`] is enough.
pub fn window_mib(bars: impl IntoIterator<Item = u64>) -> Option<u64> {
    const MIB: u64 = 1 << 20;
    let whole = |bar: u64| bar.checked_next_power_of_two().unwrap_or(u64::MAX);
    let sum = bars.into_iter().map(whole).fold(0_u64, u64::saturating_add);
    let window = sum.div_ceil(MIB).checked_next_power_of_two().unwrap_or(WINDOW_MIB_MAX).min(WINDOW_MIB_MAX);
    (window > WINDOW_MIB_DEFAULT).then_some(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_their_bars() {
        const GIB: u64 = 1 << 30;
        assert_eq!(window_mib([]), None);
        // A card with 8 GiB: 256 MiB and 32 MiB before BARs were resizable.
        assert_eq!(window_mib([256 << 20, 32 << 20]), None);
        assert_eq!(window_mib([32 * GIB]), None);
        // 48 GiB boards show 64 GiB and 32 MiB.
        assert_eq!(window_mib([64 * GIB, 32 << 20]), Some(128 * 1024));
        assert_eq!(window_mib([64 * GIB, 32 << 20, 64 * GIB, 32 << 20]), Some(256 * 1024));
        assert_eq!(window_mib([u64::MAX, u64::MAX]), Some(WINDOW_MIB_MAX));
    }

    #[test]
    fn displays_follow_the_driver() {
        assert_eq!(mdev_display("nvidia-18"), Some(MdevDisplay::Region));
        assert_eq!(mdev_display("i915-GVTg_V5_4"), Some(MdevDisplay::Dmabuf));
        assert_eq!(mdev_display("mtty-1"), None);
    }
}
