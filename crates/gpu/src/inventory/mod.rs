//! What a host has: its GPUs, and of the host itself what decides over them.
//!
//! All of it is read through [`Sysfs`], once, and in this order; a capture or a described host needs these paths and no others:
//!
//! ```text
//! host     /proc/{cmdline,cpuinfo,meminfo} /proc/sys/kernel/{hostname,osrelease,arch} /etc/os-release
//!          /sys/class/dmi/id/{sys_vendor,product_name} /sys/firmware/devicetree/base/model
//!          /sys/devices/system/{cpu/online,node/node*} /sys/firmware/efi
//!          /sys/class/iommu/*[/intel-iommu/{cap,ecap}] /sys/firmware/acpi/tables/{DMAR,IVRS,IORT}
//!          /sys/kernel/irq/*/chip_name, `dmesg --notime` (only where interrupt remapping shows nowhere else)
//! PCI      /sys/bus/pci/devices/* (links or folders), of each: class physfn→
//!   GPUs, their slot, their group: vendor device driver→ iommu_group→
//!   GPUs   subsystem_vendor subsystem_device revision driver_override boot_vga numa_node reset_method
//!          resource resourceN_resize sriov_totalvfs virtfnN→ mdev_supported_types/ vfio-dev/
//!          amdgpu's mem_info_vram_total, xe's tileN/physical_vram_size_bytes
//!   VFs    driver→ iommu_group→, NVIDIA's: nvidia/{current_vgpu_type,creatable_vgpu_types,vgpu_params} mdev_supported_types/
//! groups   /sys/kernel/iommu_groups/N/devices/*
//! slices   /sys/class/mdev_bus/* mdev_supported_types/*/{name,device_api,description,available_instances}
//!          /sys/bus/mdev/devices/UUID→ {mdev_type→,driver→,iommu_group→,nvidia/vgpu_params}
//! drivers  /sys/class/drm/{card*,renderD*}/device→ (below it driver→ where that is no PCI function) /sys/bus/pci/drivers/vfio-pci /sys/module/{vfio_pci,kvmgt,nvidia_vgpu_vfio}
//!          /sys/module/nvidia/version /sys/module/i915/parameters/{enable_gvt,enable_guc}
//!          /lib/modules/KERNEL/modules.{dep,builtin} (only where vfio-pci is not loaded)
//!          /usr/share/nvidia/vgpu/vgpuConfig.xml
//! who      /proc/PID/{fd/*→,comm}
//! commands of cards on the driver nvidia that have SR-IOV, or memory that nothing else tells: `nvidia-smi -q`, `vgpu -s -v`, and
//!          with MIG on `mig -lgip`, `-lgipp`, `-lgi`
//! ```
//!
//! Files that are missing are facts that are unknown. A `driver` link's last part is the driver's name, an `iommu_group` link's the
//! group's number.

mod bars;
mod catalogue;
mod console;
mod gpu;
mod group;
mod holders;
mod host;
mod mdev;
mod memory;
mod modes;
pub mod names;
mod pci;
mod reader;
pub(crate) mod redact;
mod shared;
#[cfg(test)]
mod tests;
mod vf;
mod vgpu;
mod whole;

pub use gpu::{Bar, BarKind, Blocker, Firmware, Function, Gpu, IommuGroup, ResizableBar, Slice, SliceKind};
pub use holders::Holder;
pub(crate) use holders::{NODES as HOLDER_NODES, open_nodes};
pub use host::{Distribution, Host, Iommu};
pub use modes::{Modes, Profile, Regime, Shared, Vf, Vgpu, VgpuInterface, Whole};
pub use whole::blocked;
pub(crate) use {console::console_chip, mdev::placement, vgpu::mixed_places};

use crate::{GpuError, Sysfs, firmware};
use oriel_model::{GpuAddress, GpuMode, PciAddress};
use reader::{MDEV_BUS, Reader, Seen};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A host and its GPUs, as `oriel gpu list --json` prints them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    pub host: Host,
    /// By address.
    pub gpus: Vec<Gpu>,
}

impl Inventory {
    /// The GPU of that address, or an error that names those there are. A function of its slot will do as well.
    pub fn gpu(&self, address: &GpuAddress) -> Result<&Gpu, GpuError> {
        let of_slot = |gpu: &&Gpu| match (gpu.address.pci(), address.pci()) {
            (Some(one), Some(other)) => {
                one.same_slot(other) && gpu.functions.iter().any(|function| function.address == other)
            }
            _ => false,
        };
        self.gpus.iter().find(|gpu| gpu.address == *address).or_else(|| self.gpus.iter().find(of_slot)).ok_or_else(
            || {
                let known: Vec<String> = self.gpus.iter().map(|gpu| gpu.address.to_string()).collect();
                GpuError::NoSuchGpu {
                    address: address.clone(),
                    host: self.host.name.clone(),
                    known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
                }
            },
        )
    }
}

/// PCI classes that are GPUs, as prefixes of the six hexadecimal digits: display controllers and processing accelerators.
pub const CLASSES: &[&str] = &["03", "12"];
/// Most GPUs of a host.
pub const GPUS_MAX: usize = 256;

/// Which controllers count as GPUs, and what is known beside what the host shows.
#[derive(Clone, Debug)]
pub struct Options {
    /// Prefixes of PCI class codes, [`CLASSES`] unless a lab asks for more.
    pub classes: Vec<String>,
    /// Ask the drivers' tools (`nvidia-smi`) where files do not tell everything; they take a second or more.
    pub commands: bool,
    /// The modes that somebody set and that are kept: a GPU that the host's driver has and nothing was carved from is `shared` or
    /// `vgpu` because somebody said so.
    pub wanted: BTreeMap<GpuAddress, GpuMode>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            classes: CLASSES.iter().map(|class| (*class).to_owned()).collect(),
            commands: true,
            wanted: BTreeMap::new(),
        }
    }
}

impl Options {
    /// Counts controllers of more classes as GPUs: prefixes in hexadecimal digits, separated by commas. Others are left out.
    #[must_use]
    pub fn with_classes(mut self, classes: &str) -> Self {
        let good = |class: &&str| (2..=6).contains(&class.len()) && class.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.classes.extend(classes.split(',').map(str::trim).filter(good).map(str::to_lowercase));
        self
    }
}

/// Reads a host. What is absent or unreadable is left out: a strange host is described, never refused.
pub fn inventory(sysfs: &dyn Sysfs, options: &Options) -> Result<Inventory, GpuError> {
    let reader = Reader::new(sysfs, options);
    let addresses = pci_gpus(&reader);
    let mut gpus: Vec<Gpu> = addresses.iter().map(|address| gpu(&reader, *address, &addresses)).collect();
    gpus.extend(made_up(&reader));
    gpus.extend(on_chip(&reader));
    gpus.sort_by(|one, other| one.address.cmp(&other.address));
    Ok(Inventory { host: reader.host, gpus })
}

/// One for each slot: the first of its functions that is a controller of the classes asked for. Virtual functions are slices.
fn pci_gpus(reader: &Reader) -> Vec<PciAddress> {
    let mut slots = BTreeSet::new();
    let wanted = |class: &str| reader.options.classes.iter().any(|prefix| class.starts_with(prefix.as_str()));
    let candidates = reader.pci.addresses().filter(|(_, class)| wanted(class)).map(|(address, _)| address);
    let first =
        candidates.filter(|address| !reader.pci.is_virtual(*address)).filter(|address| slots.insert(address.slot()));
    first.take(GPUS_MAX).collect()
}

fn gpu(reader: &Reader, address: PciAddress, all: &[PciAddress]) -> Gpu {
    let seen = reader.see(address);
    let own: Vec<PciAddress> = {
        let mut own = reader.pci.slot(address);
        own.sort_by_key(|one| (*one != address, *one));
        own
    };
    let group = reader.groups.of(&reader.pci, address, &own, all);
    let text = |name: &str| reader.sysfs.text(&format!("{}/{name}", seen.path));
    let subsystem_vendor_id = reader.pci.id(address, "subsystem_vendor");
    let slices = vgpu::read(reader, &seen);
    let (vf, functions) = vf::read(reader, &seen, slices.vgpu.interface);
    let made: Vec<Slice> = slices.made.into_iter().chain(functions).collect();
    let modes = Modes {
        whole: whole::read(reader, &seen, group.as_ref(), all),
        vgpu: slices.vgpu,
        vf,
        shared: shared::read(&seen),
    };
    let bars = bars::read(reader.sysfs, &seen.path);
    let revision = text("revision").unwrap_or_default().trim_start_matches("0x").to_owned();
    let numa_node = text("numa_node").and_then(|node| node.parse().ok()).filter(|_| reader.host.numa_nodes > 1);
    Gpu {
        address: GpuAddress::Pci(address),
        vendor: names::vendor(&seen.vendor_id),
        board: names::board(&seen.vendor_id, &seen.device_id, &subsystem_vendor_id, &seen.subsystem_device_id)
            .or_else(|| catalogue::board(&seen.vendor_id, &seen.device_id, &seen.subsystem_device_id)),
        revision: revision.clone(),
        driver_override: text("driver_override").filter(|name| !name.is_empty() && name != "(null)"),
        mode: mode(reader, &seen, &GpuAddress::Pci(address), &made, &modes),
        boot_vga: text("boot_vga").as_deref() == Some("1"),
        numa_node,
        functions: own.iter().map(|function| reader.pci.function(*function)).collect(),
        iommu_group: group,
        vram_mib: memory::read(reader, &seen, &bars),
        bars,
        reset_methods: text("reset_method").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        firmware: firmware::wanted(
            reader.sysfs,
            &firmware::Card {
                vendor_id: &seen.vendor_id,
                device_id: &seen.device_id,
                revision: &revision,
                name: &seen.title,
                driver: seen.driver.as_deref(),
                kernel: &reader.host.kernel,
                distribution: &reader.host.distribution,
            },
        ),
        holders: holders(reader, &seen),
        device_path: String::new(),
        modes,
        slices: made,
        name: seen.title,
        class: seen.class,
        driver: seen.driver,
        vendor_id: seen.vendor_id,
        device_id: seen.device_id,
        subsystem_device_id: seen.subsystem_device_id,
        subsystem_vendor_id,
    }
}

/// How a GPU is handed out, from its state; where the state leaves it open, what somebody wanted.
fn mode(reader: &Reader, gpu: &Seen, address: &GpuAddress, made: &[Slice], modes: &Modes) -> GpuMode {
    let vfio = |driver: &str| driver.starts_with("vfio") || driver.ends_with("vfio-pci");
    if gpu.driver.as_deref().is_some_and(vfio) && gpu.functions.is_empty() {
        return GpuMode::Whole;
    }
    if !gpu.functions.is_empty() {
        return if gpu.vendor_id == "10de" { GpuMode::Vgpu } else { GpuMode::Vf };
    }
    // NVIDIA's ordinary driver makes MIG instances too, for the host itself.
    if made.iter().any(|one| one.kind != SliceKind::MigInstance) {
        return GpuMode::Vgpu;
    }
    match reader.options.wanted.get(address) {
        Some(GpuMode::Vgpu) if modes.vgpu.available => GpuMode::Vgpu,
        Some(GpuMode::Shared) if modes.shared.available => GpuMode::Shared,
        Some(GpuMode::Host) => GpuMode::Host,
        // A parent of slices that is nothing else has no other use.
        _ if gpu.is_made_up() => GpuMode::Vgpu,
        _ => GpuMode::Host,
    }
}

fn holders(reader: &Reader, gpu: &Seen) -> Vec<Holder> {
    let vfio = reader.vfio_nodes(&gpu.path, gpu.group);
    let drm = gpu.nodes.iter().map(|name| format!("/dev/dri/{name}"));
    let mut holders: Vec<Holder> =
        vfio.into_iter().chain(drm).flat_map(|node| reader.holders().of(&node).to_vec()).collect();
    holders.sort();
    holders.dedup();
    holders
}

/// Parents of mediated displays that are no PCI device: the kernel's sample drivers.
fn made_up(reader: &Reader) -> Vec<Gpu> {
    let names = reader.sysfs.list(MDEV_BUS).unwrap_or_default();
    let others = names.into_iter().filter(|name| name.parse::<PciAddress>().is_err()).take(GPUS_MAX);
    let parent = |name: String| {
        let address = name.parse::<GpuAddress>().ok()?;
        let path = format!("{MDEV_BUS}/{name}");
        let types = mdev::types(reader.sysfs, &path);
        if !vgpu::displays(&types) {
            return None;
        }
        // Types are called `<driver>-<type>`.
        let driver = types.first().and_then(|one| one.id.split('-').next()).map(str::to_owned);
        let title = format!("{name} (mediated displays of the kernel)");
        Some(without_pci(reader, address, Seen { name, path, title, driver, ..Seen::default() }))
    };
    others.filter_map(parent).collect()
}

/// Graphics on a processor's chip that render: they are called by their driver's name.
fn on_chip(reader: &Reader) -> Vec<Gpu> {
    let mut gpus: Vec<Gpu> = Vec::new();
    for drm in reader.platform().filter(|one| one.nodes.iter().any(|node| node.starts_with("renderD"))).take(GPUS_MAX) {
        let Some(driver) = reader.sysfs.link_name(&format!("{}/driver", drm.path)) else { continue };
        let same = gpus.iter().filter(|gpu| gpu.driver.as_deref() == Some(driver.as_str())).count();
        let name = if same == 0 { driver.clone() } else { format!("{driver}-{}", same + 1) };
        let Ok(address) = name.parse::<GpuAddress>() else { continue };
        let seen = Seen {
            name,
            path: drm.path.clone(),
            title: names::on_chip(&driver).to_owned(),
            driver: Some(driver),
            nodes: drm.nodes.clone(),
            ..Seen::default()
        };
        gpus.push(without_pci(reader, address, seen));
    }
    gpus
}

fn without_pci(reader: &Reader, address: GpuAddress, seen: Seen) -> Gpu {
    let slices = vgpu::read(reader, &seen);
    let modes = Modes {
        whole: whole::read(reader, &seen, None, &[]),
        vf: vf::read(reader, &seen, slices.vgpu.interface).0,
        shared: shared::read(&seen),
        vgpu: slices.vgpu,
    };
    Gpu {
        mode: mode(reader, &seen, &address, &slices.made, &modes),
        holders: holders(reader, &seen),
        device_path: if seen.is_made_up() { String::new() } else { seen.path },
        address,
        vendor_id: String::new(),
        device_id: String::new(),
        subsystem_vendor_id: String::new(),
        subsystem_device_id: String::new(),
        revision: String::new(),
        vendor: String::new(),
        name: seen.title,
        board: None,
        class: String::new(),
        driver: seen.driver,
        driver_override: None,
        boot_vga: false,
        numa_node: None,
        functions: Vec::new(),
        iommu_group: None,
        bars: Vec::new(),
        vram_mib: None,
        reset_methods: Vec::new(),
        firmware: Vec::new(),
        modes,
        slices: slices.made,
    }
}
