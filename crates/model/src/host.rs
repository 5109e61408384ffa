//! A machine that runs desktops, and what the doctor finds on it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    pub name: String,
    /// For example `qemu:///system`.
    pub uri: String,
    /// For example `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    pub kernel: String,
    pub arch: String,
    pub cpus: u32,
    pub cpu_model: String,
    pub memory_mib: u64,
    pub free_disk_bytes: u64,
    pub libvirt_version: Option<String>,
    pub qemu_version: Option<String>,
    pub accelerator: Accelerator,
}

/// What desktops run on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accelerator {
    pub kind: AcceleratorKind,
    /// One sentence: what the probe saw.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceleratorKind {
    Kvm,
    /// Software emulation: right, but slow.
    Tcg,
}

impl AcceleratorKind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// One thing the doctor says. The JSON shape is fixed (measured from outside).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable: `kvm`, `libvirt`, `qemu`, `disk-space`…
    pub id: String,
    pub severity: Severity,
    /// What it is about: `host`, `/dev/kvm`, a GPU's address…
    pub subject: String,
    pub evidence: Vec<FindingEvidence>,
    pub reason: String,
    /// Exact commands or edits; empty when there is nothing to do.
    pub fix: String,
    /// Documentation that backs it.
    pub source: String,
}

/// A finding whose evidence is pairs of what was read and what it said. One that is `Ok` has no fix, whatever is said of it.
pub fn finding(
    id: &str,
    severity: Severity,
    subject: &str,
    evidence: &[(&str, String)],
    reason: String,
    fix: &str,
    source: &str,
) -> Finding {
    Finding {
        id: id.to_owned(),
        severity,
        subject: subject.to_owned(),
        evidence: evidence
            .iter()
            .map(|(path, content)| FindingEvidence { path: (*path).to_owned(), content: content.clone() })
            .collect(),
        reason,
        fix: if severity == Severity::Ok { String::new() } else { fix.to_owned() },
        source: source.to_owned(),
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingEvidence {
    pub path: String,
    pub content: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Ok,
    Note,
    Warning,
    Error,
}
