//! PCI functions, the bridges above them, and what sysfs shows of each.

use super::{
    description::{Description, Iommu, Pci},
    groups,
};
use oriel_gpu::sysfs::Tree;
use oriel_model::PciAddress;
use std::collections::BTreeMap;

/// All functions in the order in which the kernel finds them.
pub struct Machine {
    pub functions: Vec<Function>,
    /// By place in `functions`; empty without an IOMMU.
    pub groups: BTreeMap<usize, u32>,
}

pub struct Function {
    pub address: PciAddress,
    /// Which row of the description, and which of its addresses.
    pub row: usize,
    pub which: usize,
    /// Its folder.
    pub path: String,
    /// The bridge above it.
    pub parent: Option<usize>,
    /// The bus behind it.
    pub bus: Option<(u32, u8)>,
    pub acs: bool,
    pub conventional: bool,
    /// Of a virtual function: the physical one, and its number.
    pub physical: Option<(PciAddress, u32)>,
}

impl Machine {
    pub fn of(description: &Description) -> Self {
        let mut functions = Vec::new();
        for (row, pci) in description.pci.iter().enumerate() {
            for (which, at) in pci.at.iter().enumerate() {
                let address: PciAddress = at.parse().unwrap();
                let bus = pci.bus.get(which).map(|bus| (address.domain, u8::from_str_radix(bus, 16).unwrap()));
                let acs = pci.acs.unwrap_or(pci.class.starts_with("0604"));
                let conventional = pci.conventional;
                let one = Function {
                    address,
                    row,
                    which,
                    path: String::new(),
                    parent: None,
                    bus,
                    acs,
                    conventional,
                    physical: None,
                };
                functions.extend(virtual_functions(pci, &one));
                functions.push(one);
            }
        }
        functions.sort_by_key(|function| function.address);
        let addresses: Vec<_> = functions.iter().map(|function| function.address).collect();
        assert!(
            addresses.windows(2).all(|pair| pair[0] != pair[1]),
            "two functions at one address in {}",
            description.title
        );
        for index in 0..functions.len() {
            let place = functions[index].physical.map_or(functions[index].address, |(physical, _)| physical);
            let parent = functions.iter().position(|one| one.bus == Some((place.domain, place.bus)));
            let above = match parent {
                Some(parent) => functions[parent].path.clone(),
                None => format!("/sys/devices/pci{:04x}:{:02x}", place.domain, place.bus),
            };
            assert!(!above.is_empty(), "a bridge must have a lower address than what is behind it");
            functions[index].parent = parent;
            functions[index].path = format!("{above}/{}", functions[index].address);
        }
        let mut machine = Self { functions, groups: BTreeMap::new() };
        if !matches!(description.host.iommu, Iommu::None | Iommu::IntelOff) {
            machine.groups = groups::of(&machine);
            let translated = |index: &usize| description.pci[machine.functions[*index].row].translated;
            let kept: BTreeMap<usize, u32> = std::mem::take(&mut machine.groups);
            machine.groups = kept.into_iter().filter(|(index, _)| translated(index)).collect();
        }
        machine
    }

    /// The functions of a row that are in the description, in its order.
    pub fn of_row(&self, row: usize) -> Vec<&Function> {
        let mut functions: Vec<_> =
            self.functions.iter().filter(|function| function.row == row && function.physical.is_none()).collect();
        functions.sort_by_key(|function| function.which);
        functions
    }

    pub fn virtual_functions(&self, physical: PciAddress) -> Vec<&Function> {
        let mut functions: Vec<_> = self
            .functions
            .iter()
            .filter(|function| function.physical.is_some_and(|(address, _)| address == physical))
            .collect();
        functions.sort_by_key(|function| function.physical.map(|(_, number)| number));
        functions
    }
}

fn virtual_functions(pci: &Pci, physical: &Function) -> Vec<Function> {
    let Some(sriov) = &pci.sriov else { return Vec::new() };
    let at = physical.address;
    let first = u32::from(at.bus) << 8 | u32::from(at.device) << 3 | u32::from(at.function);
    (0..sriov.enabled)
        .map(|number| {
            let id = first + sriov.offset + number * sriov.stride;
            let address = PciAddress {
                domain: at.domain,
                bus: (id >> 8) as u8,
                device: (id >> 3 & 0x1f) as u8,
                function: (id & 7) as u8,
            };
            Function {
                address,
                row: physical.row,
                which: physical.which,
                path: String::new(),
                parent: None,
                bus: None,
                acs: true,
                conventional: false,
                physical: Some((at, number)),
            }
        })
        .collect()
}

/// From a folder to a path, as sysfs writes its links: the target's own name is always there, even when it lies above.
pub fn relative(from: &str, to: &str) -> String {
    let from: Vec<&str> = from.trim_matches('/').split('/').collect();
    let to: Vec<&str> = to.trim_matches('/').split('/').collect();
    let common = from.iter().zip(&to).take(to.len() - 1).take_while(|(one, other)| one == other).count();
    let mut parts = vec![".."; from.len() - common];
    parts.extend(&to[common..]);
    parts.join("/")
}

pub fn link(tree: &mut Tree, from: &str, to: &str) {
    let folder = from.rsplit_once('/').unwrap().0;
    tree.link_to(from, relative(folder, to));
}

pub fn add(tree: &mut Tree, description: &Description, machine: &Machine) {
    let mut addresses = Addresses::default();
    for (index, function) in machine.functions.iter().enumerate() {
        let pci = &description.pci[function.row];
        identity(tree, description, pci, function);
        let bars = match (&pci.sriov, function.physical) {
            (Some(sriov), Some(_)) => &sriov.bars,
            _ => &pci.bars,
        };
        resources(tree, pci, function, bars, &mut addresses);
        let path = &function.path;
        link(tree, &format!("/sys/bus/pci/devices/{}", function.address), path);
        if let Some(group) = machine.groups.get(&index) {
            let folder = format!("/sys/kernel/iommu_groups/{group}");
            link(tree, &format!("{path}/iommu_group"), &folder);
            link(tree, &format!("{folder}/devices/{}", function.address), path);
            tree.file(&format!("{folder}/type"), "DMA-FQ\n");
        }
        let driver = match (&pci.sriov, function.physical) {
            (Some(sriov), Some(_)) => &sriov.driver,
            _ => &pci.driver,
        };
        if let Some(driver) = driver {
            let folder = format!("/sys/bus/pci/drivers/{driver}");
            link(tree, &format!("{path}/driver"), &folder);
            link(tree, &format!("{folder}/{}", function.address), path);
        }
        if function.physical.is_none() {
            graphics(tree, pci, function);
            for (name, content) in &pci.attributes {
                tree.file(&format!("{path}/{name}"), format!("{content}\n"));
            }
        }
    }
}

fn identity(tree: &mut Tree, description: &Description, pci: &Pci, function: &Function) {
    let path = &function.path;
    let mut put = |name: &str, content: String| {
        tree.file(&format!("{path}/{name}"), content + "\n");
    };
    let (vendor, device) = pci.id.split_once(':').unwrap();
    let device = match (&pci.sriov, function.physical) {
        (Some(sriov), Some(_)) => &sriov.device,
        _ => device,
    };
    let (sub_vendor, sub_device) = pci.sub.as_deref().unwrap_or("0000:0000").split_once(':').unwrap();
    put("vendor", format!("0x{vendor}"));
    put("device", format!("0x{device}"));
    put("subsystem_vendor", format!("0x{sub_vendor}"));
    put("subsystem_device", format!("0x{sub_device}"));
    put("class", format!("0x{}", pci.class));
    put("revision", format!("0x{}", pci.rev.as_deref().unwrap_or("00")));
    put("driver_override", "(null)".to_owned());
    put("power_state", "D0".to_owned());
    let upper = |text: &str| format!("{:0>8}", text.to_uppercase());
    put(
        "modalias",
        format!(
            "pci:v{}d{}sv{}sd{}bc{}sc{}i{}",
            upper(vendor),
            upper(device),
            upper(sub_vendor),
            upper(sub_device),
            &pci.class[..2].to_uppercase(),
            &pci.class[2..4].to_uppercase(),
            &pci.class[4..6].to_uppercase()
        ),
    );
    let node = pci.numa.unwrap_or(if description.host.nodes > 1 { 0 } else { -1 });
    put("numa_node", node.to_string());
    if function.physical.is_some() {
        put("reset_method", "flr".to_owned());
        return;
    }
    if pci.class.starts_with("0300") {
        put("boot_vga", u8::from(pci.boot_vga).to_string());
    }
    if let Some(reset) = &pci.reset {
        put("reset_method", reset.clone());
    }
    if let Some(sriov) = &pci.sriov {
        put("sriov_totalvfs", sriov.total.to_string());
        put("sriov_numvfs", sriov.enabled.to_string());
        put("sriov_offset", sriov.offset.to_string());
        put("sriov_stride", sriov.stride.to_string());
        put("sriov_vf_device", sriov.device.clone());
        put("sriov_drivers_autoprobe", "1".to_owned());
    }
}

/// Where the firmware put what it found.
struct Addresses {
    below: u64,
    above: u64,
    ports: u64,
}

impl Default for Addresses {
    fn default() -> Self {
        Self { below: 0x9000_0000, above: 0x38_0000_0000, ports: 0x2000 }
    }
}

impl Addresses {
    fn take(next: &mut u64, size: u64) -> (u64, u64) {
        let start = next.next_multiple_of(size);
        *next = start + size;
        (start, start + size - 1)
    }
}

const BARS: usize = 7;
/// Lines of `resource`: six BARs, the ROM, six of virtual functions; four windows more on bridges.
const LINES: usize = 13;

fn resources(tree: &mut Tree, pci: &Pci, function: &Function, bars: &str, addresses: &mut Addresses) {
    let path = &function.path;
    let mut lines = [(0, 0, 0_u64); LINES];
    for bar in bars.split_whitespace() {
        let mut parts = bar.split(':');
        let index = match parts.next().unwrap() {
            "rom" => BARS - 1,
            digit => digit.parse().unwrap(),
        };
        let size = size(parts.next().unwrap());
        let kind = parts.next().unwrap_or(if index == BARS - 1 { "rom" } else { "32" });
        let (next, flags) = match kind {
            "32" => (&mut addresses.below, 0x4_0200),
            "32p" => (&mut addresses.below, 0x4_2208),
            "64" => (&mut addresses.above, 0x14_0204),
            "64p" => (&mut addresses.above, 0x14_220c),
            "io" => (&mut addresses.ports, 0x4_0101),
            "rom" => (&mut addresses.below, 0x4_6200),
            other => panic!("{other} is no kind of BAR"),
        };
        let (start, end) = Addresses::take(next, size);
        lines[index] = (start, end, flags);
        if kind == "rom" {
            tree.file(&format!("{path}/rom"), "");
        } else {
            tree.file(&format!("{path}/resource{index}"), "");
        }
    }
    if pci.rom_shadowed && function.physical.is_none() {
        // IORESOURCE_ROM_SHADOW: what is read is the copy that the firmware left at 768 KiB.
        lines[BARS - 1] = (0xc_0000, 0xd_ffff, 0x212);
        tree.file(&format!("{path}/rom"), "");
    }
    let text: Vec<String> =
        lines.iter().map(|(start, end, flags)| format!("0x{start:016x} 0x{end:016x} 0x{flags:016x}\n")).collect();
    tree.file(&format!("{path}/resource"), text.concat());
    for (index, sizes) in &pci.resizable {
        tree.file(&format!("{path}/resource{index}_resize"), format!("{sizes}\n"));
    }
}

fn size(text: &str) -> u64 {
    let digits = text.trim_end_matches(['K', 'M', 'G']);
    let shift = match text.strip_prefix(digits).unwrap() {
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => 0,
    };
    digits.parse::<u64>().unwrap() << shift
}

fn graphics(tree: &mut Tree, pci: &Pci, function: &Function) {
    let Some(drm) = pci.drm.get(function.which) else { return };
    let mut node = |name: String| {
        let folder = format!("{}/drm/{name}", function.path);
        link(tree, &format!("/sys/class/drm/{name}"), &folder);
        link(tree, &format!("{folder}/device"), &function.path);
        tree.file(&format!("/dev/dri/{name}"), "");
    };
    node(format!("card{}", drm.card));
    if let Some(render) = drm.render {
        node(format!("renderD{render}"));
    }
    for connector in &drm.connectors {
        let (name, status) = connector.split_once(' ').unwrap();
        let name = format!("card{}-{name}", drm.card);
        let folder = format!("{}/drm/card{}/{name}", function.path, drm.card);
        link(tree, &format!("/sys/class/drm/{name}"), &folder);
        tree.file(&format!("{folder}/status"), format!("{status}\n"));
    }
}
