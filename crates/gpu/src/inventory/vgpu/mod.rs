//! Slices of a GPU that are virtual GPUs: through mediated devices or NVIDIA's vendor VFIO.

mod config_xml;
pub(crate) mod known;
pub(crate) mod name;
mod nvidia;
mod pool;
mod slots;
mod smi;

pub(crate) use config_xml::{Config, PATH as CONFIG};
pub(crate) use slots::mixed_places;
pub(crate) use smi::{Smi, SmiGpu};

use super::{
    Profile, Slice, SliceKind, Vgpu,
    catalogue::{self, Gvt},
    mdev::{self, Mdev, MdevType},
    reader::{Reader, Seen},
};
use known::Known;
use oriel_model::PciAddress;

/// What is there, and what has been made of it.
#[derive(Default)]
pub(crate) struct Slices {
    pub vgpu: Vgpu,
    pub made: Vec<Slice>,
}

/// The slices of a GPU, whoever makes them.
pub(crate) fn read(reader: &Reader, gpu: &Seen) -> Slices {
    let ids = mdev::type_ids(reader.sysfs, &gpu.path);
    if gpu.vendor_id == "10de" {
        return nvidia::read(reader, gpu, &ids);
    }
    if !ids.is_empty() {
        return pool::read(reader, gpu);
    }
    let reasons = match gpu.vendor_id.as_str() {
        "8086" => without_gvt(reader, gpu),
        "1002" => vec![
            "AMD makes no mediated slices; what its cards can share out are virtual functions (mode vf)".to_owned(),
        ],
        _ => vec!["no driver of this host makes slices of it".to_owned()],
    };
    Slices { vgpu: Vgpu { reasons, ..Vgpu::default() }, made: Vec::new() }
}

/// Why Intel graphics without types have none.
fn without_gvt(reader: &Reader, gpu: &Seen) -> Vec<String> {
    if catalogue::gvt(&gpu.device_id) == Gvt::Never {
        let instead = match catalogue::intel_sriov(&gpu.device_id) {
            Some(sriov) if gpu.total_vfs > 0 => format!(": {} has virtual functions instead (mode vf)", sriov.platform),
            Some(sriov) => {
                format!(": {} would have virtual functions instead; mode vf says what they take", sriov.platform)
            }
            None => String::new(),
        };
        return vec![format!("GVT-g exists for the 5th to 10th generation of Intel's graphics only{instead}")];
    }
    let mut reasons = Vec::new();
    if gpu.driver.as_deref() != Some("i915") {
        let holds =
            gpu.driver.as_deref().map_or("no driver holds it".to_owned(), |driver| format!("`{driver}` holds it"));
        reasons.push(format!("GVT-g is made by the driver i915, and {holds}"));
    }
    let parameter = reader.sysfs.text("/sys/module/i915/parameters/enable_gvt");
    if parameter.is_none() && gpu.driver.as_deref() == Some("i915") {
        reasons.push(
            "this kernel's i915 is built without GVT-g (/sys/module/i915/parameters/enable_gvt is missing)".to_owned(),
        );
    } else if !matches!(parameter.as_deref(), Some("Y" | "1") | None) {
        reasons.push("GVT-g is off: i915.enable_gvt=1 is missing on the kernel command line".to_owned());
    }
    if !reader.sysfs.exists("/sys/module/kvmgt") {
        reasons.push("the module kvmgt is not loaded (modprobe kvmgt; cloud kernels do not have it)".to_owned());
    }
    if reader.sysfs.number("/sys/module/i915/parameters/enable_guc").is_some_and(|guc| guc != 0 && guc < 256) {
        reasons.push("i915.enable_guc is on, and GVT-g needs it off (i915.enable_guc=0)".to_owned());
    }
    if reasons.is_empty() {
        reasons.push("i915 offers no types: the aperture may be too small (raise \"Aperture Size\" in the BIOS), see the kernel log".to_owned());
    }
    reasons
}

/// A parent of mediated devices that is no PCI device and makes displays: the kernel's sample drivers. `None` for parents of
/// something else (crypto, channels, serial ports).
pub(crate) fn displays(types: &[MdevType]) -> bool {
    types.iter().any(|one| one.device_api == "vfio-pci" && one.description.is_some())
}

/// A profile as far as one type's facts go; room and places come later.
pub(crate) fn profile(known: &Known, id: String) -> Profile {
    let name = known.name();
    Profile {
        key: known.key.clone(),
        id,
        framebuffer_mib: known.framebuffer_mib,
        max_per_gpu: known.max,
        free: 0,
        heads: known.heads,
        max_resolution: known.resolution.clone(),
        frame_rate_limit: known.frame_rate_limit.or(name.map(name::Name::frame_rate_limit)).filter(|limit| *limit > 0),
        license: name.map(|name| name.license().to_owned()),
        placement_ids: Vec::new(),
        placement_size: 0,
        mixed_placement_ids: Vec::new(),
    }
}

fn mdev_slice(reader: &Reader, mdev: &Mdev, parent: Option<PciAddress>, profile: Option<String>) -> Slice {
    Slice {
        kind: SliceKind::Mdev,
        name: mdev.uuid.clone(),
        profile,
        parent,
        driver: mdev.driver.clone(),
        iommu_group: mdev.group,
        placement: mdev.placement,
        in_use: reader.in_use(&mdev.path, mdev.group),
    }
}
