//! Captured hosts: that each is what its description says, and what the engine makes of it.
//!
//! The snapshots are read by people who know these cards. After a change of words that was meant:
//! `INSTA_UPDATE=always cargo nextest run --release -p oriel-gpu --test zoo`, and read what changed.

#[path = "support/zoo/mod.rs"]
mod zoo;

#[path = "support/report.rs"]
mod report;

use flate2::read::GzDecoder;
use oriel_gpu::{Sysfs, capture, inventory::Options, mode};
use std::{fs, io::Read};

/// What rebuilds `zoo/` from `descriptions/`.
const REBUILD: &str = "cargo run -p oriel-gpu --example build-zoo";

/// The archive within is compared: how it is compressed may change with the library that does it.
#[test]
fn captures_are_what_their_descriptions_say() {
    let mut known: Vec<String> = fs::read_dir(zoo::folder("zoo"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for name in zoo::names() {
        let file = format!("{name}.tar.gz");
        let Ok(packed) = fs::read(zoo::folder("zoo").join(&file)) else { panic!("zoo/{file} is missing: {REBUILD}") };
        let mut described = Vec::new();
        capture::pack(&zoo::build(&name), &mut described).unwrap();
        assert!(unzipped(&packed) == unzipped(&described), "zoo/{file} is not what its description says: {REBUILD}");
        known.retain(|one| *one != file);
    }
    // A capture of a real machine has no description: it is itself the source.
    known.retain(|file| !file.starts_with("captured-"));
    assert_eq!(known, Vec::<String>::new(), "in zoo/ without a description");
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut archive).unwrap();
    archive
}

/// What is asked of a host can be asked of its capture, with the same answers.
#[test]
fn a_capture_says_what_its_host_says() {
    for name in zoo::names() {
        let host = zoo::build(&name);
        let mut file = Vec::new();
        capture::write(&host, &Options::default(), &mut file, &mut |_| {}).unwrap();
        let capture = capture::open_bytes(&file).unwrap();
        let (there, here) = (answers(&host), answers(&capture));
        assert_eq!(here, there, "{name}");
    }
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn answers(sysfs: &dyn Sysfs) -> (String, String) {
    let inventory = oriel_gpu::inventory(sysfs, &Options::default()).unwrap();
    let findings = oriel_gpu::doctor::doctor(sysfs, &inventory, &oriel_gpu::doctor::Options::default());
    let list = report::list(&inventory);
    // A capture does not say whose host it is.
    (list.split_once(':').unwrap().1.to_owned(), report::doctor(&findings))
}

#[test]
fn groups_follow_the_kernels_rules() {
    let tree = zoo::build("threadripper");
    let members = |group: u32| -> Vec<String> {
        tree.list(&format!("/sys/kernel/iommu_groups/{group}/devices")).unwrap_or_default()
    };
    let group_of = |address: &str| -> u32 {
        tree.link_name(&format!("/sys/bus/pci/devices/{address}/iommu_group")).unwrap().parse().unwrap()
    };
    // As the public listing has it: the chipset with all behind it; the RX 570 with its audio; a Radeon VII's functions apart.
    let chipset = members(group_of("0000:06:00.0"));
    assert!(
        ["0000:01:00.0", "0000:01:00.1", "0000:02:04.0", "0000:05:00.0", "0000:08:00.0"]
            .iter()
            .all(|one| chipset.iter().any(|other| other == one)),
        "{chipset:?}"
    );
    assert_eq!(members(group_of("0000:43:00.0")), ["0000:43:00.0", "0000:43:00.1"]);
    assert_eq!(members(group_of("0000:0d:00.0")), ["0000:0d:00.0"]);
}

#[test]
fn list() {
    for name in zoo::names() {
        let tree = zoo::build(&name);
        let inventory = oriel_gpu::inventory(&tree, &Options::default()).unwrap();
        insta::assert_snapshot!(format!("list@{name}"), report::list(&inventory));
    }
}

#[test]
fn doctor() {
    for name in zoo::names() {
        let tree = zoo::build(&name);
        let inventory = oriel_gpu::inventory(&tree, &Options::default()).unwrap();
        let findings = oriel_gpu::doctor::doctor(&tree, &inventory, &oriel_gpu::doctor::Options::default());
        insta::assert_snapshot!(format!("doctor@{name}"), report::doctor(&findings));
    }
}

#[test]
fn plan() {
    for name in zoo::names() {
        let tree = zoo::build(&name);
        let inventory = oriel_gpu::inventory(&tree, &Options::default()).unwrap();
        let mut out = String::new();
        for gpu in &inventory.gpus {
            for wish in report::wishes(gpu) {
                let plan = mode::plan(&tree, &inventory, &wish).unwrap();
                assert!(plan.refused.is_empty() || plan.steps.is_empty(), "{name}: {wish:?} is refused and has steps");
                report::plan(&mut out, &wish, &plan);
            }
        }
        insta::assert_snapshot!(format!("plan@{name}"), out);
    }
}
