//! Reset: between two desktops a card must forget the first.

use super::{
    case::{Case, integrated},
    draft::{note, warning},
};
use crate::inventory::Gpu;
use oriel_model::{Finding, GpuMode};

const ABI: &str = "https://docs.kernel.org/admin-guide/abi-testing.html";
const VENDOR_RESET: &str = "https://github.com/gnif/vendor-reset";

/// AMD chips that do not come back from a bus reset, as the module vendor-reset knows them (`src/device-db.h`).
const AMD_RESET_BUG: &[(&str, &[&str])] = &[
    (
        "Polaris 10",
        &["67c0", "67c1", "67c2", "67c4", "67c7", "67c8", "67c9", "67ca", "67cc", "67cf", "67d0", "67df", "6fdf"],
    ),
    ("Polaris 11", &["67e0", "67e1", "67e3", "67e7", "67e8", "67e9", "67eb", "67ef", "67ff"]),
    ("Polaris 12", &["6980", "6981", "6985", "6986", "6987", "6995", "6997", "699f"]),
    (
        "Vega 10",
        &[
            "6860", "6861", "6862", "6863", "6864", "6867", "6868", "6869", "686a", "686b", "686c", "686d", "686e",
            "686f", "687f",
        ],
    ),
    ("Vega 20", &["66a0", "66a1", "66a2", "66a3", "66a4", "66a7", "66af"]),
    ("Navi 10", &["7310", "7312", "7318", "7319", "731a", "731b", "731e", "731f"]),
    ("Navi 12", &["7360", "7362"]),
    ("Navi 14", &["7340", "7341", "7347", "734f"]),
    ("MI100", &["738c"]),
];

/// The chip, if it is one of those.
pub(super) fn amd_reset_bug(gpu: &Gpu) -> Option<&'static str> {
    if gpu.vendor_id != "1002" {
        return None;
    }
    AMD_RESET_BUG.iter().find(|(_, ids)| ids.contains(&gpu.device_id.as_str())).map(|(chip, _)| *chip)
}

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let Some(address) = gpu.address.pci() else { return };
    if !case.may_be(GpuMode::Whole) {
        return;
    }
    let method_path = format!("{}/reset_method", gpu.path());
    if let Some(chip) = amd_reset_bug(gpu) {
        findings.push(amd(case, gpu, chip, &method_path));
        if case.sysfs.exists("/sys/module/vendor_reset") {
            findings.retain(|finding| finding.id != "amd-reset-bug" || finding.subject != gpu.address.to_string());
            // Since 5.15 the kernel takes the methods in the order of this file, and this one is not in it by itself.
            if !case.kernel_before(5, 15) && gpu.reset_methods.first().is_none_or(|first| first != "device_specific") {
                findings.push(
                    warning("vendor-reset-unused", &gpu.address)
                        .saw("/sys/module/vendor_reset", "loaded")
                        .saw(&method_path, gpu.reset_methods.join(" "))
                        .because(format!("vendor-reset is loaded, which resets {chip} the way it needs, but since Linux 5.15 the kernel asks it only when this file says so: the second desktop on the card will hang"))
                        .fix(format!("echo device_specific > {method_path}\n{}", rule(gpu)))
                        .see(VENDOR_RESET),
                );
            }
        }
    }
    if !gpu.reset_methods.is_empty() || case.sysfs.exists(&format!("{}/reset", gpu.path())) {
        return;
    }
    // Before 5.15 there was no such file; while functions of it are handed out, nobody resets the card itself.
    if case.kernel_before(5, 15) || gpu.modes.vf.enabled > 0 {
        return;
    }
    let on_bus = case.sysfs.list("/sys/bus/pci/devices").unwrap_or_default();
    let bus = format!("{:04x}:{:02x}:", address.domain, address.bus);
    let slot = format!("{}.", address.slot());
    let neighbours: Vec<&String> =
        on_bus.iter().filter(|one| one.starts_with(&bus) && !one.starts_with(&slot)).collect();
    let several = gpu.functions.len() > 1;
    if address.bus != 0 && neighbours.is_empty() && several && !integrated(gpu) {
        // VFIO resets the bus itself when one desktop holds all that is on it.
        findings.push(
            note("reset-by-bus", &gpu.address)
                .saw(method_path, "absent")
                .saw("/sys/bus/pci/devices", format!("{slot}0 to .{} alone on their bus", gpu.functions.len() - 1))
                .because("no function of the card can be reset by itself; VFIO resets the whole slot between two desktops, which works because Oriel hands out all functions together")
                .fix("# nothing, as long as all functions go to one desktop")
                .see(ABI),
        );
        return;
    }
    findings.push(
        warning("no-reset", &gpu.address)
            .saw(method_path, "absent")
            .saw_all(neighbours.iter().take(4).map(|one| (format!("/sys/bus/pci/devices/{one}"), "on the same bus".to_owned())))
            .because("the kernel knows no way to reset this card: after a desktop crashed or was switched off, the next one may not start, and may find the memory of the first in the card")
            .fix(if neighbours.is_empty() {
                "# restart the host between two people's use of the card, or give it to one desktop for good; a BIOS or VBIOS update may bring a reset".to_owned()
            } else {
                "# move the card to a slot of its own, where its bus can be reset; otherwise restart the host between two people's use of it".to_owned()
            })
            .see(ABI),
    );
}

fn rule(gpu: &Gpu) -> String {
    format!(
        "echo 'ACTION==\"add\", SUBSYSTEM==\"pci\", ATTR{{vendor}}==\"0x1002\", ATTR{{device}}==\"0x{}\", RUN+=\"/bin/sh -c '\"'\"'echo device_specific > /sys$env{{DEVPATH}}/reset_method'\"'\"'\"' > /etc/udev/rules.d/90-vendor-reset.rules",
        gpu.device_id
    )
}

fn amd(case: &Case<'_>, gpu: &Gpu, chip: &str, method_path: &str) -> Finding {
    let headers = case.system.packages(
        "dkms git \"linux-headers-$(uname -r)\"",
        "dkms git kernel-devel",
        "dkms git linux-headers",
        "dkms git kernel-devel",
    );
    let new = case.kernel().is_some_and(|kernel| kernel >= (6, 8));
    warning("amd-reset-bug", &gpu.address)
        .saw(format!("{}/device", gpu.path()), format!("0x{} ({chip})", gpu.device_id))
        .saw("/sys/module/vendor_reset", "absent")
        .saw(method_path, gpu.reset_methods.join(" "))
        .because(format!("{chip} has AMD's reset bug: it works for the first desktop after the host's start and hangs for the second, until the host is restarted"))
        .fix(format!(
            "{headers}\ngit clone https://github.com/gnif/vendor-reset && dkms install ./vendor-reset\necho vendor-reset > /etc/modules-load.d/vendor-reset.conf   # it must be there before the card's first reset\n{}\n{}reboot",
            rule(gpu),
            if new { "# not in the kernel, last worked on in 2023: for kernels from 6.8 on look for a fork that builds\n" } else { "" },
        ))
        .see(VENDOR_RESET)
}
