//! Domain XML against snapshots, and what must hold for any text in it.

#![allow(clippy::unwrap_used, reason = "a test")]

use oriel_machine::{Arch, Boot, Hardware, Keyboard, MachineSpec, Marker, Places, Surroundings, domain_xml, marker_of};
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
    }
}

fn places() -> Places {
    Places {
        home: "/var/lib/oriel".into(),
        disk: "/var/lib/oriel/desktops/a/disk-3.qcow2".into(),
        seed: Some("/var/lib/oriel/desktops/a/seed-3.iso".into()),
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
