//! Virtual functions of any maker: room for them, and who takes them.

use super::{
    bios::{Setting, words},
    case::{Case, enumerate, held_by_vfio},
    draft::{error, note},
};
use crate::inventory::{Gpu, SliceKind};
use oriel_model::{Finding, GpuMode};

const SRIOV: &str = "https://docs.kernel.org/PCI/pci-iov-howto.html";

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if gpu.modes.vf.total == 0 {
        return;
    }
    let address = gpu.address.to_string();
    // Words of drivers/pci/iov.c.
    let mut lines = Vec::new();
    for words in ["not enough MMIO resources for SR-IOV", "not enough MMIO BARs for SR-IOV", "out of range of [bus"] {
        lines.extend(case.logged(&[address.as_str(), words], 2));
    }
    if !lines.is_empty() {
        findings.push(
            error("sriov-no-room", &gpu.address)
                .saw_all(lines.iter().map(|line| ("dmesg".to_owned(), (*line).to_owned())))
                .saw(format!("{}/sriov_totalvfs", gpu.path()), gpu.modes.vf.total.to_string())
                .because("the BIOS left no addresses or bus numbers for the card's virtual functions: they cannot be switched on")
                .fix(format!("{}\n# where the BIOS has no such words: {}", words(case, Setting::SrIov), case.system.boot_with("pci=realloc,assign-busses")))
                .see(SRIOV),
        );
    }
    if !case.may_be(GpuMode::Vf) {
        return;
    }
    let taken: Vec<_> = gpu
        .slices
        .iter()
        .filter(|slice| slice.kind == SliceKind::Vf)
        .filter(|slice| {
            slice.driver.as_deref().is_some_and(|driver| !held_by_vfio(Some(driver)) && driver != "pci-stub")
        })
        .collect();
    if taken.is_empty() {
        return;
    }
    let mut drivers: Vec<&str> = taken.iter().filter_map(|slice| slice.driver.as_deref()).collect();
    drivers.sort_unstable();
    drivers.dedup();
    let path = format!("{}/sriov_drivers_autoprobe", gpu.path());
    findings.push(
        note("vf-on-host-driver", &gpu.address)
            .saw_all(taken.iter().take(4).map(|slice| {
                (format!("/sys/bus/pci/devices/{}/driver", slice.name), slice.driver.clone().unwrap_or_default())
            }))
            .saw(&path, case.sysfs.text(&path).unwrap_or_default())
            .because(format!(
                "{} of the card's {} virtual functions {} held by the host's own driver ({}): desktops get them only after they are taken from it",
                taken.len(),
                gpu.modes.vf.enabled,
                if taken.len() == 1 { "is" } else { "are" },
                enumerate(&drivers)
            ))
            .fix(format!("oriel gpu mode set {address} vf --count {}   # keeps the host's driver away from them; by hand, before they are made:\necho 0 > {path}", gpu.modes.vf.enabled))
            .see(SRIOV),
    );
}
