//! A function's base address registers: `resource`, `rom`, `resourceN_resize`.

use super::{Bar, BarKind, ResizableBar};
use crate::Sysfs;

/// `include/linux/ioport.h`.
const IO: u64 = 0x100;
const PREFETCH: u64 = 0x2000;
const WIDE: u64 = 0x10_0000;
/// Line of the expansion ROM in `resource`.
const ROM: usize = 6;

/// The registers of a function, the ROM last; those that have no size are left out.
pub(crate) fn read(sysfs: &dyn Sysfs, device: &str) -> Vec<Bar> {
    let text = sysfs.text(&format!("{device}/resource")).unwrap_or_default();
    let lines = text.lines().take(ROM + 1).enumerate();
    lines.filter_map(|(index, line)| bar(index, line).map(|bar| with_sizes(sysfs, device, bar))).collect()
}

/// `0x00000000f8000000 0x00000000f8ffffff 0x0000000000040200`: first and last address, flags.
fn bar(index: usize, line: &str) -> Option<Bar> {
    let mut numbers = line.split_whitespace().map(|part| u64::from_str_radix(part.strip_prefix("0x")?, 16).ok());
    let (first, last, flags) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if flags == 0 || last < first || (first, last) == (0, 0) {
        return None;
    }
    let kind = match flags {
        _ if index == ROM => BarKind::Rom,
        _ if flags & IO != 0 => BarKind::Io,
        _ if flags & WIDE != 0 => BarKind::Memory64,
        _ => BarKind::Memory32,
    };
    let size_bytes = (last - first).checked_add(1)?;
    Some(Bar {
        index: index as u8,
        kind,
        prefetchable: kind != BarKind::Rom && flags & PREFETCH != 0,
        size_bytes,
        size_mib: size_bytes >> 20,
        resizable: None,
    })
}

/// `resourceN_resize` is a bitmap of possible sizes, bit 0 for 1 MiB (Documentation/ABI/testing/sysfs-bus-pci).
fn with_sizes(sysfs: &dyn Sysfs, device: &str, mut bar: Bar) -> Bar {
    if !matches!(bar.kind, BarKind::Memory32 | BarKind::Memory64) {
        return bar;
    }
    let bitmap = sysfs.text(&format!("{device}/resource{}_resize", bar.index));
    let bitmap = bitmap.and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    bar.resizable = bitmap.filter(|bits| *bits != 0).map(|bits| ResizableBar {
        sizes_mib: (0..44_u32).filter(|bit| bits & (1 << bit) != 0).map(|bit| 1_u64 << bit).collect(),
    });
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysfs::Tree;

    #[test]
    fn registers_are_told_apart() {
        let mut tree = Tree::new();
        tree.file(
            "/d/resource",
            "0x00000000f6000000 0x00000000f6ffffff 0x0000000000040200\n\
             0x00000000e0000000 0x00000000efffffff 0x000000000014220c\n\
             0x0000000000000000 0x0000000000000000 0x0000000000000000\n\
             0x00000000f0000000 0x00000000f1ffffff 0x000000000014220c\n\
             0x0000000000000000 0x0000000000000000 0x0000000000000000\n\
             0x000000000000e000 0x000000000000e07f 0x0000000000040101\n\
             0x00000000f7000000 0x00000000f707ffff 0x0000000000046200\n\
             0x0000000000000000 0x0000000000000000 0x0000000000000000\n",
        )
        .file("/d/resource1_resize", "0000000000000fc0\n");
        let bars = read(&tree, "/d");
        let kinds: Vec<_> =
            bars.iter().map(|bar| (bar.index, bar.kind, bar.size_bytes >> 10, bar.prefetchable)).collect();
        assert_eq!(
            kinds,
            [
                (0, BarKind::Memory32, 16 << 10, false),
                (1, BarKind::Memory64, 256 << 10, true),
                (3, BarKind::Memory64, 32 << 10, true),
                (5, BarKind::Io, 0, false),
                (6, BarKind::Rom, 512, false),
            ]
        );
        assert_eq!(bars[1].resizable.as_ref().unwrap().sizes_mib, [64, 128, 256, 512, 1024, 2048]);
        tree.file("/d/resource", "nonsense\n0x1 0x0 0x200\n");
        assert!(read(&tree, "/d").is_empty());
    }
}
