//! A [`MachineSpec`] as libvirt's domain XML (<https://libvirt.org/formatdomain.html>).
//!
//! The domain's UUID is the desktop's id, and its metadata says which generation it is: that is how Oriel recognises what
//! is its own. It touches nothing else.

mod board;
mod devices;
mod drive;
mod drivers;
mod gpu;
mod home;
mod network;

pub use drive::CdDrive;
pub use home::{HOME_SERIAL, HomeDrive};
pub use network::mac_address;
pub(crate) use network::world_mac_address;

use crate::{MachineSpec, Places, XmlError, domain_name, quirks::Case, xml::element};
use drivers::Drivers;
use oriel_model::DesktopId;
use quick_xml::{NsReader, events::Event, name::ResolveResult};

/// Names our element in a domain's metadata.
pub const METADATA_NAMESPACE: &str = "urn:oriel:desktop:1";
const QEMU_NAMESPACE: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

/// Which desktop a domain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    pub desktop: DesktopId,
    pub generation: u32,
    /// The data folder that it belongs to: several programs may share one libvirt.
    pub home: String,
}

/// The domain's XML. `libvirt` is its version as libvirt counts it (9.0.0 is 9000000).
///
/// # Errors
/// Where the machine cannot be built so, or not with that libvirt.
pub fn domain_xml(spec: &MachineSpec, places: &Places, libvirt: u32) -> Result<String, XmlError> {
    let case = Case { spec, host: &places.host };
    board::check(&case)?;
    let drivers = Drivers::of(spec.arch, spec.os);
    let units = gpu::units(&case, libvirt)?;
    let mut command_line = network::user_network(&case, places, &drivers);
    command_line.extend(board::firmware_settings(&case));
    let domain = element("domain")
        .with("type", if case.kvm() { "kvm" } else { "qemu" })
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
        .children(board::memory_backing(&case))
        .child(element("vcpu").with("placement", "static").text(spec.vcpus))
        .children(board::placement(&case))
        .child(board::boot(&case))
        .child(board::features(&case))
        .child(board::cpu(&case, libvirt))
        .child(board::clock(&case, &drivers))
        .child(element("on_poweroff").text("destroy"))
        .child(element("on_reboot").text("restart"))
        .child(element("on_crash").text("destroy"))
        .child(devices::devices(&case, places, &drivers, libvirt, units.devices))
        .children((!command_line.is_empty()).then(|| {
            element("qemu:commandline")
                .children(command_line.into_iter().map(|argument| element("qemu:arg").with("value", argument)))
        }))
        .children((!units.overrides.is_empty()).then(|| element("qemu:override").children(units.overrides)));
    domain.render()
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
