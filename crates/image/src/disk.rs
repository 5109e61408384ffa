//! The boot sector of a disk with one partition, written without mounting anything.
//!
//! A BIOS loads the first sector; GRUB's `boot.img` there loads the sector after it, where GRUB's `core.img` begins, which
//! knows the partition's file system. This is what `grub-install` does too (GRUB manual, "BIOS installation"), in the
//! gap before the first partition; both files come from the new system itself.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::ImageError;

pub(crate) const SECTOR: u64 = 512;
/// The first partition starts at 1 MiB, as every partitioner does it.
pub(crate) const PARTITION_START: u64 = 1 << 20;
/// Bytes of `boot.img` that are code; behind them lie the disk's signature and the partition table.
const BOOT_CODE: usize = 440;
const LINUX: u8 = 0x83;
/// Cylinders, heads and sectors mean nothing on a disk this large: "beyond what can be said".
const CHS_BEYOND: [u8; 3] = [0xfe, 0xff, 0xff];

/// Writes boot sector, GRUB's core and the partition table. `signature` tells disks apart (the kernel's PARTUUID).
pub(crate) fn write_boot_sectors(
    disk: &Path,
    boot: &[u8],
    core: &[u8],
    virtual_bytes: u64,
    signature: [u8; 4],
) -> Result<(), ImageError> {
    let sector = boot_sector(boot, virtual_bytes, signature).map_err(|reason| refused(disk, reason))?;
    if core.is_empty() || core.len() as u64 > PARTITION_START - SECTOR {
        return Err(refused(disk, "GRUB's core does not fit before the partition"));
    }
    let write = || -> std::io::Result<()> {
        let mut file = File::options().write(true).open(disk)?;
        file.write_all(&sector)?;
        file.seek(SeekFrom::Start(SECTOR))?;
        file.write_all(core)?;
        file.flush()
    };
    write().map_err(|error| ImageError::io("write boot sectors to", disk, error))
}

fn refused(disk: &Path, reason: &str) -> ImageError {
    ImageError::Refused { from: disk.display().to_string(), reason: reason.to_owned() }
}

fn boot_sector(boot: &[u8], virtual_bytes: u64, signature: [u8; 4]) -> Result<[u8; 512], &'static str> {
    let code = boot.get(..BOOT_CODE).ok_or("GRUB's boot sector is too short")?;
    let sectors = virtual_bytes.checked_sub(PARTITION_START).ok_or("the disk is smaller than 1 MiB")? / SECTOR;
    let start = u32::try_from(PARTITION_START / SECTOR).map_err(|_| "the partition starts too late")?;
    let sectors = u32::try_from(sectors).map_err(|_| "the disk is larger than 2 TiB")?;
    let mut sector = Vec::with_capacity(512);
    sector.extend_from_slice(code);
    sector.extend_from_slice(&signature);
    sector.extend_from_slice(&[0, 0, 0x80]);
    sector.extend_from_slice(&CHS_BEYOND);
    sector.push(LINUX);
    sector.extend_from_slice(&CHS_BEYOND);
    sector.extend_from_slice(&start.to_le_bytes());
    sector.extend_from_slice(&sectors.to_le_bytes());
    sector.resize(510, 0);
    sector.extend_from_slice(&[0x55, 0xaa]);
    sector.try_into().map_err(|_| "GRUB's boot sector is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bootable_partition_to_the_end() {
        let sector = boot_sector(&[0xeb; 512], 8 << 30, *b"ORIL").unwrap();
        assert_eq!(&sector[440..444], b"ORIL");
        assert_eq!(sector[446], 0x80);
        assert_eq!(sector[450], 0x83);
        assert_eq!(u32::from_le_bytes(sector[454..458].try_into().unwrap()), 2048);
        assert_eq!(u32::from_le_bytes(sector[458..462].try_into().unwrap()) as u64, (8 << 30) / 512 - 2048);
        assert_eq!(&sector[510..], [0x55, 0xaa]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(boot_sector(&[0; 439], 8 << 30, [0; 4]).is_err());
        assert!(boot_sector(&[0; 512], 1000, [0; 4]).is_err());
        assert!(boot_sector(&[0; 512], 3 << 40, [0; 4]).is_err());
    }
}
