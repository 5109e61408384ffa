//! Modes `host` and `shared`, and the way back to them from every other: nothing is carved, its own driver has the GPU.

use super::{
    DEVICES, DRIVERS, MDEVS, Owner, carved,
    draft::{Draft, run, write},
    gim, holds_for_others, mig, nvidia, owner,
};
use crate::inventory::placement;
use oriel_model::{GpuMode, PciAddress};

pub(super) fn draft_host(draft: &mut Draft<'_>) {
    if !is_the_hosts(draft) {
        clear(draft);
    }
    to_own_driver(draft);
}

/// Nothing is carved for anybody: MIG instances on a GPU that the host has are the host's own, and stay.
fn is_the_hosts(draft: &Draft<'_>) -> bool {
    matches!(draft.gpu.mode, GpuMode::Host | GpuMode::Shared)
        && draft.carved.mdevs.is_empty()
        && draft.carved.functions.is_empty()
        && draft.carved.vendor.iter().all(|one| one.type_id == 0)
}

pub(super) fn draft_shared(draft: &mut Draft<'_>) {
    let gpu = draft.gpu;
    let shared = &gpu.modes.shared;
    if let (true, Some(own)) = (draft.is_handed_out(), gpu.address.pci()) {
        draft_host(draft);
        draft.wait("wait for its render node", format!("{DEVICES}/{own}/drm/renderD*"));
        return;
    }
    if !shared.available {
        let reasons =
            if shared.reasons.is_empty() { "it has no render node".to_owned() } else { shared.reasons.join("; ") };
        draft.refuse("no-shared", format!("{} cannot render for guests: {reasons}", gpu.address));
    }
    draft_host(draft);
}

/// Takes everything back that is carved out of the GPU.
pub(super) fn clear(draft: &mut Draft<'_>) {
    clear_slices(draft, |_| false);
    clear_vgpus(draft);
    if let Some(own) = draft.gpu.address.pci() {
        mig::destroy(draft, own);
    }
    clear_functions(draft);
    mig::leave(draft);
}

/// Removes mediated devices, but for those to keep.
pub(super) fn clear_slices(draft: &mut Draft<'_>, keep: impl Fn(&carved::Mdev) -> bool) {
    for mdev in draft.carved.mdevs.clone() {
        if keep(&mdev) {
            continue;
        }
        let path = format!("{MDEVS}/{}", mdev.uuid);
        draft.idle(&path, &mdev.uuid.to_string());
        if owner(mdev.uuid) != Some(Owner::Mode) {
            // A desktop's, or somebody else's: they may count on it even while it rests.
            draft.needs_drain = true;
        }
        draft.step(
            format!("remove the slice {} ({})", mdev.uuid, mdev.type_id),
            write(format!("{path}/remove"), "1"),
            Some(write(format!("{}/mdev_supported_types/{}/create", mdev.parent, mdev.type_id), mdev.uuid.to_string())),
        );
    }
}

/// Takes NVIDIA vGPUs from all functions.
pub(super) fn clear_vgpus(draft: &mut Draft<'_>) {
    for vendor in draft.carved.vendor.clone() {
        if vendor.type_id != 0 {
            free_vgpu(draft, &vendor);
        }
    }
}

pub(super) fn free_vgpu(draft: &mut Draft<'_>, vendor: &carved::Vendor) {
    draft.idle(&carved::folder(vendor.address), &vendor.address.to_string());
    draft.needs_drain = true;
    let file = carved::vendor_file(vendor.address);
    let parameters = carved::parameters_file(vendor.address);
    // It goes with the vGPU; whoever undoes this needs it back.
    if let Some(now) = draft.sysfs.text(&parameters).filter(|now| placement(now).is_some()) {
        draft.step(
            format!("forget where the vGPU on {} lies", vendor.address),
            write(&parameters, " "),
            Some(write(&parameters, now)),
        );
    }
    draft.step(
        format!("free the vGPU on {}", vendor.address),
        write(&file, "0"),
        Some(write(&file, vendor.type_id.to_string())),
    );
}

/// Takes functions from VFIO, so that undoing gives them back to it.
pub(super) fn let_functions_go(draft: &mut Draft<'_>, functions: &[PciAddress]) {
    for function in functions {
        draft.idle(&carved::folder(*function), &function.to_string());
        let Some(driver) = draft.driver(*function).filter(|driver| holds_for_others(driver)) else { continue };
        draft.step(
            format!("take {function} from {driver}"),
            write(format!("{DRIVERS}/{driver}/unbind"), function.to_string()),
            Some(write("/sys/bus/pci/drivers_probe", function.to_string())),
        );
        let only = format!("{}/driver_override", carved::folder(*function));
        draft.step(
            format!("let any driver have {function}"),
            write(&only, "\n"),
            Some(write(&only, format!("{driver}\n"))),
        );
    }
}

/// Takes all virtual functions away.
pub(super) fn clear_functions(draft: &mut Draft<'_>) {
    take_functions(draft, false);
}

/// The same; where others come after them, host drivers stay kept off. Whether they are.
pub(super) fn take_functions(draft: &mut Draft<'_>, others_follow: bool) -> bool {
    let Some(own) = draft.gpu.address.pci() else { return false };
    let count = draft.carved.functions.len();
    if count == 0 {
        return false;
    }
    for function in draft.carved.functions.clone() {
        draft.idle(&carved::folder(function), &function.to_string());
    }
    draft.needs_drain |= !draft.is_nvidia();
    let driver = draft.driver(own).unwrap_or_default();
    let address = own.to_string();
    if draft.is_nvidia() {
        if nvidia::mixed(draft.sysfs, &address) == Some(true) {
            draft.step(
                "leave mixed sizes",
                run(["nvidia-smi", "vgpu", "-i", &address, "-shm", "0"]),
                Some(run(["nvidia-smi", "vgpu", "-i", &address, "-shm", "1"])),
            );
        }
        draft.step(
            format!("take the {count} virtual functions of {own} away"),
            run([nvidia::SRIOV_MANAGE, "-d", &address]),
            Some(run([nvidia::SRIOV_MANAGE, "-e", &address])),
        );
    } else if driver == "gim" {
        gim::unload(draft);
    } else {
        let functions = draft.carved.functions.clone();
        let_functions_go(draft, &functions);
        let path = format!("{DEVICES}/{own}/sriov_numvfs");
        // Whoever undoes this must make functions that no host driver takes, where none has them now.
        let probe = format!("{DEVICES}/{own}/sriov_drivers_autoprobe");
        let bare = |function: &PciAddress| draft.driver(*function).is_none_or(|driver| holds_for_others(&driver));
        let keep_off = draft.sysfs.text(&probe).as_deref() == Some("1") && functions.iter().any(bare);
        if keep_off {
            draft.step("keep host drivers off its virtual functions", write(&probe, "0"), Some(write(&probe, "1")));
        }
        draft.step(
            format!("take the {count} virtual functions of {own} away"),
            write(&path, "0"),
            Some(write(&path, count.to_string())),
        );
        let off = keep_off || draft.sysfs.text(&probe).as_deref() == Some("0");
        if off && !others_follow {
            draft.step("let drivers have virtual functions again", write(&probe, "1"), Some(write(&probe, "0")));
        }
        return off;
    }
    false
}

/// Gives every function of the slot back to whatever driver takes it.
pub(super) fn to_own_driver(draft: &mut Draft<'_>) {
    for function in draft.slot() {
        let address = function.address;
        let path = format!("{DEVICES}/{address}");
        let driver = draft.driver(address).filter(|driver| holds_for_others(driver));
        let only = draft.only(address).filter(|only| holds_for_others(only));
        if driver.is_none() && only.is_none() {
            continue;
        }
        if let Some(driver) = &driver {
            draft.idle(&path, &address.to_string());
            draft.step(
                format!("take {address} from {driver}"),
                write(format!("{DRIVERS}/{driver}/unbind"), address.to_string()),
                Some(write(format!("{DRIVERS}/{driver}/bind"), address.to_string())),
            );
        }
        if let Some(only) = only {
            draft.step(
                format!("let any driver have {address}"),
                write(format!("{path}/driver_override"), "\n"),
                Some(write(format!("{path}/driver_override"), format!("{only}\n"))),
            );
        }
        draft.step(
            format!("give {address} to its own driver"),
            write("/sys/bus/pci/drivers_probe", address.to_string()),
            Some(write(format!("{path}/driver/unbind"), address.to_string())),
        );
    }
}
