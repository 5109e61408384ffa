//! libvirt's own word on the golden files: its schema, and the QEMU command line that it makes of them. Skipped, saying so, where
//! its programs are missing, unless `ORIEL_TEST_VM=required`.

use super::{Example, examples};
use oriel_machine::domain_xml;
use std::{path::Path, process::Command};

fn skip(why: &str) {
    assert_ne!(std::env::var("ORIEL_TEST_VM").as_deref(), Ok("required"), "{why}");
    eprintln!("SKIPPED: {why}");
}

fn run(program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

fn keep(folder: &Path, name: &str, xml: &str) -> String {
    let file = folder.join(format!("{name}.xml"));
    std::fs::write(&file, xml).unwrap();
    file.to_str().unwrap().to_owned()
}

fn write(folder: &Path, example: &Example) -> String {
    keep(folder, example.name, &domain_xml(&example.spec, &example.places, super::LIBVIRT_10).unwrap())
}

/// Golden files of machines without a GPU, which `tests/domain.rs` keeps: name and XML.
fn plain() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let golden = |file: std::path::PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        // A head between two lines of dashes, then what was kept.
        let xml = text.splitn(3, "---\n").nth(2).unwrap().to_owned();
        (file.file_stem().unwrap().to_str().unwrap().to_owned(), xml)
    };
    files.map(golden).collect()
}

#[test]
fn the_schema_accepts_every_machine() {
    if run("virt-xml-validate", &["--version"]).is_none() || run("xmllint", &["--version"]).is_none() {
        return skip("virt-xml-validate is missing: apt-get install libvirt-clients libxml2-utils");
    }
    let folder = tempfile::tempdir().unwrap();
    let plain: Vec<String> = plain().into_iter().map(|(name, xml)| keep(folder.path(), &name, &xml)).collect();
    assert!(plain.len() >= 3, "the golden files of plain machines are not where they were: {plain:?}");
    let with_gpus = examples().into_iter().map(|example| write(folder.path(), &example));
    let refused: Vec<String> = plain
        .into_iter()
        .chain(with_gpus)
        .filter_map(|file| {
            let (good, text) = run("virt-xml-validate", &[&file, "domain"]).unwrap();
            (!good).then_some(text)
        })
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// What libvirt tells QEMU, for every machine that this host's QEMU could run: nothing is started, no device is touched.
#[test]
fn libvirt_makes_a_command_line_of_it() {
    let uri = std::env::var("ORIEL_TEST_LIBVIRT_URI").unwrap_or_else(|_| String::from("qemu:///system"));
    let virsh = |arguments: &[&str]| run("virsh", &[&["-q", "-c", &uri], arguments].concat());
    match virsh(&["uri"]) {
        Some((true, _)) => {}
        other => return skip(&format!("no libvirt answers at {uri}: {other:?}")),
    }
    let folder = tempfile::tempdir().unwrap();
    let mut lines = std::collections::BTreeMap::new();
    for example in examples() {
        let (good, text) = virsh(&["domxml-to-native", "qemu-argv", &write(folder.path(), &example)]).unwrap();
        if good {
            lines.insert(example.name, text);
            continue;
        }
        // What this host lacks is no fault of the description.
        let lacking = [
            "Cannot check QEMU binary",
            "does not support arch",
            "could not find capabilities for",
            "not supported by this QEMU binary",
            "Unable to find any firmware",
            "unable to find any master var store",
            "does not support virt type",
            "No emulator found",
            "swtpm",
            "hugetlbfs",
            "is unavailable",
        ];
        assert!(lacking.iter().any(|words| text.contains(words)), "{}: {text}", example.name);
        eprintln!("{}: not here: {}", example.name, text.trim());
    }
    eprintln!("{} of {} machines", lines.len(), examples().len());
    let has = |name: &str, words: &[&str]| {
        if let Some(line) = lines.get(name) {
            for word in words {
                assert!(line.contains(word), "{name} lacks {word}: {line}");
            }
        }
    };
    has(
        "linux_whole_rtx",
        &[
            r#""driver":"pcie-root-port""#,
            r#""host":"0000:41:00.0""#,
            r#""bus":"pci.1","multifunction":true,"addr":"0x0""#,
            r#""host":"0000:41:00.3""#,
            r#""bus":"pci.1","addr":"0x0.0x3""#,
            "host-phys-bits=on",
            "pflash0=",
        ],
    );
    has("windows_gtx_hidden", &["kvm=off", "hv-vendor-id=OrielDesktop", "hv-synic", "romfile"]);
    has("linux_mdev_m60_2q", &["sysfsdev", r#""driver":"vfio-pci-nohotplug""#, r#""ramfb":true"#]);
    has("linux_virgl", &["virtio-vga-gl", "-display egl-headless,rendernode=/dev/dri/renderD128"]);
    has("linux_venus", &[r#""venus":true"#, r#""hostmem":8589934592"#, "memory-backend-memfd"]);
    has("linux_igd_universal", &[r#""x-igd-opregion":true"#, "phys-bits=39"]);
    has("windows_vendor_vf_l40s", &["name=opt/ovmf/X-PciMmio64Mb,string=131072", r#""host":"0000:c1:00.4""#]);
    has("aarch64_linux", &["qemu-system-aarch64", "gic-version=3", "virtio-gpu-pci", "AAVMF"]);
}
