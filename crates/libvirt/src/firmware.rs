//! How a disk starts: an EFI system partition, or only the first sector that a BIOS loads.

use oriel_compute::command::run;
use std::path::Path;

/// Enough for an MBR and a GUID partition table with its usual 128 entries, in bytes.
const HEAD: usize = 64 * 1024;
const SECTOR: usize = 512;
/// Most entries of a GUID partition table that are looked at.
const ENTRIES_MAX: usize = 256;
const QEMU_IMG_SECONDS_MAX: u64 = 30;

/// `C12A7328-F81F-11D2-BA4B-00A0C93EC93B` as it lies on the disk (UEFI 2.10 §5.3.3).
const EFI_SYSTEM: [u8; 16] =
    [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
/// Types of MBR partitions (UEFI 2.10 §5.2.2, §5.2.3).
const MBR_EFI_SYSTEM: u8 = 0xef;
const MBR_PROTECTIVE: u8 = 0xee;

/// Where FAT12/16 and FAT32 say their names in the first sector (UEFI 2.10 §13.3, Microsoft's FAT specification).
const FAT: [usize; 2] = [54, 82];

/// Whether UEFI finds something to start on a qcow2 disk; `None` when it cannot be read or is empty.
pub(super) async fn efi_disk(disk: &Path) -> Option<bool> {
    let head = disk.with_extension("head");
    let _ = std::fs::remove_file(&head);
    let (from, to) = (format!("if={}", disk.display()), format!("of={}", head.display()));
    let size = format!("bs={HEAD}");
    let arguments = ["dd", "-U", "-f", "qcow2", "-O", "raw", &size, "count=1", &from, &to];
    let read = run("qemu-img", arguments, "read the disk's partitions", QEMU_IMG_SECONDS_MAX).await;
    let content = read.ok().and_then(|_| std::fs::read(&head).ok());
    let _ = std::fs::remove_file(&head);
    has_efi_system(&content?)
}

fn has_efi_system(head: &[u8]) -> Option<bool> {
    if head.get(510..512)? != [0x55, 0xaa] {
        return None;
    }
    let kinds: Vec<u8> =
        (0..4).filter_map(|index| head.get(446 + index * 16 + 4).copied()).filter(|kind| *kind != 0).collect();
    if kinds.contains(&MBR_PROTECTIVE) {
        return gpt_has_efi_system(head);
    }
    // Without partitions it is a boot sector alone, or a file system over the whole disk, of which UEFI reads FAT.
    let fat = || FAT.iter().any(|at| head.get(*at..*at + 3) == Some(b"FAT"));
    Some(if kinds.is_empty() { fat() } else { kinds.contains(&MBR_EFI_SYSTEM) })
}

fn gpt_has_efi_system(head: &[u8]) -> Option<bool> {
    let header = head.get(SECTOR..2 * SECTOR)?;
    if !header.starts_with(b"EFI PART") {
        return None;
    }
    let number = |at: usize| {
        let bytes: [u8; 4] = header.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    // The upper half of the first entry's 64-bit address is zero on any disk whose table is where it belongs.
    let (first, count, size) = (number(72)?.checked_mul(SECTOR)?, number(80)?.min(ENTRIES_MAX), number(84)?);
    let kind = |index: usize| {
        let at = index.checked_mul(size)?.checked_add(first)?;
        head.get(at..at.checked_add(16)?)
    };
    Some((0..count).any(|index| kind(index) == Some(&EFI_SYSTEM)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mbr(kind: u8) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        head[446 + 4] = kind;
        head[510..512].copy_from_slice(&[0x55, 0xaa]);
        head
    }

    fn gpt(entry: usize) -> Vec<u8> {
        let mut head = mbr(MBR_PROTECTIVE);
        head[512..520].copy_from_slice(b"EFI PART");
        head[512 + 72] = 2;
        head[512 + 80] = 128;
        head[512 + 84] = 128;
        let at = 1024 + entry * 128;
        head[at..at + 16].copy_from_slice(&EFI_SYSTEM);
        head
    }

    #[test]
    fn tells_how_a_disk_starts() {
        assert_eq!(has_efi_system(&[]), None);
        assert_eq!(has_efi_system(&vec![0; HEAD]), None);
        assert_eq!(has_efi_system(&mbr(0x83)), Some(false));
        assert_eq!(has_efi_system(&mbr(MBR_EFI_SYSTEM)), Some(true));
        let mut alone = mbr(0);
        assert_eq!(has_efi_system(&alone), Some(false));
        alone[82..87].copy_from_slice(b"FAT32");
        assert_eq!(has_efi_system(&alone), Some(true));
        for entry in [0, 1, 14, 127] {
            assert_eq!(has_efi_system(&gpt(entry)), Some(true), "{entry}");
        }
        let mut without = gpt(0);
        without[1024] = 0;
        assert_eq!(has_efi_system(&without), Some(false));
        let mut wild = gpt(0);
        wild[512 + 72..512 + 88].fill(0xff);
        assert_eq!(has_efi_system(&wild), Some(false));
        assert_eq!(has_efi_system(&gpt(0)[..600]), None);
    }

    /// Against qemu-img itself; the disk of another format is no disk of ours.
    #[tokio::test]
    async fn reads_through_qcow2() {
        let folder = tempfile::tempdir().unwrap();
        let (raw, disk) = (folder.path().join("raw"), folder.path().join("disk-1.qcow2"));
        let mut content = gpt(3);
        content.resize(4 << 20, 0);
        std::fs::write(&raw, content).unwrap();
        let made = std::process::Command::new("qemu-img")
            .args(["convert", "-f", "raw", "-O", "qcow2"])
            .args([&raw, &disk])
            .status();
        if !made.is_ok_and(|status| status.success()) {
            assert_ne!(std::env::var("ORIEL_TEST_VM").as_deref(), Ok("required"), "apt-get install qemu-utils");
            eprintln!("SKIPPED: qemu-img is missing: apt-get install qemu-utils");
            return;
        }
        assert_eq!(efi_disk(&disk).await, Some(true));
        assert_eq!(efi_disk(&raw).await, None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }
}
