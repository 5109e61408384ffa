//! Domain XML against snapshots, and what must hold for any text in it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use oriel_machine::{
    Arch, Boot, CdDrive, Hardware, HomeDrive, Keyboard, MachineSpec, Marker, Places, Surroundings, domain_xml,
    marker_of,
};
use oriel_model::{AcceleratorKind, DesktopId, ImageOs, Network};

const LIBVIRT_9: u32 = 9_000_000;

fn spec() -> MachineSpec {
    MachineSpec {
        desktop: "01936b1e-7a30-7c3e-8c52-1f2e3d4c5b6a".parse().unwrap(),
        generation: 3,
        name: "studio-1".parse().unwrap(),
        title: String::from("Alice's desktop"),
        os: ImageOs::Linux,
        arch: Arch::X86_64,
        boot: Boot::Disk,
        vcpus: 2,
        memory_mib: 2048,
        disk_gib: 20,
        accelerator: AcceleratorKind::Tcg,
        network: Network::User,
        port_base: Some(24_000),
        keyboard: Keyboard::default(),
        gpus: Vec::new(),
        hardware: Hardware::default(),
        cloud: None,
        home: None,
    }
}

fn places() -> Places {
    Places {
        home: "/var/lib/oriel".into(),
        disk: "/var/lib/oriel/desktops/a/disk-3.qcow2".into(),
        seed: Some("/var/lib/oriel/desktops/a/seed-3.iso".into()),
        personal_disk: None,
        medium: None,
        network_socket: Some("/run/oriel/a/net".into()),
        serial_log: Some("/var/lib/oriel/desktops/a/serial.log".into()),
        host: Surroundings::default(),
    }
}

#[test]
fn linux_on_a_user_network_without_kvm() {
    insta::assert_snapshot!(domain_xml(&spec(), &places(), LIBVIRT_9).unwrap());
}

#[test]
fn the_drive_comes_first_where_it_is_told_to() {
    let places = Places { medium: Some("/var/lib/oriel/media/a/debian.iso".into()), ..places() };
    let usual = domain_xml(&spec(), &places, LIBVIRT_9).unwrap();
    assert!(usual.contains("<boot dev=\"hd\"/>") && !usual.contains("<boot order="));
    let xml = domain_xml(&MachineSpec { boot: Boot::Drive, ..spec() }, &places, LIBVIRT_9).unwrap();
    // libvirt takes one way of saying it or the other.
    assert!(!xml.contains("<boot dev="), "{xml}");
    let at = |what: &str| xml.find(what).unwrap_or_else(|| panic!("no {what} in {xml}"));
    let (disk, seed, medium) = (at("disk-3.qcow2"), at("seed-3.iso"), at("debian.iso"));
    let (first, second) = (at("<boot order=\"1\"/>"), at("<boot order=\"2\"/>"));
    assert!(disk < second && second < seed && medium < first, "{xml}");
    assert_eq!(CdDrive::find(&xml).unwrap().medium, places.medium);
}

#[test]
fn windows_on_a_nat_network_with_kvm_and_an_old_libvirt() {
    let spec = MachineSpec {
        os: ImageOs::Windows,
        accelerator: AcceleratorKind::Kvm,
        network: Network::Nat { network: String::from("default") },
        port_base: None,
        ..spec()
    };
    let places = Places { seed: None, network_socket: None, serial_log: None, ..places() };
    insta::assert_snapshot!(domain_xml(&spec, &places, 8_000_000).unwrap());
}

#[test]
fn kernel_on_a_bridge() {
    let spec = MachineSpec {
        boot: Boot::Kernel {
            kernel: "/k".into(),
            initrd: Some("/i".into()),
            command_line: String::from("console=ttyS0 a=\"b\""),
        },
        network: Network::Bridge { bridge: String::from("br0") },
        ..spec()
    };
    insta::assert_snapshot!(domain_xml(&spec, &places(), LIBVIRT_9).unwrap());
}

#[test]
fn without_passt_nothing_gets_out() {
    let xml = domain_xml(&spec(), &Places { network_socket: None, ..places() }, LIBVIRT_9).unwrap();
    assert!(
        xml.contains("user,id=doors,restrict=on,hostfwd=tcp:127.0.0.1:24000-:3389,hostfwd=tcp:127.0.0.1:24001-:22"),
        "{xml}"
    );
}

#[test]
fn systems_without_virtio_find_their_seed_in_a_cd_drive() {
    for os in [ImageOs::Windows, ImageOs::Other] {
        let xml = domain_xml(&MachineSpec { os, ..spec() }, &places(), LIBVIRT_9).unwrap();
        let seed = xml.split("<disk ").find(|disk| disk.contains("seed-3.iso")).unwrap();
        assert!(seed.contains("device=\"cdrom\"") && seed.contains("bus=\"sata\""), "{seed}");
    }
}

#[test]
fn what_lies_in_the_drive_is_found_again() {
    let empty = domain_xml(&spec(), &places(), LIBVIRT_9).unwrap();
    let drive = CdDrive::find(&empty).unwrap();
    assert_eq!(drive, CdDrive { device: "sda".to_owned(), bus: "sata".to_owned(), medium: None });
    // Where the seed is a CD too, it is not taken for it.
    let windows = MachineSpec { os: ImageOs::Windows, ..spec() };
    let medium = std::path::PathBuf::from("/var/lib/oriel/media/a/a <b> & c.iso");
    let full = domain_xml(&windows, &Places { medium: Some(medium.clone()), ..places() }, LIBVIRT_9).unwrap();
    let drive = CdDrive::find(&full).unwrap();
    assert_eq!(drive, CdDrive { device: "sdc".to_owned(), bus: "sata".to_owned(), medium: Some(medium) });
    // As it is handed to libvirt, and as libvirt writes it.
    assert_eq!(CdDrive::find(&drive.xml().unwrap()), Some(drive.clone()));
    let live = "<domain><devices><disk device='cdrom'><source file='/seed.iso'/><target dev='sdb' bus='sata'/></disk>\
        <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='/a.iso' index='3'/><backingStore><source file='/b'/></backingStore>\
        <target dev='sdc' bus='sata' tray='open'/><readonly/><alias name='ua-media'/><address type='drive'/></disk></devices></domain>";
    assert_eq!(CdDrive::find(live).unwrap().medium.as_deref(), Some(std::path::Path::new("/a.iso")));
    for none in
        ["", "<", "<domain/>", "<disk><alias name='ua-media'/></disk>", "<disk><target dev='sda' bus='sata'/></disk>"]
    {
        assert_eq!(CdDrive::find(none), None, "{none}");
    }
    let arm = MachineSpec { os: ImageOs::Windows, arch: Arch::Aarch64, ..spec() };
    assert_eq!(CdDrive::find(&domain_xml(&arm, &places(), LIBVIRT_9).unwrap()), None);
}

#[test]
fn hostile_text_stays_text() {
    let spec = MachineSpec { title: String::from("</title><devices/>\n\u{0}&\""), ..spec() };
    let places = Places { network_socket: Some("/run/a,server=on/net".into()), ..places() };
    let xml = domain_xml(&spec, &places, LIBVIRT_9).unwrap();
    assert!(xml.contains("<title>&lt;/title&gt;&lt;devices/&gt; \u{fffd}&amp;&quot;</title>"), "{xml}");
    assert!(xml.contains("addr.path=/run/a,,server=on/net"), "{xml}");
}

#[test]
fn recognises_its_own_and_nothing_else() {
    let spec = spec();
    let xml = domain_xml(&spec, &places(), LIBVIRT_9).unwrap();
    assert_eq!(marker_of(&xml), Some(Marker { desktop: spec.desktop, generation: 3, home: "/var/lib/oriel".into() }));
    // As virDomainGetMetadata gives it.
    let id = DesktopId::new();
    let alone = format!("<desktop xmlns=\"urn:oriel:desktop:1\" id=\"{id}\" generation=\"7\" home=\"/h\"/>");
    assert_eq!(marker_of(&alone), Some(Marker { desktop: id, generation: 7, home: "/h".into() }));
    for other in [
        "",
        "<",
        "<domain><metadata><desktop id='x' generation='1'/></metadata></domain>",
        &format!("<desktop xmlns='urn:other' id='{id}' generation='1'/>"),
        &format!("<desktop xmlns='urn:oriel:desktop:1' id='{id}' generation='-1'/>"),
        "<desktop xmlns='urn:oriel:desktop:1' id='nonsense' generation='1'/>",
    ] {
        assert_eq!(marker_of(other), None, "{other}");
    }
}

#[test]
fn a_personal_disk_is_beside_the_others_and_found_again() {
    let without = domain_xml(&spec(), &places(), LIBVIRT_9).unwrap();
    assert_eq!(HomeDrive::find(&without), None);
    let file: std::path::PathBuf = "/var/lib/oriel/personal-disks/a & b.qcow2".into();
    let with = domain_xml(&spec(), &Places { personal_disk: Some(file.clone()), ..places() }, LIBVIRT_9).unwrap();
    let drive = HomeDrive::find(&with).unwrap();
    assert_eq!(drive, HomeDrive { file });
    assert_eq!(with.matches("<serial>oriel-home</serial>").count(), 1, "{with}");
    assert!(!with.contains("<boot dev=\"hd\"/>") || with.find("vda") < with.find("vdh"), "{with}");
    assert_eq!(HomeDrive::find(&drive.xml().unwrap()), Some(drive));
    // Nothing else of the machine changes with it.
    assert!(with.lines().count() > without.lines().count() && with.contains("disk-3.qcow2"), "{with}");
}
