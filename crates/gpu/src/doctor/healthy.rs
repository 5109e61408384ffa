//! Good news in one line, and chips of which nothing is expected.

use super::{
    case::{enumerate, held_by_vfio},
    draft::ok,
};
use crate::inventory::Gpu;
use oriel_model::{Finding, Severity};

pub(super) fn console_chip(gpu: &Gpu, findings: &mut Vec<Finding>) {
    findings.push(
        ok("console-chip", &gpu.address)
            .saw(format!("{}/device", gpu.path()), format!("0x{} {}", gpu.device_id, gpu.name))
            .because("this chip draws the host's console (a server's management controller, or a hypervisor's): it accelerates nothing, and is best left to the host")
            .see("https://docs.kernel.org/gpu/index.html"),
    );
}

/// `found` is what was found of this card.
pub(super) fn gpu(gpu: &Gpu, found: &mut Vec<Finding>) {
    if found.iter().any(|finding| finding.severity > Severity::Note) {
        return;
    }
    let modes = &gpu.modes;
    let can: Vec<&str> = [
        (modes.whole.available, "whole"),
        (modes.vgpu.available, "in slices (vgpu)"),
        (modes.vf.available, "as virtual functions (vf)"),
        (modes.shared.available, "shared"),
    ]
    .into_iter()
    .filter_map(|(available, word)| available.then_some(word))
    .collect();
    // What no mode can be had of is not well, whether or not there is a finding that says why: the host's will.
    if can.is_empty() {
        return;
    }
    let mut facts = Vec::new();
    if let Some(group) = gpu.iommu_group.as_ref().filter(|group| group.viable) {
        facts.push(format!("nothing that the host uses is in its IOMMU group {}", group.id));
    }
    if let Some(first) = gpu.reset_methods.first() {
        facts.push(format!("it can be reset ({first})"));
    }
    if !gpu.firmware.is_empty()
        && gpu.firmware.iter().all(|file| file.found.is_some() || file.optional && !file.unknown)
    {
        facts.push("its firmware is there".to_owned());
    }
    let facts = if facts.is_empty() { String::new() } else { format!("; {}", enumerate(&facts)) };
    let holder = match gpu.driver.as_deref() {
        Some(driver) if held_by_vfio(Some(driver)) => format!("ready for a desktop ({driver})"),
        Some(driver) => format!("the host has it ({driver})"),
        None => "no driver holds it".to_owned(),
    };
    found.push(
        ok("gpu", &gpu.address)
            .saw(gpu.path(), &gpu.name)
            .because(format!("{holder}, and it can be handed out {}{facts}", enumerate(&can)))
            .see("https://docs.kernel.org/driver-api/vfio.html"),
    );
}
