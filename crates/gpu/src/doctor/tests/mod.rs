//! Every kind of finding, once provoked and once mended; and what the whole list looks like.

mod cases;
mod scene;

use super::*;
use crate::{Inventory, inventory, sysfs::Tree};
use scene::Scene;

fn look(scene: &Scene) -> Vec<Finding> {
    doctor(&scene.tree, &read(&scene.tree), &scene.options)
}

fn read(tree: &Tree) -> Inventory {
    inventory(tree, &inventory::Options::default()).unwrap()
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.id.as_str()).collect()
}

#[test]
fn every_kind_is_found_where_it_is_and_not_found_where_it_is_mended() {
    let mut wrong: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    for case in cases::all() {
        let mut scene = (case.scene)();
        (case.make)(&mut scene);
        let found = look(&scene);
        if !ids(&found).contains(&case.id) {
            wrong.push(format!("{} is not found; these are: {:?}", case.id, ids(&found)));
        }
        for finding in &found {
            wrong.extend(complaint(finding));
        }
        (case.mend)(&mut scene);
        if let Some(finding) = look(&scene).iter().find(|finding| finding.id == case.id) {
            wrong.push(format!("{} is still found when mended: {finding:?}", case.id));
        }
        seen.push(case.id);
    }
    wrong
        .extend(KINDS.iter().map(|kind| kind.id).filter(|id| !seen.contains(id)).map(|id| format!("no test for {id}")));
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut unique = seen.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), seen.len());
}

/// What is wrong with a finding's form.
fn complaint(finding: &Finding) -> Option<String> {
    let Finding { id, reason, fix, source, evidence, .. } = finding;
    let bad = finding.severity > Severity::Ok && (fix.is_empty() || !source.starts_with("https://"));
    let talk = reason.is_empty() || reason.contains("  ") || reason.ends_with('.') || reason.contains('\n');
    (kind(id).is_none() || bad || talk || evidence.is_empty()).then(|| format!("the form of {finding:?}"))
}

#[test]
fn the_worst_comes_first_and_the_host_before_its_cards() {
    let mut scene = scene::geforce();
    scene.tree.remove("/sys/class/iommu/dmar0");
    scene.tree.file("/sys/bus/pci/devices/0000:01:00.0/boot_vga", "1");
    let found = look(&scene);
    assert!(found.is_sorted_by(|one, other| one.severity >= other.severity), "{:?}", ids(&found));
    assert_eq!(found[0].subject, "host");
}

#[test]
fn what_does_not_concern_the_mode_is_a_note() {
    let mut scene = scene::geforce();
    scene.tree.remove("/sys/class/iommu/dmar0");
    assert_eq!(look(&scene)[0].severity, Severity::Error);
    scene.options.mode = Some(GpuMode::Shared);
    assert!(look(&scene).iter().all(|finding| finding.severity <= Severity::Note));
}

#[test]
fn only_the_card_that_was_asked_for() {
    let mut scene = scene::geforce();
    scene.function("0000:02:00.0", "1002:67df", "030000", "amdgpu", Some(2));
    scene.options.gpu = Some("02:00.0".parse().unwrap());
    let found = look(&scene);
    assert!(found.iter().all(|finding| finding.subject == "host" || finding.subject == "0000:02:00.0"), "{found:#?}");
    assert!(ids(&found).contains(&"amd-reset-bug"));
}

#[test]
fn roms_are_read_to_their_last_image_and_no_further() {
    use rom::{Image, images};
    assert_eq!(images(&scene::rom(&[0])), Some(vec![Image::Bios]));
    assert_eq!(images(&scene::rom(&[0, 3])), Some(vec![Image::Bios, Image::Efi]));
    assert_eq!(images(&[0x55, 0xaa]), None);
    assert_eq!(images(&[0xff; 64]), None);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_rom_or_none(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2048)) {
        let mut rom = bytes;
        rom.splice(0..0, [0x55, 0xaa]);
        rom::images(&rom);
    }

    #[test]
    fn any_words_are_survived(
        resource in "[0-9a-fx \n]{0,300}",
        iomem in "[0-9a-f: \nefib-]{0,300}",
        log in ".{0,300}",
        line in ".{0,100}",
    ) {
        let mut scene = scene::geforce();
        let card = "/sys/bus/pci/devices/0000:01:00.0";
        scene.tree.file(&format!("{card}/resource"), resource).file("/proc/iomem", iomem).file("/proc/cmdline", line)
            .prints(&["dmesg", "--notime"], &log).prints(&["nvidia-smi", "-q"], &log);
        look(&scene);
    }
}
