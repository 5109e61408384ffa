use super::*;
use crate::sysfs::Tree;

/// Of Debian's 6.1.0-56-amd64, with its doublets.
const I915: &str = "i915/kbl_huc_4.0.0.bin\ni915/tgl_huc_7.9.3.bin\ni915/tgl_huc_7.9.3.bin\ni915/tgl_huc.bin\ni915/kbl_guc_70.1.1.bin\ni915/tgl_guc_69.0.3.bin\ni915/tgl_guc_70.1.1.bin\ni915/tgl_guc_70.bin\ni915/adlp_guc_69.0.3.bin\ni915/adlp_guc_70.1.1.bin\ni915/adlp_guc_70.bin\ni915/kbl_dmc_ver1_04.bin\ni915/tgl_dmc_ver2_12.bin\ni915/adlp_dmc_ver2_16.bin\ni915/adls_dmc_ver2_01.bin\n";

fn bookworm() -> Distribution {
    Distribution { id: "debian".into(), version: "12".into(), pretty: "Debian GNU/Linux 12 (bookworm)".into() }
}

fn ask(tree: &Tree, vendor: &str, device: &str, name: &str, driver: Option<&str>) -> Vec<Firmware> {
    wanted(
        tree,
        &Card {
            vendor_id: vendor,
            device_id: device,
            revision: "05",
            name,
            driver,
            kernel: "6.1.0-56-amd64",
            distribution: &bookworm(),
        },
    )
}

#[test]
fn alternatives_come_best_first_and_without_doublets() {
    let mut tree = Tree::new();
    tree.prints(&["modinfo", "-F", "firmware", "i915"], I915).file("/lib/firmware/i915/tgl_guc_70.1.1.bin.zst", "x");
    let files = ask(&tree, "8086", "4680", "AlderLake-S GT1", Some("i915"));
    let guc = &files[0];
    assert_eq!(guc.alternatives, ["i915/tgl_guc_70.bin", "i915/tgl_guc_70.1.1.bin", "i915/tgl_guc_69.0.3.bin"]);
    assert_eq!(guc.found.as_deref(), Some("/lib/firmware/i915/tgl_guc_70.1.1.bin.zst"));
    assert_eq!(guc.package.as_deref(), Some("firmware-misc-nonfree"));
    assert_eq!(files[1].alternatives, ["i915/tgl_huc.bin", "i915/tgl_huc_7.9.3.bin"]);
    assert_eq!(files[2].alternatives, ["i915/adls_dmc_ver2_01.bin"]);
    assert!(files[2].found.is_none());
    assert!(guc.optional, "Alder Lake-S takes GuC only to authenticate HuC");
    // Alder Lake-P submits its work through GuC: without it there is nothing.
    assert!(!ask(&tree, "8086", "46a6", "Alder Lake-P", Some("i915"))[0].optional);
    // The table says the same as the module.
    assert_eq!(
        ask(&Tree::new(), "8086", "4680", "", Some("i915")).iter().map(|file| &file.alternatives).collect::<Vec<_>>(),
        files.iter().map(|file| &file.alternatives).collect::<Vec<_>>()
    );
}

#[test]
fn coffee_lake_loads_guc_only_when_told() {
    let mut tree = Tree::new();
    tree.prints(&["modinfo", "-F", "firmware", "i915"], I915);
    let roles = |tree: &Tree| {
        ask(tree, "8086", "3e92", "CoffeeLake-S GT2", Some("i915"))
            .iter()
            .map(|file| (file.role.clone(), file.optional))
            .collect::<Vec<_>>()
    };
    assert_eq!(roles(&tree), [("DMC".to_owned(), true)]);
    tree.file("/sys/module/i915/parameters/enable_guc", "3\n");
    assert_eq!(roles(&tree), [("GuC".to_owned(), false), ("HuC".to_owned(), true), ("DMC".to_owned(), true)]);
}

#[test]
fn folders_are_searched_in_the_kernels_order() {
    let mut tree = Tree::new();
    tree.file("/lib/firmware/a.bin", "x").file("/lib/firmware/updates/a.bin.xz", "x").file("/own/b.bin", "x");
    tree.file("/sys/module/firmware_class/parameters/path", "/own\n");
    let folders = folders(&tree, "6.1.0");
    assert_eq!(folders[0], "/own");
    // Plain names win over compressed ones wherever they lie: that is how the loader goes about it.
    assert_eq!(find(&tree, &folders, "a.bin").as_deref(), Some("/lib/firmware/a.bin"));
    assert_eq!(find(&tree, &folders, "b.bin").as_deref(), Some("/own/b.bin"));
    assert_eq!(find(&tree, &folders, "../own/b.bin"), None);
}

#[test]
fn amd_chips_are_told_by_name() {
    let mut tree = Tree::new();
    tree.prints(
        &["modinfo", "-F", "firmware", "amdgpu"],
        "amdgpu/polaris10_ce.bin\namdgpu/polaris10_ce_2.bin\namdgpu/polaris10_mc.bin\namdgpu/polaris10_k_smc.bin\namdgpu/polaris11_ce.bin\namdgpu/gc_11_0_3_pfp.bin\namdgpu/gc_11_0_3_mes1.bin\namdgpu/sdma_6_0_3.bin\namdgpu/raven2_ce.bin\namdgpu/raven_ce.bin\n",
    );
    let files = ask(&tree, "1002", "67df", "Ellesmere [Radeon RX 470/480]", Some("amdgpu"));
    let names: Vec<(&[String], bool)> =
        files.iter().map(|file| (file.alternatives.as_slice(), file.optional)).collect();
    assert_eq!(
        names,
        [
            (["amdgpu/polaris10_ce_2.bin".to_owned(), "amdgpu/polaris10_ce.bin".to_owned()].as_slice(), false),
            (["amdgpu/polaris10_k_smc.bin".to_owned()].as_slice(), true),
            (["amdgpu/polaris10_mc.bin".to_owned()].as_slice(), false),
        ]
    );
    let files = ask(&tree, "1002", "7461", "Navi 32 [AMD Radeon PRO V710]", Some("amdgpu"));
    assert_eq!(files.len(), 3);
    // Its scheduler is needed since GFX11.
    assert!(files.iter().any(|file| file.alternatives == ["amdgpu/gc_11_0_3_mes1.bin"] && !file.optional));
    assert_eq!(ask(&tree, "1002", "15dd", "Raven Ridge", Some("amdgpu")).len(), 1);
    // amdgpu gave up, so that no driver holds the card: its files are still the question.
    assert_eq!(ask(&tree, "1002", "67df", "Ellesmere", None).len(), 3);
    assert!(ask(&tree, "1002", "67df", "Ellesmere", Some("vfio-pci")).is_empty());
}

#[test]
fn radeon_takes_upper_or_lower_case() {
    let mut tree = Tree::new();
    tree.prints(
        &["modinfo", "-F", "firmware", "radeon"],
        "radeon/verde_mc.bin\nradeon/verde_pfp.bin\nradeon/VERDE_mc2.bin\nradeon/VERDE_mc.bin\nradeon/VERDE_pfp.bin\n",
    )
    .file("/lib/firmware/radeon/VERDE_mc.bin", "x")
    .file("/lib/firmware/radeon/verde_pfp.bin", "x");
    let files = ask(&tree, "1002", "683f", "Cape Verde PRO [Radeon HD 7750]", Some("radeon"));
    assert_eq!(files.len(), 2);
    assert_eq!(files[0].alternatives, ["radeon/verde_mc.bin", "radeon/VERDE_mc2.bin", "radeon/VERDE_mc.bin"]);
    assert!(files.iter().all(|file| file.found.is_some()));
}

#[test]
fn nouveau_has_a_folder_per_chip() {
    let mut tree = Tree::new();
    tree.prints(
        &["modinfo", "-F", "firmware", "nouveau"],
        "nvidia/gm204/gr/fecs_bl.bin\nnvidia/gm206/gr/fecs_bl.bin\nnvidia/gm204/acr/bl.bin\n",
    );
    assert_eq!(ask(&tree, "10de", "13f2", "GM204GL [Tesla M60]", Some("nouveau")).len(), 2);
    assert!(ask(&tree, "10de", "13f2", "GM204GL [Tesla M60]", Some("nvidia")).is_empty());
}

#[test]
fn packages_are_those_of_the_distribution() {
    let of = |id: &str, version: &str, driver: &str| {
        let distribution = Distribution { id: id.into(), version: version.into(), pretty: String::new() };
        package(&distribution, "6.8.0-40-generic", driver, "x/y.bin")
    };
    assert_eq!(of("debian", "13", "i915").as_deref(), Some("firmware-intel-graphics"));
    assert_eq!(of("debian", "12", "amdgpu").as_deref(), Some("firmware-amd-graphics"));
    assert_eq!(of("ubuntu", "24.04", "amdgpu").as_deref(), Some("linux-firmware"));
    assert_eq!(of("fedora", "41", "radeon").as_deref(), Some("amd-gpu-firmware"));
    assert_eq!(of("arch", "", "nouveau").as_deref(), Some("linux-firmware-nvidia"));
    assert_eq!(of("unheard-of", "", "i915"), None);
    assert_eq!(package(&bookworm(), "6.8.12-4-pve", "i915", "i915/x.bin").as_deref(), Some("pve-firmware"));
}
