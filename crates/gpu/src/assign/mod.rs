//! Giving units of GPUs to desktops and taking them back.
//!
//! ```text
//!  hold ─▶ GpuHold ─▶ (a row with a UNIQUE constraint) ─▶ prepare ─▶ the desktop runs ─▶ release ─▶ (row gone)
//!   │                                                        └────── again and again, any time ─────┘
//!   └ names the unit: a UUID made of the desktop's id, a free virtual function, the functions of a slot
//!
//!  leftovers ─▶ slices with our mark that no row claims ─▶ release
//! ```
//!
//! Every call looks first and does only what is missing: a reconciler that is killed between any two steps does the same again
//! and arrives. Nothing that a process holds is ever taken away ([`AssignError::InUse`]).
//!
//! | unit | `prepare` | `release` |
//! |---|---|---|
//! | whole | checks that vfio-pci has every function (mode `whole` does the binding) | nothing |
//! | mdev | makes it | removes it |
//! | vendor VF | writes the vGPU's type | writes 0 |
//! | VF | binds it to vfio-pci | nothing: VFIO resets it |
//! | shared | checks that the render node is there | nothing |

mod hold;
mod leftovers;

pub use hold::{Wish, hold};
pub use leftovers::{Leftover, leftovers};

use crate::{
    Sysfs,
    inventory::placement,
    mode::{self, Action, DEVICES, MDEVS, Usage, explain, is_vfio},
};
use oriel_model::{GpuAddress, GpuHold, GpuUnit, PciAddress};
use uuid::Uuid;

#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    #[error("{unit} is in use by {by}; stop what holds it first")]
    InUse { unit: String, by: String },
    #[error("{gpu} is not in mode {mode}: {why}; run `oriel gpu mode set {gpu} {mode}`")]
    NotReady { gpu: GpuAddress, mode: oriel_model::GpuMode, why: String },
    #[error("{gpu} has no room for {what}: {why}")]
    NoRoom { gpu: GpuAddress, what: String, why: String },
    #[error("{uuid} exists already as {is}, and should be {wanted}; remove it by hand: it is not what Oriel made")]
    Foreign { uuid: Uuid, is: String, wanted: String },
    #[error("{what} failed: {why}")]
    Failed { what: String, why: String },
}

/// Makes a desktop's unit ready for its machine.
///
/// # Errors
/// The card is not in the mode, is full, or somebody else uses the unit. Nothing is left half: what was made stays, and the same
/// call goes on from there.
pub fn prepare(sysfs: &dyn Sysfs, hold: &GpuHold) -> Result<(), AssignError> {
    match &hold.unit {
        GpuUnit::Whole { functions } => whole(sysfs, hold, functions),
        GpuUnit::Mdev { uuid, parent, type_id } => make(sysfs, hold, *uuid, parent, type_id),
        GpuUnit::VendorVf { address, type_id } => carry(sysfs, hold, *address, *type_id),
        GpuUnit::Vf { address } => bind(sysfs, hold, *address),
        GpuUnit::Shared { render_node } => {
            if sysfs.exists(render_node) || sysfs.exists(&format!("/sys/class/drm/{}", last(render_node))) {
                return Ok(());
            }
            Err(not_ready(hold, format!("there is no {render_node}")))
        }
    }
}

/// Takes a desktop's unit back. Of what is not there nothing needs to be taken.
///
/// # Errors
/// A process still holds it: stop the machine, then do it again.
pub fn release(sysfs: &dyn Sysfs, hold: &GpuHold) -> Result<(), AssignError> {
    match &hold.unit {
        GpuUnit::Mdev { uuid, .. } => {
            let path = format!("{MDEVS}/{uuid}");
            if !sysfs.exists(&path) {
                return Ok(());
            }
            write(sysfs, &format!("remove the slice {uuid}"), format!("{path}/remove"), "1")
        }
        GpuUnit::VendorVf { address, .. } => {
            let file = mode::carved::vendor_file(*address);
            if sysfs.number(&file).is_none_or(|now| now == 0) {
                return Ok(());
            }
            write(sysfs, &format!("free the vGPU on {address}"), file, "0")
        }
        GpuUnit::Whole { .. } | GpuUnit::Vf { .. } | GpuUnit::Shared { .. } => Ok(()),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn not_ready(hold: &GpuHold, why: String) -> AssignError {
    AssignError::NotReady { gpu: hold.gpu.clone(), mode: hold.mode, why }
}

/// One write with its look before and after; see [`mode::apply`].
fn write(sysfs: &dyn Sysfs, what: &str, path: String, content: &str) -> Result<(), AssignError> {
    let action = Action::Write { path, content: content.to_owned() };
    mode::take(sysfs, &action).map_err(|why| AssignError::Failed { what: what.to_owned(), why })
}

/// Nobody holds the device, or who does.
fn idle(sysfs: &dyn Sysfs, path: &str) -> Result<(), AssignError> {
    match Usage::read(sysfs).device(sysfs, path) {
        Some(by) => Err(AssignError::InUse { unit: last(path).to_owned(), by }),
        None => Ok(()),
    }
}

fn driver(sysfs: &dyn Sysfs, address: PciAddress) -> Option<String> {
    sysfs.link_name(&format!("{DEVICES}/{address}/driver"))
}

fn whole(sysfs: &dyn Sysfs, hold: &GpuHold, functions: &[PciAddress]) -> Result<(), AssignError> {
    for address in functions {
        match driver(sysfs, *address) {
            Some(name) if is_vfio(&name) => {}
            Some(name) => return Err(not_ready(hold, format!("{address} is bound to {name}, not to vfio-pci"))),
            None => return Err(not_ready(hold, format!("{address} is not bound to vfio-pci"))),
        }
    }
    Ok(())
}

/// A parent's folder: a function of the PCI bus, or what the kernel's samples have.
fn parent_folder(parent: &GpuAddress) -> String {
    match parent {
        GpuAddress::Pci(address) => format!("{DEVICES}/{address}"),
        GpuAddress::Device(name) => format!("/sys/class/mdev_bus/{name}"),
    }
}

fn make(sysfs: &dyn Sysfs, hold: &GpuHold, uuid: Uuid, parent: &GpuAddress, type_id: &str) -> Result<(), AssignError> {
    let folder = parent_folder(parent);
    let kind = format!("{folder}/mdev_supported_types/{type_id}");
    let path = format!("{MDEVS}/{uuid}");
    let wanted = || format!("{type_id} of {parent}");
    let is_ours = || {
        let real = sysfs.real_path(&format!("{path}/mdev_type")).ok();
        real.is_some() && real == sysfs.real_path(&kind).ok()
    };
    let foreign = || AssignError::Foreign {
        uuid,
        is: sysfs.real_path(&format!("{path}/mdev_type")).unwrap_or_else(|_| "something else".to_owned()),
        wanted: wanted(),
    };
    let placed = || place(sysfs, hold, &path, &format!("{path}/nvidia/vgpu_params"));
    if sysfs.exists(&path) {
        return if is_ours() { placed() } else { Err(foreign()) };
    }
    if !sysfs.exists(&kind) {
        return Err(not_ready(hold, format!("{parent} does not offer {type_id} now")));
    }
    let action = Action::Write { path: format!("{kind}/create"), content: uuid.to_string() };
    match sysfs.write(&format!("{kind}/create"), uuid.to_string().as_bytes()) {
        // Somebody who does the same was quicker.
        Err(error) if error.raw_os_error() == Some(crate::kernel::errno::EEXIST) && is_ours() => placed(),
        Err(error) => Err(AssignError::NoRoom { gpu: hold.gpu.clone(), what: wanted(), why: explain(&action, &error) }),
        Ok(()) if is_ours() => placed(),
        Ok(()) => {
            Err(AssignError::Failed { what: format!("make the slice {uuid}"), why: "it did not appear".to_owned() })
        }
    }
}

fn carry(sysfs: &dyn Sysfs, hold: &GpuHold, address: PciAddress, type_id: u32) -> Result<(), AssignError> {
    let file = mode::carved::vendor_file(address);
    let Some(now) = sysfs.number(&file) else {
        return Err(not_ready(hold, format!("{address} is no virtual function that carries vGPUs")));
    };
    let placed = || place(sysfs, hold, &mode::carved::folder(address), &mode::carved::parameters_file(address));
    if now == u64::from(type_id) {
        return placed();
    }
    idle(sysfs, &mode::carved::folder(address))?;
    if now != 0 {
        write(sysfs, &format!("free the vGPU on {address}"), file.clone(), "0")?;
    }
    write(sysfs, &format!("put a vGPU of type {type_id} onto {address}"), file, &type_id.to_string()).map_err(
        |error| AssignError::NoRoom {
            gpu: hold.gpu.clone(),
            what: format!("a vGPU of type {type_id}"),
            why: error.to_string(),
        },
    )?;
    placed()
}

/// Where sizes are mixed, a slice lies where it was claimed and not where the driver would put it: `vgpu-placement-id` of its
/// parameters (vGPU user guide 17, 2.12), read back. Elsewhere, and where the driver has no such file, there is nothing to say. What a
/// machine holds already lies where it lies.
fn place(sysfs: &dyn Sysfs, hold: &GpuHold, device: &str, file: &str) -> Result<(), AssignError> {
    let (Some(first), Some(own)) = (hold.slots.iter().min(), hold.gpu.pci()) else { return Ok(()) };
    let Some(now) = sysfs.text(file) else { return Ok(()) };
    if placement(&now) == Some(*first)
        || mode::nvidia::mixed(sysfs, &own.to_string()) != Some(true)
        || idle(sysfs, device).is_err()
    {
        return Ok(());
    }
    let others = now.split(',').map(str::trim).filter(|one| !one.is_empty() && !one.starts_with("vgpu-placement-id="));
    let own = format!("vgpu-placement-id={first}");
    let all: Vec<&str> = others.chain([own.as_str()]).collect();
    write(sysfs, &format!("place {} at slot {first}", last(device)), file.to_owned(), &all.join(", "))
}

fn bind(sysfs: &dyn Sysfs, hold: &GpuHold, address: PciAddress) -> Result<(), AssignError> {
    let path = mode::carved::folder(address);
    if !sysfs.exists(&path) {
        return Err(not_ready(hold, format!("there is no virtual function {address} now")));
    }
    let bound = driver(sysfs, address);
    if bound.as_deref().is_some_and(is_vfio) {
        return Ok(());
    }
    if !sysfs.exists("/sys/bus/pci/drivers/vfio-pci") {
        let argv = vec!["modprobe".to_owned(), "vfio-pci".to_owned()];
        mode::take(sysfs, &Action::Run { argv })
            .map_err(|why| AssignError::Failed { what: "load vfio-pci".to_owned(), why })?;
    }
    if let Some(bound) = bound {
        let what = format!("take {address} from {bound}");
        write(sysfs, &what, format!("/sys/bus/pci/drivers/{bound}/unbind"), &address.to_string())?;
    }
    write(sysfs, &format!("let only vfio-pci have {address}"), format!("{path}/driver_override"), "vfio-pci\n")?;
    write(sysfs, &format!("give {address} to vfio-pci"), "/sys/bus/pci/drivers_probe".to_owned(), &address.to_string())
}
