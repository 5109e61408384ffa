//! Mediated devices: the types that a parent offers, and the devices that exist (Documentation/ABI/testing/sysfs-bus-vfio-mdev).

use crate::Sysfs;
use std::collections::BTreeMap;

/// Most types of one parent.
const TYPES_MAX: usize = 256;
/// Most mediated devices of a host that are read.
const DEVICES_MAX: usize = 4096;

/// A folder in `mdev_supported_types`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MdevType {
    /// The folder's name: `nvidia-18`, `i915-GVTg_V5_4`.
    pub id: String,
    pub name: String,
    pub device_api: String,
    /// May have several lines; `None` where the driver has none.
    pub description: Option<String>,
    pub available: u32,
}

/// The types of a parent, by the order of their ids.
pub(crate) fn types(sysfs: &dyn Sysfs, parent: &str) -> Vec<MdevType> {
    let ids = type_ids(sysfs, parent);
    ids.into_iter()
        .map(|id| {
            let file = |name: &str| sysfs.text(&format!("{parent}/mdev_supported_types/{id}/{name}"));
            MdevType {
                name: file("name").unwrap_or_default(),
                device_api: file("device_api").unwrap_or_default(),
                description: file("description"),
                available: file("available_instances").and_then(|text| text.parse().ok()).unwrap_or(0),
                id,
            }
        })
        .collect()
}

/// Only the names of the folders.
pub(crate) fn type_ids(sysfs: &dyn Sysfs, parent: &str) -> Vec<String> {
    let mut ids = sysfs.list(&format!("{parent}/mdev_supported_types")).unwrap_or_default();
    ids.truncate(TYPES_MAX);
    ids
}

/// While NVIDIA's driver brings virtual functions up, types are called `pci-<n>` for some seconds before they become `nvidia-<n>`:
/// such a reading is not yet one.
pub(crate) fn settled(ids: &[String]) -> bool {
    !ids.iter().any(|id| id.starts_with("pci-"))
}

/// A mediated device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mdev {
    pub uuid: String,
    /// The type's folder name.
    pub type_id: String,
    pub driver: Option<String>,
    pub group: Option<u32>,
    /// `vgpu-placement-id` of NVIDIA's `vgpu_params`.
    pub placement: Option<u8>,
    pub path: String,
}

/// All mediated devices of the host by the name of their parent's folder.
pub(crate) fn devices(sysfs: &dyn Sysfs) -> BTreeMap<String, Vec<Mdev>> {
    const BUS: &str = "/sys/bus/mdev/devices";
    let mut by_parent: BTreeMap<String, Vec<Mdev>> = BTreeMap::new();
    for uuid in sysfs.list(BUS).unwrap_or_default().into_iter().take(DEVICES_MAX) {
        let path = format!("{BUS}/{uuid}");
        let type_id = sysfs.link_name(&format!("{path}/mdev_type")).unwrap_or_default();
        let Some(parent) = parent(sysfs, &path, &uuid) else { continue };
        by_parent.entry(parent).or_default().push(Mdev {
            type_id,
            driver: sysfs.link_name(&format!("{path}/driver")),
            group: sysfs.link_name(&format!("{path}/iommu_group")).and_then(|name| name.parse().ok()),
            placement: sysfs.text(&format!("{path}/nvidia/vgpu_params")).and_then(|text| placement(&text)),
            uuid,
            path,
        });
    }
    by_parent
}

/// A device lies in its parent's folder; its type lies below the parent, too.
fn parent(sysfs: &dyn Sysfs, path: &str, uuid: &str) -> Option<String> {
    let real = sysfs.real_path(path).ok()?;
    let above = real.strip_suffix(uuid)?.trim_end_matches('/');
    if !above.ends_with("/bus/mdev/devices") {
        return above.rsplit('/').next().map(str::to_owned);
    }
    let of_type = sysfs.real_path(&format!("{path}/mdev_type")).ok()?;
    let (above, _) = of_type.split_once("/mdev_supported_types")?;
    above.rsplit('/').next().map(str::to_owned)
}

/// `frame_rate_limiter=0, vgpu-placement-id=6`.
pub(crate) fn placement(parameters: &str) -> Option<u8> {
    let value = parameters.split(',').find_map(|part| part.trim().strip_prefix("vgpu-placement-id="))?;
    value.trim().parse().ok()
}
