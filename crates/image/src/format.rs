//! What kind of disk image a file is, told from its own bytes, and what is refused before QEMU may open it.
//!
//! QEMU's block layer follows what an image names: a backing file, an external data file, a VMDK's extents. An image from
//! outside could so draw any file of this host into a desktop. Hence the format is decided here, QEMU is told it and never
//! guesses, and an image that names another file is refused.
//!
//! Layouts: QEMU's docs/interop/qcow2.rst; VMware Virtual Disk Format 5.0, "SparseExtentHeader"; VirtualBox's VDICore.h.
//! All of this is a total function over the first bytes of a file.

use std::fmt;

/// How many bytes from the start of a file are enough for [`sniff`].
pub const HEAD_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Qcow2,
    Raw,
    Vmdk,
    Vdi,
    Vhdx,
    Vpc,
}

impl Format {
    /// QEMU's name of it.
    pub fn qemu(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhdx => "vhdx",
            Self::Vpc => "vpc",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.qemu())
    }
}

/// Decides what `head`, the start of a file of `size` bytes, is. The error says why it can't be used and what to do.
pub fn sniff(head: &[u8], size: u64) -> Result<Format, &'static str> {
    if size == 0 {
        return Err("the file is empty");
    }
    match head {
        [b'Q', b'F', b'I', 0xfb, ..] => qcow2(head).map(|()| Format::Qcow2),
        [b'K', b'D', b'M', b'V', ..] => vmdk(head).map(|()| Format::Vmdk),
        [b'v', b'h', b'd', b'x', b'f', b'i', b'l', b'e', ..] => Ok(Format::Vhdx),
        [b'c', b'o', b'n', b'e', b'c', b't', b'i', b'x', ..] => Ok(Format::Vpc),
        [0x1f, 0x8b, ..]
        | [0xfd, b'7', b'z', b'X', b'Z', 0, ..]
        | [0x28, 0xb5, 0x2f, 0xfd, ..]
        | [b'B', b'Z', b'h', ..] => Err("it is compressed; unpack it first"),
        [b'P', b'K', 3, 4, ..] | [b'7', b'z', 0xbc, 0xaf, ..] => {
            Err("it is an archive; unpack it first and import the disk inside")
        }
        [b'L', b'U', b'K', b'S', 0xba, 0xbe, ..] => Err("it is encrypted (LUKS); a golden disk must be readable"),
        [b'Q', b'E', b'D', 0, ..] | [b'C', b'O', b'W', b'D', ..] | [b'O', b'O', b'O', b'M', ..] => {
            Err("its format is an old one that is not taken; convert it to qcow2 first")
        }
        _ if head.starts_with(b"# Disk DescriptorFile") => {
            Err("it is a VMDK description that names other files; convert it to one qcow2 file first")
        }
        _ if le32(head, 0x40) == Some(0xbeda_107f) => vdi(head).map(|()| Format::Vdi),
        _ if head.get(257..262) == Some(b"ustar") => {
            Err("it is a tar archive (an OVA, perhaps); unpack it first and import the disk inside")
        }
        _ if head.get(0x8001..0x8006) == Some(b"CD001") && !raw_disk(head) => {
            Err("it is a CD image; install a machine from it and import that machine's disk")
        }
        _ if raw_disk(head) && size.is_multiple_of(512) => Ok(Format::Raw),
        _ => Err("it is no disk image that is known (qcow2, raw with a partition table, vmdk, vdi, vhdx, vhd)"),
    }
}

/// A partition table: MBR, which a GPT disk has too.
fn raw_disk(head: &[u8]) -> bool {
    head.get(510..512) == Some(&[0x55, 0xaa])
}

fn qcow2(head: &[u8]) -> Result<(), &'static str> {
    const SHORT: &str = "its qcow2 header is cut off";
    const DATA_FILE: u64 = 1 << 2;
    const CORRUPT: u64 = 1 << 1;
    /// Dirty, corrupt, data file, compression type, extended L2: what the format knows today.
    const KNOWN: u64 = 0x1f;
    let version = be32(head, 4).ok_or(SHORT)?;
    if !matches!(version, 2 | 3) {
        return Err("its qcow2 version is neither 2 nor 3");
    }
    if be64(head, 8).ok_or(SHORT)? != 0 {
        return Err(
            "it has a backing file, another file that it is only the difference to; merge both with `qemu-img convert` first",
        );
    }
    if be32(head, 32).ok_or(SHORT)? != 0 {
        return Err("it is encrypted; a golden disk must be readable");
    }
    if version == 3 {
        let incompatible = be64(head, 72).ok_or(SHORT)?;
        if incompatible & DATA_FILE != 0 {
            return Err("its data lies in another file; make one file of it with `qemu-img convert` first");
        }
        if incompatible & CORRUPT != 0 {
            return Err("it is marked as corrupt; repair it with `qemu-img check -r all` first");
        }
        if incompatible & !KNOWN != 0 {
            return Err("it uses qcow2 features that are not known");
        }
    }
    Ok(())
}

fn vmdk(head: &[u8]) -> Result<(), &'static str> {
    const OTHER: &str = "it is a VMDK whose data lies in other files; convert it to one qcow2 file first";
    const SHORT: &str = "its VMDK header is cut off";
    // With no capacity, only the description inside counts, and that may name any file.
    let capacity = le64(head, 12).ok_or(SHORT)?;
    if capacity == 0 {
        return Err(OTHER);
    }
    let at = le64(head, 28).ok_or(SHORT)?.saturating_mul(512);
    let length = le64(head, 36).ok_or(SHORT)?.saturating_mul(512);
    if at == 0 {
        return Ok(());
    }
    let from = usize::try_from(at).map_err(|_| SHORT)?;
    let to = from.saturating_add(usize::try_from(length).map_err(|_| SHORT)?).min(head.len());
    let text = head.get(from..to).ok_or("its VMDK description lies too far behind")?;
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    let extents = text
        .lines()
        .filter(|line| ["rw ", "rdonly ", "noaccess "].iter().any(|access| line.trim_start().starts_with(access)))
        .count();
    let kind = text.contains("createtype=\"monolithicsparse\"") || text.contains("createtype=\"streamoptimized\"");
    let parent = text.lines().any(|line| line.trim_start().starts_with("parentfilenamehint"));
    if extents <= 1 && kind && !parent { Ok(()) } else { Err(OTHER) }
}

fn vdi(head: &[u8]) -> Result<(), &'static str> {
    match le32(head, 0x4c) {
        Some(1 | 2) => Ok(()),
        Some(_) => Err("it is a VDI that is only the difference to another; clone it to a full one first"),
        None => Err("its VDI header is cut off"),
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|b| u64::from_be_bytes(*b))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|b| u64::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qcow2_head(version: u32, backing: u64, crypt: u32, features: u64) -> Vec<u8> {
        let mut head = vec![0; 112];
        head[..4].copy_from_slice(b"QFI\xfb");
        head[4..8].copy_from_slice(&version.to_be_bytes());
        head[8..16].copy_from_slice(&backing.to_be_bytes());
        head[32..36].copy_from_slice(&crypt.to_be_bytes());
        head[72..80].copy_from_slice(&features.to_be_bytes());
        head
    }

    #[test]
    fn qcow2_that_names_nothing_else() {
        assert_eq!(sniff(&qcow2_head(3, 0, 0, 0), 1000), Ok(Format::Qcow2));
        assert_eq!(sniff(&qcow2_head(2, 0, 0, 0), 1000), Ok(Format::Qcow2));
        for (head, word) in [
            (qcow2_head(3, 0x100, 0, 0), "backing file"),
            (qcow2_head(2, 0x100, 0, 0), "backing file"),
            (qcow2_head(3, 0, 1, 0), "encrypted"),
            (qcow2_head(3, 0, 2, 0), "encrypted"),
            (qcow2_head(3, 0, 0, 4), "another file"),
            (qcow2_head(3, 0, 0, 2), "corrupt"),
            (qcow2_head(3, 0, 0, 1 << 40), "not known"),
            (qcow2_head(7, 0, 0, 0), "version"),
        ] {
            let reason = sniff(&head, 1000).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
    }

    #[test]
    fn vmdk_only_when_it_is_one_file() {
        let head = |capacity: u64, text: &str| {
            let mut head = vec![0; 2048];
            head[..4].copy_from_slice(b"KDMV");
            head[12..20].copy_from_slice(&capacity.to_le_bytes());
            head[28..36].copy_from_slice(&1u64.to_le_bytes());
            head[36..44].copy_from_slice(&2u64.to_le_bytes());
            head[512..512 + text.len()].copy_from_slice(text.as_bytes());
            head
        };
        let good = "createType=\"monolithicSparse\"\nRW 4192256 SPARSE \"x.vmdk\"\n";
        assert_eq!(sniff(&head(100, good), 4096), Ok(Format::Vmdk));
        assert!(sniff(&head(0, good), 4096).is_err());
        assert!(sniff(&head(100, "createType=\"monolithicFlat\"\nRW 1 FLAT \"/etc/shadow\" 0\n"), 4096).is_err());
        assert!(sniff(&head(100, &format!("{good}RW 1 FLAT \"/etc/shadow\" 0\n")), 4096).is_err());
        assert!(sniff(&head(100, &format!("{good}parentFileNameHint=\"/x\"\n")), 4096).is_err());
        assert!(sniff(b"# Disk DescriptorFile\nRW 1 FLAT \"/etc/shadow\" 0\n", 4096).is_err());
    }

    #[test]
    fn other_things_are_told_apart() {
        for (head, word) in [
            (&b"<!doctype html>"[..], "no disk image"),
            (b"\x1f\x8b\x08", "compressed"),
            (b"\xfd7zXZ\0", "compressed"),
            (b"PK\x03\x04", "archive"),
            (b"LUKS\xba\xbe", "encrypted"),
            (b"QED\0", "old"),
        ] {
            let reason = sniff(head, 4096).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
        assert!(sniff(b"", 0).is_err());
        let mut raw = vec![0; 512];
        raw[510..].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(sniff(&raw, 1024), Ok(Format::Raw));
        assert!(sniff(&raw, 1025).is_err());
    }

    #[test]
    fn total_over_any_start() {
        let magics: [&[u8]; 5] = [b"QFI\xfb", b"KDMV", b"vhdxfile", b"conectix", b"# Disk DescriptorFile"];
        let mut state = 1u64;
        for round in 0..20_000 {
            let mut head = magics[round % magics.len()].to_vec();
            let length = round % 700;
            while head.len() < length {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                head.push((state >> 56) as u8);
            }
            head.truncate(length);
            let _ = sniff(&head, state);
        }
    }
}
