//! IOMMU groups: what cannot be kept apart goes to one desktop together, or not at all.

use super::{
    bios::{Setting, words},
    case::{Case, console_chip, enumerate, held_by_vfio},
    draft::{Draft, HOST, error, warning, warning_if},
};
use crate::inventory::{Blocker, Gpu, IommuGroup};
use oriel_model::{Finding, GpuMode, PciAddress};

const VFIO: &str = "https://docs.kernel.org/driver-api/vfio.html";

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    companions(gpu, findings);
    let Some(group) = &gpu.iommu_group else { return };
    // By itself, or with other findings of the group: the override makes groups look cleaner than they are.
    if !group.blockers.is_empty() {
        findings.push(dirty(case, gpu, group));
    }
    let others: Vec<&Gpu> = case
        .inventory
        .gpus
        .iter()
        .filter(|other| other.address != gpu.address && !console_chip(other))
        .filter(|other| {
            other.address.pci().is_some_and(|address| {
                // Those in the way are named by the dirty group already.
                group.members.contains(&address) && !group.blockers.iter().any(|one| one.address.same_slot(address))
            })
        })
        .collect();
    if !others.is_empty() {
        let names: Vec<String> = others.iter().map(|other| format!("{} ({})", other.address, other.name)).collect();
        findings.push(
            warning("gpus-share-group", &gpu.address)
                .saw_all(members(group))
                .because(format!(
                    "{} is in the same IOMMU group {}: both can only go to one desktop, never to two",
                    enumerate(&names),
                    group.id
                ))
                .fix(slot_advice(case, gpu, group))
                .see(VFIO),
        );
    }
    // Once per host is enough: by the first card.
    if let Some(word) = case.host.command_line.split_whitespace().find(|word| word.starts_with("pcie_acs_override="))
        && case.cards().next().is_some_and(|first| first.address == gpu.address)
    {
        findings.push(
            warning("acs-override", HOST)
                .saw("/proc/cmdline", word)
                .because("this kernel is told to believe that slots are kept apart which the hardware does not keep apart: the IOMMU groups shown are a claim. A desktop with a card can reach the memory of its neighbours' devices behind the same bridge, unseen by the IOMMU; do not run desktops of people who do not trust each other")
                .fix(case.system.boot_without(word))
                .see("https://docs.kernel.org/driver-api/vfio.html#groups"),
        );
    }
}

fn members(group: &IommuGroup) -> impl Iterator<Item = (String, String)> {
    let id = group.id;
    group.members.iter().map(move |address| (format!("/sys/kernel/iommu_groups/{id}/devices/{address}"), String::new()))
}

fn is_bridge(case: &Case<'_>, address: &PciAddress) -> bool {
    case.sysfs.text(&format!("/sys/bus/pci/devices/{address}/class")).is_some_and(|class| class.starts_with("0x0604"))
}

fn what(blocker: &Blocker) -> String {
    match &blocker.driver {
        Some(driver) => format!("{} {} (driver {driver})", blocker.address, blocker.name),
        None => format!("{} {}", blocker.address, blocker.name),
    }
}

fn dirty(case: &Case<'_>, gpu: &Gpu, group: &IommuGroup) -> Finding {
    let names: Vec<String> = group.blockers.iter().map(what).collect();
    let bridges: Vec<String> =
        group.members.iter().filter(|address| is_bridge(case, address)).map(ToString::to_string).collect();
    let why = match bridges.as_slice() {
        [] => "the hardware does not keep them apart".to_owned(),
        [one] => format!("the bridge {one} does not keep apart what is behind it (no ACS, Access Control Services)"),
        [first, .., last] => format!(
            "the bridges on the way ({first} to {last}) do not keep apart what is behind them (no ACS, Access Control Services)"
        ),
    };
    let draft: Draft = if case.asked_for(GpuMode::Shared) || case.asked_for(GpuMode::Host) {
        warning_if(false, "dirty-group", &gpu.address)
    } else if case.console_beside_others(gpu) {
        // Nobody will hand out the console's card while there are others.
        warning("dirty-group", &gpu.address)
    } else {
        error("dirty-group", &gpu.address)
    };
    draft
        .saw_all(group.blockers.iter().map(|blocker| {
            (
                format!("/sys/kernel/iommu_groups/{}/devices/{}", group.id, blocker.address),
                format!("class {}, driver {}: {}", blocker.class, blocker.driver.as_deref().unwrap_or("none"), blocker.name),
            )
        }))
        .because(format!(
            "the card's IOMMU group {} has {} in it that the host uses: {}. VFIO hands out a group as one, since {why}; so the card cannot be handed out whole",
            group.id,
            if group.blockers.len() == 1 { "a device" } else { "devices" },
            enumerate(&names),
        ))
        .fix(slot_advice(case, gpu, group))
        .see(VFIO)
}

fn slot_advice(case: &Case<'_>, gpu: &Gpu, group: &IommuGroup) -> String {
    // Functions of device 1f on bus 0 (Intel) are the chipset: no slot is behind them.
    let chipset = group.blockers.iter().any(|one| one.address.bus == 0 && one.address.device >= 0x14);
    let movable: Vec<&Blocker> = group.blockers.iter().filter(|one| one.address.bus != 0).collect();
    let mut lines = vec![
        "# 1. move the card to another slot: one wired to the processor (most often the first x16 slot, see the board's manual), not to the chipset".to_owned(),
    ];
    if !movable.is_empty() && !chipset {
        let names: Vec<String> = movable.iter().map(|one| one.address.to_string()).collect();
        lines.push(format!("#    or move or switch off in the BIOS what is beside it: {}", enumerate(&names)));
    }
    lines.push(format!("# 2. {}", words(case, Setting::Acs).trim_start_matches("# ")));
    let addresses: Vec<String> = group.blockers.iter().map(|one| one.address.to_string()).collect();
    // Storage, network, USB: the host may hang on them. What belongs to another GPU or makes sound can be spared.
    let spare = |one: &Blocker| {
        one.class.starts_with("03")
            || one.class.starts_with("04")
            || case
                .inventory
                .gpus
                .iter()
                .any(|other| other.address.pci().is_some_and(|slot| slot.same_slot(one.address)))
    };
    let needed: Vec<String> =
        group.blockers.iter().filter(|one| !spare(one)).map(|one| one.address.to_string()).collect();
    if chipset {
        lines.push("# the chipset's own functions (storage, SMBus) are in it: they cannot be spared".to_owned());
    } else if !needed.is_empty() {
        lines.push(format!(
            "# 3. or take all of them from the host, for the same desktop: only if neither its disks nor its network nor its keyboard hang on {}",
            enumerate(&needed)
        ));
    } else if !addresses.is_empty() {
        lines.push(format!(
            "# 3. or, if the host can do without {}, take it from the host; it goes to the same desktop:",
            enumerate(&addresses)
        ));
        for address in &addresses {
            lines.push(format!(
                "echo vfio-pci > /sys/bus/pci/devices/{address}/driver_override; echo {address} > /sys/bus/pci/devices/{address}/driver/unbind; echo {address} > /sys/bus/pci/drivers_probe"
            ));
        }
    }
    if gpu.modes.shared.available {
        lines.push(format!("# 4. or share it instead: oriel gpu mode set {} shared", gpu.address));
    }
    lines.push("# not advised: the kernel patch behind pcie_acs_override. It makes the groups look clean and keeps nothing apart: a desktop could still reach its neighbours' devices".to_owned());
    lines.join("\n")
}

fn companions(gpu: &Gpu, findings: &mut Vec<Finding>) {
    if !held_by_vfio(gpu.driver.as_deref()) {
        return;
    }
    let left: Vec<_> = gpu
        .functions
        .iter()
        .filter(|function| gpu.address.pci() != Some(function.address))
        .filter(|function| {
            function.driver.as_deref().is_some_and(|driver| !held_by_vfio(Some(driver)) && driver != "pci-stub")
        })
        .collect();
    if left.is_empty() {
        return;
    }
    let together = |address: &PciAddress| gpu.iommu_group.as_ref().is_some_and(|group| group.members.contains(address));
    let same_group = left.iter().any(|function| together(&function.address));
    let names: Vec<String> = left
        .iter()
        .map(|one| format!("{} {} (driver {})", one.address, one.name, one.driver.as_deref().unwrap_or("none")))
        .collect();
    let draft = if same_group {
        error("companions-on-host", &gpu.address)
    } else {
        warning("companions-on-host", &gpu.address)
    };
    findings.push(
        draft
            .saw_all(left.iter().map(|one| {
                (format!("/sys/bus/pci/devices/{}/driver", one.address), one.driver.clone().unwrap_or_default())
            }))
            .because(format!(
                "the card is on vfio-pci, but the host still holds {}: {}",
                enumerate(&names),
                if same_group {
                    "a desktop with the card does not start (\"group is not viable\")"
                } else {
                    "the card's reset takes them from under the host, and the desktop goes without them"
                }
            ))
            .fix(left.iter().fold(format!("oriel gpu mode set {} whole   # takes all functions of the slot; or by hand:", gpu.address), |mut text, one| {
                use std::fmt::Write as _;
                let address = one.address;
                write!(text, "\necho vfio-pci > /sys/bus/pci/devices/{address}/driver_override; echo {address} > /sys/bus/pci/devices/{address}/driver/unbind; echo {address} > /sys/bus/pci/drivers_probe").ok();
                text
            }))
            .see(VFIO),
    );
}
