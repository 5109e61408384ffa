//! A [`MachineSpec`] as libvirt's domain XML (<https://libvirt.org/formatdomain.html>).
//!
//! The domain's UUID is the desktop's id, and its metadata says which generation it is: that is how Oriel recognises what
//! is its own. It touches nothing else.

use crate::{
    Arch, Boot, MachineSpec, Places, XmlError, domain_name,
    xml::{Element, element},
};
use oriel_model::{AcceleratorKind, DesktopId, ImageOs, Network};
use quick_xml::{NsReader, events::Event, name::ResolveResult};
use std::path::Path;

/// Names our element in a domain's metadata.
pub const METADATA_NAMESPACE: &str = "urn:oriel:desktop:1";
const QEMU_NAMESPACE: &str = "http://libvirt.org/schemas/domain/qemu/1.0";
/// From this libvirt (major * 1,000,000 + minor * 1,000 + release) a clipboard channel without SPICE exists.
const LIBVIRT_WITH_VDAGENT: u32 = 8_004_000;
/// This slot and the next are left free by libvirt, which hands them out from both ends and does not know of these cards.
const USER_NETWORK_SLOT: u8 = 0x10;
/// What the screen starts with, in pixels, until a viewer asks for another size.
const SCREEN: (u32, u32) = (1280, 800);

/// Which desktop a domain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    pub desktop: DesktopId,
    pub generation: u32,
    /// The data folder that it belongs to: several programs may share one libvirt.
    pub home: String,
}

/// Devices by what the guest has drivers for.
struct Quirks {
    disk_bus: &'static str,
    disk_device: &'static str,
    seed_device: &'static str,
    /// libvirt refuses SATA disks that cannot be written; those systems know CD drives, and look there too.
    seed_kind: &'static str,
    network_model: &'static str,
    network_device: &'static str,
    video_model: &'static str,
    clock: &'static str,
}

const fn quirks(os: ImageOs) -> Quirks {
    match os {
        ImageOs::Linux => Quirks {
            disk_bus: "virtio",
            disk_device: "vda",
            seed_device: "vdb",
            seed_kind: "disk",
            network_model: "virtio",
            network_device: "virtio-net-pci",
            video_model: "virtio",
            clock: "utc",
        },
        // Drivers that every system brings along; virtio needs to be installed first.
        ImageOs::Windows => Quirks { clock: "localtime", ..COMMON },
        ImageOs::Other => COMMON,
    }
}

const COMMON: Quirks = Quirks {
    disk_bus: "sata",
    disk_device: "sda",
    seed_device: "sdb",
    seed_kind: "cdrom",
    network_model: "e1000e",
    network_device: "e1000e",
    video_model: "vga",
    clock: "utc",
};

/// The domain's XML. `libvirt` is its version as libvirt counts it (9.0.0 is 9000000).
pub fn domain_xml(spec: &MachineSpec, places: &Places, libvirt: u32) -> Result<String, XmlError> {
    let quirks = quirks(spec.os);
    let command_line = user_network(spec, places, &quirks);
    let mut domain = element("domain")
        .with("type", if spec.accelerator == AcceleratorKind::Kvm { "kvm" } else { "qemu" })
        .with("xmlns:qemu", QEMU_NAMESPACE)
        .child(element("name").text(domain_name(&spec.name, spec.desktop)))
        .child(element("uuid").text(spec.desktop))
        // libvirt refuses line breaks in a title.
        .child(element("title").text(spec.title.replace(['\n', '\r'], " ")))
        .child(
            element("metadata").child(
                element("oriel:desktop")
                    .with("xmlns:oriel", METADATA_NAMESPACE)
                    .with("id", spec.desktop)
                    .with("generation", spec.generation)
                    .with("home", places.home.display()),
            ),
        )
        .child(element("memory").with("unit", "MiB").text(spec.memory_mib))
        .child(element("vcpu").with("placement", "static").text(spec.vcpus))
        .child(boot(spec))
        .child(element("features").child(element("acpi")).child(element("apic")))
        .child(cpu(spec))
        .child(
            element("clock")
                .with("offset", quirks.clock)
                .child(element("timer").with("name", "rtc").with("tickpolicy", "catchup"))
                .child(element("timer").with("name", "pit").with("tickpolicy", "delay"))
                .child(element("timer").with("name", "hpet").with("present", "no")),
        )
        .child(element("on_poweroff").text("destroy"))
        .child(element("on_reboot").text("restart"))
        .child(element("on_crash").text("destroy"))
        .child(devices(spec, places, &quirks, libvirt));
    if !command_line.is_empty() {
        domain = domain.child(
            element("qemu:commandline")
                .children(command_line.into_iter().map(|argument| element("qemu:arg").with("value", argument))),
        );
    }
    domain.render()
}

fn boot(spec: &MachineSpec) -> Element {
    let machine = match spec.arch {
        Arch::X86_64 => "q35",
    };
    let os = element("os").child(element("type").with("arch", spec.arch.word()).with("machine", machine).text("hvm"));
    match &spec.boot {
        Boot::Disk => os.child(element("boot").with("dev", "hd")),
        Boot::Kernel { kernel, initrd, command_line } => os
            .child(element("kernel").text(kernel.display()))
            .children(initrd.as_ref().map(|initrd| element("initrd").text(initrd.display())))
            .child(element("cmdline").text(command_line)),
    }
}

fn cpu(spec: &MachineSpec) -> Element {
    let cpu = match spec.accelerator {
        AcceleratorKind::Kvm => {
            element("cpu").with("mode", "host-passthrough").with("check", "none").with("migratable", "on")
        }
        AcceleratorKind::Tcg => element("cpu").with("mode", "maximum").with("check", "none"),
    };
    cpu.child(element("topology").with("sockets", 1).with("dies", 1).with("cores", spec.vcpus).with("threads", 1))
}

fn devices(spec: &MachineSpec, places: &Places, quirks: &Quirks, libvirt: u32) -> Element {
    let mut devices = element("devices")
        .child(
            element("disk")
                .with("type", "file")
                .with("device", "disk")
                .child(element("driver").with("name", "qemu").with("type", "qcow2").with("discard", "unmap"))
                .child(element("source").with("file", places.disk.display()))
                .child(element("target").with("dev", quirks.disk_device).with("bus", quirks.disk_bus)),
        )
        .children(places.seed.as_ref().map(|seed| {
            element("disk")
                .with("type", "file")
                .with("device", quirks.seed_kind)
                .child(element("driver").with("name", "qemu").with("type", "raw"))
                .child(element("source").with("file", seed.display()))
                .child(element("target").with("dev", quirks.seed_device).with("bus", quirks.disk_bus))
                .child(element("readonly"))
        }))
        .child(element("controller").with("type", "usb").with("model", "qemu-xhci"))
        .children(libvirt_network(spec, quirks))
        .child(serial(places.serial_log.as_deref()))
        .child(element("console").with("type", "pty").child(element("target").with("type", "serial").with("port", 0)))
        .child(
            element("channel")
                .with("type", "unix")
                .child(element("target").with("type", "virtio").with("name", "org.qemu.guest_agent.0")),
        );
    if libvirt >= LIBVIRT_WITH_VDAGENT {
        devices = devices.child(
            element("channel")
                .with("type", "qemu-vdagent")
                .child(element("source").child(element("clipboard").with("copypaste", "yes")))
                .child(element("target").with("type", "virtio").with("name", "com.redhat.spice.0")),
        );
    }
    devices
        .child(element("input").with("type", "tablet").with("bus", "usb"))
        .child(element("input").with("type", "keyboard").with("bus", "usb"))
        // libvirt places the socket where QEMU may write and nobody else may read.
        .child(
            element("graphics")
                .with("type", "vnc")
                .with("sharePolicy", "force-shared")
                .child(element("listen").with("type", "socket")),
        )
        .child(element("audio").with("id", 1).with("type", "none"))
        .child(video(quirks))
        .child(element("memballoon").with("model", "virtio"))
        .child(
            element("rng")
                .with("model", "virtio")
                .child(element("backend").with("model", "random").text("/dev/urandom")),
        )
}

fn serial(log: Option<&Path>) -> Element {
    element("serial")
        .with("type", "pty")
        .children(log.map(|log| element("log").with("file", log.display()).with("append", "off")))
        .child(element("target").with("type", "isa-serial").with("port", 0))
}

fn video(quirks: &Quirks) -> Element {
    let mut model = element("model").with("type", quirks.video_model).with("heads", 1).with("primary", "yes");
    if quirks.video_model == "vga" {
        model = model.with("vram", 16 * 1024);
    }
    let resolution = element("resolution").with("x", SCREEN.0).with("y", SCREEN.1);
    element("video").child(model.child(resolution))
}

fn libvirt_network(spec: &MachineSpec, quirks: &Quirks) -> Option<Element> {
    let interface = match &spec.network {
        Network::User => return None,
        Network::Nat { network } => element("interface")
            .with("type", "network")
            .child(element("source").with("network", network))
            // Desktops of one network do not see each other.
            .child(element("port").with("isolated", "yes")),
        Network::Bridge { bridge } => {
            element("interface").with("type", "bridge").child(element("source").with("bridge", bridge))
        }
    };
    Some(
        interface
            .child(element("mac").with("address", mac_address(spec.desktop)))
            .child(element("model").with("type", quirks.network_model))
            .child(element("rom").with("enabled", "no")),
    )
}

/// QEMU's own words for [`Network::User`], for which libvirt has none: two network cards.
///
/// The first is the doors: QEMU's own stack with `restrict=on`, which carries the forwarded ports to the guest and nothing
/// else (it offers neither gateway nor resolver, and its way to the host's loopback is closed). The second is the world,
/// through a helper that the host starts in a namespace of its own.
fn user_network(spec: &MachineSpec, places: &Places, quirks: &Quirks) -> Vec<String> {
    if spec.network != Network::User {
        return Vec::new();
    }
    let forwards = [(0, 3389), (1, 22)].into_iter().filter_map(|(offset, port)| {
        let host = spec.port_base?.checked_add(offset)?;
        Some(format!(",hostfwd=tcp:127.0.0.1:{host}-:{port}"))
    });
    let doors: String = std::iter::once(String::from("user,id=doors,restrict=on")).chain(forwards).collect();
    let card = |id: &str, mac: String, slot: u8| {
        format!("{},netdev={id},mac={mac},romfile=,bus=pcie.0,addr={slot:#x}", quirks.network_device)
    };
    let mut arguments = Vec::from([
        "-netdev".to_owned(),
        doors,
        "-device".to_owned(),
        card("doors", mac_address(spec.desktop), USER_NETWORK_SLOT),
    ]);
    if let Some(socket) = &places.network_socket {
        let world = format!("stream,id=world,server=off,addr.type=unix,addr.path={}", commas(socket));
        arguments.extend([
            "-netdev".to_owned(),
            world,
            "-device".to_owned(),
            card("world", world_mac_address(spec.desktop), USER_NETWORK_SLOT + 1),
        ]);
    }
    arguments
}

/// QEMU reads a comma inside a value as two commas.
fn commas(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// Locally administered, and the same for every generation of a desktop.
pub fn mac_address(desktop: DesktopId) -> String {
    let [.., a, b, c, d] = desktop.0.into_bytes();
    format!("52:4f:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// The second network card of a desktop on [`Network::User`].
pub(crate) fn world_mac_address(desktop: DesktopId) -> String {
    mac_address(desktop).replacen("52:4f", "52:4e", 1)
}

/// Finds our mark in a domain's XML, or in its metadata alone; `None` for a domain that is not ours.
pub fn marker_of(xml: &str) -> Option<Marker> {
    let mut reader = NsReader::from_str(xml);
    loop {
        match reader.read_resolved_event().ok()? {
            (ResolveResult::Bound(namespace), Event::Start(start) | Event::Empty(start))
                if namespace.as_ref() == METADATA_NAMESPACE && start.local_name().as_ref() == "desktop" =>
            {
                let value = |name: &str| {
                    let attribute = start.try_get_attribute(name).ok()??;
                    Some(attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?.into_owned())
                };
                return Some(Marker {
                    desktop: value("id")?.parse().ok()?,
                    generation: value("generation")?.parse().ok()?,
                    home: value("home")?,
                });
            }
            (_, Event::Eof) => return None,
            _ => {}
        }
    }
}
