//! Mode `vf`: virtual functions that are handed out one by one.
//!
//! Their number changes only through 0. They stay without a driver (`sriov_drivers_autoprobe` = 0): the host's own driver must
//! not take them; `assign` binds each to VFIO when a desktop gets it.

use super::{
    DEVICES,
    draft::{Draft, write},
    gim, intel, native,
};
use oriel_model::PciAddress;

pub(super) fn draft(draft: &mut Draft<'_>) {
    let Some(own) = draft.pci() else { return };
    if draft.is_nvidia() {
        draft.refuse(
            "use-vgpu",
            format!("virtual functions of {own} only work as carriers of NVIDIA vGPUs; ask for mode `vgpu`"),
        );
        return;
    }
    if intel::functions_after_reboot(draft, own) {
        return;
    }
    let total = draft.sysfs.number(&format!("{DEVICES}/{own}/sriov_totalvfs")).unwrap_or(0);
    if total == 0 {
        let reasons = &draft.gpu.modes.vf.reasons;
        let reasons = if reasons.is_empty() { "it has no SR-IOV capability".to_owned() } else { reasons.join("; ") };
        draft.refuse("no-vf", format!("{own} cannot make virtual functions: {reasons}"));
        return;
    }
    let count = draft.wish.count.map_or(total, u64::from);
    if count > total {
        draft.refuse("too-many", format!("{own} makes at most {total} virtual functions, not {count}"));
        return;
    }
    native::clear_slices(draft, |_| false);
    let driver = draft.driver(own);
    if draft.gpu.vendor_id == "1002" {
        if driver.as_deref() == Some("amdgpu") {
            draft.refuse(
                "no-driver",
                format!(
                    "{own} is driven by amdgpu, which makes no virtual functions; install AMD's host driver gim and keep amdgpu away from the card (`blacklist amdgpu` in /etc/modprobe.d)"
                ),
            );
            return;
        }
        gim::make(draft, own, count);
        return;
    }
    if driver.is_none() {
        draft.refuse(
            "no-driver",
            format!("{own} has no driver, and only its own driver can make virtual functions; load it, then ask again"),
        );
        return;
    }
    native::to_own_driver(draft);
    let now = draft.carved.functions.len() as u64;
    if now == count {
        return;
    }
    make(draft, own, now, count);
}

fn make(draft: &mut Draft<'_>, own: PciAddress, now: u64, count: u64) {
    let path = format!("{DEVICES}/{own}");
    let off = native::take_functions(draft, true);
    let probe = format!("{path}/sriov_drivers_autoprobe");
    if !off && draft.sysfs.text(&probe).as_deref() == Some("1") {
        draft.step("keep host drivers off new virtual functions", write(&probe, "0"), Some(write(&probe, "1")));
    }
    let number = format!("{path}/sriov_numvfs");
    draft.step(
        format!("make {count} virtual functions of {own}"),
        write(&number, count.to_string()),
        Some(write(&number, "0")),
    );
    draft.wait("wait for them", format!("{path}/virtfn{}", count - 1));
    if now > 0 {
        draft.stop(format!("desktops that hold one of its {now} virtual functions"));
    }
}
