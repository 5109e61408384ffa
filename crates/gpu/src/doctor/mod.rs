//! What is wrong with a host's GPUs, why it matters, and the exact fix.
//!
//! ```text
//!   Sysfs + Inventory ──▶ host:  iommu · modules · memory · qemu · arm
//!                    └──▶ each GPU:  group · driver · reset · rom · window · firmware · guest · nvidia · amd · intel · sriov · restored
//! ```
//!
//! A finding says what was seen (file and content), for whom that matters, and what to type, edit or choose in the BIOS. It says
//! so only of what it saw: where a file cannot be read, there is no finding rather than a guess. A card with nothing above a note
//! says so in one line, `gpu`. Every kind is in [`KINDS`], and has a test that provokes it and one that does not.

mod amd;
mod arm;
mod bios;
mod case;
mod draft;
mod driver;
mod firmware;
mod group;
mod guest;
mod healthy;
mod intel;
mod iommu;
mod kinds;
mod memory;
mod microcode;
mod modules;
mod nvidia;
mod qemu;
mod reset;
mod restored;
mod rom;
mod sriov;
mod system;
mod window;

#[cfg(test)]
mod tests;

pub use kinds::{KINDS, Kind, kind};

use crate::{Inventory, Sysfs, mode::Wish};
use case::Case;
use oriel_model::{Finding, GpuAddress, GpuMode, Severity};

/// What the doctor is asked.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only this GPU; the host's findings come all the same.
    pub gpu: Option<GpuAddress>,
    /// Findings that concern one system only are weighed by it.
    pub guest: Option<Guest>,
    /// How the GPU shall be handed out: what does not concern that mode becomes a note.
    pub mode: Option<GpuMode>,
    /// The profile that a pool asks for, `M60-2Q`.
    pub profile: Option<String>,
    /// The edition of NVIDIA's licence that there is: `vApps`, `vPC`, `vWS`, `NVAIE`.
    pub license: Option<String>,
    /// The modes that were set on this host and are kept, with the file that keeps them: [`crate::mode::StateFolder`].
    pub wishes: Vec<Wish>,
    pub wishes_file: String,
}

/// What shall run in the desktop: some findings concern one system only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    Windows,
    Linux,
}

/// Looks; changes nothing. Findings come with the worst first, then by subject.
pub fn doctor(sysfs: &dyn Sysfs, inventory: &Inventory, options: &Options) -> Vec<Finding> {
    let case = Case::new(sysfs, inventory, options);
    let mut findings = Vec::new();
    for look in [iommu::host, modules::host, memory::host, qemu::host, arm::host, guest::host] {
        look(&case, &mut findings);
    }
    // A function of the card's slot will do for its address.
    let asked = options.gpu.as_ref().map(|address| inventory.gpu(address).map_or(address, |gpu| &gpu.address));
    for gpu in inventory.gpus.iter().filter(|gpu| asked.is_none_or(|address| gpu.address == *address)) {
        let mut found = Vec::new();
        if case::console_chip(gpu) {
            healthy::console_chip(gpu, &mut found);
        } else {
            for look in [
                iommu::gpu,
                group::gpu,
                driver::gpu,
                reset::gpu,
                rom::gpu,
                window::gpu,
                firmware::gpu,
                microcode::gpu,
                guest::gpu,
                nvidia::gpu,
                amd::gpu,
                intel::gpu,
                sriov::gpu,
                qemu::gpu,
                restored::gpu,
            ] {
                look(&case, gpu, &mut found);
            }
            weigh(options, &mut found);
            healthy::gpu(gpu, &mut found);
        }
        findings.append(&mut found);
    }
    weigh(options, &mut findings);
    findings.sort_by(|one, other| {
        // The host before its cards, then by address.
        let key = |finding: &Finding| (finding.subject != draft::HOST, finding.subject.clone());
        other.severity.cmp(&one.severity).then_with(|| key(one).cmp(&key(other)))
    });
    findings
}

/// What does not concern the mode that was asked for is worth a note at most.
fn weigh(options: &Options, findings: &mut [Finding]) {
    let Some(mode) = options.mode else { return };
    for finding in findings.iter_mut().filter(|finding| finding.severity > Severity::Note) {
        if kind(&finding.id).is_some_and(|kind| !kind.modes.contains(&mode)) {
            finding.severity = Severity::Note;
        }
    }
}
