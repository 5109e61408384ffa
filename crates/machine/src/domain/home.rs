//! The disk that is its person's home: the one thing of a machine that outlives it.

use crate::{
    XmlError,
    xml::{Element, element},
};
use quick_xml::{NsReader, events::Event};
use std::path::PathBuf;

/// How the guest knows the disk among others (`/sys/block/vdh/serial`).
pub const HOME_SERIAL: &str = "oriel-home";
/// Linux names disks in the order in which it meets them; libvirt only wants names that differ.
const DEVICE: &str = "vdh";

/// A machine's personal disk as its domain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeDrive {
    /// A qcow2 on the host.
    pub file: PathBuf,
}

impl HomeDrive {
    pub(super) fn element(&self) -> Element {
        element("disk")
            .with("type", "file")
            .with("device", "disk")
            .child(element("driver").with("name", "qemu").with("type", "qcow2").with("discard", "unmap"))
            .child(element("source").with("file", self.file.display()))
            .child(element("target").with("dev", DEVICE).with("bus", "virtio"))
            .child(element("serial").text(HOME_SERIAL))
    }

    /// The device alone, as libvirt takes it to remove it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn xml(&self) -> Result<String, XmlError> {
        self.element().render()
    }

    /// Finds the disk in a domain's XML; `None` for a machine without one.
    pub fn find(xml: &str) -> Option<Self> {
        let mut reader = NsReader::from_str(xml);
        let (mut source, mut ours) = (None, false);
        loop {
            match reader.read_resolved_event().ok()?.1 {
                Event::Start(start) | Event::Empty(start) => {
                    let value = |name: &str| {
                        let attribute = start.try_get_attribute(name).ok()??;
                        Some(attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?.into_owned())
                    };
                    match start.local_name().as_ref() {
                        "disk" => (source, ours) = (None, false),
                        // The first is its file; others are beneath it.
                        "source" if source.is_none() => source = value("file").map(PathBuf::from),
                        "target" => ours |= value("dev").is_some_and(|device| device == DEVICE),
                        _ => {}
                    }
                }
                Event::End(end) if end.local_name().as_ref() == "disk" => {
                    if ours && let Some(file) = source.take() {
                        return Some(Self { file });
                    }
                }
                Event::Eof => return None,
                _ => {}
            }
        }
    }
}
