//! A capture says what its host says, and a hostile one does no harm.

use super::{MANIFEST, open, open_bytes, pack, read, write};
use crate::{
    Sysfs,
    inventory::{Options, inventory},
    sysfs::{Node, Tree},
};
use proptest::prelude::*;
use std::path::Path;

fn host() -> Tree {
    let mut tree = Tree::new();
    let gpu = "/sys/devices/pci0000:00/0000:05:00.0";
    tree.file("/proc/sys/kernel/hostname", "anna-pc\n")
        .file("/proc/sys/kernel/osrelease", "6.1.0-56-amd64\n")
        .file("/proc/cmdline", "root=UUID=3f2b6f0e-9f0c-4a53-9f0e-0a1b2c3d4e5f intel_iommu=on password=hunter2\n")
        .file("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n\nprocessor\t: 1\n")
        .file("/sys/devices/system/cpu/online", "0-1\n")
        .file("/sys/class/iommu/dmar0/intel-iommu/cap", "d2008c40660462\n")
        .link_to("/sys/bus/pci/devices/0000:05:00.0", "../../../devices/pci0000:00/0000:05:00.0")
        .file(&format!("{gpu}/vendor"), "0x10de\n")
        .file(&format!("{gpu}/device"), "0x13f2\n")
        .file(&format!("{gpu}/class"), "0x030000\n")
        .file(&format!("{gpu}/config"), vec![7; 4096])
        .link_to(&format!("{gpu}/driver"), "../../../bus/pci/drivers/nvidia")
        .link_to(&format!("{gpu}/iommu_group"), "../../../kernel/iommu_groups/5")
        .link_to("/sys/kernel/iommu_groups/5/devices/0000:05:00.0", "../../../../devices/pci0000:00/0000:05:00.0")
        .folder("/sys/bus/pci/drivers/vfio-pci")
        .file(&format!("{gpu}/mdev_supported_types/nvidia-18/name"), "GRID M60-2Q\n")
        .file(&format!("{gpu}/mdev_supported_types/nvidia-18/device_api"), "vfio-pci\n")
        .file(&format!("{gpu}/mdev_supported_types/nvidia-18/available_instances"), "4\n")
        .link_to("/proc/77/fd/3", "/dev/vfio/5")
        .link_to("/proc/77/fd/4", "/home/anna/diary.txt")
        .file("/proc/77/comm", "qemu\n")
        .file("/proc/78/comm", "mail-of-anna\n")
        .file("/proc/77/environ", "SECRET=1")
        .link_to("/lib", "usr/lib")
        .file("/usr/lib/firmware/amdgpu/navi10_ce.bin", "code")
        .prints(&["uname", "-r"], "6.1.0-56-amd64\n");
    tree
}

#[test]
fn a_capture_says_what_the_host_says() {
    let host = host();
    let mut archive = Vec::new();
    let mut steps = Vec::new();
    let written = write(&host, &Options::default(), &mut archive, &mut |step| steps.push(step.to_owned())).unwrap();
    assert_eq!((written.gpus, written.commands), (1, 1));
    assert!(steps.len() > 5);
    let capture = open_bytes(&archive).unwrap();
    let mut wanted = inventory(&host, &Options::default()).unwrap();
    let captured = inventory(&capture, &Options::default()).unwrap();
    wanted.host.name = "host".into();
    assert_eq!(captured, wanted);
    assert!(!wanted.gpus[0].holders.is_empty(), "who holds the card is part of it");
    assert!(capture.exists("/lib/firmware/amdgpu/navi10_ce.bin"), "names of firmware are part of it");
    assert!(capture.command(&["uname", "-r"]).is_ok() && !capture.live());
    let all: Vec<u8> = capture
        .nodes()
        .flat_map(|(path, node)| {
            let content = match node {
                Node::File(content) => content.clone(),
                Node::Link(target) => target.clone().into_bytes(),
                Node::Folder => Vec::new(),
            };
            [path.as_bytes().to_vec(), content].concat()
        })
        .collect();
    let all = String::from_utf8_lossy(&all);
    for secret in ["anna", "hunter2", "3f2b6f0e", "SECRET", "mail", "diary"] {
        assert!(!all.contains(secret), "{secret}");
    }
    let config = capture.read("/sys/bus/pci/devices/0000:05:00.0/config");
    assert!(config.is_err() || config.is_ok_and(|bytes| bytes.len() == 64));

    // A capture of a capture is the same.
    let (again, _) = read(&capture, &Options::default(), &mut |_| {}).unwrap();
    let mut repacked = Vec::new();
    pack(&again, &mut repacked).unwrap();
    assert_eq!(inventory(&open_bytes(&repacked).unwrap(), &Options::default()).unwrap(), captured);
}

#[test]
fn an_unpacked_capture_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.tar.gz");
    write(&host(), &Options::default(), std::fs::File::create(&file).unwrap(), &mut |_| {}).unwrap();
    let packed = open(&file).unwrap();
    let unpacked = folder.path().join("host");
    tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap())).unpack(&unpacked).unwrap();
    let opened = open(&unpacked).unwrap();
    let read = |sysfs: &dyn Sysfs| inventory(sysfs, &Options::default()).unwrap();
    assert_eq!(read(packed.as_ref()), read(opened.as_ref()));
}

#[test]
fn what_is_no_capture_is_refused_with_a_reason() {
    let reason = |bytes: &[u8]| open_bytes(bytes).unwrap_err().to_string();
    assert!(reason(b"").contains("no capture"));
    assert!(reason(b"hello").contains("no archive"), "{}", reason(b"hello"));
    let packed = |change: fn(&mut Tree)| {
        let mut tree = Tree::new();
        change(&mut tree);
        let mut bytes = Vec::new();
        pack(&tree, &mut bytes).unwrap();
        bytes
    };
    let newer = packed(|tree| {
        tree.file(MANIFEST, r#"{"format":2,"made_by":"oriel 9","kernel":""}"#);
    });
    assert!(reason(&newer).contains("newer"));
    let broken = packed(|tree| {
        tree.file(MANIFEST, "{");
    });
    assert!(reason(&broken).contains("manifest is broken"));
    let other = packed(|tree| {
        tree.file("/etc/passwd", "");
    });
    assert!(reason(&other).contains("neither a manifest"));
    let whole = packed(|tree| {
        tree.folder("/sys").file("/a", vec![1; 100_000]);
    });
    assert!(reason(&whole[..whole.len() / 2]).contains("too early"));
    assert!(open(Path::new("/nonexistent/capture")).is_err());
}

/// An archive entry as an attacker would write it: the name and the target are taken as they are.
fn raw(name: &[u8], kind: u8, target: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let put = |header: &mut [u8; 512], at: usize, bytes: &[u8], most: usize| {
        let bytes = &bytes[..bytes.len().min(most)];
        header[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(&mut header, 0, name, 100);
    put(&mut header, 100, b"0000644\0", 8);
    put(&mut header, 124, format!("{:011o}\0", content.len()).as_bytes(), 12);
    put(&mut header, 136, b"00000000000\0", 12);
    header[156] = kind;
    put(&mut header, 157, target, 100);
    put(&mut header, 257, b"ustar\x0000", 8);
    put(&mut header, 148, b"        ", 8);
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes(), 8);
    let mut all = header.to_vec();
    all.extend_from_slice(content);
    all.resize(all.len().div_ceil(512) * 512, 0);
    all
}

#[test]
fn nothing_leads_out_of_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "mine").unwrap();
    let mut bytes = Vec::new();
    bytes.extend(raw(b"sys/", b'5', b"", b""));
    bytes.extend(raw(b"../../etc/passwd", b'0', b"", b"x"));
    bytes.extend(raw(b"sys/outside", b'2', secret.to_string_lossy().as_bytes(), b""));
    bytes.extend(raw(b"sys/above", b'2', b"../../../../../../../../etc", b""));
    bytes.extend(raw(b"sys/loop", b'2', b"loop", b""));
    bytes.extend(raw(b"sys/hard", b'1', b"/etc/passwd", b""));
    bytes.extend(raw(b"sys/pipe", b'6', b"", b""));
    bytes.extend(raw(b"sys/loop/below", b'0', b"", b"x"));
    bytes.extend(raw(b"//sys//./twice", b'0', b"", b"good"));
    let tree = open_bytes(&bytes).unwrap();
    assert!(
        tree.read("/sys/outside").is_err() && tree.list("/sys/above").is_err() && tree.read("/etc/passwd").is_err()
    );
    assert!(tree.read("/sys/loop").is_err() && !tree.exists("/sys/hard") && !tree.exists("/sys/pipe"));
    assert_eq!(tree.read("/sys/twice").unwrap(), b"good");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn bytes_of_any_kind(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        open_bytes(&bytes).ok();
    }

    /// A real capture with some bytes changed.
    #[test]
    fn a_damaged_capture(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut plain = Vec::new();
        pack(&host(), &mut plain).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(plain.as_slice()), &mut bytes).unwrap();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(tree) = open_bytes(&bytes) {
            inventory(&tree, &Options::default()).unwrap();
        }
    }

    /// Whatever stands in the files that are read, and wherever links lead.
    #[test]
    fn a_host_that_lies(
        lies in proptest::collection::vec((any::<prop::sample::Index>(), "\\PC{0,40}|[0-9a-fx:., \n-]{0,60}", 0..3_u8), 1..20),
    ) {
        let mut tree = host();
        let paths: Vec<String> = tree.nodes().map(|(path, _)| path.to_owned()).collect();
        for (index, lie, kind) in lies {
            let path = &paths[index.index(paths.len())];
            match kind {
                0 => tree.file(path, lie),
                1 => tree.link_to(path, lie),
                _ => tree.link_to(path, paths[index.index(paths.len())].clone()),
            };
        }
        read(&tree, &Options::default(), &mut |_| {}).unwrap();
    }
}
