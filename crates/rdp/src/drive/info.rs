//! What is told of files and of the drive (MS-FSCC 2.4 and 2.5, as MS-RDPEFS 2.2.3.3 and 2.2.3.4 carry them: without the reserved fields).

use super::folder::Node;
use super::wire::{Writer, utf16};
use super::{DRIVE_BYTES_MAX, DRIVE_LABEL, DRIVE_NAME_BYTES_MAX};

const ATTRIBUTE_DIRECTORY: u32 = 0x10;
const ATTRIBUTE_ARCHIVE: u32 = 0x20;
/// FILE_CASE_PRESERVED_NAMES and FILE_UNICODE_ON_DISK.
const FILE_SYSTEM_ATTRIBUTES: u32 = 2 | 4;
const FILE_DEVICE_DISK: u32 = 7;
const FILE_REMOTE_DEVICE: u32 = 0x10;
/// What sizes are told in.
const UNIT_BYTES: u32 = 4096;
/// Seconds between the beginnings of the two calendars, and ticks of a second in that of Windows.
const EPOCH_SECONDS: u64 = 11_644_473_600;
const TICKS: u64 = 10_000_000;

/// 100 ns since 1601 (MS-DTYP 2.3.3).
fn ticks(seconds: u64) -> u64 {
    seconds.saturating_add(EPOCH_SECONDS).saturating_mul(TICKS)
}

/// Seconds since 1970; `None` for what stands for "as it is" (0 and -1).
pub(super) fn seconds(ticks: u64) -> Option<u64> {
    if ticks == 0 || ticks > i64::MAX as u64 { None } else { (ticks / TICKS).checked_sub(EPOCH_SECONDS) }
}

fn attributes(node: &Node) -> u32 {
    if node.is_folder() { ATTRIBUTE_DIRECTORY } else { ATTRIBUTE_ARCHIVE }
}

fn times(writer: Writer, node: &Node) -> Writer {
    (0..4).fold(writer, |writer, _| writer.u64(ticks(node.modified)))
}

/// Of an open file (IRP_MJ_QUERY_INFORMATION).
pub(super) fn file(class: u32, node: &Node, doomed: bool) -> Option<Vec<u8>> {
    let out = Writer::default();
    Some(match class {
        // FileBasicInformation
        4 => times(out, node).u32(attributes(node)).0,
        // FileStandardInformation
        5 => {
            let out = out.u64(node.size()).u64(node.size()).u32(1);
            out.u8(u8::from(doomed)).u8(u8::from(node.is_folder())).0
        }
        // FileAttributeTagInformation
        35 => out.u32(attributes(node)).u32(0).0,
        _ => return None,
    })
}

/// Of a folder's entry (IRP_MN_QUERY_DIRECTORY): one an answer.
pub(super) fn entry(class: u32, name: &str, node: &Node) -> Option<Vec<u8>> {
    let name = utf16(name);
    // No next entry, no index.
    let out = Writer::default().u32(0).u32(0);
    let facts = |out| times(out, node).u64(node.size()).u64(node.size()).u32(attributes(node));
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    Some(match class {
        // FileDirectoryInformation
        1 => facts(out).u32(length).bytes(&name).0,
        // FileFullDirectoryInformation
        2 => facts(out).u32(length).u32(0).bytes(&name).0,
        // FileBothDirectoryInformation, without a short name
        3 => facts(out).u32(length).u32(0).u8(0).bytes(&[0; 24]).bytes(&name).0,
        // FileNamesInformation
        12 => out.u32(length).bytes(&name).0,
        _ => return None,
    })
}

/// Of the drive (IRP_MJ_QUERY_VOLUME_INFORMATION). `room`: bytes that fit in still.
pub(super) fn volume(class: u32, room: u64) -> Option<Vec<u8>> {
    let out = Writer::default();
    let (all, free) = (DRIVE_BYTES_MAX / u64::from(UNIT_BYTES), room / u64::from(UNIT_BYTES));
    Some(match class {
        // FileFsVolumeInformation
        1 => {
            let label = utf16(DRIVE_LABEL);
            out.u64(0).u32(1).u32(label.len() as u32).u8(0).bytes(&label).0
        }
        // FileFsSizeInformation
        3 => out.u64(all).u64(free).u32(1).u32(UNIT_BYTES).0,
        // FileFsDeviceInformation
        4 => out.u32(FILE_DEVICE_DISK).u32(FILE_REMOTE_DEVICE).0,
        // FileFsAttributeInformation
        5 => out.u32(FILE_SYSTEM_ATTRIBUTES).u32(DRIVE_NAME_BYTES_MAX as u32).sized(&utf16("FAT32")).0,
        // FileFsFullSizeInformation
        7 => out.u64(all).u64(free).u64(free).u32(1).u32(UNIT_BYTES).0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_both_ways() {
        assert_eq!(ticks(0), 116_444_736_000_000_000);
        assert_eq!(seconds(ticks(1_700_000_000)), Some(1_700_000_000));
        assert_eq!((seconds(0), seconds(u64::MAX), seconds(1)), (None, None, None));
        assert_eq!(ticks(u64::MAX), u64::MAX);
    }
}
