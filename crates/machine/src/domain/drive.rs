//! The drive that images are put into: a CD drive, which every machine has from its description on, empty or not.

use super::drivers::Drivers;
use crate::{
    Arch, XmlError,
    quirks::{Case, Part},
    xml::{Element, element},
};
use oriel_model::ImageOs;
use quick_xml::{NsReader, events::Event};
use std::path::PathBuf;

/// What the drive is called, so that it is not taken for the seed's.
const ALIAS: &str = "ua-media";

/// A machine's CD drive as its domain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdDrive {
    /// As the domain calls it, `sda`.
    pub device: String,
    /// `sata`, `ide` or `scsi`.
    pub bus: String,
    /// A raw image on the host; `None`: it is empty.
    pub medium: Option<PathBuf>,
}

impl CdDrive {
    /// On a bus that the board has, after disk and seed.
    pub(super) fn of(case: &Case<'_>, drivers: &Drivers, medium: Option<PathBuf>) -> Option<Self> {
        let (device, bus) = match case.spec.arch {
            Arch::X86_64 if case.has(Part::IgdLegacy) => ("hda", "ide"),
            Arch::X86_64 if drivers.disk_bus == "sata" => ("sdc", "sata"),
            Arch::X86_64 => ("sda", "sata"),
            // It knows USB alone, and QEMU does not start with an empty drive there.
            Arch::Aarch64 if case.spec.os == ImageOs::Windows => return None,
            Arch::Aarch64 => ("sda", "scsi"),
        };
        Some(Self { device: device.to_owned(), bus: bus.to_owned(), medium })
    }

    pub(super) fn element(&self) -> Element {
        element("disk")
            .with("type", "file")
            .with("device", "cdrom")
            .child(element("driver").with("name", "qemu").with("type", "raw"))
            .children(self.medium.as_ref().map(|medium| element("source").with("file", medium.display())))
            .child(element("target").with("dev", &self.device).with("bus", &self.bus))
            .child(element("readonly"))
            .child(element("alias").with("name", ALIAS))
    }

    pub(super) fn controller(&self) -> Option<Element> {
        (self.bus == "scsi").then(|| element("controller").with("type", "scsi").with("model", "virtio-scsi"))
    }

    /// The device alone, as libvirt takes it to change what is in it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn xml(&self) -> Result<String, XmlError> {
        self.element().render()
    }

    /// Finds the drive in a domain's XML; `None` for a machine that was described without one.
    pub fn find(xml: &str) -> Option<Self> {
        let mut reader = NsReader::from_str(xml);
        let (mut source, mut target, mut ours) = (None, None, false);
        loop {
            match reader.read_resolved_event().ok()?.1 {
                Event::Start(start) | Event::Empty(start) => {
                    let value = |name: &str| {
                        let attribute = start.try_get_attribute(name).ok()??;
                        Some(attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?.into_owned())
                    };
                    match start.local_name().as_ref() {
                        "disk" => (source, target, ours) = (None, None, false),
                        // The first is what is in it; others are beneath it.
                        "source" if source.is_none() => source = value("file").map(PathBuf::from),
                        "target" if target.is_none() => target = value("dev").zip(value("bus")),
                        "alias" => ours |= value("name").is_some_and(|name| name == ALIAS),
                        _ => {}
                    }
                }
                Event::End(end) if end.local_name().as_ref() == "disk" => {
                    if ours && let Some((device, bus)) = target.take() {
                        return Some(Self { device, bus, medium: source.take() });
                    }
                }
                Event::Eof => return None,
                _ => {}
            }
        }
    }
}
