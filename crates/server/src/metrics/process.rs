//! What the program itself takes, under the names that Prometheus's own libraries give it. Sessions have processes of their own, which are
//! not in these numbers.
//!
//! Source: proc_pid_stat(5), proc_pid_status(5).

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use std::{fs, sync::atomic::AtomicU64};

/// Ticks of `/proc/PID/stat` in a second: USER_HZ, the same on every architecture that Oriel runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What cannot be read is left out.
pub(super) fn gather(registry: &mut Registry) {
    let process = registry.sub_registry_with_prefix("process");
    let gauge = |value: f64| {
        let gauge: Gauge<f64, AtomicU64> = Gauge::default();
        gauge.set(value);
        gauge
    };
    if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_seconds(&stat)) {
        let counter: Counter<f64, AtomicU64> = Counter::default();
        counter.inc_by(seconds);
        process.register("cpu_seconds", "User and system time of this process", counter);
    }
    if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().and_then(|status| resident_bytes(&status)) {
        process.register("resident_memory_bytes", "Resident memory of this process", gauge(bytes));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        process.register("open_fds", "Open files of this process", gauge(open.count() as f64));
    }
}

/// The name in brackets may have spaces and brackets in it: fields count from the last one.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 3 0 5 0 0";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
        assert_eq!(resident_bytes("Name:\toriel\nVmRSS:\t   1024 kB\n"), Some(1_048_576.0));
        assert_eq!(resident_bytes(""), None);
    }
}
