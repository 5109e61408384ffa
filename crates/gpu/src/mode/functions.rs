//! Mode `vf`: virtual functions that are handed out one by one.
//!
//! Their number changes only through 0. They stay without a driver (`sriov_drivers_autoprobe` = 0): the host's own driver must
//! not take them; `assign` binds each to VFIO when a desktop gets it.

use super::{
    DEVICES, carved,
    draft::{Draft, run, write},
    intel, native,
};
use crate::mode::Action;
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
    let handed_out = draft.is_handed_out();
    if draft.driver(own).as_deref() == Some("gim") || (draft.driver(own).is_none() && draft.sysfs.exists(GIM_CONFIG)) {
        native::to_own_driver(draft);
        through_gim(draft, own, count);
        return;
    }
    if !handed_out && draft.driver(own).is_none() {
        draft.refuse(
            "no-driver",
            format!("{own} has no driver, and only its own driver can make virtual functions; load it, then ask again"),
        );
        return;
    }
    if draft.gpu.vendor_id == "1002" && draft.driver(own).as_deref() == Some("amdgpu") {
        draft.refuse("no-driver", format!("{own} is driven by amdgpu, which makes no virtual functions; install AMD's host driver gim and keep amdgpu away from the card (`blacklist amdgpu` in /etc/modprobe.d)"));
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
    native::clear_functions(draft);
    let probe = format!("{path}/sriov_drivers_autoprobe");
    if draft.sysfs.text(&probe).as_deref() == Some("1") {
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

pub(super) const GIM_CONFIG: &str = "/etc/gim_config";

/// AMD's gim reads how many functions it shall make when it is loaded, for all of its GPUs alike.
fn through_gim(draft: &mut Draft<'_>, own: PciAddress, count: u64) {
    if draft.carved.functions.len() as u64 == count {
        return;
    }
    let old = draft.sysfs.read(GIM_CONFIG).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = old.clone().unwrap_or_default();
    let mut found = false;
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| {
            if line.trim_start().starts_with("vf_num") {
                found = true;
                format!("vf_num={count}")
            } else {
                line.to_owned()
            }
        })
        .collect();
    if !found {
        lines.push(format!("vf_num={count}"));
    }
    let others: Vec<PciAddress> = draft
        .inventory
        .gpus
        .iter()
        .filter(|gpu| gpu.driver.as_deref() == Some("gim"))
        .filter_map(|gpu| gpu.address.pci().filter(|other| *other != own))
        .collect();
    for other in others {
        draft.stop(format!("the virtual functions of {other}: gim makes those of all its cards at once"));
        let held = draft.usage.below(draft.sysfs, &carved::folder(other));
        if let Some((what, who)) = held {
            draft.needs_drain = true;
            draft.refuse("in-use", format!("{what} of {other} is in use by {who}, and gim must be loaded anew for all its cards; stop that desktop"));
        }
    }
    if draft.sysfs.exists("/sys/module/gim") || draft.driver(own).as_deref() == Some("gim") {
        for function in draft.carved.functions.clone() {
            draft.idle(&carved::folder(function), &function.to_string());
        }
        draft.needs_drain |= !draft.carved.functions.is_empty();
        draft.step("unload AMD's host driver gim", run(["modprobe", "-r", "gim"]), Some(run(["modprobe", "gim"])));
    }
    draft.step(
        format!("tell gim to make {count} virtual functions of every card"),
        Action::Save { path: GIM_CONFIG.to_owned(), content: Some(format!("{}\n", lines.join("\n"))) },
        Some(Action::Save { path: GIM_CONFIG.to_owned(), content: old }),
    );
    draft.step("load gim", run(["modprobe", "gim"]), Some(run(["modprobe", "-r", "gim"])));
    draft.wait("wait for the virtual functions", format!("{DEVICES}/{own}/virtfn{}", count - 1));
}
