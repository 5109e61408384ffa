//! How the machine reaches the world, and the world the machine.

use super::drivers::Drivers;
use crate::{
    MachineSpec, Places,
    quirks::{Case, Part},
    xml::{Element, element},
};
use oriel_model::{DesktopId, Network};
use std::path::Path;

/// This slot and the next are left free by libvirt, which hands them out from both ends and does not know of these cards.
const USER_NETWORK_SLOT: u8 = 0x10;

pub(super) fn libvirt_network(spec: &MachineSpec, drivers: &Drivers) -> Option<Element> {
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
            .child(element("model").with("type", drivers.network_model))
            .child(element("rom").with("enabled", "no")),
    )
}

/// QEMU's own words for [`Network::User`], for which libvirt has none: two network cards.
///
/// The first is the doors: QEMU's own stack with `restrict=on`, which carries the forwarded ports to the guest and nothing
/// else (it offers neither gateway nor resolver, and its way to the host's loopback is closed). The second is the world,
/// through a helper that the host starts in a namespace of its own.
pub(super) fn user_network(case: &Case<'_>, places: &Places, drivers: &Drivers) -> Vec<String> {
    let spec = case.spec;
    if spec.network != Network::User {
        return Vec::new();
    }
    let forwards = [(0, 3389), (1, 22)].into_iter().filter_map(|(offset, port)| {
        let host = spec.port_base?.checked_add(offset)?;
        Some(format!(",hostfwd=tcp:127.0.0.1:{host}-:{port}"))
    });
    let doors: String = std::iter::once(String::from("user,id=doors,restrict=on")).chain(forwards).collect();
    let bus = if case.has(Part::IgdLegacy) { "pci.0" } else { "pcie.0" };
    let card = |id: &str, mac: String, slot: u8| {
        format!("{},netdev={id},mac={mac},romfile=,bus={bus},addr={slot:#x}", drivers.network_device)
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
