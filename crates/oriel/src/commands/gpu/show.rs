//! `oriel gpu show`: one GPU with everything around it, and for each mode what is in its way.

use super::{
    Host, list,
    paint::{Cell, Paint, Style, table, wrap},
};
use crate::{
    cli::Json,
    failure::{Done, Failure},
    output,
};
use clap::Args;
use oriel_gpu::inventory::{Bar, BarKind, Firmware, Gpu, IommuGroup, Profile, Regime, SliceKind, VgpuInterface, names};
use oriel_model::GpuAddress;
use std::path::Path;

#[derive(Args)]
pub struct Show {
    /// Its address as `oriel gpu list` shows it; `41:00.0` will do for 0000:41:00.0
    address: GpuAddress,
    #[command(flatten)]
    host: Host,
    #[command(flatten)]
    json: Json,
}

/// Widest line, in characters, where words allow it.
const LINE_MAX: usize = 110;
/// Most firmware files that are named.
const FIRMWARE_MAX: usize = 6;
/// Where values begin.
const NAME: usize = 16;

impl Show {
    pub fn run(self, state: &Path) -> Done {
        let (_, inventory) = self.host.read(state)?;
        let gpu = inventory.gpu(&self.address).map_err(|error| super::failure(&error))?;
        if self.json.json {
            let value = serde_json::to_value(gpu).map_err(|error| Failure::because("cannot write JSON", &error))?;
            return output::print_json(&value);
        }
        output::print(&report(gpu, Paint::of_stdout()))
    }
}

pub(super) fn report(gpu: &Gpu, paint: Paint) -> String {
    let mut parts =
        vec![format!("{}  {}", paint.bold(&gpu.address.to_string()), paint.bold(&list::title(gpu))), facts(gpu)];
    parts.push(modes(gpu, paint));
    if !gpu.modes.vgpu.profiles.is_empty() {
        parts.push(profiles(gpu, paint));
    }
    if !gpu.slices.is_empty() {
        parts.push(slices(gpu, paint));
    }
    parts.join("\n\n")
}

/// A name and its value, wrapped.
fn fact(lines: &mut Vec<String>, name: &str, value: &str) {
    if !value.is_empty() {
        lines.push(wrap(&format!("  {name:<NAME$}"), value, LINE_MAX));
    }
}

fn facts(gpu: &Gpu) -> String {
    let mut lines = Vec::new();
    if gpu.address.pci().is_some() {
        let revision = if gpu.revision.is_empty() { String::new() } else { format!(", revision {}", gpu.revision) };
        fact(&mut lines, "device", &format!("{} ({}:{}{revision})", gpu.name, gpu.vendor_id, gpu.device_id));
        if !gpu.subsystem_vendor_id.is_empty() {
            let ids = format!("{}:{}", gpu.subsystem_vendor_id, gpu.subsystem_device_id);
            let text = match &gpu.board {
                Some(board) => format!("{board} ({ids})"),
                None => format!("{ids}, which the PCI ID database does not name"),
            };
            fact(&mut lines, "board", &text);
        }
        fact(&mut lines, "class", &names::class(&gpu.class));
    }
    fact(&mut lines, "driver", gpu.driver.as_deref().unwrap_or("none"));
    if let Some(only) = &gpu.driver_override {
        fact(&mut lines, "", &format!("only {only} may bind (driver_override)"));
    }
    fact(&mut lines, "mode now", gpu.mode.word());
    if gpu.boot_vga {
        fact(&mut lines, "boot screen", "yes: the firmware shows its messages on this card");
    }
    if let Some(node) = gpu.numa_node {
        fact(&mut lines, "NUMA node", &node.to_string());
    }
    if gpu.address.pci().is_some() {
        group(&mut lines, gpu.iommu_group.as_ref());
        let resets = if gpu.reset_methods.is_empty() {
            "nothing: the kernel cannot reset it".to_owned()
        } else {
            gpu.reset_methods.join(", then ")
        };
        fact(&mut lines, "reset by", &resets);
    }
    if let Some(size) = gpu.vram_mib {
        fact(&mut lines, "video memory", &mib(size));
    }
    if gpu.modes.vf.total > 0 {
        fact(
            &mut lines,
            "SR-IOV",
            &format!("{} of {} virtual functions exist", gpu.modes.vf.enabled, gpu.modes.vf.total),
        );
    }
    fact(&mut lines, "firmware", &firmware(gpu));
    for (index, bar) in gpu.bars.iter().enumerate() {
        fact(&mut lines, if index == 0 { "memory" } else { "" }, &region(bar));
    }
    for (index, function) in gpu.functions.iter().filter(|one| Some(one.address) != gpu.address.pci()).enumerate() {
        let driver = function.driver.as_deref().map_or("no driver".to_owned(), |driver| format!("driver {driver}"));
        let text = format!("{} {}, {} ({driver})", function.address, names::class(&function.class), function.name);
        fact(&mut lines, if index == 0 { "companions" } else { "" }, &text);
    }
    for (index, holder) in gpu.holders.iter().enumerate() {
        let text = format!("{} (process {}) through {}", holder.process, holder.pid, holder.path);
        fact(&mut lines, if index == 0 { "in use by" } else { "" }, &text);
    }
    lines.join("\n")
}

/// What of the files that its driver wants is there; empty where it wants none.
fn firmware(gpu: &Gpu) -> String {
    let names = |files: Vec<&Firmware>| {
        let name = |file: &&Firmware| file.alternatives.first().unwrap_or(&file.role).clone();
        let mut names: Vec<String> = files.iter().take(FIRMWARE_MAX).map(name).collect();
        if files.len() > FIRMWARE_MAX {
            names.push(format!("{} more", files.len() - FIRMWARE_MAX));
        }
        names.join(", ")
    };
    let (all, missing) = (gpu.firmware.len(), |optional: bool| {
        gpu.firmware.iter().filter(|file| file.found.is_none() && file.optional == optional).collect::<Vec<_>>()
    });
    if all == 0 {
        return String::new();
    }
    if gpu.firmware.iter().any(|file| file.unknown) {
        return format!("{all} files wanted; not known whether they are there");
    }
    match (missing(false), missing(true)) {
        (needed, spare) if needed.is_empty() && spare.is_empty() => format!("all {all} files are there"),
        (needed, spare) if needed.is_empty() => {
            format!("what it needs is there; without {} of the optional: {}", spare.len(), names(spare))
        }
        (needed, _) => format!("{} of {all} files are missing: {}", needed.len(), names(needed)),
    }
}

fn group(lines: &mut Vec<String>, group: Option<&IommuGroup>) {
    let Some(group) = group else { return fact(lines, "IOMMU group", "none") };
    let text = match (group.blockers.len(), group.members.len()) {
        (0, 1) => format!("{}, alone in it", group.id),
        (0, members) => format!("{}, {members} functions, none in the way", group.id),
        (blockers, members) => format!("{}, {members} functions, {blockers} in the way", group.id),
    };
    fact(lines, "IOMMU group", &text);
    for blocker in &group.blockers {
        let driver = blocker.driver.as_deref().unwrap_or("no driver");
        fact(
            lines,
            "",
            &format!("{} {}, {} (driver {driver})", blocker.address, names::class(&blocker.class), blocker.name),
        );
    }
}

fn region(bar: &Bar) -> String {
    let kind = match bar.kind {
        BarKind::Memory32 => "32 bits",
        BarKind::Memory64 => "64 bits",
        BarKind::Io => "I/O ports",
        BarKind::Rom => "expansion ROM",
    };
    let prefetchable = if bar.prefetchable { ", prefetchable" } else { "" };
    let resizable =
        bar.resizable.as_ref().map_or(String::new(), |sizes| match (sizes.sizes_mib.first(), sizes.sizes_mib.last()) {
            (Some(first), Some(last)) if first != last => {
                format!(", resizable from {} to {}", output::bytes(first << 20), output::bytes(last << 20))
            }
            _ => String::new(),
        });
    let name = if bar.kind == BarKind::Rom { "ROM".to_owned() } else { format!("BAR {}", bar.index) };
    format!("{name}  {}, {kind}{prefetchable}{resizable}", output::bytes(bar.size_bytes))
}

fn modes(gpu: &Gpu, paint: Paint) -> String {
    let modes = &gpu.modes;
    let vgpu = match (modes.vgpu.interface, modes.vgpu.regime) {
        (Some(interface), Some(regime)) => format!("{}; {}", interface_words(interface), regime_words(regime)),
        _ => String::new(),
    };
    let vf = format!("{} of {} virtual functions exist", modes.vf.enabled, modes.vf.total);
    let node = modes.shared.render_node.clone().unwrap_or_default();
    [
        mode(paint, "whole", modes.whole.available, "everything in its slot to one desktop", &modes.whole.reasons),
        mode(paint, "vgpu", modes.vgpu.available, &vgpu, &modes.vgpu.reasons),
        mode(paint, "vf", modes.vf.available, &vf, &modes.vf.reasons),
        mode(
            paint,
            "shared",
            modes.shared.available,
            &format!("the host renders for desktops on {node}"),
            &modes.shared.reasons,
        ),
    ]
    .join("\n")
}

fn mode(paint: Paint, name: &str, available: bool, good: &str, reasons: &[String]) -> String {
    let marks = |mark: &str, words: &str| {
        let text = wrap(&format!("  {mark} {name:<width$}", width = NAME - 2), words, LINE_MAX);
        // Painted after it was measured.
        let painted = if available { paint.good(mark) } else { paint.bad(mark) };
        text.replacen(mark, &painted, 1)
    };
    if available {
        return marks("✓", good);
    }
    let more: Vec<String> =
        reasons.iter().skip(1).map(|reason| wrap(&format!("  {:<NAME$}", ""), reason, LINE_MAX)).collect();
    let first = marks("✗", reasons.first().map_or("not available", String::as_str));
    [vec![first], more].concat().join("\n")
}

const fn interface_words(interface: VgpuInterface) -> &'static str {
    match interface {
        VgpuInterface::Mdev => "mediated devices of the card",
        VgpuInterface::MdevOnVf => "mediated devices on virtual functions",
        VgpuInterface::VendorVf => "virtual functions that carry a slice each",
    }
}

const fn regime_words(regime: Regime) -> &'static str {
    match regime {
        Regime::SameType => "all of one type at a time",
        Regime::SameSize => "all of one size at a time",
        Regime::MixedSize => "sizes may be mixed",
        Regime::Mig => "instances of MIG",
        Regime::FreePool => "any mix while there is room",
    }
}

fn profiles(gpu: &Gpu, paint: Paint) -> String {
    let headings = ["profile", "memory", "free", "of", "heads", "resolution", "fps", "licence", "host's name"];
    let rows: Vec<[Cell; 9]> = gpu.modes.vgpu.profiles.iter().map(profile).collect();
    table(paint, headings, &rows, &[1, 2, 3, 4, 5, 6], "  ")
}

fn profile(one: &Profile) -> [Cell; 9] {
    let style = if one.free == 0 { Style::Dim } else { Style::Plain };
    let cell = |text: String| Cell::new(text, style);
    let dash = |text: &str| Cell::new(if text.is_empty() { "–" } else { text }, style);
    let number = |value: u32| dash(&if value == 0 { String::new() } else { value.to_string() });
    [
        cell(one.key.clone()),
        dash(&if one.framebuffer_mib == 0 { String::new() } else { mib(one.framebuffer_mib) }),
        Cell::new(one.free.to_string(), if one.free == 0 { Style::Dim } else { Style::Good }),
        cell(one.max_per_gpu.to_string()),
        number(one.heads),
        dash(&one.max_resolution),
        number(one.frame_rate_limit.unwrap_or(0)),
        dash(one.license.as_deref().unwrap_or_default()),
        dash(&one.id),
    ]
}

fn mib(size: u64) -> String {
    if size >= 1024 && size.is_multiple_of(1024) { format!("{} GiB", size / 1024) } else { format!("{size} MiB") }
}

fn slices(gpu: &Gpu, paint: Paint) -> String {
    let rows: Vec<[Cell; 5]> = gpu
        .slices
        .iter()
        .map(|slice| {
            let kind = match slice.kind {
                SliceKind::Mdev => "mediated device",
                SliceKind::VendorVf => "virtual function with a slice",
                SliceKind::Vf => "virtual function",
                SliceKind::MigInstance => "MIG instance",
            };
            [
                Cell::plain(slice.name.clone()),
                Cell::plain(kind),
                Cell::plain(slice.profile.clone().unwrap_or_else(|| "–".to_owned())),
                Cell::plain(slice.driver.clone().unwrap_or_else(|| "–".to_owned())),
                if slice.in_use { Cell::new("in use", Style::Bold) } else { Cell::new("idle", Style::Dim) },
            ]
        })
        .collect();
    table(paint, ["slice", "kind", "profile", "driver", "state"], &rows, &[], "  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_of_the_zoo_as_a_person_sees_it() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../gpu/zoo/tesla-m60.tar.gz");
        let (_, inventory) = Host { root: Some(path) }.read(Path::new("/")).unwrap();
        let text = report(&inventory.gpus[0], Paint::off());
        for words in ["Tesla M60", "IOMMU group", "M60-2Q", "✓ whole", "✗ vf", "LICENCE"] {
            assert!(text.contains(words), "{words} is missing:\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= LINE_MAX + 20 && line.trim_end() == line), "{text}");
    }
}
