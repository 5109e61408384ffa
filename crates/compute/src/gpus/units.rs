//! Units that desktops hold, made true on the host and taken back. Each step may be repeated.

use oriel_gpu::{Sysfs, mode};
use oriel_model::{GpuAddress, GpuHold, GpuMode, GpuUnit, PciAddress};

const MDEVS: &str = "/sys/bus/mdev/devices";
const DEVICES: &str = "/sys/bus/pci/devices";
/// No room for another mediated device, or no more of that type (`ENOSPC`, `EUSERS`; Linux, `errno.h`).
const NO_ROOM: [i32; 2] = [28, 87];

/// Makes a slice that is not there; for the other units, checks that the card's mode has made them.
pub(super) fn prepare(sysfs: &dyn Sysfs, hold: &GpuHold) -> Result<(), String> {
    match &hold.unit {
        GpuUnit::Mdev { uuid, parent, type_id } => {
            let device = format!("{MDEVS}/{uuid}");
            if sysfs.exists(&device) {
                let kind = sysfs.link_name(&format!("{device}/mdev_type"));
                return match kind {
                    Some(kind) if kind != *type_id => Err(format!(
                        "the slice {uuid} exists as {kind}, not {type_id}; remove it: echo 1 > {device}/remove"
                    )),
                    _ => Ok(()),
                };
            }
            let file = format!("{}/mdev_supported_types/{type_id}/create", folder(parent));
            sysfs.write(&file, uuid.to_string().as_bytes()).map_err(|error| {
                if error.raw_os_error().is_some_and(|number| NO_ROOM.contains(&number)) {
                    format!("{parent} has no room for another {}: somebody else made a slice there; look with `oriel gpu show {parent}`", what(hold))
                } else {
                    format!("{parent} does not give a {}: {file}: {error}", what(hold))
                }
            })
        }
        GpuUnit::VendorVf { address, type_id } => {
            let file = format!("{DEVICES}/{address}/nvidia/current_vgpu_type");
            match sysfs.number(&file) {
                None => {
                    Err(format!("{address} carries no vGPUs: {file} is not there; set the card's mode to vgpu again"))
                }
                Some(now) if now == u64::from(*type_id) => Ok(()),
                Some(0) => sysfs
                    .write(&file, type_id.to_string().as_bytes())
                    .map_err(|error| format!("{address} does not give a {}: {file}: {error}", what(hold))),
                Some(now) => Err(format!("{address} carries another vGPU already (type {now}); stop who has it first")),
            }
        }
        GpuUnit::Whole { functions } => {
            functions.iter().try_for_each(|function| bound(sysfs, *function, GpuMode::Whole))
        }
        GpuUnit::Vf { address } => bind(sysfs, *address),
        GpuUnit::Shared { render_node } if sysfs.exists(render_node) => Ok(()),
        GpuUnit::Shared { render_node } => {
            Err(format!("{render_node} is not there: the host's driver for {} does not run", hold.gpu))
        }
    }
}

/// Removes what [`prepare`] made. Nobody may use it any more.
pub(super) fn release(sysfs: &dyn Sysfs, hold: &GpuHold) -> Result<(), String> {
    let (file, word) = match &hold.unit {
        GpuUnit::Mdev { uuid, .. } => (format!("{MDEVS}/{uuid}/remove"), "1"),
        GpuUnit::VendorVf { address, type_id } => {
            let file = format!("{DEVICES}/{address}/nvidia/current_vgpu_type");
            // Another desktop's by now, or nothing.
            if sysfs.number(&file) != Some(u64::from(*type_id)) {
                return Ok(());
            }
            (file, "0")
        }
        GpuUnit::Whole { .. } | GpuUnit::Vf { .. } | GpuUnit::Shared { .. } => return Ok(()),
    };
    match sysfs.write(&file, word.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => {
            Err(format!("the {} on {} cannot be given back: {file}: {error}; it may be in use", what(hold), hold.gpu))
        }
        Ok(()) => Ok(()),
    }
}

/// Slices that carry the mark of a desktop, claimed or not.
pub(super) fn slices(sysfs: &dyn Sysfs) -> Vec<GpuHold> {
    let names = sysfs.list(MDEVS).unwrap_or_default();
    let slice = |name: String| {
        let uuid = name.parse().ok().filter(|uuid| mode::owner(*uuid) == Some(mode::Owner::Desktop))?;
        let device = sysfs.real_path(&format!("{MDEVS}/{name}")).ok()?;
        let (above, _) = device.rsplit_once('/')?;
        let parent: GpuAddress = above.rsplit('/').next()?.parse().ok()?;
        let type_id = sysfs.link_name(&format!("{MDEVS}/{name}/mdev_type"))?;
        // A virtual function's card is its physical one.
        let card = sysfs.link_name(&format!("{above}/physfn")).and_then(|name| name.parse().ok());
        Some(GpuHold {
            gpu: card.unwrap_or_else(|| parent.clone()),
            mode: GpuMode::Vgpu,
            profile: None,
            slots: Vec::new(),
            unit: GpuUnit::Mdev { uuid, parent, type_id },
        })
    };
    names.into_iter().filter_map(slice).collect()
}

fn folder(parent: &GpuAddress) -> String {
    match parent {
        GpuAddress::Pci(address) => format!("{DEVICES}/{address}"),
        GpuAddress::Device(name) => format!("/sys/class/mdev_bus/{name}"),
    }
}

fn what(hold: &GpuHold) -> &str {
    hold.profile.as_deref().unwrap_or("slice")
}

/// Gives a virtual function to VFIO; it stays there for the next desktop.
fn bind(sysfs: &dyn Sysfs, function: PciAddress) -> Result<(), String> {
    let device = format!("{DEVICES}/{function}");
    if bound(sysfs, function, GpuMode::Vf).is_ok() {
        return Ok(());
    }
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| format!("{function} cannot be given to VFIO: {what}: {error}")
    };
    if !sysfs.exists("/sys/bus/pci/drivers/vfio-pci") {
        sysfs.run(&["modprobe", "vfio-pci"]).map_err(failed("modprobe vfio-pci"))?;
    }
    // Only this function: a driver's `new_id` would take all that are like it.
    let choose = format!("{device}/driver_override");
    sysfs.write(&choose, b"vfio-pci").map_err(failed(&choose))?;
    let name = function.to_string();
    if sysfs.exists(&format!("{device}/driver")) {
        let unbind = format!("{device}/driver/unbind");
        sysfs.write(&unbind, name.as_bytes()).map_err(failed(&unbind))?;
    }
    const PROBE: &str = "/sys/bus/pci/drivers_probe";
    sysfs.write(PROBE, name.as_bytes()).map_err(failed(PROBE))?;
    bound(sysfs, function, GpuMode::Vf)
}

fn bound(sysfs: &dyn Sysfs, function: PciAddress, mode: GpuMode) -> Result<(), String> {
    let driver = sysfs.link_name(&format!("{DEVICES}/{function}/driver"));
    match driver {
        Some(driver) if driver.ends_with("vfio-pci") || driver.ends_with("vfio_pci") => Ok(()),
        // A bridge of the card's own has no driver, and needs none.
        None if sysfs.exists(&format!("{DEVICES}/{function}")) && mode == GpuMode::Whole => Ok(()),
        driver => Err(format!(
            "{function} is {}, not with VFIO; set it again: oriel gpu mode set {function} {mode}",
            driver.map_or_else(|| String::from("with no driver"), |driver| format!("with {driver}"))
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_gpu::{kernel::Kernel, sysfs::Tree};

    fn hold(unit: GpuUnit) -> GpuHold {
        GpuHold { gpu: "c1:00.0".parse().unwrap(), mode: GpuMode::Vgpu, profile: None, slots: Vec::from([0]), unit }
    }

    #[test]
    fn a_virtual_function_comes_to_vfio_and_stays() {
        let mut host = Tree::new();
        let device = "/sys/devices/pci0000:c0/0000:c1:00.4";
        for (name, content) in [("vendor", "0x8086\n"), ("device", "0x56c0\n"), ("class", "0x038000\n")] {
            host.file(&format!("{device}/{name}"), content);
        }
        host.link_to("/sys/bus/pci/devices/0000:c1:00.4", "../../../devices/pci0000:c0/0000:c1:00.4")
            .link_to(&format!("{device}/iommu_group"), "../../../kernel/iommu_groups/9")
            .link_to("/sys/kernel/iommu_groups/9/devices/0000:c1:00.4", format!("../../../../{}", &device[1..]));
        let kernel = Kernel::new(host);
        let function = hold(GpuUnit::Vf { address: "c1:00.4".parse().unwrap() });
        for _ in 0..2 {
            prepare(&kernel, &function).unwrap();
        }
        assert_eq!(kernel.link_name("/sys/bus/pci/devices/0000:c1:00.4/driver").as_deref(), Some("vfio-pci"));
        release(&kernel, &function).unwrap();
        prepare(&kernel, &function).unwrap();
        assert_eq!(kernel.changes(), 2, "{:?}", kernel.log());
    }

    #[test]
    fn a_vendors_function_keeps_its_vgpu_from_others() {
        let mut host = Tree::new();
        let file = "/sys/bus/pci/devices/0000:c1:00.4/nvidia/current_vgpu_type";
        host.file(file, "557\n");
        let unit = |type_id| hold(GpuUnit::VendorVf { address: "c1:00.4".parse().unwrap(), type_id });
        prepare(&host, &unit(557)).unwrap();
        assert!(prepare(&host, &unit(558)).unwrap_err().contains("carries another vGPU already (type 557)"));
        release(&host, &unit(558)).unwrap();
        host.file(file, "0\n");
        release(&host, &unit(557)).unwrap();
        host.remove(file);
        assert!(prepare(&host, &unit(557)).unwrap_err().contains("set the card's mode to vgpu again"));
    }
}
