//! What is plugged into the board.

use super::{
    drive::CdDrive,
    drivers::{Drivers, Video},
    home::HomeDrive,
};
use crate::{
    Arch, Boot, Places,
    quirks::{Case, Part},
    xml::{Element, element},
};
use std::path::Path;

/// From this libvirt (major * 1,000,000 + minor * 1,000 + release) a clipboard channel without SPICE exists.
const LIBVIRT_WITH_VDAGENT: u32 = 8_004_000;
/// What the screen starts with, in pixels, until a viewer asks for another size.
const SCREEN: (u32, u32) = (1280, 800);
/// How the display is called where QEMU is told more about it than libvirt has words for.
pub(super) const SCREEN_ALIAS: &str = "ua-screen";

pub(super) fn devices(
    case: &Case<'_>,
    places: &Places,
    drivers: &Drivers,
    libvirt: u32,
    units: Vec<Element>,
) -> Element {
    let drive = CdDrive::of(case, drivers, places.medium.clone());
    let mut devices = element("devices")
        .child(
            element("disk")
                .with("type", "file")
                .with("device", "disk")
                .child(element("driver").with("name", "qemu").with("type", "qcow2").with("discard", "unmap"))
                .child(element("source").with("file", places.disk.display()))
                .child(element("target").with("dev", drivers.disk_device).with("bus", drivers.disk_bus))
                .children(order(case, 2)),
        )
        .children(places.seed.as_ref().map(|seed| {
            element("disk")
                .with("type", "file")
                .with("device", drivers.seed_kind)
                .child(element("driver").with("name", "qemu").with("type", "raw"))
                .child(element("source").with("file", seed.display()))
                .child(element("target").with("dev", drivers.seed_device).with("bus", drivers.disk_bus))
                .child(element("readonly"))
        }))
        .children(places.personal_disk.clone().map(|file| HomeDrive { file }.element()))
        .children(drive.as_ref().map(|drive| drive.element().children(order(case, 1))))
        .children(drive.as_ref().and_then(CdDrive::controller))
        .child(element("controller").with("type", "usb").with("model", "qemu-xhci"))
        .children(units)
        .children(super::network::libvirt_network(case.spec, drivers))
        .child(serial(case.spec.arch, places.serial_log.as_deref()))
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
        .children(case.render_node().filter(|_| case.has(Part::HeadlessGl)).map(|render_node| {
            element("graphics").with("type", "egl-headless").child(element("gl").with("rendernode", render_node))
        }))
        .child(element("audio").with("id", 1).with("type", "none"))
        .children(tpm(case))
        .children(iommu(case))
        .child(video(case, drivers))
        .child(element("memballoon").with("model", if case.has(Part::NoBalloon) { "none" } else { "virtio" }))
        .child(
            element("rng")
                .with("model", "virtio")
                .child(element("backend").with("model", "random").text("/dev/urandom")),
        )
}

/// When the firmware tries a drive, where the disk is not the first.
fn order(case: &Case<'_>, at: u8) -> Option<Element> {
    (case.spec.boot == Boot::Drive).then(|| element("boot").with("order", at))
}

fn serial(arch: Arch, log: Option<&Path>) -> Element {
    let target = match arch {
        Arch::X86_64 => element("target").with("type", "isa-serial").with("port", 0),
        Arch::Aarch64 => element("target")
            .with("type", "system-serial")
            .with("port", 0)
            .child(element("model").with("name", "pl011")),
    };
    element("serial")
        .with("type", "pty")
        .children(log.map(|log| element("log").with("file", log.display()).with("append", "off")))
        .child(target)
}

fn video(case: &Case<'_>, drivers: &Drivers) -> Element {
    // The only display is then the GPU's, or the slice's that ramfb stands in for.
    if case.has(Part::NoConsole) || case.has(Part::Ramfb) || case.has(Part::IgdLegacy) {
        return element("video").child(element("model").with("type", "none"));
    }
    let virgl = case.has(Part::Virgl);
    let kind = if virgl { Video::Virtio } else { drivers.video };
    let mut model = element("model").with("type", kind.word()).with("heads", 1).with("primary", "yes");
    if kind == Video::Vga {
        model = model.with("vram", 16 * 1024);
    }
    if virgl {
        model = model.child(element("acceleration").with("accel3d", "yes"));
    }
    if kind != Video::Ramfb {
        model = model.child(element("resolution").with("x", SCREEN.0).with("y", SCREEN.1));
    }
    let alias = case.has(Part::Venus).then(|| element("alias").with("name", SCREEN_ALIAS));
    element("video").child(model).children(alias)
}

fn tpm(case: &Case<'_>) -> Option<Element> {
    let model = match case.spec.arch {
        Arch::X86_64 => "tpm-crb",
        Arch::Aarch64 => "tpm-tis",
    };
    let backend = element("backend").with("type", "emulator").with("version", "2.0");
    case.has(Part::Tpm).then(|| element("tpm").with("model", model).child(backend))
}

/// The guest's own IOMMU.
fn iommu(case: &Case<'_>) -> Option<Element> {
    let mut driver = element("driver").with("intremap", "on");
    if case.passed_through().next().is_some() {
        // Otherwise QEMU refuses VFIO devices behind it: it must see every change of the guest's tables.
        driver = driver.with("caching_mode", "on");
    }
    let driver = driver.with("eim", "on");
    case.has(Part::WideInterrupts).then(|| element("iommu").with("model", "intel").child(driver))
}
