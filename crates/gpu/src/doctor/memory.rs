//! Memory: a desktop with a card has all of its memory pinned from the start.

use super::{
    case::{Case, held_by_vfio},
    draft::{HOST, note, warning_if},
};
use oriel_model::{Finding, GpuMode};

/// From this much memory on, small pages are felt when desktops start.
const LARGE_HOST_MIB: u64 = 64 * 1024;

pub(super) fn host(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let assigning = case.cards().any(|gpu| held_by_vfio(gpu.driver.as_deref()))
        || [GpuMode::Whole, GpuMode::Vgpu, GpuMode::Vf].into_iter().any(|mode| case.asked_for(mode));
    if !assigning {
        return;
    }
    hugepages(case, findings);
    lock(case, findings);
}

fn hugepages(case: &Case<'_>, findings: &mut Vec<Finding>) {
    if case.host.memory_mib < LARGE_HOST_MIB {
        return;
    }
    let Some(text) = case.sysfs.text("/proc/meminfo") else { return };
    let Some(line) = text.lines().find(|line| line.starts_with("HugePages_Total:")) else { return };
    if line.split_whitespace().nth(1) != Some("0") {
        return;
    }
    // Half of the memory, in pages of 1 GiB.
    let pages = case.host.memory_mib / 2048;
    findings.push(
        note("hugepages", HOST)
            .saw("/proc/meminfo", line)
            .because("a desktop with a card has all of its memory pinned before it starts: with small pages that takes seconds for every 16 GiB, and the card's translations miss more often; with huge pages it is instant")
            .fix(format!(
                "# {pages} GiB for desktops; what the host itself needs must remain\n{}",
                case.system.boot_with(&format!("default_hugepagesz=1G hugepagesz=1G hugepages={pages}"))
            ))
            .see("https://docs.kernel.org/admin-guide/mm/hugetlbpage.html"),
    );
}

fn lock(case: &Case<'_>, findings: &mut Vec<Finding>) {
    // libvirt's system daemon raises the limit for each desktop by itself; a limit on the daemon would stay in force.
    for unit in ["libvirtd", "virtqemud"] {
        for folder in ["/etc/systemd/system", "/lib/systemd/system"] {
            for path in [format!("{folder}/{unit}.service"), format!("{folder}/{unit}.service.d/override.conf")] {
                let Some(text) = case.sysfs.text(&path) else { continue };
                let Some(line) = text.lines().map(str::trim).find(|line| line.starts_with("LimitMEMLOCK=")) else {
                    continue;
                };
                let limit = line.trim_start_matches("LimitMEMLOCK=");
                // Debian's unit says 64M for the daemon alone; QEMU's own limit is set by libvirt, which has CAP_SYS_RESOURCE.
                let plain = limit.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
                if limit == "infinity" || plain.parse::<u64>().is_err() || path.starts_with("/lib") {
                    continue;
                }
                findings.push(
                    warning_if(case.asked_for(GpuMode::Whole), "memory-lock", HOST)
                        .saw(&path, line)
                        .because("a desktop with a card pins all of its memory; a limit on libvirt's daemon that is smaller makes it fail with \"cannot limit locked memory\" or VFIO_MAP_DMA: -12 (ENOMEM)")
                        .fix(format!("sed -i 's/^LimitMEMLOCK=.*/LimitMEMLOCK=infinity/' {path} && systemctl daemon-reload && systemctl restart {unit}"))
                        .see("https://libvirt.org/formatdomain.html#memory-tuning"),
                );
                return;
            }
        }
    }
    // In a container or a session without privileges nobody may raise it.
    let Some(text) = case.sysfs.text("/proc/self/limits") else { return };
    let Some(line) = text.lines().find(|line| line.starts_with("Max locked memory")) else { return };
    let mut numbers = line.trim_start_matches("Max locked memory").split_whitespace();
    let (soft, hard) = (numbers.next(), numbers.next());
    let Some(hard_bytes) = hard.and_then(|word| word.parse::<u64>().ok()) else { return };
    let privileged = case
        .sysfs
        .text("/proc/self/status")
        .and_then(|status| {
            let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?.trim().to_owned();
            u64::from_str_radix(&bits, 16).ok()
        })
        // CAP_SYS_RESOURCE; where it is not said, nobody is accused.
        .is_none_or(|bits| bits & (1 << 24) != 0);
    if privileged || hard_bytes >= case.host.memory_mib << 20 {
        return;
    }
    findings.push(
        note("memory-lock", HOST)
            .saw("/proc/self/limits", format!("Max locked memory {} {hard_bytes} bytes", soft.unwrap_or_default()))
            .because("a desktop with a card pins all of its memory, and this account may pin less: libvirt's system daemon (qemu:///system) raises the limit by itself, one of an account (qemu:///session) cannot")
            .fix("# use qemu:///system, or for this account:\necho \"$USER - memlock unlimited\" > /etc/security/limits.d/90-memlock.conf   # as root; then sign in again")
            .see("https://libvirt.org/formatdomain.html#memory-tuning"),
    );
}
