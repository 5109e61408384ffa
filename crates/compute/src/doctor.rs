//! What is wrong with a host, and how to mend it. Every finding says what was seen, why it matters, and the exact fix.

use crate::{command::run, host::machine_facts, probe};
use oriel_model::{Finding, Severity, finding};
use std::path::Path;

/// Below this much free disk no desktop should be made, in bytes.
const DISK_ERROR: u64 = 2 << 30;
const DISK_WARNING: u64 = 20 << 30;
const MEMORY_WARNING_MIB: u64 = 3 * 1024;
const VERSION_SECONDS_MAX: u64 = 10;

/// Looks at this machine; changes nothing but the remembered verdict of the probe. `data` is the data folder, which need not
/// exist; `libvirt` is what was found of libvirt, and takes its place among the rest.
pub async fn doctor(data: &Path, libvirt: Vec<Finding>) -> Vec<Finding> {
    let verdict = probe::probe(data).await;
    let mut findings = vec![verdict.finding(), qemu().await, qemu_img().await, passt().await, ffmpeg().await];
    findings.extend(libvirt);
    findings.extend(apparmor(data));
    findings.extend([disk_space(data), memory(data)]);
    findings
}

async fn program(id: &str, name: &str, severity: Severity, what_for: &str, fix: &str, source: &str) -> Finding {
    match run(name, ["--version"], "say its version", VERSION_SECONDS_MAX).await {
        Ok(output) => {
            let version = output.stdout.lines().next().unwrap_or_default().to_owned();
            finding(id, Severity::Ok, name, &[(name, version)], format!("{name} is there: {what_for}"), "", source)
        }
        Err(error) => finding(
            id,
            severity,
            name,
            &[(name, error.to_string())],
            format!("{name} does not run, and is needed: {what_for}"),
            fix,
            source,
        ),
    }
}

async fn ffmpeg() -> Finding {
    let args = ["-hide_banner", "-version"];
    let (id, what_for, source) = ("ffmpeg", "it makes films of recordings", "https://ffmpeg.org/ffmpeg.html");
    match run("ffmpeg", args, "say its version", VERSION_SECONDS_MAX).await {
        Ok(output) => {
            let version = output.stdout.lines().next().unwrap_or_default().to_owned();
            let reason = format!("ffmpeg is there: {what_for}");
            finding(id, Severity::Ok, "ffmpeg", &[("ffmpeg", version)], reason, "", source)
        }
        Err(error) => finding(
            id,
            Severity::Warning,
            "ffmpeg",
            &[("ffmpeg", error.to_string())],
            format!("ffmpeg does not run, and is needed where recordings are exported: {what_for}"),
            "apt-get install ffmpeg",
            source,
        ),
    }
}

async fn qemu() -> Finding {
    program(
        "qemu",
        "qemu-system-x86_64",
        Severity::Error,
        "it runs the desktops",
        "apt-get install qemu-system-x86   # Debian 12: from bookworm-backports",
        "https://www.qemu.org/docs/master/system/index.html",
    )
    .await
}

async fn qemu_img() -> Finding {
    program(
        "qemu-img",
        "qemu-img",
        Severity::Error,
        "it makes the desktops' disks",
        "apt-get install qemu-utils",
        "https://www.qemu.org/docs/master/tools/qemu-img.html",
    )
    .await
}

async fn passt() -> Finding {
    program(
        "passt",
        "passt",
        Severity::Warning,
        "it leads desktops out to the network without letting them reach this machine or each other; without it they reach nothing",
        "apt-get install passt",
        "https://passt.top/passt/about/",
    )
    .await
}

const APPARMOR: &str = "/sys/module/apparmor/parameters/enabled";
const QEMU_ABSTRACTION: &str = "/etc/apparmor.d/abstractions/libvirt-qemu";
/// What an administrator adds to it.
const QEMU_RULES: &str = "/etc/apparmor.d/local/abstractions/libvirt-qemu";
const PASST_PROFILE: &str = "/etc/apparmor.d/usr.bin.passt";

/// Where AppArmor is on, QEMU and passt may open only what their profiles name.
fn apparmor(data: &Path) -> Option<Finding> {
    let enabled = std::fs::read_to_string(APPARMOR).ok()?;
    if enabled.trim() != "Y" || !Path::new(QEMU_ABSTRACTION).exists() {
        return None;
    }
    Some(apparmor_finding(
        data,
        &std::fs::read_to_string(QEMU_RULES).unwrap_or_default(),
        std::fs::read_to_string(PASST_PROFILE).ok().as_deref(),
    ))
}

/// `qemu` and `passt` are what the two profiles say. `./run` makes the same changes (`allow_in_apparmor` in `tools/setup`).
fn apparmor_finding(data: &Path, qemu: &str, passt: Option<&str>) -> Finding {
    let data = data.display();
    let rule = format!("{data}/run/** rw,");
    let missing: Vec<&str> = [(QEMU_RULES, Some(qemu)), (PASST_PROFILE, passt)]
        .into_iter()
        .filter(|(_, rules)| rules.is_some_and(|rules| !rules.contains(&rule)))
        .map(|(file, _)| file)
        .collect();
    let mut fix = Vec::new();
    if missing.contains(&QEMU_RULES) {
        fix.push(format!("mkdir -p /etc/apparmor.d/local/abstractions && echo '{rule}' >> {QEMU_RULES}"));
    }
    if missing.contains(&PASST_PROFILE) {
        fix.push(format!(
            "sed -i 's|^  include <abstractions/passt>|&\\n  {rule}|' {PASST_PROFILE} && apparmor_parser -r {PASST_PROFILE}"
        ));
    }
    finding(
        "apparmor",
        if missing.is_empty() { Severity::Ok } else { Severity::Warning },
        "host",
        &missing.iter().map(|file| (*file, format!("does not say {rule}"))).collect::<Vec<_>>(),
        if missing.is_empty() {
            String::from("AppArmor lets QEMU and passt meet in the data folder")
        } else {
            format!(
                "AppArmor keeps programs from the sockets under {data}/run, so desktops with the network \"user\" cannot start"
            )
        },
        &fix.join("\n"),
        "https://gitlab.com/apparmor/apparmor/-/wikis/Libvirt",
    )
}

fn disk_space(data: &Path) -> Finding {
    let free = machine_facts(data).free_disk_bytes;
    let severity = match free {
        0..DISK_ERROR => Severity::Error,
        DISK_ERROR..DISK_WARNING => Severity::Warning,
        _ => Severity::Ok,
    };
    finding(
        "disk-space",
        severity,
        &data.display().to_string(),
        &[(&data.display().to_string(), format!("{:.1} GiB free", free as f64 / f64::from(1 << 30)))],
        String::from(match severity {
            Severity::Ok => "there is room for images and desktops",
            _ => "images take about 1 GiB each and desktops grow with use; a full disk stops every desktop",
        }),
        "free some space, or put the data folder on a larger disk: oriel serve --data DIR",
        "https://www.qemu.org/docs/master/system/images.html",
    )
}

fn memory(data: &Path) -> Finding {
    let facts = machine_facts(data);
    let good = facts.memory_available_mib >= MEMORY_WARNING_MIB;
    finding(
        "memory",
        if good { Severity::Ok } else { Severity::Warning },
        "host",
        &[("/proc/meminfo", format!("{} MiB of {} MiB available", facts.memory_available_mib, facts.memory_mib))],
        String::from(if good {
            "there is memory for desktops"
        } else {
            "a desktop takes 2 GiB unless its pool says otherwise"
        }),
        "stop desktops that nobody uses, or make the pool's desktops smaller: oriel pool set NAME --memory 1024",
        "https://www.qemu.org/docs/master/system/invocation.html",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apparmor_needs_the_rule_of_this_data_folder() {
        let data = Path::new("/srv/oriel");
        let rule = "/srv/oriel/run/** rw,\n";
        let both =
            apparmor_finding(data, "/run/oriel/** rw,\n", Some("profile passt {\n  include <abstractions/passt>\n}"));
        assert_eq!((both.severity, both.evidence.len()), (Severity::Warning, 2));
        assert_eq!(both.fix.matches("/srv/oriel/run/** rw,").count(), 2, "{}", both.fix);
        // passt need not be confined.
        assert_eq!(apparmor_finding(data, rule, None).severity, Severity::Ok);
        let half = apparmor_finding(data, rule, Some("profile passt {}"));
        assert!(half.severity == Severity::Warning && !half.fix.contains("libvirt-qemu"), "{half:?}");
        // What `./run` writes is what the doctor looks for.
        assert!(include_str!("../../../tools/setup").contains("/run/** rw,"));
    }

    #[tokio::test]
    async fn says_what_contract_asks_for() {
        let data = tempfile::tempdir().unwrap();
        let findings = doctor(data.path(), Vec::new()).await;
        for id in ["kvm", "qemu", "qemu-img", "passt", "disk-space", "memory"] {
            let finding = findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id}"));
            assert_eq!(finding.fix.is_empty(), finding.severity == Severity::Ok, "{finding:?}");
            assert!(!finding.reason.is_empty() && finding.source.starts_with("https://"), "{finding:?}");
        }
    }
}
