//! The machine that runs desktops, and what the doctor finds on it.

use super::desktop::Accelerator;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What desktops run on, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostAccelerator {
    pub kind: Accelerator,
    /// One sentence: what the probe saw.
    pub reason: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Host {
    pub name: String,
    /// For example `qemu:///system`.
    pub uri: String,
    pub os: String,
    pub kernel: String,
    pub arch: String,
    pub cpus: u32,
    pub cpu_model: String,
    pub memory_mib: u64,
    pub free_disk_bytes: u64,
    #[schema(required)]
    pub libvirt_version: Option<String>,
    #[schema(required)]
    pub qemu_version: Option<String>,
    pub accelerator: HostAccelerator,
}

impl From<model::HostFacts> for Host {
    fn from(facts: model::HostFacts) -> Self {
        Self {
            name: facts.name,
            uri: facts.uri,
            os: facts.os,
            kernel: facts.kernel,
            arch: facts.arch,
            cpus: facts.cpus,
            cpu_model: facts.cpu_model,
            memory_mib: facts.memory_mib,
            free_disk_bytes: facts.free_disk_bytes,
            libvirt_version: facts.libvirt_version,
            qemu_version: facts.qemu_version,
            accelerator: HostAccelerator { kind: facts.accelerator.kind.into(), reason: facts.accelerator.reason },
        }
    }
}

mirror! {
    Severity = model::Severity { Ok, Note, Warning, Error }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FindingEvidence {
    /// What was read: a file, or a command.
    pub path: String,
    pub content: String,
}

/// One thing the doctor says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Stable: `kvm`, `libvirt`, `qemu`…
    pub id: String,
    pub severity: Severity,
    pub subject: String,
    pub evidence: Vec<FindingEvidence>,
    pub reason: String,
    /// Exact commands or edits; empty when there is nothing to do.
    pub fix: String,
    /// Documentation that backs it.
    pub source: String,
}

impl From<model::Finding> for Finding {
    fn from(finding: model::Finding) -> Self {
        Self {
            id: finding.id,
            severity: finding.severity.into(),
            subject: finding.subject,
            evidence: finding
                .evidence
                .into_iter()
                .map(|e| FindingEvidence { path: e.path, content: e.content })
                .collect(),
            reason: finding.reason,
            fix: finding.fix,
            source: finding.source,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FindingList {
    pub findings: Vec<Finding>,
}
