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

#[test]
fn nobody_is_told_to_take_the_hosts_disks_away() {
    let fix = |class: &str, driver: &str| {
        let mut scene = scene::geforce();
        scene.function("0000:02:00.0", "144d:a808", class, driver, Some(1));
        look(&scene).into_iter().find(|finding| finding.id == "dirty-group").unwrap().fix
    };
    for (class, driver) in [("010802", "nvme"), ("020000", "igb"), ("0c0330", "xhci_hcd")] {
        assert!(!fix(class, driver).contains("unbind"), "{class}");
    }
    assert!(
        fix("040300", "snd_hda_intel").contains("echo 0000:02:00.0 > /sys/bus/pci/devices/0000:02:00.0/driver/unbind")
    );
    // The override patch is named only to say why not.
    assert!(fix("040300", "snd_hda_intel").contains("not advised: the kernel patch behind pcie_acs_override"));
}

#[test]
fn each_distribution_has_its_own_words() {
    let fix = |release: &str, kernel: &str, files: &[&str]| {
        let mut scene = scene::geforce();
        scene.tree.remove("/sys/class/iommu/dmar0");
        scene.boot_with("quiet").file("/etc/os-release", release).file("/proc/sys/kernel/osrelease", kernel);
        for path in files {
            scene.file(path, "x");
        }
        look(&scene).into_iter().find(|finding| finding.id == "iommu-not-enabled").unwrap().fix
    };
    assert!(fix("ID=debian\nVERSION_ID=\"12\"\n", "6.1.0-56-amd64", &[]).contains("update-grub"));
    assert!(
        fix("ID=fedora\nVERSION_ID=41\n", "6.11.4-301.fc41.x86_64", &[])
            .contains("grubby --update-kernel=ALL --args=\"intel_iommu=on iommu=pt\"")
    );
    assert!(fix("ID=arch\n", "6.12.1-arch1-1", &[]).contains("grub-mkconfig -o /boot/grub/grub.cfg"));
    assert!(fix("ID=opensuse-tumbleweed\n", "6.11.8-1-default", &[]).contains("grub2-mkconfig"));
    assert!(
        fix("ID=debian\nVERSION_ID=\"12\"\n", "6.8.12-4-pve", &["/etc/kernel/proxmox-boot-uuids"])
            .contains("proxmox-boot-tool refresh")
    );
    assert!(fix("ID=unheard-of\n", "6.1", &[]).contains("in your boot loader"));
}

#[test]
fn firmware_that_is_not_free_is_made_available_first() {
    let fix = |sources: &str, lists: &str| {
        let mut scene = scene::card("1002:73bf", "030000", "");
        scene.tree.prints(
            &["modinfo", "-F", "firmware", "amdgpu"],
            "amdgpu/sienna_cichlid_pfp.bin\namdgpu/sienna_cichlid_ta.bin\n",
        );
        scene.file(sources, lists).tree.folder("/lib/firmware");
        let found = look(&scene).into_iter().find(|finding| finding.id == "firmware-missing").unwrap();
        assert_eq!(found.severity, Severity::Error);
        assert!(found.reason.contains("sienna_cichlid_pfp.bin") && !found.reason.contains("_ta.bin"));
        found.fix
    };
    let old = fix("/etc/apt/sources.list", "deb http://deb.debian.org/debian bookworm main\n");
    assert!(old.starts_with("sed -i '/^deb /s/ main\\b/& non-free-firmware/' /etc/apt/sources.list"), "{old}");
    assert!(old.contains("apt-get install firmware-amd-graphics\nupdate-initramfs -u -k all\nreboot"), "{old}");
    let new = fix(
        "/etc/apt/sources.list.d/debian.sources",
        "Types: deb\nURIs: http://deb.debian.org/debian\nComponents: main\n",
    );
    assert!(new.contains("/etc/apt/sources.list.d/debian.sources"), "{new}");
    let done = fix("/etc/apt/sources.list", "deb http://deb.debian.org/debian bookworm main non-free-firmware\n");
    assert!(done.starts_with("apt-get update"), "{done}");
}

#[test]
fn windows_are_powers_of_two_in_mib() {
    let mut scene = scene::a40();
    let none = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
    let mut need = |bars: &str| {
        scene.of_card("resource", bars);
        let inventory = read(&scene.tree);
        let case = Case::new(&scene.tree, &inventory, &scene.options);
        window::window_mib(&case, &inventory.gpus[0])
    };
    // 16 MiB of 32 bits do not count; 64 GiB alone fit into 64 GiB, with 32 MiB more they take twice that.
    assert_eq!(
        need(
            "0x00000000f4000000 0x00000000f4ffffff 0x0000000000040200\n0x0000206000000000 0x0000206fffffffff 0x000000000014220c\n"
        ),
        65_536
    );
    assert_eq!(
        need(&format!(
            "{none}0x0000206000000000 0x0000206fffffffff 0x000000000014220c\n{none}0x0000207000000000 0x0000207001ffffff 0x000000000014220c\n"
        )),
        131_072
    );
}

#[test]
fn without_debugfs_the_log_tells_of_guc() {
    let mut scene = scene::integrated("46a6", "i915");
    scene.logs("i915 0000:00:02.0: [drm] GT0: GuC firmware i915/adlp_guc_70.bin version 70.5.1\ni915 0000:00:02.0: [drm] GT0: HuC: authenticated for all workloads\ni915 0000:00:02.0: [drm] Finished loading DMC firmware i915/adlp_dmc_ver2_16.bin (v2.16)\n");
    let found = look(&scene);
    let good = found.iter().find(|finding| finding.id == "microcode").unwrap();
    assert_eq!(good.evidence.len(), 3, "{good:?}");
    scene.logs("i915 0000:00:02.0: [drm] *ERROR* GT0: GuC initialization failed -ENOENT\n");
    assert!(ids(&look(&scene)).contains(&"guc-not-running"));
}
