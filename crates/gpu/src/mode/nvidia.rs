//! What NVIDIA's driver says of one GPU in `nvidia-smi -q` and in `/proc`, as far as modes depend on it.

use crate::Sysfs;

/// Where the driver's script for virtual functions lies (vGPU user guide, 2.10.3).
pub(crate) const SRIOV_MANAGE: &str = "/usr/lib/nvidia/sriov-manage";

pub(crate) fn unbind_lock(address: &str) -> String {
    format!("/proc/driver/nvidia/gpus/{address}/unbindLock")
}

/// The GPU's device node, `/dev/nvidia0`.
pub(crate) fn node(sysfs: &dyn Sysfs, address: &str) -> Option<String> {
    let text = sysfs.text(&format!("/proc/driver/nvidia/gpus/{address}/information"))?;
    let minor = text.lines().find_map(|line| line.strip_prefix("Device Minor:"))?.trim().to_owned();
    Some(format!("/dev/nvidia{minor}"))
}

/// The lines of a GPU's section, trimmed, and its number in the order of `nvidia-smi`.
fn section(sysfs: &dyn Sysfs, address: &str) -> Option<(usize, Vec<String>)> {
    let text = sysfs.command(&["nvidia-smi", "-q"]).ok()?;
    let mut lines = Vec::new();
    let mut here = None;
    let mut number = 0;
    for line in text.lines() {
        if let Some(gpu) = line.strip_prefix("GPU ") {
            // The domain has eight digits there.
            let same = gpu.trim().to_ascii_lowercase().ends_with(&address.to_ascii_lowercase());
            if here.is_none() && same {
                here = Some(number);
            } else if here.is_some() {
                break;
            }
            number += 1;
        } else if here.is_some() {
            lines.push(line.trim().to_owned());
        }
    }
    Some((here?, lines))
}

fn value<'a>(lines: &'a [String], starts: &[&str]) -> Option<&'a str> {
    lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        starts.iter().any(|start| name.trim().starts_with(start)).then(|| value.trim())
    })
}

/// Whether several sizes may share the GPU now.
pub(crate) fn mixed(sysfs: &dyn Sysfs, address: &str) -> Option<bool> {
    let (_, lines) = section(sysfs, address)?;
    Some(value(&lines, &["vGPU Heterogeneous Mode", "vGPU Heterogenous Mode"])? == "Enabled")
}

/// Whether it is able to. Compared for equality: `Not Supported` contains `Supported`.
pub(crate) fn can_mix(sysfs: &dyn Sysfs, address: &str) -> bool {
    let names = [
        "Heterogeneous Time-Slice Sizes",
        "Heterogeneous Time-Slice Profiles",
        "Heterogeneous Multi-vGPU",
        "Heterogenous Multi-vGPU",
    ];
    section(sysfs, address).is_some_and(|(_, lines)| value(&lines, &names) == Some("Supported"))
}

/// Whether MIG is on, or will be after a reset.
pub(crate) fn mig(sysfs: &dyn Sysfs, address: &str) -> Option<bool> {
    let (_, lines) = section(sysfs, address)?;
    let from = lines.iter().position(|line| line.as_str() == "MIG Mode")?;
    let below = lines.get(from + 1..)?;
    let below: Vec<String> = below.iter().take(2).cloned().collect();
    Some(value(&below, &["Pending"]).or_else(|| value(&below, &["Current"]))? == "Enabled")
}

/// The profiles of the GPU's MIG instances, from the table of `nvidia-smi mig -lgi`: `|   0  MIG 1g.10gb  19  7  4:1  |`.
pub(crate) fn instances(sysfs: &dyn Sysfs, address: &str) -> Vec<String> {
    let Some((number, _)) = section(sysfs, address) else { return Vec::new() };
    rows(&sysfs.command(&["nvidia-smi", "mig", "-lgi"]).unwrap_or_default(), number)
}

/// The names of the GPU instance profiles that it offers.
pub(crate) fn instance_profiles(sysfs: &dyn Sysfs, address: &str) -> Vec<String> {
    let Some((number, _)) = section(sysfs, address) else { return Vec::new() };
    rows(&sysfs.command(&["nvidia-smi", "mig", "-lgip"]).unwrap_or_default(), number)
}

fn rows(table: &str, number: usize) -> Vec<String> {
    let row = |line: &str| {
        let mut words = line.trim_matches(['|', ' ']).split_whitespace();
        let gpu: usize = words.next()?.parse().ok()?;
        (gpu == number && words.next() == Some("MIG")).then(|| words.next().map(str::to_owned))?
    };
    table.lines().filter_map(row).collect()
}
