//! Address space: a card's memory must fit between the host's addresses, and between the desktop's.

use super::{
    bios::{Setting, words},
    case::{Case, integrated, intel, size},
    draft::{error, warning, warning_if},
};
use crate::inventory::Gpu;
use oriel_model::{Finding, GpuMode};

/// What OVMF leaves above 4 GiB for cards unless told otherwise (`PcdPciMmio64Size`), in MiB.
const OVMF_DEFAULT_MIB: u64 = 32 * 1024;
const FLAG_IO: u64 = 0x100;
const FLAG_MEMORY: u64 = 0x200;
const FLAG_PREFETCH: u64 = 0x2000;
const FLAG_64: u64 = 0x10_0000;
/// `IORESOURCE_UNSET`: the kernel found no place for it.
const FLAG_UNSET: u64 = 0x2000_0000;

/// One line of a device's `resource`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// 0 to 5 are BARs, 6 the ROM.
    pub index: usize,
    pub start: u64,
    pub end: u64,
    pub flags: u64,
    pub unset: bool,
}

impl Range {
    pub fn size(&self) -> u64 {
        (self.end - self.start).saturating_add(1)
    }
}

/// What a device's BARs and ROM take.
pub(super) fn ranges(case: &Case<'_>, address: &str) -> Vec<Range> {
    let text = case.sysfs.text(&format!("/sys/bus/pci/devices/{address}/resource")).unwrap_or_default();
    text.lines()
        .take(7)
        .enumerate()
        .filter_map(|(index, line)| {
            let mut numbers = line
                .split_whitespace()
                .map(|word| u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).unwrap_or(0));
            let (start, end, flags) = (numbers.next()?, numbers.next()?, numbers.next()?);
            let unset = flags & FLAG_UNSET != 0 || (start == 0 && end > 0);
            (end >= start && flags != 0 && end > 0).then_some(Range { index, start, end, flags, unset })
        })
        .collect()
}

/// MiB of window that the slot's 64-bit prefetchable BARs take: their sum, up to the next power of two, since the largest must
/// lie at a multiple of its size.
pub(super) fn window_mib(case: &Case<'_>, gpu: &Gpu) -> u64 {
    let bytes: u64 = gpu
        .functions
        .iter()
        .flat_map(|function| ranges(case, &function.address.to_string()))
        .filter(|range| range.index < 6 && range.flags & (FLAG_64 | FLAG_PREFETCH) == FLAG_64 | FLAG_PREFETCH)
        .fold(0, |sum, range| sum.saturating_add(range.size()));
    bytes.div_ceil(1 << 20).checked_next_power_of_two().unwrap_or(u64::MAX)
}

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let Some(address) = gpu.address.pci() else { return };
    unassigned(case, gpu, findings);
    if integrated(gpu) {
        return;
    }
    if case.x86() && case.may_be(GpuMode::Whole) {
        let need = window_mib(case, gpu);
        if need > OVMF_DEFAULT_MIB {
            let bars: Vec<String> = ranges(case, &address.to_string())
                .iter()
                .filter(|range| range.index < 6 && range.flags & FLAG_64 != 0)
                .map(|range| format!("BAR{} {}", range.index, size(range.size())))
                .collect();
            findings.push(
                warning_if(case.asked_for(GpuMode::Whole), "window-too-small", &gpu.address)
                    .saw(format!("{}/resource", gpu.path()), bars.join(", "))
                    .because(format!(
                        "the card's BARs need {need} MiB above 4 GiB in a desktop, and UEFI firmware (OVMF) leaves {OVMF_DEFAULT_MIB} MiB unless it knows better: the desktop starts without the card's memory (\"BAR … can't assign\"), Windows says Code 12"
                    ))
                    .fix(format!(
                        "# with OVMF of 2022-11 or later it is enough to pass on the processor's width: <cpu mode='host-passthrough'><maxphysaddr mode='passthrough'/></cpu>\n# before, in the domain's <qemu:commandline>:\n<qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/ovmf/X-PciMmio64Mb,string={need}'/>"
                    ))
                    .see("https://github.com/tianocore/edk2/blob/master/OvmfPkg/Library/PlatformInitLib/MemDetect.c"),
            );
        }
    }
    resizable(case, gpu, findings);
}

fn unassigned(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let mut evidence = Vec::new();
    let mut names = Vec::new();
    for function in &gpu.functions {
        let address = function.address.to_string();
        for range in ranges(case, &address) {
            // A ROM without a place is nothing unusual, and ports are hardly used.
            if range.index > 5 || !range.unset || range.flags & FLAG_MEMORY == 0 || range.flags & FLAG_IO != 0 {
                continue;
            }
            evidence.push((
                format!("/sys/bus/pci/devices/{address}/resource"),
                format!("BAR{}: 0x{:016x} 0x{:016x} 0x{:016x}", range.index, range.start, range.end, range.flags),
            ));
            names.push(format!("BAR{} of {address} ({})", range.index, size(range.size())));
        }
        for words in [["can't assign", "BAR"], ["no space for", "BAR"], ["failed to assign", "BAR"]] {
            if evidence.is_empty() {
                break;
            }
            let [one, other] = words;
            evidence.extend(
                case.logged(&[address.as_str(), one, other], 2)
                    .iter()
                    .map(|line| ("dmesg".to_owned(), (*line).to_owned())),
            );
        }
    }
    if names.is_empty() {
        return;
    }
    findings.push(
        error("bar-unassigned", &gpu.address)
            .saw_all(evidence)
            .because(format!(
                "the host found no addresses for {}: neither its own driver nor a desktop can use the card. The BIOS keeps all cards below 4 GiB, or its window above is too small",
                super::case::enumerate(&names)
            ))
            .fix(format!(
                "{}\n# \"CSM\" off; \"MMIO High Size\" as large as it goes, \"MMIO High Base\" below the processor's {} bits\n# where the BIOS has no such words: {}",
                words(case, Setting::Above4G),
                if case.host.physical_bits == 0 { 46 } else { case.host.physical_bits },
                case.system.boot_with("pci=realloc")
            ))
            .see("https://docs.kernel.org/admin-guide/kernel-parameters.html"),
    );
}

/// Intel's cards are slow unless all their memory is in reach at once.
fn resizable(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if intel(gpu).is_none() {
        return;
    }
    let small = gpu.bars.iter().find_map(|bar| {
        let most = bar.resizable.as_ref()?.sizes_mib.iter().max().copied()?;
        (bar.size_bytes <= 256 << 20 && most > bar.size_bytes >> 20).then_some((bar, most))
    });
    let Some((bar, most)) = small else { return };
    findings.push(
        warning("rebar-off", &gpu.address)
            .saw(format!("{}/resource{}_resize", gpu.path(), bar.index), format!("{} now, {most} MiB possible", size(bar.size_bytes)))
            .because("only a window of the card's memory is in reach at a time: Intel's cards lose up to half of their speed, on the host and in a desktop")
            .fix(format!("{}\n# and there: \"Re-Size BAR Support\" (\"Resizable BAR\", \"Smart Access Memory\"), \"CSM\" off", words(case, Setting::Above4G)))
            .see("https://www.intel.com/content/www/us/en/support/articles/000090831/graphics.html"),
    );
}
