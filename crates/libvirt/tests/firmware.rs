//! Machines that start by UEFI, on a PC and on an ARM board, through the real libvirt and QEMU: their picture comes up on the
//! console, and nothing is left of them. Skipped where libvirt or the firmware is missing, unless `ORIEL_TEST_VM=required`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use oriel_compute::{Compute, ComputeError, Screenshot};
use oriel_libvirt::{LibvirtCompute, LibvirtConfig};
use oriel_machine::{Arch, Boot, Firmware, Hardware, Keyboard, MachineSpec};
use oriel_model::{AcceleratorKind, DesktopId, ImageOs, Network};
use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Emulated processors on a busy machine.
const PICTURE_SECONDS_MAX: u64 = 240;
/// Where libvirt keeps what the firmware remembers.
const NVRAM: &str = "/var/lib/libvirt/qemu/nvram";

fn skip(why: &str) {
    assert_ne!(std::env::var("ORIEL_TEST_VM").as_deref(), Ok("required"), "{why}");
    eprintln!("SKIPPED: {why}");
}

/// The disk is empty, so the firmware ends in its shell, which it draws.
async fn starts(name: &str, arch: Arch, hardware: Hardware, needs: &[(&str, &str)]) {
    for (file, package) in needs {
        if !Path::new(file).exists() {
            return skip(&format!("{file} is missing: apt-get install {package}"));
        }
    }
    let folder = tempfile::Builder::new().prefix("oriel").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let compute = LibvirtCompute::new(LibvirtConfig {
        name: String::from("here"),
        uri: std::env::var("ORIEL_TEST_LIBVIRT_URI").unwrap_or_else(|_| String::from("qemu:///system")),
        data: folder.path().join("data"),
        run: folder.path().join("run"),
        ports: 33_000..=33_998,
    });
    if let Err(error) = compute.list().await {
        return skip(&error.to_string());
    }
    let base = folder.path().join("base.qcow2");
    let made = Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&base).arg("16M").status().unwrap();
    assert!(made.success());
    let spec = MachineSpec {
        desktop: DesktopId::new(),
        generation: 1,
        name: name.parse().unwrap(),
        title: String::new(),
        os: ImageOs::Linux,
        arch,
        boot: Boot::Disk,
        vcpus: 1,
        memory_mib: 512,
        disk_gib: 1,
        accelerator: AcceleratorKind::Tcg,
        network: Network::User,
        port_base: None,
        keyboard: Keyboard::default(),
        gpus: Vec::new(),
        hardware,
        cloud: None,
        home: None,
    };
    let since = Instant::now();
    compute.clone_disk(&spec, &base).await.unwrap();
    let seen = live(&compute, &spec, since).await;
    let nvram = Path::new(NVRAM).join(format!("{}_VARS.fd", oriel_machine::domain_name(&spec.name, spec.desktop)));
    let kept = nvram.exists();
    compute.remove(spec.desktop, None).await.unwrap();
    let picture = seen.unwrap_or_else(|why| panic!("{name}: {why}"));
    eprintln!("{name}: {picture:?} after {:.1} s", since.elapsed().as_secs_f64());
    // Only where libvirt is the system's own does the firmware's memory lie there.
    assert!(!nvram.exists(), "the firmware's memory goes with the machine (it was there: {kept})");
}

async fn live(compute: &LibvirtCompute, spec: &MachineSpec, since: Instant) -> Result<Screenshot, String> {
    let words = |error: ComputeError| error.to_string();
    // Again before every start, as the reconciler does.
    for _ in 0..2 {
        compute.define(spec).await.map_err(words)?;
    }
    compute.start(spec).await.map_err(words)?;
    let mut last = String::from("nothing was seen");
    while since.elapsed() < Duration::from_secs(PICTURE_SECONDS_MAX) {
        match compute.screenshot(spec.desktop).await {
            Ok(picture) if has_text(&picture) => return Ok(picture),
            Ok(picture) => last = format!("the picture is empty: {picture:?}"),
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Err(last)
}

/// The shell: letters on black, as the firmware draws them once it has found nothing to start. Until the guest has set a
/// resolution, QEMU says so itself in 640 by 480.
fn has_text(picture: &Screenshot) -> bool {
    let bright = picture.rgba.chunks_exact(4).filter(|pixel| pixel.iter().take(3).any(|value| *value > 150)).count();
    let all = picture.rgba.len() / 4;
    picture.width > 640 && bright > 200 && bright * 4 < all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arm_board_shows_its_picture_through_virtio() {
    let needs = [("/usr/bin/qemu-system-aarch64", "qemu-system-arm"), ("/usr/share/AAVMF", "qemu-efi-aarch64")];
    starts("board", Arch::Aarch64, Hardware::default(), &needs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pc_starts_by_uefi() {
    let hardware = Hardware { firmware: Firmware::Uefi, ..Hardware::default() };
    starts("pc", Arch::X86_64, hardware, &[("/usr/share/OVMF", "ovmf")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_11_gets_what_it_asks_for() {
    let needs = [("/usr/share/OVMF", "ovmf"), ("/usr/bin/swtpm", "swtpm"), ("/usr/bin/swtpm_setup", "swtpm-tools")];
    starts("eleven", Arch::X86_64, Hardware::windows_11(), &needs).await;
}
