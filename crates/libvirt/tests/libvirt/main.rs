//! The whole trait against a real libvirt and QEMU, with a machine so small that it needs no image: the probe's payload as
//! its kernel. Skipped where no libvirt answers, unless `ORIEL_TEST_VM=required`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod stage;
#[path = "../../../compute/tests/conformance/suite.rs"]
mod suite;

use oriel_compute::{Compute, ComputeError, Observed, Power};
use oriel_libvirt::{LibvirtCompute, LibvirtConfig};
use oriel_machine::{Arch, Boot, GuestIdentity, Hardware, HomeDisk, Keyboard, MachineSpec};
use oriel_model::{
    AcceleratorKind, Desktop, DesktopId, GuestPort, ImageOs, Name, Network, PersonalDiskId, PoolId, Severity,
};
use stage::OnLibvirt;
use std::{collections::BTreeSet, os::unix::fs::PermissionsExt, path::Path, process::Command};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

struct Lab {
    folder: TempDir,
    compute: LibvirtCompute,
}

async fn lab() -> Option<Lab> {
    let folder = tempfile::Builder::new().prefix("oriel").tempdir().unwrap();
    // As a data folder should be: QEMU's user passes through.
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let compute = LibvirtCompute::new(LibvirtConfig {
        name: String::from("here"),
        uri: std::env::var("ORIEL_TEST_LIBVIRT_URI").unwrap_or_else(|_| String::from("qemu:///system")),
        data: folder.path().join("data"),
        run: folder.path().join("run"),
        ports: 31_000..=31_998,
    });
    match compute.list().await {
        Ok(_) => Some(Lab { folder, compute }),
        Err(error) if std::env::var("ORIEL_TEST_VM").is_ok_and(|word| word == "required") => panic!("{error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

impl Lab {
    fn base(&self) -> std::path::PathBuf {
        let base = self.folder.path().join("base.qcow2");
        let made =
            Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&base).arg("16M").status().unwrap();
        assert!(made.success());
        base
    }

    fn spec(&self, name: &str, port_base: Option<u16>) -> MachineSpec {
        let kernel = self.folder.path().join("payload");
        std::fs::write(&kernel, oriel_compute::probe::payload()).unwrap();
        MachineSpec {
            desktop: DesktopId::new(),
            generation: 1,
            name: name.parse().unwrap(),
            title: String::from("A test's <machine> & nothing else"),
            os: ImageOs::Linux,
            arch: Arch::X86_64,
            boot: Boot::Kernel { kernel, initrd: None, command_line: String::from("test") },
            vcpus: 1,
            memory_mib: 64,
            disk_gib: 1,
            accelerator: AcceleratorKind::Tcg,
            network: Network::User,
            port_base,
            keyboard: Keyboard::default(),
            gpus: Vec::new(),
            hardware: Hardware::default(),
            cloud: None,
            home: None,
        }
    }

    async fn seen(&self, desktop: DesktopId) -> Vec<Observed> {
        let mut all = self.compute.list().await.unwrap();
        all.retain(|observed| observed.desktop == desktop);
        all
    }
}

fn row(spec: &MachineSpec) -> Desktop {
    Desktop {
        id: spec.desktop,
        name: spec.name.clone(),
        generation: spec.generation,
        port_base: spec.port_base,
        ..template()
    }
}

/// The fields that do not matter here.
fn template() -> Desktop {
    serde_json::from_value(serde_json::json!({
        "id": DesktopId::new(), "name": "x", "pool": PoolId::new(), "owner": null, "intent": "running", "state": "ready", "failure": null, "step": null,
        "generation": 1, "host": null, "port_base": null, "facts": {}, "created": 0, "changed": 0, "image": null,
    }))
    .unwrap()
}

/// Processes whose command line names the folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let wanted = folder.to_str().unwrap();
    let lines =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(wanted)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_lives_and_leaves_nothing() {
    let Some(lab) = lab().await else { return };
    let compute = &lab.compute;
    let base = lab.base();
    let port = compute.free_ports(&BTreeSet::from([31_000])).await.unwrap();
    assert!(port > 31_000);
    let spec = lab.spec("life", Some(port));
    let identity = GuestIdentity::generate(&spec.name, None).unwrap();

    assert!(matches!(
        compute.clone_disk(&spec, Path::new("/nowhere/x.qcow2")).await,
        Err(ComputeError::NoImage { .. })
    ));
    assert!(matches!(compute.start(&spec).await, Err(ComputeError::NoMachine)));
    assert!(matches!(compute.dial(&row(&spec), GuestPort::Console).await, Err(ComputeError::NoMachine)));
    // Every step twice: a reconciler that was killed between two repeats them.
    for _ in 0..2 {
        compute.clone_disk(&spec, &base).await.unwrap();
        compute.write_seed(&spec, &identity).await.unwrap();
        compute.define(&spec).await.unwrap();
    }
    let whole =
        Observed { desktop: spec.desktop, generation: 1, power: Power::Off, domain: true, disk: true, seed: true };
    assert_eq!(lab.seen(spec.desktop).await, [whole]);
    assert!(matches!(compute.screenshot(spec.desktop).await, Err(ComputeError::NotRunning)));
    for _ in 0..2 {
        compute.start(&spec).await.unwrap();
    }
    assert_eq!(lab.seen(spec.desktop).await, [Observed { power: Power::Running, ..whole }]);
    assert!(
        !compute.free_ports(&BTreeSet::new()).await.is_ok_and(|free| free == port),
        "the ports of a running machine are not free"
    );

    let mut console = compute.dial(&row(&spec), GuestPort::Console).await.unwrap();
    let mut greeting = [0; 12];
    console.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"RFB 003.008\n");
    assert!(compute.answers(&row(&spec), GuestPort::Console).await, "a second console beside the first");
    assert!(!compute.answers(&row(&spec), GuestPort::Ssh).await, "nobody listens in this guest");
    let picture = compute.screenshot(spec.desktop).await.unwrap();
    assert_eq!(picture.rgba.len(), picture.width as usize * picture.height as usize * 4);
    eprintln!("{picture:?}, {:?}", processes_of(lab.folder.path()));
    assert_eq!(processes_of(lab.folder.path()).len(), 3, "QEMU, pasta and passt");

    // A second room on the same host finds the machine, as after a restart of Oriel.
    compute.shut_down(spec.desktop).await.unwrap();
    compute.power_off(spec.desktop).await.unwrap();
    compute.power_off(spec.desktop).await.unwrap();
    assert_eq!(lab.seen(spec.desktop).await, [whole]);
    assert_eq!(processes_of(lab.folder.path()), [] as [String; 0]);
    compute.start(&spec).await.unwrap();

    // Recycling: the next generation takes the first one's place while that still runs.
    let next = MachineSpec { generation: 2, ..spec.clone() };
    compute.clone_disk(&next, &base).await.unwrap();
    compute.write_seed(&next, &identity).await.unwrap();
    compute.remove(next.desktop, Some(2)).await.unwrap();
    compute.define(&next).await.unwrap();
    compute.start(&next).await.unwrap();
    assert_eq!(lab.seen(spec.desktop).await, [Observed { generation: 2, power: Power::Running, ..whole }]);
    assert!(matches!(compute.start(&spec).await, Err(ComputeError::NoMachine)), "the first generation is gone");

    for _ in 0..2 {
        compute.remove(spec.desktop, None).await.unwrap();
    }
    assert_eq!(lab.seen(spec.desktop).await, []);
    assert_eq!(processes_of(lab.folder.path()), [] as [String; 0]);
    let left = |folder: &str| std::fs::read_dir(lab.folder.path().join(folder)).map_or(0, Iterator::count);
    assert_eq!((left("data/desktops"), left("run")), (0, 0));
}

/// What the machine's drive is in QEMU's own words.
fn blocks_of(spec: &MachineSpec) -> String {
    let uri = std::env::var("ORIEL_TEST_LIBVIRT_URI").unwrap_or_else(|_| String::from("qemu:///system"));
    let output = Command::new("virsh")
        .args(["-q", "-c", &uri, "qemu-monitor-command", "--hmp", &spec.desktop.to_string(), "info block"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cd_is_put_in_and_taken_out_while_the_machine_runs() {
    let Some(lab) = lab().await else { return };
    let compute = &lab.compute;
    let (spec, base) = (lab.spec("drive", None), lab.base());
    let identity = GuestIdentity::generate(&spec.name, None).unwrap();
    let folder = compute.media_folder(spec.desktop).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    for folder in [folder.parent().unwrap(), &folder] {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap();
    }
    let (one, two) = (folder.join("one <1>.iso"), folder.join("two.iso"));
    for file in [&one, &two] {
        std::fs::write(file, vec![0; 1 << 20]).unwrap();
        std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    }
    let inside = async || compute.media(spec.desktop).await.unwrap();

    // Nothing can be in what is not there, and being empty is fine.
    assert!(matches!(compute.insert_media(spec.desktop, Some(&one)).await, Err(ComputeError::NoMachine)));
    compute.insert_media(spec.desktop, None).await.unwrap();
    compute.clone_disk(&spec, &base).await.unwrap();
    compute.write_seed(&spec, &identity).await.unwrap();
    compute.define(&spec).await.unwrap();
    assert_eq!(inside().await, None);
    // While it is off; being described again does not take it out.
    for _ in 0..2 {
        compute.insert_media(spec.desktop, Some(&one)).await.unwrap();
        compute.define(&spec).await.unwrap();
    }
    assert_eq!(inside().await, Some(one.clone()));
    compute.start(&spec).await.unwrap();
    let told = blocks_of(&spec);
    assert!(told.contains("one <1>.iso"), "{told}");
    // While it runs.
    for _ in 0..2 {
        compute.insert_media(spec.desktop, Some(&two)).await.unwrap();
    }
    let told = blocks_of(&spec);
    assert!(told.contains("two.iso") && !told.contains("one <1>.iso"), "{told}");
    for _ in 0..2 {
        compute.insert_media(spec.desktop, None).await.unwrap();
    }
    let told = blocks_of(&spec);
    assert!(!told.contains("two.iso"), "{told}");
    assert_eq!(inside().await, None);

    // The next generation begins with an empty drive, and has none of the images.
    compute.insert_media(spec.desktop, Some(&two)).await.unwrap();
    let next = MachineSpec { generation: 2, ..spec.clone() };
    compute.remove(next.desktop, Some(2)).await.unwrap();
    compute.clone_disk(&next, &base).await.unwrap();
    compute.write_seed(&next, &identity).await.unwrap();
    compute.define(&next).await.unwrap();
    assert!(inside().await.is_none() && !folder.exists());
    compute.remove(spec.desktop, None).await.unwrap();
    assert_eq!(lab.seen(spec.desktop).await, []);
}

/// A bridge of the host's for as long as the test runs.
struct Bridge(String);

impl Bridge {
    fn make() -> Option<Self> {
        let name = format!("orielbr{}", std::process::id() % 100_000);
        let ip = |words: &[&str]| Command::new("ip").args(words).status().is_ok_and(|status| status.success());
        (ip(&["link", "add", "name", &name, "type", "bridge"]) && ip(&["link", "set", &name, "up"])).then(|| Self(name))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        Command::new("ip").args(["link", "delete", &self.0]).status().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_on_a_bridge_is_a_port_of_it() {
    let Some(lab) = lab().await else { return };
    let Some(bridge) = Bridge::make() else {
        assert_ne!(std::env::var("ORIEL_TEST_VM").as_deref(), Ok("required"), "making a bridge needs root");
        return;
    };
    let spec = MachineSpec { network: Network::Bridge { bridge: bridge.0.clone() }, ..lab.spec("bridged", None) };
    let identity = GuestIdentity::generate(&spec.name, None).unwrap();
    lab.compute.clone_disk(&spec, &lab.base()).await.unwrap();
    lab.compute.write_seed(&spec, &identity).await.unwrap();
    lab.compute.define(&spec).await.unwrap();
    lab.compute.start(&spec).await.unwrap();
    let ports = std::fs::read_dir(format!("/sys/class/net/{}/brif", bridge.0)).unwrap().count();
    let dialled = lab.compute.dial(&row(&spec), GuestPort::Ssh).await.map(drop);
    lab.compute.remove(spec.desktop, None).await.unwrap();
    assert_eq!(ports, 1);
    assert!(matches!(dialled, Err(ComputeError::NoAddress)), "nobody gave it an address: {dialled:?}");

    // One that is not there is named.
    let astray =
        MachineSpec { network: Network::Bridge { bridge: String::from("nosuchbr0") }, ..lab.spec("astray", None) };
    lab.compute.clone_disk(&astray, &lab.base()).await.unwrap();
    lab.compute.write_seed(&astray, &identity).await.unwrap();
    lab.compute.define(&astray).await.unwrap();
    let started = lab.compute.start(&astray).await;
    lab.compute.remove(astray.desktop, None).await.unwrap();
    assert!(started.as_ref().is_err_and(|error| error.to_string().contains("nosuchbr0")), "{started:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_what_was_left_behind() {
    let Some(lab) = lab().await else { return };
    let (alone, empty) = (lab.spec("alone", None), DesktopId::new());
    lab.compute.clone_disk(&alone, &lab.base()).await.unwrap();
    std::fs::create_dir_all(lab.folder.path().join("data/desktops").join(empty.to_string())).unwrap();
    let disk =
        Observed { desktop: alone.desktop, generation: 1, power: Power::Off, domain: false, disk: true, seed: false };
    assert_eq!(lab.seen(alone.desktop).await, [disk]);
    assert_eq!(
        lab.seen(empty).await,
        [Observed { desktop: empty, generation: 0, power: Power::Off, domain: false, disk: false, seed: false }]
    );
    for desktop in [alone.desktop, empty] {
        lab.compute.remove(desktop, None).await.unwrap();
        assert_eq!(lab.seen(desktop).await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn says_which_folder_qemu_may_not_enter() {
    let Some(lab) = lab().await else { return };
    let base = lab.base();
    std::fs::set_permissions(lab.folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
    match lab.compute.clone_disk(&lab.spec("closed", None), &base).await {
        Err(ComputeError::NotEnterable { path, .. }) => assert_eq!(path, lab.folder.path()),
        // QEMU runs as ourselves here.
        Ok(()) => eprintln!("skipped: QEMU has our own user"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn does_not_touch_what_is_not_ours() {
    let Some(lab) = lab().await else { return };
    let (foreign, folder) = (DesktopId::new(), lab.folder.path().join("foreign.xml"));
    std::fs::write(&folder, format!("<domain type='qemu'><name>foreign-{foreign}</name><uuid>{foreign}</uuid><memory>65536</memory><os><type arch='x86_64'>hvm</type></os></domain>")).unwrap();
    let uri = std::env::var("ORIEL_TEST_LIBVIRT_URI").unwrap_or_else(|_| String::from("qemu:///system"));
    let virsh =
        |arguments: &[&str]| Command::new("virsh").args(["-q", "-c", &uri]).args(arguments).status().unwrap().success();
    assert!(virsh(&["define", folder.to_str().unwrap()]));
    let seen = lab.seen(foreign).await;
    let removed = lab.compute.remove(foreign, None).await;
    let still = virsh(&["dominfo", &foreign.to_string()]);
    assert!(virsh(&["undefine", &foreign.to_string()]));
    assert!(seen.is_empty() && removed.is_ok() && still);
}

/// Two Oriels with data folders of their own on one libvirt: neither takes the other's machines for leftovers.
#[tokio::test(flavor = "multi_thread")]
async fn another_oriels_machines_are_not_ours() {
    let (Some(one), Some(two)) = (lab().await, lab().await) else { return };
    let spec = one.spec("theirs", None);
    one.compute.clone_disk(&spec, &one.base()).await.unwrap();
    one.compute.define(&spec).await.unwrap();
    let seen = two.seen(spec.desktop).await;
    let removed = two.compute.remove(spec.desktop, None).await;
    let still = one.seen(spec.desktop).await;
    one.compute.remove(spec.desktop, None).await.unwrap();
    assert!(seen.is_empty() && removed.is_ok() && still.len() == 1 && still[0].domain, "{seen:?} {still:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn knows_its_host() {
    let Some(lab) = lab().await else { return };
    let facts = lab.compute.facts().await.unwrap();
    assert!(facts.libvirt_version.is_some() && facts.qemu_version.is_some(), "{facts:?}");
    let findings = lab.compute.doctor().await;
    let libvirt = findings.iter().find(|finding| finding.id == "libvirt").unwrap();
    assert_eq!(libvirt.severity, Severity::Ok);
    let kvm = findings.iter().find(|finding| finding.id == "kvm").unwrap();
    assert_eq!(kvm.severity == Severity::Ok, facts.accelerator.kind == AcceleratorKind::Kvm);
    eprintln!(
        "{}\n{}",
        serde_json::to_string_pretty(&facts).unwrap(),
        serde_json::to_string_pretty(&findings).unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personal_disk_is_in_one_machine_and_outlives_it() {
    let Some(lab) = lab().await else { return };
    let (compute, base, disk) = (&lab.compute, lab.base(), PersonalDiskId::new());
    let monday: Name = "monday".parse().unwrap();
    assert!(matches!(compute.personal_disk_facts(disk).await, Err(ComputeError::DiskGone { .. })));
    for _ in 0..2 {
        compute.make_personal_disk(disk, 1).await.unwrap();
    }
    let machine = |name| {
        let home = Some(HomeDisk { disk: Some(disk) });
        MachineSpec { home, ..lab.spec(name, None) }
    };
    let (one, two) = (machine("one"), machine("two"));
    for spec in [&one, &two] {
        compute.clone_disk(spec, &base).await.unwrap();
        compute.define(spec).await.unwrap();
    }
    compute.start(&one).await.unwrap();
    // Whatever the database says: QEMU does not share it.
    let refused = compute.start(&two).await;
    assert!(matches!(refused, Err(ComputeError::Libvirt { .. })), "{refused:?}");
    assert!(matches!(compute.detach_personal_disk(one.desktop).await, Err(ComputeError::StillRunning)));
    assert!(compute.snapshot_personal_disk(disk, &monday).await.is_err(), "a machine has it");
    compute.power_off(one.desktop).await.unwrap();
    for _ in 0..2 {
        compute.detach_personal_disk(one.desktop).await.unwrap();
    }
    compute.start(&two).await.unwrap();
    // The first is without it now, whoever starts it.
    compute.start(&one).await.unwrap();
    for spec in [&one, &two] {
        compute.power_off(spec.desktop).await.unwrap();
        compute.remove(spec.desktop, None).await.unwrap();
    }
    compute.grow_personal_disk(disk, 2).await.unwrap();
    for _ in 0..2 {
        compute.snapshot_personal_disk(disk, &monday).await.unwrap();
    }
    compute.restore_personal_disk(disk, &monday).await.unwrap();
    let facts = compute.personal_disk_facts(disk).await.unwrap();
    assert_eq!(facts.snapshots.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["monday"]);
    let bytes = compute.export_personal_disk(disk, &|part| assert!((0.0..=1.0).contains(&part))).await.unwrap();
    let export = compute.personal_disk_export(disk).unwrap();
    assert_eq!(export.metadata().unwrap().len(), bytes);
    for _ in 0..2 {
        compute.drop_personal_disk_snapshot(disk, &monday).await.unwrap();
    }
    let gone = compute.restore_personal_disk(disk, &monday).await;
    assert!(matches!(gone, Err(ComputeError::NoSnapshot { .. })), "{gone:?}");
    for _ in 0..2 {
        compute.delete_personal_disk(disk).await.unwrap();
    }
    assert!(!export.exists());
}

/// What is asked of every backend.
#[tokio::test(flavor = "multi_thread")]
async fn real_vm_on_libvirt() {
    let Some(libvirt) = OnLibvirt::find(33_000).await else { return };
    suite::lives_and_leaves_nothing(&libvirt).await;
    suite::steps_may_be_repeated(&libvirt).await;
    suite::lost_answers_make_no_twins(&libvirt).await;
    suite::foreign_machines_are_left_alone(&libvirt).await;
    libvirt.tidy().await;
}
