//! What is carved out of a GPU now, as sysfs has it.

use super::{DEVICES, MDEVS};
use crate::{Sysfs, inventory::Gpu};
use oriel_model::PciAddress;
use uuid::Uuid;

/// Most virtual functions of one card; SR-IOV allows more, no GPU has them.
pub(crate) const FUNCTIONS_MAX: u64 = 256;
/// Most mediated devices of one host that are looked at.
const MDEVS_MAX: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mdev {
    pub uuid: Uuid,
    /// The name of its type's folder, `nvidia-18`.
    pub type_id: String,
    /// The parent's folder, as it was asked for.
    pub parent: String,
}

/// A virtual function that an NVIDIA vGPU can be put on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vendor {
    pub address: PciAddress,
    /// 0: nothing.
    pub type_id: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Carved {
    pub mdevs: Vec<Mdev>,
    /// Virtual functions in order.
    pub functions: Vec<PciAddress>,
    pub vendor: Vec<Vendor>,
}

pub(crate) fn folder(address: PciAddress) -> String {
    format!("{DEVICES}/{address}")
}

/// Where the vGPU type of a function is set.
pub(crate) fn vendor_file(address: PciAddress) -> String {
    format!("{DEVICES}/{address}/nvidia/current_vgpu_type")
}

/// Where the parameters of the vGPU on a function are set.
pub(crate) fn parameters_file(address: PciAddress) -> String {
    format!("{DEVICES}/{address}/nvidia/vgpu_params")
}

impl Carved {
    pub fn read(sysfs: &dyn Sysfs, gpu: &Gpu) -> Self {
        let path = gpu.path();
        let functions = functions(sysfs, &path);
        let vendor = functions
            .iter()
            .filter_map(|address| Some(Vendor { address: *address, type_id: sysfs.number(&vendor_file(*address))? }))
            .collect();
        let mut parents = vec![path];
        parents.extend(functions.iter().map(|address| folder(*address)));
        Self { mdevs: mdevs(sysfs, &parents), functions, vendor }
    }
}

/// The virtual functions of a physical one, in order.
pub(crate) fn functions(sysfs: &dyn Sysfs, path: &str) -> Vec<PciAddress> {
    (0..FUNCTIONS_MAX)
        .map_while(|index| sysfs.link_name(&format!("{path}/virtfn{index}")))
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// The mediated devices whose parent is one of those folders.
pub(crate) fn mdevs(sysfs: &dyn Sysfs, parents: &[String]) -> Vec<Mdev> {
    let uuids = sysfs.list(MDEVS).unwrap_or_default();
    if uuids.is_empty() {
        return Vec::new();
    }
    let real: Vec<(String, &String)> =
        parents.iter().filter_map(|parent| Some((sysfs.real_path(parent).ok()?, parent))).collect();
    let one = |name: &String| {
        let type_folder = sysfs.real_path(&format!("{MDEVS}/{name}/mdev_type")).ok()?;
        let (above, type_id) = type_folder.split_once("/mdev_supported_types/")?;
        let (_, parent) = real.iter().find(|(path, _)| path == above)?;
        Some(Mdev { uuid: name.parse().ok()?, type_id: type_id.to_owned(), parent: (*parent).clone() })
    };
    uuids.iter().take(MDEVS_MAX).filter_map(one).collect()
}
