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
    /// Names in `/sys/class/drm` by the function that they belong to.
    drm: BTreeMap<String, Vec<String>>,
    holders: OnceCell<Holders>,
    smi: OnceCell<Smi>,
    config: OnceCell<Option<Config>>,
    nvidia_version: OnceCell<Option<u32>>,
}

/// A GPU while it is being read.
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
}

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
    pub fn drm(&self, address: PciAddress) -> &[String] {
        self.drm.get(&address.to_string()).map_or(&[], Vec::as_slice)
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
        if !self.options.commands || gpu.total_vfs == 0 || gpu.driver.as_deref() != Some("nvidia") {
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

fn drm(sysfs: &dyn Sysfs) -> BTreeMap<String, Vec<String>> {
    let mut by_function: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in sysfs.list("/sys/class/drm").unwrap_or_default() {
        // `card0-HDMI-A-1` is a connector, `version` a file.
        let node = name.strip_prefix("card").or_else(|| name.strip_prefix("renderD"));
        if node.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
            && let Some(function) = sysfs.link_name(&format!("/sys/class/drm/{name}/device"))
        {
            by_function.entry(function).or_default().push(name);
        }
    }
    by_function
}
