//! Mode `whole`: all functions of the slot go to vfio-pci.
//!
//! `driver_override`, never `new_id`: that one takes every card of the model at once.

use super::{
    DEVICES, DRIVERS,
    draft::{Draft, run, write},
    gim, is_vfio, native, nvidia,
};
use crate::inventory::{Function, console_chip};
use oriel_model::PciAddress;

pub(super) fn draft(draft: &mut Draft<'_>) {
    let Some(own) = draft.pci() else { return };
    may(draft, own);
    native::clear(draft);
    let todo: Vec<Function> = draft.slot().into_iter().filter(|function| !ready(draft, function.address)).collect();
    if todo.is_empty() {
        return;
    }
    if !draft.sysfs.exists(&format!("{DRIVERS}/vfio-pci")) {
        draft.step("load VFIO", run(["modprobe", "vfio-pci"]), None);
    }
    for function in &todo {
        hand_over(draft, function);
    }
    gim::load_for_others(draft);
    what_stops(draft, own, &todo);
}

/// VFIO has it, and nobody else may.
fn ready(draft: &Draft<'_>, address: PciAddress) -> bool {
    draft.driver(address).is_some_and(|driver| is_vfio(&driver))
        && draft.only(address).is_some_and(|only| is_vfio(&only))
}

fn may(draft: &mut Draft<'_>, own: PciAddress) {
    let gpu = draft.gpu;
    if console_chip(&gpu.class, &gpu.vendor_id, &gpu.device_id) {
        draft.refuse(
            "console-chip",
            format!("{own} is a chip for the host's console, which accelerates nothing; leave it to the host"),
        );
    }
    match &gpu.iommu_group {
        None => {
            let fix = match draft.inventory.host.cpu_vendor.as_str() {
                "GenuineIntel" => "enable VT-d in the BIOS and start the kernel with `intel_iommu=on`",
                "AuthenticAMD" => "enable AMD-Vi (IOMMU) in the BIOS",
                _ => "enable the IOMMU in the firmware (SMMU on Arm)",
            };
            draft.refuse(
                "no-iommu",
                format!("{own} is in no IOMMU group, so its memory accesses cannot be confined to a guest; {fix}, then reboot"),
            );
        }
        Some(group) if !group.blockers.is_empty() => {
            let names: Vec<String> = group
                .blockers
                .iter()
                .map(|blocker| {
                    let driver = blocker.driver.as_deref().unwrap_or("no driver");
                    format!("{} {} ({driver})", blocker.address, blocker.name)
                })
                .collect();
            draft.refuse(
                "dirty-group",
                format!(
                    "IOMMU group {} of {own} also holds {}, which the host uses: a guest could reach it; put the card into another slot or enable ACS in the BIOS (`oriel gpu doctor {own}` says more)",
                    group.id,
                    names.join(", "),
                ),
            );
        }
        Some(_) => {}
    }
    if gpu.boot_vga && !draft.wish.force && !ready(draft, own) {
        draft.refuse(
            "boot-vga",
            format!("{own} is the adapter that the host's console is on, which would go dark; make another one primary in the BIOS, or insist with --force"),
        );
    }
    let holder =
        nvidia::node(draft.sysfs, &own.to_string()).and_then(|node| draft.usage.node(&node).map(str::to_owned));
    if let Some(who) = holder {
        draft.refuse("in-use", format!("NVIDIA's driver on {own} is in use by {who}; end it, then ask again"));
    }
}

/// One function from its driver to VFIO.
fn hand_over(draft: &mut Draft<'_>, function: &Function) {
    let address = function.address;
    let path = format!("{DEVICES}/{address}");
    match draft.driver(address) {
        Some(driver) if is_vfio(&driver) => {}
        Some(driver) => {
            let lock = nvidia::unbind_lock(&address.to_string());
            if driver == "nvidia" && draft.sysfs.exists(&lock) {
                draft.step(
                    format!("ask NVIDIA's driver to let {address} go"),
                    write(&lock, "1"),
                    Some(write(&lock, "0")),
                );
            }
            draft.step(
                format!("take {address} from {driver}"),
                write(format!("{DRIVERS}/{driver}/unbind"), address.to_string()),
                Some(write(format!("{DRIVERS}/{driver}/bind"), address.to_string())),
            );
        }
        None => {}
    }
    let only = draft.only(address);
    if only.as_deref() != Some("vfio-pci") && !only.as_deref().is_some_and(is_vfio) {
        draft.step(
            format!("let only vfio-pci have {address}"),
            write(format!("{path}/driver_override"), "vfio-pci\n"),
            Some(write(format!("{path}/driver_override"), format!("{}\n", only.unwrap_or_default()))),
        );
    }
    if !draft.driver(address).is_some_and(|driver| is_vfio(&driver)) {
        draft.step(
            format!("give {address} to vfio-pci"),
            write("/sys/bus/pci/drivers_probe", address.to_string()),
            Some(write(format!("{DRIVERS}/vfio-pci/unbind"), address.to_string())),
        );
    }
}

fn what_stops(draft: &mut Draft<'_>, own: PciAddress, functions: &[Function]) {
    if draft.gpu.boot_vga {
        draft.stop("the host's console on this card's outputs: keep SSH open");
    }
    displays(draft, own);
    for function in functions {
        let Some(driver) = draft.driver(function.address) else { continue };
        let class = function.class.get(..2).unwrap_or_default();
        match (function.class.as_str(), driver.as_str()) {
            (_, "nvidia") => {
                draft.stop(format!("CUDA, video encoding and drawing on {} on the host", function.address));
            }
            _ if is_vfio(&driver) => {}
            ("0403", _) => draft.stop("sound through this card's display outputs on the host"),
            _ if class == "0c" => {
                draft.stop(format!("what is plugged into the card's USB-C port ({})", function.address));
            }
            _ if class == "03" || class == "12" => {
                draft.stop(format!("drawing and computing with {} on the host ({driver})", function.address));
            }
            _ => draft.stop(format!("{} on the host ({driver})", function.address)),
        }
    }
}

/// Monitors that are plugged in, and programs that draw.
fn displays(draft: &mut Draft<'_>, own: PciAddress) {
    let folder = format!("{DEVICES}/{own}/drm");
    for card in draft.sysfs.list(&folder).unwrap_or_default() {
        if let Some(who) = draft.usage.node(&format!("/dev/dri/{card}")).map(str::to_owned) {
            draft.stop(format!("{who}, which draws on it"));
        }
        for output in draft.sysfs.list(&format!("{folder}/{card}")).unwrap_or_default() {
            if draft.sysfs.text(&format!("{folder}/{card}/{output}/status")).as_deref() == Some("connected") {
                let name = output.split_once('-').map_or(output.as_str(), |(_, name)| name);
                draft.stop(format!("the monitor on {name}"));
            }
        }
    }
}
