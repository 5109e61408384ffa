//! What a desktop holds of the host's GPUs, as devices of its machine.

use super::devices::SCREEN_ALIAS;
use crate::{
    Card, XmlError,
    quirks::{Case, Part},
    xml::{Element, element},
};
use oriel_model::{GpuHold, GpuUnit, PciAddress};

/// `qemu:override` came with 8.2 and brought libvirtd down until 8.5 (<https://gitlab.com/libvirt/libvirt/-/issues/321>).
const LIBVIRT_WITH_OVERRIDES: u32 = 8_005_000;
/// Before, libvirt took no device whose driver is not `vfio-pci` itself.
const LIBVIRT_WITH_VENDOR_VF: u32 = 10_000_000;
/// Root-bus slots for integrated GPUs: behind those of the user network, before those that libvirt fills from the end.
const ROOT_SLOTS: std::ops::RangeInclusive<u8> = 0x12..=0x1b;
/// Functions of a slot (PCI 3.0 §6.2.1).
const FUNCTIONS_MAX: usize = 8;
/// Where an integrated GPU's BIOS looks for it.
const LEGACY_SLOT: u8 = 0x02;
/// Room in the guest for what Vulkan maps of the host's GPU, in bytes.
const VENUS_WINDOW: u64 = 8 << 30;

/// Devices, and what QEMU is told of them beyond libvirt's words.
pub(super) struct Units {
    pub(super) devices: Vec<Element>,
    pub(super) overrides: Vec<Element>,
}

/// Where a unit sits in the guest.
#[derive(Clone, Copy)]
struct Slot {
    bus: u32,
    slot: u8,
}

/// One more thing to tell QEMU: name, type, value.
type Property = (&'static str, &'static str, String);

fn on(name: &'static str) -> Property {
    (name, "bool", "true".to_owned())
}

pub(super) fn units(case: &Case<'_>, libvirt: u32) -> Result<Units, XmlError> {
    if case.has(Part::VendorVf) {
        needs(libvirt, LIBVIRT_WITH_VENDOR_VF, "a vGPU on a virtual function")?;
    }
    let (mut ports, mut devices, mut overrides) = (Vec::new(), Vec::new(), Vec::new());
    let mut root_slots = ROOT_SLOTS;
    for (index, hold) in case.passed_through().enumerate() {
        let root = if case.has(Part::IgdLegacy) {
            Some(LEGACY_SLOT)
        } else {
            case.on_root_bus(hold).then(|| root_slots.next()).flatten()
        };
        let slot = if let Some(slot) = root {
            Slot { bus: 0, slot }
        } else {
            let bus = ports.len() as u32 + 1;
            ports.push(element("controller").with("type", "pci").with("index", bus).with("model", "pcie-root-port"));
            Slot { bus, slot: 0 }
        };
        let properties = properties(case, hold);
        let alias = (!properties.is_empty()).then(|| format!("ua-gpu{index}"));
        devices.extend(hostdevs(case, hold, slot, alias.as_deref()));
        overrides.extend(alias.map(|alias| override_of(&alias, properties)));
    }
    if case.has(Part::Venus) {
        let window = ("hostmem", "unsigned", VENUS_WINDOW.to_string());
        overrides.push(override_of(SCREEN_ALIAS, Vec::from([on("blob"), window, on("venus")])));
    }
    if !overrides.is_empty() {
        needs(libvirt, LIBVIRT_WITH_OVERRIDES, "this GPU")?;
    }
    ports.extend(devices);
    Ok(Units { devices: ports, overrides })
}

fn hostdevs(case: &Case<'_>, hold: &GpuHold, slot: Slot, alias: Option<&str>) -> Vec<Element> {
    match &hold.unit {
        GpuUnit::Whole { functions } => {
            // The guest sees the functions as the host does, because drivers know which number their sound has. But there must
            // be a function 0: it says that there are more.
            let several = functions.len() > 1;
            let as_they_are = several && functions.iter().any(|address| address.function == 0);
            let function = |(index, address): (usize, &PciAddress)| {
                let number = if as_they_are { address.function } else { index as u8 };
                let mut guest = slot.address(number);
                if several && number == 0 {
                    guest = guest.with("multifunction", "on");
                }
                // The GPU's own comes first.
                let rom = case.card(hold).filter(|_| index == 0).and_then(rom);
                pci(*address, alias.filter(|_| index == 0), rom, guest)
            };
            functions.iter().take(FUNCTIONS_MAX).enumerate().map(function).collect()
        }
        GpuUnit::VendorVf { address, .. } | GpuUnit::Vf { address } => {
            Vec::from([pci(*address, alias, None, slot.address(0))])
        }
        GpuUnit::Mdev { uuid, .. } => {
            let mut hostdev = element("hostdev")
                .with("mode", "subsystem")
                .with("type", "mdev")
                .with("managed", "no")
                .with("model", "vfio-pci");
            if case.displayed() == Some(hold) {
                hostdev = hostdev.with("display", "on");
                if case.has(Part::Ramfb) {
                    hostdev = hostdev.with("ramfb", "on");
                }
            } else {
                hostdev = hostdev.with("display", "off");
            }
            let source = element("source").child(element("address").with("uuid", uuid));
            Vec::from([hostdev.child(source).children(alias.map(alias_of)).child(slot.address(0))])
        }
        GpuUnit::Shared { .. } => Vec::new(),
    }
}

/// `managed="no"`: Oriel binds devices before and gives them back after; libvirt would do it one function at a time, and would
/// take a virtual function from the vendor's driver in which its vGPU lives.
fn pci(address: PciAddress, alias: Option<&str>, rom: Option<Element>, guest: Element) -> Element {
    let source = element("source").child(
        element("address")
            .with("domain", format!("{:#06x}", address.domain))
            .with("bus", format!("{:#04x}", address.bus))
            .with("slot", format!("{:#04x}", address.device))
            .with("function", format!("{:#03x}", address.function)),
    );
    element("hostdev")
        .with("mode", "subsystem")
        .with("type", "pci")
        .with("managed", "no")
        .child(element("driver").with("name", "vfio"))
        .child(source)
        .children(alias.map(alias_of))
        .children(rom)
        .child(guest)
}

fn alias_of(name: &str) -> Element {
    element("alias").with("name", name)
}

fn rom(card: &Card) -> Option<Element> {
    card.rom.as_ref().map(|file| element("rom").with("bar", "on").with("file", file.display()))
}

impl Slot {
    fn address(self, function: u8) -> Element {
        element("address")
            .with("type", "pci")
            .with("domain", "0x0000")
            .with("bus", format!("{:#04x}", self.bus))
            .with("slot", format!("{:#04x}", self.slot))
            .with("function", format!("{function:#03x}"))
    }
}

fn properties(case: &Case<'_>, hold: &GpuHold) -> Vec<Property> {
    let mut properties = Vec::new();
    let whole = matches!(hold.unit, GpuUnit::Whole { .. });
    if case.intel_integrated(hold) {
        properties.push(on("x-igd-opregion"));
    }
    let vga = case.has(Part::LegacyVga) && case.vga() == Some(hold);
    if whole && (case.has(Part::IgdLegacy) || vga) {
        properties.push(on("x-vga"));
    }
    properties
}

fn override_of(alias: &str, properties: Vec<Property>) -> Element {
    let property = |(name, kind, value): Property| {
        element("qemu:property").with("name", name).with("type", kind).with("value", value)
    };
    element("qemu:device")
        .with("alias", alias)
        .child(element("qemu:frontend").children(properties.into_iter().map(property)))
}

fn needs(have: u32, need: u32, what: &'static str) -> Result<(), XmlError> {
    if have >= need {
        return Ok(());
    }
    let words = |version: u32| format!("{}.{}.{}", version / 1_000_000, version / 1000 % 1000, version % 1000);
    Err(XmlError::LibvirtTooOld { what, need: words(need), have: words(have) })
}
