//! What a host is, read from its kernel and its files.

use rustix::fs::statvfs;
use std::path::Path;

/// What can be said of this machine without a hypervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineFacts {
    pub name: String,
    pub os: String,
    pub kernel: String,
    pub arch: String,
    pub cpus: u32,
    pub cpu_model: String,
    /// The processor says that it can virtualise (`vmx` or `svm`).
    pub cpu_virtualises: bool,
    pub memory_mib: u64,
    pub memory_available_mib: u64,
    pub free_disk_bytes: u64,
}

/// Reads `/proc`, `/etc/os-release` and the free space under `data` (or the nearest folder above that exists).
pub fn machine_facts(data: &Path) -> MachineFacts {
    let system = rustix::system::uname();
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let cpu = read("/proc/cpuinfo");
    let memory = read("/proc/meminfo");
    let flags = field(&cpu, "flags", ':').unwrap_or_default();
    MachineFacts {
        name: text(system.nodename()),
        os: field(&read("/etc/os-release"), "PRETTY_NAME", '=')
            .map_or_else(|| String::from("Linux"), |name| name.trim_matches('"').to_owned()),
        kernel: text(system.release()),
        arch: text(system.machine()),
        cpus: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
        cpu_model: field(&cpu, "model name", ':').unwrap_or_default(),
        cpu_virtualises: flags.split(' ').any(|flag| flag == "vmx" || flag == "svm"),
        memory_mib: kibibytes(&memory, "MemTotal") / 1024,
        memory_available_mib: kibibytes(&memory, "MemAvailable") / 1024,
        free_disk_bytes: data
            .ancestors()
            .find_map(|path| statvfs(path).ok())
            .map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn field(text: &str, key: &str, separator: char) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(separator)?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}

fn kibibytes(text: &str, key: &str) -> u64 {
    field(text, key, ':').and_then(|value| value.strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn knows_this_machine() {
        let facts = super::machine_facts(std::path::Path::new("/nowhere/at/all"));
        assert!(
            facts.memory_mib > 0 && facts.cpus > 0 && facts.free_disk_bytes > 0 && !facts.kernel.is_empty(),
            "{facts:?}"
        );
    }
}
