//! One look at a host: what several GPUs need is read once, and only when one needs it.

use super::{
    Host, Options,
    group::Groups,
    holders::Holders,
    mdev::{self, Mdev},
    names,
    pci::{self, Pci},
    vgpu::{Config, Smi},
};
use crate::Sysfs;
use oriel_model::PciAddress;
use std::{cell::OnceCell, collections::BTreeMap};

pub(crate) struct Reader<'a> {
    pub sysfs: &'a dyn Sysfs,
    pub options: &'a Options,
    pub host: Host,
    pub pci: Pci<'a>,
    pub groups: Groups<'a>,
    mdevs: BTreeMap<String, Vec<Mdev>>,
    drm: Vec<Drm>,
    holders: OnceCell<Holders>,
    smi: OnceCell<Smi>,
    config: OnceCell<Option<Config>>,
    nvidia_version: OnceCell<Option<u32>>,
}

/// A GPU while it is being read.
#[derive(Default)]
pub(crate) struct Seen {
    /// `None` for what is no PCI device.
    pub address: Option<PciAddress>,
    /// The last part of its path: how mediated devices name their parent.
    pub name: String,
    pub path: String,
    pub title: String,
    pub vendor_id: String,
    pub device_id: String,
    pub subsystem_device_id: String,
    pub class: String,
    pub driver: Option<String>,
    pub group: Option<u32>,
    pub total_vfs: u32,
    pub functions: Vec<VirtualFunction>,
    /// Names in `/dev/dri`.
    pub nodes: Vec<String>,
}

impl Seen {
    /// A parent of mediated devices with no hardware below it.
    pub fn is_made_up(&self) -> bool {
        self.address.is_none() && self.path.starts_with(MDEV_BUS)
    }
}

/// Where the kernel lists parents of mediated devices.
pub(crate) const MDEV_BUS: &str = "/sys/class/mdev_bus";

/// A virtual function and what NVIDIA's driver says on it.
pub(crate) struct VirtualFunction {
    pub address: PciAddress,
    pub path: String,
    pub driver: Option<String>,
    pub group: Option<u32>,
    /// `nvidia/current_vgpu_type`; 0 for none.
    pub vendor_type: Option<u32>,
    /// Folders in `mdev_supported_types`.
    pub type_ids: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(sysfs: &'a dyn Sysfs, options: &'a Options) -> Self {
        Self {
            sysfs,
            options,
            host: Host::read(sysfs),
            pci: Pci::read(sysfs),
            groups: Groups::new(sysfs),
            mdevs: mdev::devices(sysfs),
            drm: drm(sysfs),
            holders: OnceCell::new(),
            smi: OnceCell::new(),
            config: OnceCell::new(),
            nvidia_version: OnceCell::new(),
        }
    }

    /// The mediated devices below a folder of this name.
    pub fn mdevs(&self, parent: &str) -> &[Mdev] {
        self.mdevs.get(parent).map_or(&[], Vec::as_slice)
    }

    /// Names of a function's nodes in `/dev/dri`, `card0` and `renderD128`.
    pub fn nodes(&self, address: PciAddress) -> impl Iterator<Item = &str> {
        let of_function = self.drm.iter().filter(move |one| one.function == Some(address));
        of_function.flat_map(|one| &one.nodes).map(String::as_str)
    }

    /// Graphics that are no PCI function: parts of a processor's chip. Those that the kernel makes up are left out.
    pub fn platform(&self) -> impl Iterator<Item = &Drm> {
        self.drm
            .iter()
            .filter(|one| one.function.is_none() && !one.path.contains("/virtual/") && !one.path.ends_with("/vgem"))
    }

    pub fn holders(&self) -> &Holders {
        self.holders.get_or_init(|| Holders::read(self.sysfs))
    }

    /// A process has this device open through VFIO: by its group, or by its own node (Linux 6.6 and later, `vfio-dev/vfio3`).
    pub fn in_use(&self, path: &str, group: Option<u32>) -> bool {
        self.vfio_nodes(path, group).iter().any(|node| !self.holders().of(node).is_empty())
    }

    pub fn vfio_nodes(&self, path: &str, group: Option<u32>) -> Vec<String> {
        let own = self.sysfs.list(&format!("{path}/vfio-dev")).unwrap_or_default();
        let own = own.into_iter().map(|name| format!("/dev/vfio/devices/{name}"));
        group.map(|group| format!("/dev/vfio/{group}")).into_iter().chain(own).collect()
    }

    /// What `nvidia-smi` says of a GPU. It is asked only where its answer decides: of cards with SR-IOV that NVIDIA's driver holds.
    pub fn smi(&self, gpu: &Seen) -> Option<&super::vgpu::SmiGpu> {
        if gpu.total_vfs == 0 || gpu.driver.as_deref() != Some("nvidia") {
            return None;
        }
        self.ask_smi(gpu)
    }

    /// The same of any GPU; it takes a second or more, once.
    pub fn ask_smi(&self, gpu: &Seen) -> Option<&super::vgpu::SmiGpu> {
        if !self.options.commands {
            return None;
        }
        self.smi.get_or_init(|| Smi::read(self.sysfs)).gpu(gpu.address?)
    }

    /// The catalogue of NVIDIA's host driver.
    pub fn config(&self) -> Option<&Config> {
        self.config.get_or_init(|| Config::read(self.sysfs)).as_ref()
    }

    /// The branch of NVIDIA's driver that is loaded, `535`.
    pub fn nvidia_version(&self) -> Option<u32> {
        let read = || self.sysfs.text("/sys/module/nvidia/version")?.split('.').next()?.parse().ok();
        *self.nvidia_version.get_or_init(read)
    }

    /// A PCI function that is a GPU.
    pub fn see(&self, address: PciAddress) -> Seen {
        let path = pci::path(address);
        let (vendor_id, device_id) = (self.pci.id(address, "vendor"), self.pci.id(address, "device"));
        let class = self.pci.class(address).to_owned();
        let nvidia = vendor_id == "10de";
        let functions =
            self.pci.virtual_functions(address).into_iter().map(|function| self.see_virtual(function, nvidia));
        Seen {
            address: Some(address),
            name: address.to_string(),
            title: names::device(&vendor_id, &device_id, &class),
            subsystem_device_id: self.pci.id(address, "subsystem_device"),
            driver: self.pci.driver(address),
            group: self.pci.group(address),
            total_vfs: self
                .sysfs
                .number(&format!("{path}/sriov_totalvfs"))
                .and_then(|count| count.try_into().ok())
                .unwrap_or(0),
            functions: functions.collect(),
            nodes: self.nodes(address).map(str::to_owned).collect(),
            class: class.get(..4).unwrap_or(&class).to_owned(),
            vendor_id,
            device_id,
            path,
        }
    }

    fn see_virtual(&self, address: PciAddress, nvidia: bool) -> VirtualFunction {
        let path = pci::path(address);
        let vendor_type = || self.sysfs.text(&format!("{path}/nvidia/current_vgpu_type"))?.parse().ok();
        VirtualFunction {
            address,
            driver: self.pci.driver(address),
            group: self.pci.group(address),
            vendor_type: nvidia.then(vendor_type).flatten(),
            type_ids: if nvidia { mdev::type_ids(self.sysfs, &path) } else { Vec::new() },
            path,
        }
    }
}

/// A graphics device that the kernel shows to programs.
pub(crate) struct Drm {
    /// The nearest PCI function above it: a virtio GPU's own device lies below its function.
    pub function: Option<PciAddress>,
    /// Its folder below `/sys/devices`.
    pub path: String,
    /// `card0`, `renderD128`.
    pub nodes: Vec<String>,
}

fn drm(sysfs: &dyn Sysfs) -> Vec<Drm> {
    let mut devices: BTreeMap<String, Drm> = BTreeMap::new();
    for name in sysfs.list("/sys/class/drm").unwrap_or_default() {
        // `card0-HDMI-A-1` is a connector, `version` a file.
        let number = name.strip_prefix("card").or_else(|| name.strip_prefix("renderD"));
        if number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
            && let Some(path) = device(sysfs, &name)
        {
            let function = path.rsplit('/').find_map(|part| part.parse().ok());
            devices.entry(path.clone()).or_insert_with(|| Drm { function, path, nodes: Vec::new() }).nodes.push(name);
        }
    }
    devices.into_values().collect()
}

/// Where a node's device lies. In a capture that has no more than the link, the link's last part will do.
fn device(sysfs: &dyn Sysfs, name: &str) -> Option<String> {
    let link = format!("/sys/class/drm/{name}/device");
    sysfs.real_path(&link).ok().or_else(|| sysfs.link(&link).ok())
}
