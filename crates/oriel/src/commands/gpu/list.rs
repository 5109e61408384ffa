//! `oriel gpu list`: one line a GPU, with what each mode has to say in a mark.

use super::{
    Host,
    paint::{Cell, Paint, Style, table},
};
use crate::{
    cli::Json,
    failure::{Done, Failure},
    output,
};
use clap::Args;
use oriel_gpu::{
    Inventory,
    inventory::{Gpu, names},
};
use oriel_model::GpuMode;
use std::io::IsTerminal;
use std::path::Path;

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    host: Host,
    #[command(flatten)]
    json: Json,
}

impl List {
    pub fn run(self, state: &Path) -> Done {
        let (_, inventory) = self.host.read(state)?;
        if self.json.json {
            let value =
                serde_json::to_value(&inventory).map_err(|error| Failure::because("cannot write JSON", &error))?;
            return output::print_json(&value);
        }
        if inventory.gpus.is_empty() {
            output::say(format!(
                "no GPU on {}: no PCI function is a display controller or accelerator",
                place(&inventory)
            ));
            return Ok(());
        }
        output::print(&report(&inventory, Paint::of_stdout()))?;
        if std::io::stdout().is_terminal() && inventory.gpus.iter().any(|gpu| !all_available(gpu)) {
            output::say(
                "\n`oriel gpu show ADDRESS` says why a mode is not to be had, `oriel gpu doctor` what to do about it",
            );
        }
        Ok(())
    }
}

fn all_available(gpu: &Gpu) -> bool {
    let modes = &gpu.modes;
    modes.whole.available && modes.vgpu.available && modes.vf.available && modes.shared.available
}

fn place(inventory: &Inventory) -> String {
    if inventory.host.name.is_empty() { "this host".to_owned() } else { inventory.host.name.clone() }
}

/// The host in one line, its GPUs below.
pub(super) fn report(inventory: &Inventory, paint: Paint) -> String {
    let rows: Vec<[Cell; 8]> = inventory.gpus.iter().map(row).collect();
    let headings = ["address", "GPU", "driver", "mode", "whole", "vgpu", "vf", "shared"];
    format!("{}\n\n{}", paint.dim(&heading(inventory)), table(paint, headings, &rows, &[], ""))
}

/// `vdi01: Dell Inc. PowerEdge R740, Debian GNU/Linux 12, Linux 6.1.0-56-amd64, IOMMU on`.
fn heading(inventory: &Inventory) -> String {
    let host = &inventory.host;
    let iommu = match (host.iommu.present, host.iommu.in_firmware) {
        (true, _) => "IOMMU on",
        (false, true) => "IOMMU off",
        (false, false) => "no IOMMU",
    };
    let kernel = if host.kernel.is_empty() { String::new() } else { format!("Linux {}", host.kernel) };
    let facts = [host.machine.as_str(), host.distribution.pretty.as_str(), kernel.as_str(), iommu];
    let facts: Vec<&str> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    format!("{}: {}", place(inventory), facts.join(", "))
}

/// The name that people know: of the board where the chip's name stands for several, and the vendor only once.
pub(super) fn title(gpu: &Gpu) -> String {
    let chip = names::short(&gpu.name);
    let name = gpu.board.as_deref().filter(|_| chip.contains('/')).unwrap_or(chip);
    if name.starts_with(&gpu.vendor) { name.to_owned() } else { format!("{} {name}", gpu.vendor) }
}

fn row(gpu: &Gpu) -> [Cell; 8] {
    let modes = &gpu.modes;
    let profiles = modes.vgpu.profiles.len();
    let vgpu = if modes.vgpu.incomplete {
        Some("…".to_owned())
    } else {
        modes.vgpu.available.then(|| format!("✓ {profiles} {}", if profiles == 1 { "profile" } else { "profiles" }))
    };
    let vf = modes.vf.available.then(|| format!("✓ {}/{}", modes.vf.enabled, modes.vf.total));
    let yes = |available: bool| available.then(|| "✓".to_owned());
    let mode_style = if gpu.mode == GpuMode::Host { Style::Plain } else { Style::Bold };
    let mut title = title(gpu);
    if gpu.boot_vga {
        title.push_str(" (boot screen)");
    }
    [
        Cell::plain(gpu.address.to_string()),
        Cell::plain(title),
        gpu.driver.as_deref().map_or(Cell::new("–", Style::Dim), Cell::plain),
        Cell::new(gpu.mode.word(), mode_style),
        mark(yes(modes.whole.available)),
        mark(vgpu),
        mark(vf),
        mark(yes(modes.shared.available)),
    ]
}

fn mark(good: Option<String>) -> Cell {
    good.map_or(Cell::new("–", Style::Dim), |text| Cell::new(text, Style::Good))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_the_zoo_as_a_person_sees_it() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../gpu/zoo/tesla-m60.tar.gz");
        let (_, inventory) = Host { root: Some(path) }.read(Path::new("/")).unwrap();
        let text = report(&inventory, Paint::off());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("Linux ") && lines[2].starts_with("ADDRESS "), "{text}");
        assert!(lines.iter().any(|line| line.contains("NVIDIA Tesla M60")), "{text}");
        // Nothing stands to the right of nothing, and columns begin below each other.
        assert!(lines.iter().all(|line| line.trim_end() == *line), "{text}");
        let column = |line: &str, word: &str| line.find(word).map(|at| line[..at].chars().count());
        assert_eq!(column(lines[2], "GPU"), column(lines[3], "NVIDIA"));
    }
}
