//! What modes change, in words that can be compared.

use super::{DEVICES, name_of};
use crate::Sysfs;

/// One line per PCI device with its driver and what may bind, per GPU with its functions, per slice, per saved file.
pub(super) fn shape(sysfs: &dyn Sysfs) -> String {
    let mut lines = Vec::new();
    for address in sysfs.list(DEVICES).unwrap_or_default() {
        let path = format!("{DEVICES}/{address}");
        let mut line = format!("{address} driver={}", sysfs.link_name(&format!("{path}/driver")).unwrap_or_default());
        for name in [
            "driver_override",
            "sriov_numvfs",
            "sriov_drivers_autoprobe",
            "nvidia/current_vgpu_type",
            "nvidia/vgpu_params",
        ] {
            // No parameters are as good as no file for them.
            let text = sysfs.text(&format!("{path}/{name}")).filter(|text| !text.is_empty());
            if let Some(text) = text {
                line.extend([" ", name_of(name), "=", &text]);
            }
        }
        lines.push(line);
    }
    for uuid in sysfs.list("/sys/bus/mdev/devices").unwrap_or_default() {
        let path = format!("/sys/bus/mdev/devices/{uuid}");
        let real = sysfs.real_path(&path).unwrap_or_default();
        lines.push(format!("mdev {} {}", sysfs.link_name(&format!("{path}/mdev_type")).unwrap_or_default(), real));
    }
    for line in sysfs.command(&["nvidia-smi", "-q"]).unwrap_or_default().lines() {
        let word = line.trim();
        if word.starts_with("GPU 0000") || word.starts_with("vGPU Heterogen") || word.starts_with("Pending") {
            lines.push(format!("nvidia {word}"));
        }
    }
    for line in sysfs.command(&["nvidia-smi", "mig", "-lgi"]).unwrap_or_default().lines() {
        if line.contains(" MIG ") {
            lines.push(format!(
                "mig {}",
                line.split(" MIG ").nth(1).unwrap_or_default().split_whitespace().next().unwrap_or_default()
            ));
        }
    }
    for name in sysfs.list("/etc/modprobe.d").unwrap_or_default() {
        lines.push(format!("file {name} {}", sysfs.text(&format!("/etc/modprobe.d/{name}")).unwrap_or_default()));
    }
    if let Some(text) = sysfs.text("/etc/gim_config") {
        lines.push(format!("file gim_config {text}"));
    }
    lines.join("\n")
}
