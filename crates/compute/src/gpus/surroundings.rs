//! What of the host's GPUs decides how a desktop's machine looks.

use oriel_gpu::{Inventory, Sysfs, inventory::Gpu};
use oriel_machine::{Card, Node, Surroundings};
use oriel_model::{GpuHold, GpuUnit, PciAddress};
use std::path::Path;

/// From this Linux on host memory of a GPU may be mapped into a guest (QEMU, "virtio-gpu").
const LINUX_WITH_BLOBS: (u32, u32) = (6, 13);
/// Lines of a device's `resource` file that are BARs; ROM and the virtual functions' follow.
const BARS: usize = 6;
/// `IORESOURCE_PREFETCH` and `IORESOURCE_MEM_64` (Linux, `include/linux/ioport.h`).
const PREFETCHABLE: u64 = 0x2000;
const MEMORY_64: u64 = 0x0010_0000;

/// `roms`: where files with cards' ROMs lie, named by address: `0000:41:00.0.rom`.
pub(crate) fn surroundings(sysfs: &dyn Sysfs, inventory: &Inventory, holds: &[GpuHold], roms: &Path) -> Surroundings {
    let host = &inventory.host;
    let narrow = host.iommu.address_bits.filter(|bits| *bits < host.physical_bits);
    Surroundings {
        cards: holds.iter().map(|hold| card(sysfs, inventory, hold, roms)).collect(),
        address_bits: narrow.and_then(|bits| u8::try_from(bits).ok()),
        blobs: version(&host.kernel).is_some_and(|version| version >= LINUX_WITH_BLOBS),
        efi_disk: None,
    }
}

fn card(sysfs: &dyn Sysfs, inventory: &Inventory, hold: &GpuHold, roms: &Path) -> Card {
    let mut card = Card::plain(hold.gpu.clone());
    card.bars = functions(hold).iter().flat_map(|function| bars(sysfs, *function)).collect();
    let rom = roms.join(format!("{}.rom", hold.gpu));
    card.rom = rom.is_file().then_some(rom);
    if let Ok(gpu) = inventory.gpu(&hold.gpu) {
        card.vendor_id.clone_from(&gpu.vendor_id);
        card.class.clone_from(&gpu.class);
        card.node = gpu.numa_node.and_then(|id| node(sysfs, id));
        card.render_node = render_node(sysfs, gpu);
    }
    card
}

/// What of the unit the guest maps. A mediated device's BARs are its driver's business; they are small.
fn functions(hold: &GpuHold) -> Vec<PciAddress> {
    match &hold.unit {
        GpuUnit::Whole { functions } => functions.clone(),
        GpuUnit::VendorVf { address, .. } | GpuUnit::Vf { address } => Vec::from([*address]),
        GpuUnit::Mdev { .. } | GpuUnit::Shared { .. } => Vec::new(),
    }
}

/// Sizes of a function's 64-bit prefetchable BARs, in bytes: first address, last address and flags by line.
fn bars(sysfs: &dyn Sysfs, function: PciAddress) -> Vec<u64> {
    let text = sysfs.text(&format!("/sys/bus/pci/devices/{function}/resource")).unwrap_or_default();
    let size = |line: &str| {
        let mut numbers =
            line.split_whitespace().map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
        let (first, last, flags) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let wanted = flags & PREFETCHABLE != 0 && flags & MEMORY_64 != 0 && last > first;
        wanted.then(|| (last - first).saturating_add(1))
    };
    text.lines().take(BARS).filter_map(size).collect()
}

fn node(sysfs: &dyn Sysfs, id: u32) -> Option<Node> {
    let cpus = sysfs.text(&format!("/sys/devices/system/node/node{id}/cpulist"))?;
    (!cpus.is_empty()).then_some(Node { id, cpus })
}

fn render_node(sysfs: &dyn Sysfs, gpu: &Gpu) -> Option<String> {
    let names = sysfs.list(&format!("{}/drm", gpu.path())).unwrap_or_default();
    let name = names.into_iter().find(|name| name.starts_with("renderD"));
    gpu.modes.shared.render_node.clone().or_else(|| Some(format!("/dev/dri/{}", name?)))
}

/// `6.13.0-rc1-amd64` is 6.13.
fn version(kernel: &str) -> Option<(u32, u32)> {
    let mut numbers = kernel.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_gpu::sysfs::Tree;
    use oriel_model::GpuMode;

    #[test]
    fn reads_what_the_guest_will_map() {
        let mut host = Tree::new();
        host.file(
            "/sys/bus/pci/devices/0000:41:00.0/resource",
            "0x00000000f0000000 0x00000000f0ffffff 0x0000000000040200\n\
             0x0000382000000000 0x0000382fffffffff 0x000000000014220c\n\
             0x0000383000000000 0x0000383001ffffff 0x000000000014220c\n\
             0x0000000000000000 0x0000000000000000 0x0000000000000000\n\
             nonsense\n\
             0x0000000000003000 0x000000000000307f 0x0000000000040101\n\
             0x00000000000c0000 0x00000000000dffff 0x0000000000000212\n\
             0x0000384000000000 0x0000384fffffffff 0x000000000014220c\n",
        );
        let functions = Vec::from(["41:00.0".parse().unwrap(), "41:00.1".parse().unwrap()]);
        let hold = GpuHold {
            gpu: "41:00.0".parse().unwrap(),
            mode: GpuMode::Whole,
            profile: None,
            slots: Vec::from([0]),
            unit: GpuUnit::Whole { functions },
        };
        let roms = tempfile::tempdir().unwrap();
        std::fs::write(roms.path().join("0000:41:00.0.rom"), "").unwrap();
        let inventory = Inventory::default();
        let found = surroundings(&host, &inventory, &[hold], roms.path());
        assert_eq!(found.cards[0].bars, [64 << 30, 32 << 20]);
        assert!(found.cards[0].rom.is_some());
    }

    #[test]
    fn kernels_are_compared_as_numbers() {
        assert_eq!(version("6.1.0-56-amd64"), Some((6, 1)));
        assert!(version("6.13.0-rc1").unwrap() >= LINUX_WITH_BLOBS);
        assert!(version("6.9").unwrap() < LINUX_WITH_BLOBS);
        assert!(version("7.0.1").unwrap() >= LINUX_WITH_BLOBS);
        assert_eq!(version(""), None);
    }
}
