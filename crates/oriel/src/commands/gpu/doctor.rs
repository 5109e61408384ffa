//! `oriel gpu doctor`: what is wrong with the GPUs, why, and what to do. Looks; changes nothing.

use super::{Host, list, paint::Paint};
use crate::{
    cli::Json,
    commands::doctor::{entries, summary},
    failure::{Done, FAILED, Failure},
    output,
};
use clap::{Args, ValueEnum};
use oriel_gpu::{Inventory, doctor};
use oriel_model::{Finding, GpuAddress, GpuMode, Severity};
use serde_json::json;
use std::path::Path;

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 without errors (warnings are for people to weigh), 1 with errors, 2 wrong usage."
)]
pub struct Doctor {
    /// Only this GPU and its host; `41:00.0` will do for 0000:41:00.0
    address: Option<GpuAddress>,
    /// What shall run in the desktop
    #[arg(long, value_enum, value_name = "SYSTEM")]
    guest: Option<Guest>,
    /// How the GPU shall be handed out (whole, vgpu, vf, shared): what does not concern it is a note at most
    #[arg(long = "for", value_name = "MODE")]
    mode: Option<GpuMode>,
    /// The profile that a pool will ask for, such as M60-2Q
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// The edition of the NVIDIA licence that you have: vApps, vPC, vWS or NVAIE
    #[arg(long, value_name = "EDITION")]
    license: Option<String>,
    #[command(flatten)]
    host: Host,
    #[command(flatten)]
    json: Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum Guest {
    Windows,
    Linux,
}

impl Doctor {
    pub fn run(self, state: &Path) -> Done {
        let (sysfs, inventory) = self.host.read(state)?;
        if let Some(address) = &self.address {
            inventory.gpu(address).map_err(|error| super::failure(&error))?;
        }
        let (wishes, wishes_file) = if self.host.root.is_none() { super::wishes(state) } else { Default::default() };
        let options = doctor::Options {
            wishes,
            wishes_file,
            gpu: self.address,
            guest: self.guest.map(|guest| match guest {
                Guest::Windows => doctor::Guest::Windows,
                Guest::Linux => doctor::Guest::Linux,
            }),
            mode: self.mode,
            profile: self.profile,
            license: self.license,
        };
        let findings = doctor::doctor(sysfs.as_ref(), &inventory, &options);
        if self.json.json {
            output::print_json(&json!({"findings": findings}))?;
        } else {
            output::print(&report(&inventory, &findings, Paint::of_stdout()))?;
        }
        if findings.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(Failure::silent(FAILED));
        }
        Ok(())
    }
}

/// The host, then card by card, the worst of each first.
fn report(inventory: &Inventory, findings: &[Finding], paint: Paint) -> String {
    let mut parts = Vec::new();
    let mut part = |subject: &str, title: &str| {
        let of: Vec<Finding> = findings.iter().filter(|finding| finding.subject == subject).cloned().collect();
        if !of.is_empty() {
            parts.push(format!("{}  {}\n{}", paint.bold(subject), paint.bold(title), entries(&of, paint).trim_end()));
        }
    };
    let host = &inventory.host;
    let system = if host.distribution.pretty.is_empty() { "Linux" } else { host.distribution.pretty.as_str() };
    let about: Vec<&str> =
        [host.name.as_str(), host.machine.as_str(), system].into_iter().filter(|words| !words.is_empty()).collect();
    part("host", &format!("{}, kernel {}", about.join(", "), host.kernel));
    for gpu in &inventory.gpus {
        part(&gpu.address.to_string(), &list::title(gpu));
    }
    parts.push(summary(findings));
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_gpu::{inventory, sysfs::Tree};

    #[test]
    fn a_person_reads_host_and_cards_one_after_the_other() {
        let mut tree = Tree::new();
        let card = "/sys/bus/pci/devices/0000:01:00.0";
        tree.file("/proc/sys/kernel/osrelease", "6.1.0-56-amd64")
            .file("/proc/sys/kernel/hostname", "oak")
            .file("/proc/cmdline", "root=/dev/sda1 intel_iommu=off")
            .file("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n")
            .file("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n")
            .file("/sys/firmware/acpi/tables/DMAR", "")
            .file(&format!("{card}/vendor"), "0x10de")
            .file(&format!("{card}/device"), "0x1b80")
            .file(&format!("{card}/class"), "0x030000")
            .file(&format!("{card}/reset_method"), "bus")
            .file(&format!("{card}/boot_vga"), "1");
        let inventory = oriel_gpu::inventory(&tree, &inventory::Options::default()).unwrap();
        let findings = doctor::doctor(&tree, &inventory, &doctor::Options::default());
        let text = report(&inventory, &findings, Paint::off());
        let start = "host  oak, Debian GNU/Linux 12 (bookworm), kernel 6.1.0-56-amd64\nERROR    iommu-off-by-command-line  `intel_iommu=off` ";
        assert!(text.starts_with(start), "{text}");
        assert!(
            text.contains(
                "\n                                    fix   sed -i 's/ *\\bintel_iommu=off\\b//' /etc/default/grub"
            ),
            "{text}"
        );
        assert!(text.contains("\n\n0000:01:00.0  NVIDIA GeForce GTX 1080\nnote     boot-vga  "), "{text}");
        assert!(text.ends_with("\n\n1 error, 0 warnings"), "{text}");
    }
}
