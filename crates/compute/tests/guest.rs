//! A real desktop through the whole trait: the image that `oriel image build` makes, named by `ORIEL_TEST_IMAGE`. It comes
//! up with the identity it was given, and cannot reach what it must not. Without an image it says that it skipped, and fails
//! where `ORIEL_TEST_VM=required`, as in `./test`.
#![cfg(feature = "libvirt")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use oriel_compute::{
    Compute,
    libvirt::{LibvirtCompute, LibvirtConfig},
};
use oriel_machine::{Arch, Boot, GuestIdentity, Hardware, MachineSpec};
use oriel_model::{AcceleratorKind, Desktop, DesktopId, GuestPort, ImageOs, Network, PoolId};
use secrecy::ExposeSecret;
use std::{
    collections::BTreeSet,
    io::Write,
    net::TcpListener,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const START_SECONDS_MAX: u64 = 300;

/// `ssh` with the identity's key, believing only the host key that we gave the guest.
struct Shell {
    folder: PathBuf,
    port: u16,
    user: String,
}

impl Shell {
    fn new(folder: &Path, identity: &GuestIdentity, port: u16) -> Self {
        let mut key =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join("key")).unwrap();
        key.write_all(identity.client_key.expose_secret().as_bytes()).unwrap();
        std::fs::write(folder.join("known"), format!("[127.0.0.1]:{port} {}\n", identity.ssh_host_public)).unwrap();
        Self { folder: folder.to_owned(), port, user: identity.user.clone() }
    }

    fn run(&self, command: &str) -> String {
        let option = |name: &str, file: &str| format!("{name}={}", self.folder.join(file).display());
        let output = Command::new("ssh")
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "ConnectTimeout=20",
                "-p",
                &self.port.to_string(),
            ])
            .args([
                "-o",
                &option("UserKnownHostsFile", "known"),
                "-o",
                &option("IdentityFile", "key"),
                "-o",
                "IdentitiesOnly=yes",
            ])
            .args([&format!("{}@127.0.0.1", self.user), command])
            .output()
            .unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

/// Says a word to whoever connects.
fn say(listener: TcpListener, word: &'static str) -> u16 {
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        listener.incoming().flatten().for_each(|mut stream| drop(stream.write_all(word.as_bytes())));
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desktop_comes_up_as_itself_and_is_alone() {
    let Some(image) = std::env::var_os("ORIEL_TEST_IMAGE").map(PathBuf::from) else {
        let why = "ORIEL_TEST_IMAGE names no image: `./test` builds one, or give the path of a built image";
        assert_ne!(std::env::var("ORIEL_TEST_VM").as_deref(), Ok("required"), "{why}");
        eprintln!("SKIPPED: {why}");
        return;
    };
    let folder = tempfile::Builder::new().prefix("oriel").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let compute = LibvirtCompute::new(LibvirtConfig {
        name: String::from("here"),
        uri: std::env::var("ORIEL_TEST_LIBVIRT_URI").unwrap_or_else(|_| String::from("qemu:///system")),
        data: folder.path().join("data"),
        run: folder.path().join("run"),
        ports: 32_000..=32_998,
    });
    let accelerator = compute.facts().await.unwrap().accelerator;
    eprintln!("{accelerator:?}");
    let port = compute.free_ports(&BTreeSet::new()).await.unwrap();
    let spec = MachineSpec {
        desktop: DesktopId::new(),
        generation: 1,
        name: format!("guest-{}", std::process::id()).parse().unwrap(),
        title: String::from("A test's desktop"),
        os: ImageOs::Linux,
        arch: Arch::X86_64,
        boot: Boot::Disk,
        vcpus: 2,
        memory_mib: 2048,
        disk_gib: 12,
        accelerator: if accelerator.kind == AcceleratorKind::Kvm { AcceleratorKind::Kvm } else { AcceleratorKind::Tcg },
        network: Network::User,
        port_base: Some(port),
        keyboard: "de".parse().unwrap(),
        gpus: Vec::new(),
        hardware: Hardware::default(),
    };
    let identity = GuestIdentity::generate(&spec.name, Some("alice")).unwrap();
    let row: Desktop = serde_json::from_value(serde_json::json!({
        "id": spec.desktop, "name": spec.name, "pool": PoolId::new(), "owner": null, "intent": "running", "state": "ready", "failure": null, "step": null,
        "generation": 1, "host": null, "port_base": port, "facts": {}, "created": 0, "changed": 0, "image": null,
    }))
    .unwrap();

    compute.clone_disk(&spec, &image).await.unwrap();
    compute.write_seed(&spec, &identity).await.unwrap();
    compute.define(&spec).await.unwrap();
    let since = Instant::now();
    compute.start(&spec).await.unwrap();
    let result = tokio::spawn(examine(folder.path().to_owned(), identity, row, port, since)).await;
    let serial = std::fs::read_to_string(
        folder.path().join("data/desktops").join(spec.desktop.to_string()).join("serial-1.log"),
    )
    .unwrap_or_default();
    if let Ok(picture) = compute.screenshot(spec.desktop).await {
        eprintln!("{picture:?}");
    }
    compute.remove(spec.desktop, None).await.unwrap();
    if let Err(error) = result {
        let lines: Vec<&str> = serial.lines().collect();
        panic!("{error}\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
    }
}

async fn examine(folder: PathBuf, identity: GuestIdentity, row: Desktop, port: u16, since: Instant) {
    let compute = LibvirtCompute::new(LibvirtConfig {
        name: String::from("again, as after a restart of Oriel"),
        uri: std::env::var("ORIEL_TEST_LIBVIRT_URI").unwrap_or_else(|_| String::from("qemu:///system")),
        data: folder.join("data"),
        run: folder.join("run"),
        ports: 32_000..=32_998,
    });
    for door in [GuestPort::Console, GuestPort::Ssh, GuestPort::Rdp] {
        while !compute.answers(&row, door).await {
            assert!(since.elapsed() < Duration::from_secs(START_SECONDS_MAX), "{door:?} does not answer");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        eprintln!("{door:?} answers after {:.1} s", since.elapsed().as_secs_f64());
    }
    let shell = Shell::new(&folder, &identity, port + 1);
    eprintln!(
        "{}",
        shell.run("sudo cloud-init status --long; sudo cloud-init schema --system 2>&1 | tail -3; systemd-analyze")
    );
    assert_eq!(shell.run("hostname").trim(), row.name.as_str());
    assert!(shell.run("cat /etc/default/keyboard").contains("XKBLAYOUT=\"de\""));
    assert_eq!(shell.run("stat -c %U:%a /etc/xrdp/key.pem").trim(), "root:640");
    // The text console opens as the person, and no file manager offers the seed.
    while !shell.run("ps -t tty1 -o user=,comm= | tr -s ' '").lines().any(|line| line.trim() == "alice bash") {
        let late = since.elapsed() > Duration::from_secs(START_SECONDS_MAX);
        assert!(!late, "nobody is at tty1: {}", shell.run("ps -ft tty1"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let seed = shell.run("udevadm settle; udevadm info -q property $(readlink -f /dev/disk/by-label/CIDATA)");
    assert!(seed.contains("ID_FS_LABEL=CIDATA") && seed.contains("UDISKS_IGNORE=1"), "{seed}");
    let size: u64 = shell.run("df -B1G --output=size / | tail -1").trim().parse().unwrap();
    assert!(size >= 10, "the file system was grown to the disk: {size} GiB");
    // The host's loopback: a listener that nobody but the host may reach, by every way there is.
    let secret = say(TcpListener::bind("127.0.0.1:0").unwrap(), "SECRET");
    let secret6 = TcpListener::bind("[::1]:0").ok().map(|listener| say(listener, "SECRET"));
    let tries = shell.run(&format!(
        "export LC_ALL=C; gw=$(ip route show default | awk '{{print $3; exit}}'); \
         try() {{ timeout 6 bash -c \"cat < /dev/tcp/$1/$2\" 2>/dev/null | head -c 20 | sed \"s/^/REACHED $1 /\"; }}; \
         echo gateway $gw; try $gw {secret}; try 10.0.2.2 {secret}; try 0.0.0.0 {secret}; try 127.0.0.1 {secret}; try $gw {port}; \
         gw6=$(ip -6 route show default | awk '{{print $3; exit}}'); [ -n \"$gw6\" ] && try $gw6 {}; \
         sudo sysctl -qw net.ipv4.conf.all.route_localnet=1; sudo ip addr del 127.0.0.1/8 dev lo; sudo ip route add 127.0.0.0/8 via $gw; \
         ip route get 127.0.0.1; try 127.0.0.1 {secret}; try 127.0.0.1 {port}; echo done",
        secret6.unwrap_or(secret)
    ));
    eprintln!("{tries}");
    assert!(tries.contains("127.0.0.1 via "), "the guest sends loopback addresses out of its network card: {tries}");
    assert!(tries.contains("done") && tries.contains("gateway") && !tries.contains("REACHED"), "{tries}");
}
