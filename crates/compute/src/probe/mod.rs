//! The accelerator probe: does KVM run a guest here, or does it only say so?
//!
//! ```text
//! /dev/kvm missing ─▶ NoDevice        not permitted ─▶ NoPermission        no QEMU ─▶ NoQemu
//! tiny long-mode guest under KVM ─┬─ answers ─▶ Works
//!                                 ├─ QEMU gives up ─▶ Refused
//!                                 └─ time is up ─▶ the same guest in software ─┬─ answers ─▶ Hangs
//!                                                                             └─ doesn't ─▶ Broken
//! ```
//! A verdict holds for one kernel, one QEMU and one processor, and is remembered in `probe.json` under the data folder.

mod payload;

pub use payload::payload;

use crate::{
    ComputeError,
    command::{run, run_any, short},
    host::{MachineFacts, machine_facts},
};
use oriel_model::{Accelerator, AcceleratorKind, Finding, Severity, finding};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How long the tiny guest may take; it needs 1 s where it works.
pub const PROBE_SECONDS_MAX: u64 = 8;
/// How long it may take in software, on a machine that is busy with other things too.
const CONTROL_SECONDS_MAX: u64 = 30;
/// How long QEMU may take to say its version.
const VERSION_SECONDS_MAX: u64 = 10;
const DEVICE: &str = "/dev/kvm";
const QEMU: &str = "qemu-system-x86_64";
const SOURCE: &str = "https://docs.kernel.org/virt/kvm/api.html";
/// The largest `probe.json` that is read, in bytes.
const CACHE_BYTES_MAX: u64 = 64 * 1024;

/// What the probe saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "saw", rename_all = "snake_case")]
pub enum Verdict {
    Works,
    /// No `/dev/kvm`.
    NoDevice {
        cpu_virtualises: bool,
    },
    NoPermission {
        reason: String,
    },
    NoQemu,
    /// QEMU gave up at once.
    Refused {
        reason: String,
    },
    /// The device opens, but no guest gets anywhere; the same guest runs in software.
    Hangs,
    /// The guest answers neither way: something is wrong with QEMU.
    Broken {
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    kernel: String,
    qemu: String,
    cpu: String,
    verdict: Verdict,
}

/// The verdict for this machine, remembered under `data` when it was asked before.
pub async fn probe(data: &Path) -> Verdict {
    let facts = machine_facts(data);
    if let Some(verdict) = without_guest(&facts) {
        return verdict;
    }
    let Some(qemu) = qemu_version().await else { return Verdict::NoQemu };
    let path = data.join("probe.json");
    if let Some(old) = remembered(&path)
        && (&old.kernel, &old.qemu, &old.cpu) == (&facts.kernel, &qemu, &facts.cpu_model)
    {
        return old.verdict;
    }
    let verdict = with_guest().await;
    let new = Remembered { kernel: facts.kernel, qemu, cpu: facts.cpu_model, verdict: verdict.clone() };
    // Only a convenience: without it the next start asks again.
    if let Err(error) =
        std::fs::create_dir_all(data).and_then(|()| std::fs::write(&path, serde_json::to_vec_pretty(&new)?))
    {
        tracing::debug!(%error, path = %path.display(), "Could not remember the accelerator probe's verdict");
    }
    verdict
}

/// QEMU's version, for example `10.0.2`.
pub async fn qemu_version() -> Option<String> {
    let output = run(QEMU, ["--version"], "say its version", VERSION_SECONDS_MAX).await.ok()?;
    output.stdout.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

fn remembered(path: &Path) -> Option<Remembered> {
    let size = std::fs::metadata(path).ok()?.len();
    if size > CACHE_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn without_guest(facts: &MachineFacts) -> Option<Verdict> {
    match std::fs::OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Some(Verdict::NoPermission { reason: error.to_string() })
        }
        // Also "no such device": the node is there, the module isn't.
        Err(_) => Some(Verdict::NoDevice { cpu_virtualises: facts.cpu_virtualises }),
    }
}

async fn with_guest() -> Verdict {
    match run_payload("kvm", "host", PROBE_SECONDS_MAX).await {
        Ok(Run::Answered) => Verdict::Works,
        Ok(Run::GaveUp(reason)) => Verdict::Refused { reason },
        Err(ComputeError::ProgramMissing { .. }) => Verdict::NoQemu,
        Err(error) => Verdict::Broken { reason: error.to_string() },
        Ok(Run::Silent) => match run_payload("tcg", "max", CONTROL_SECONDS_MAX).await {
            Ok(Run::Answered) => Verdict::Hangs,
            Ok(Run::GaveUp(reason)) => Verdict::Broken { reason },
            Ok(Run::Silent) => Verdict::Broken {
                reason: format!("the test guest stayed silent for {CONTROL_SECONDS_MAX} s in software too"),
            },
            Err(error) => Verdict::Broken { reason: error.to_string() },
        },
    }
}

/// What became of the tiny guest.
#[derive(Debug, PartialEq, Eq)]
enum Run {
    Answered,
    Silent,
    GaveUp(String),
}

async fn run_payload(accelerator: &str, cpu: &str, seconds: u64) -> Result<Run, ComputeError> {
    let file = PayloadFile::write()?;
    let exit = format!("isa-debug-exit,iobase={:#x},iosize=0x04", payload::EXIT_PORT);
    let kernel = file.0.to_string_lossy();
    #[rustfmt::skip]
    let arguments = [
        "-accel", accelerator, "-cpu", cpu, "-machine", "q35", "-m", "64", "-nodefaults", "-no-user-config", "-display", "none",
        "-no-reboot", "-device", &exit, "-kernel", &kernel,
    ];
    match run_any(QEMU, arguments, "run the test guest", seconds).await {
        Ok(output) if output.code == Some(payload::ANSWER_STATUS) => Ok(Run::Answered),
        Ok(output) => Ok(Run::GaveUp(short(&output.stderr))),
        Err(ComputeError::CommandSlow { .. }) => Ok(Run::Silent),
        Err(error) => Err(error),
    }
}

/// The payload in a file of its own that goes when it is no longer needed.
struct PayloadFile(std::path::PathBuf);

impl PayloadFile {
    fn write() -> Result<Self, ComputeError> {
        let path = std::env::temp_dir().join(format!("oriel-probe-{}", uuid::Uuid::new_v4()));
        let fail = ComputeError::file("write", &path);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(fail)?;
        std::io::Write::write_all(&mut file, &payload()).map_err(ComputeError::file("write", &path))?;
        Ok(Self(path))
    }
}

impl Drop for PayloadFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Verdict {
    /// What desktops run on, and why, in one sentence.
    pub fn accelerator(&self) -> Accelerator {
        let kind = if *self == Self::Works { AcceleratorKind::Kvm } else { AcceleratorKind::Tcg };
        Accelerator { kind, reason: self.reason() }
    }

    fn reason(&self) -> String {
        let slow = "desktops run in software emulation, several times slower";
        match self {
            Self::Works => String::from("KVM works: a test guest reached 64-bit mode and answered"),
            Self::NoDevice { cpu_virtualises: false } => {
                format!(
                    "{DEVICE} does not exist and the processor shows neither vmx nor svm: virtualisation is switched off in the firmware, or this is a virtual machine without nested virtualisation; {slow}"
                )
            }
            Self::NoDevice { cpu_virtualises: true } => {
                format!(
                    "{DEVICE} does not exist although the processor can virtualise: the kernel's module is not loaded; {slow}"
                )
            }
            Self::NoPermission { reason } => format!("{DEVICE} may not be opened ({reason}); {slow}"),
            Self::NoQemu => format!("{QEMU} is not installed, so no desktop can run"),
            Self::Refused { reason } => format!("QEMU gives up with KVM ({reason}); {slow}"),
            Self::Hangs => format!(
                "{DEVICE} opens, but a test guest that counts in 64-bit mode did not answer within {PROBE_SECONDS_MAX} s, while it does in software: this KVM does not run ordinary guests (it hangs, or crawls); {slow}"
            ),
            Self::Broken { reason } => {
                format!("the test guest runs neither with KVM nor in software ({reason}); {slow}")
            }
        }
    }

    pub fn finding(&self) -> Finding {
        let (severity, fix) = match self {
            Self::Works => (Severity::Ok, ""),
            Self::NoDevice { cpu_virtualises: false } => (
                Severity::Warning,
                "switch on \"Intel VT-x\" or \"SVM mode\" in the firmware's set-up; on a cloud or inside another hypervisor, take a machine type with nested virtualisation",
            ),
            Self::NoDevice { cpu_virtualises: true } => (Severity::Warning, "modprobe kvm_intel || modprobe kvm_amd"),
            Self::NoPermission { .. } => (Severity::Warning, "usermod -aG kvm $USER   # then log in again"),
            Self::NoQemu => (Severity::Error, "apt-get install qemu-system-x86"),
            Self::Refused { .. } => (
                Severity::Warning,
                "try the kernel's and QEMU's newest versions; inside another hypervisor, ask for nested virtualisation",
            ),
            Self::Hangs => (
                Severity::Warning,
                "take a machine with full nested virtualisation, or bare metal; nothing on this machine can mend it",
            ),
            Self::Broken { .. } => (Severity::Error, "apt-get install --reinstall qemu-system-x86"),
        };
        let device = match std::fs::OpenOptions::new().read(true).write(true).open(DEVICE) {
            Ok(_) => String::from("opens for reading and writing"),
            Err(error) => error.to_string(),
        };
        let guest = match self {
            Self::Works => format!("test guest under KVM: exit status {}, as expected", payload::ANSWER_STATUS),
            Self::Hangs => format!(
                "test guest under KVM: no answer in {PROBE_SECONDS_MAX} s; in software: exit status {}",
                payload::ANSWER_STATUS
            ),
            Self::Refused { reason } | Self::Broken { reason } => reason.clone(),
            Self::NoDevice { .. } | Self::NoPermission { .. } | Self::NoQemu => String::from("not run"),
        };
        finding("kvm", severity, DEVICE, &[(DEVICE, device), (QEMU, guest)], self.reason(), fix, SOURCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_tiny_guest_answers_in_software() {
        if qemu_version().await.is_none() {
            eprintln!("skipped: no QEMU here");
            return;
        }
        assert_eq!(run_payload("tcg", "max", CONTROL_SECONDS_MAX).await.unwrap(), Run::Answered);
    }

    #[tokio::test]
    async fn an_unknown_processor_is_a_refusal() {
        if qemu_version().await.is_none() {
            eprintln!("skipped: no QEMU here");
            return;
        }
        assert!(
            matches!(run_payload("tcg", "no-such-cpu", PROBE_SECONDS_MAX).await.unwrap(), Run::GaveUp(reason) if reason.contains("no-such-cpu"))
        );
    }

    #[test]
    fn every_verdict_has_words() {
        let reason = || String::from("why");
        for verdict in [
            Verdict::Works,
            Verdict::NoDevice { cpu_virtualises: true },
            Verdict::NoDevice { cpu_virtualises: false },
            Verdict::NoPermission { reason: reason() },
            Verdict::NoQemu,
            Verdict::Refused { reason: reason() },
            Verdict::Hangs,
            Verdict::Broken { reason: reason() },
        ] {
            let finding = verdict.finding();
            assert_eq!(finding.fix.is_empty(), verdict == Verdict::Works, "{verdict:?}");
            assert_eq!(finding.severity == Severity::Ok, verdict.accelerator().kind == AcceleratorKind::Kvm);
            let json = serde_json::to_string(&verdict).unwrap();
            assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), verdict);
        }
    }
}
