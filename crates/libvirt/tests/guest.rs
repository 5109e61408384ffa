//! A real desktop through the whole trait: the image that `oriel image build` makes, named by `ORIEL_TEST_IMAGE`. It comes
//! up with the identity it was given, and cannot reach what it must not. Without an image it says that it skipped, and fails
//! where `ORIEL_TEST_VM=required`, as in `./test`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use oriel_compute::{Compute, ComputeError, Sealed};
use oriel_libvirt::{LibvirtCompute, LibvirtConfig};
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
use tokio::io::AsyncReadExt as _;

const START_SECONDS_MAX: u64 = 900;

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

fn image() -> Option<PathBuf> {
    let image = std::env::var_os("ORIEL_TEST_IMAGE").map(PathBuf::from);
    if image.is_none() {
        let why = "ORIEL_TEST_IMAGE names no image: `./test` builds one, or give the path of a built image";
        assert_ne!(std::env::var("ORIEL_TEST_VM").as_deref(), Ok("required"), "{why}");
        eprintln!("SKIPPED: {why}");
    }
    image
}

fn uri() -> String {
    std::env::var("ORIEL_TEST_LIBVIRT_URI").unwrap_or_else(|_| String::from("qemu:///system"))
}

/// A room of desktops' hosts on a folder; a second one on the same folder is as after a restart of Oriel.
fn room(folder: &Path) -> LibvirtCompute {
    LibvirtCompute::new(LibvirtConfig {
        name: String::from("here"),
        uri: uri(),
        data: folder.join("data"),
        run: folder.join("run"),
        ports: 32_000..=32_998,
    })
}

async fn spec(compute: &LibvirtCompute, name: &str, network: Network, port_base: Option<u16>) -> MachineSpec {
    let accelerator = compute.facts().await.unwrap().accelerator;
    eprintln!("{accelerator:?}");
    MachineSpec {
        desktop: DesktopId::new(),
        generation: 1,
        name: format!("{name}-{}", std::process::id()).parse().unwrap(),
        title: String::from("A test's desktop"),
        os: ImageOs::Linux,
        arch: Arch::X86_64,
        boot: Boot::Disk,
        vcpus: 2,
        memory_mib: 2048,
        disk_gib: 12,
        accelerator: if accelerator.kind == AcceleratorKind::Kvm { AcceleratorKind::Kvm } else { AcceleratorKind::Tcg },
        network,
        port_base,
        keyboard: "de".parse().unwrap(),
        gpus: Vec::new(),
        hardware: Hardware::default(),
        cloud: None,
        home: None,
    }
}

fn row(spec: &MachineSpec, identity: &GuestIdentity) -> Desktop {
    let facts = serde_json::json!({ "rdp_certificate_sha256": identity.rdp_certificate_sha256 });
    serde_json::from_value(serde_json::json!({
        "id": spec.desktop, "name": spec.name, "pool": PoolId::new(), "owner": null, "intent": "running", "state": "ready", "failure": null, "step": null,
        "generation": 1, "host": null, "port_base": spec.port_base, "facts": facts, "created": 0, "changed": 0, "image": null,
    }))
    .unwrap()
}

/// A NAT network of libvirt's for as long as the test runs.
struct Nat(String);

impl Nat {
    fn start(folder: &Path) -> Self {
        let (name, number) = (format!("oriel-test-{}", std::process::id()), 100 + std::process::id() % 100);
        let file = folder.join("network.xml");
        let xml = format!(
            "<network><name>{name}</name><forward mode='nat'/><bridge name='oriel{number}'/><ip address='192.168.{number}.1' netmask='255.255.255.0'>\
             <dhcp><range start='192.168.{number}.10' end='192.168.{number}.99'/></dhcp></ip></network>"
        );
        std::fs::write(&file, xml).unwrap();
        assert!(
            virsh(&["net-create", file.to_str().unwrap()]),
            "libvirt's NAT network needs dnsmasq-base and iptables"
        );
        Self(name)
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        virsh(&["net-destroy", &self.0]);
    }
}

fn virsh(arguments: &[&str]) -> bool {
    Command::new("virsh").args(["-q", "-c", &uri()]).args(arguments).status().unwrap().success()
}

/// Where guests have addresses of their own, Oriel finds them by their lease and dials them there.
#[tokio::test(flavor = "multi_thread")]
async fn a_desktop_on_nat_is_found_by_its_address() {
    let Some(image) = image() else { return };
    let folder = tempfile::Builder::new().prefix("oriel").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let compute = room(folder.path());
    let nat = Nat::start(folder.path());
    let spec = spec(&compute, "nat", Network::Nat { network: nat.0.clone() }, None).await;
    let identity = GuestIdentity::generate(&spec.name, Some("alice")).unwrap();
    let row = row(&spec, &identity);
    compute.clone_disk(&spec, &image).await.unwrap();
    compute.write_seed(&spec, &identity).await.unwrap();
    compute.define(&spec).await.unwrap();
    let since = Instant::now();
    compute.start(&spec).await.unwrap();
    assert!(matches!(compute.dial(&row, GuestPort::Ssh).await, Err(ComputeError::NoAddress)), "it has no lease yet");
    let mut came = false;
    while !came && since.elapsed() < Duration::from_secs(START_SECONDS_MAX) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        came = compute.answers(&row, GuestPort::Ssh).await && compute.answers(&row, GuestPort::Rdp).await;
    }
    let mut greeting = [0; 8];
    if came {
        compute.dial(&row, GuestPort::Ssh).await.unwrap().read_exact(&mut greeting).await.unwrap();
    }
    compute.remove(spec.desktop, None).await.unwrap();
    assert!(came, "neither SSH nor RDP answered");
    assert_eq!(&greeting, b"SSH-2.0-");
    eprintln!("answers after {:.1} s", since.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desktop_comes_up_as_itself_and_is_alone() {
    let Some(image) = image() else { return };
    let folder = tempfile::Builder::new().prefix("oriel").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let compute = room(folder.path());
    let port = compute.free_ports(&BTreeSet::new()).await.unwrap();
    let spec = spec(&compute, "guest", Network::User, Some(port)).await;
    let identity = GuestIdentity::generate(&spec.name, Some("alice")).unwrap();
    let row = row(&spec, &identity);

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
    // Another one, as after a restart of Oriel.
    let compute = room(&folder);
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
    forgets_who_it_is(&compute, &row, &identity, &shell, since).await;
}

/// Last, since nobody gets in any more: told by its host, it is nobody's, and its disk can become an image.
async fn forgets_who_it_is(
    compute: &LibvirtCompute,
    row: &Desktop,
    identity: &GuestIdentity,
    shell: &Shell,
    since: Instant,
) {
    while let Err(error) = compute.check_agent(row.id).await {
        assert!(since.elapsed() < Duration::from_secs(START_SECONDS_MAX), "{error}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    shell.run("echo secret > ~/.bash_history");
    let began = Instant::now();
    // What was half done is done again.
    for _ in 0..2 {
        assert_eq!(compute.seal(row.id, ImageOs::Linux, Some(&identity.user)).await.unwrap(), Sealed::Done);
    }
    eprintln!("forgot who it is, twice, in {:.1} s", began.elapsed().as_secs_f64());
    assert!(!shell.run("echo in").lines().any(|line| line == "in"), "the account is still there");
    assert!(compute.disk_file(row.id, row.generation).unwrap().is_file());
}
