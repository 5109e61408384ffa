//! The only way in which this room sees a host: files, folders, links, and the output of a few read-only commands.
//!
//! Paths are absolute and as on the host (`/sys/bus/pci/devices/0000:41:00.0/vendor`). Links are followed as a kernel would, but
//! never out of the root: a captured host is a folder or an archive.

mod folder;
mod tree;

pub use folder::Folder;
pub use tree::{Node, Tree};

use std::io;

/// Most bytes of one file that are read; sysfs files end at a page, `vgpuConfig.xml` at some hundred kilobytes.
pub const FILE_MAX: usize = 4 << 20;
/// Most links followed on one path, as in Linux (`MAXSYMLINKS`).
pub const LINKS_MAX: usize = 40;
/// Most names in a folder.
pub const NAMES_MAX: usize = 65_536;

/// A host's files. Errors carry the kernel's errno where there is one (`raw_os_error`): the words depend on it.
pub trait Sysfs: Send + Sync {
    /// The content of a file, at most [`FILE_MAX`] bytes; `NotFound` when it is not there.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The names in a folder, sorted.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// Where a link points to, as it is written; the last component is not followed.
    fn link(&self, path: &str) -> io::Result<String>;

    /// Where those links in a folder point to whose targets begin with one of these; and how many entries were looked at. What is no
    /// link is passed over.
    fn links_to(&self, folder: &str, starts: &[&str]) -> io::Result<(Vec<String>, usize)> {
        let names = self.list(folder)?;
        let targets = names.iter().filter_map(|name| self.link(&format!("{folder}/{name}")).ok());
        let wanted = targets.filter(|target| starts.iter().any(|start| target.starts_with(start)));
        Ok((wanted.collect(), names.len()))
    }

    /// The path with every link followed.
    fn real_path(&self, path: &str) -> io::Result<String>;

    /// Whether there is anything, links followed.
    fn exists(&self, path: &str) -> bool {
        self.real_path(path).is_ok()
    }

    /// One `write(2)` of the whole content, as the kernel wants it. Refused (`ReadOnlyFilesystem`) by captures.
    fn write(&self, path: &str, content: &[u8]) -> io::Result<()>;

    /// What a read-only command of the host prints, for example `["nvidia-smi", "-q"]`. `NotFound` when the program is missing or
    /// a capture does not hold its output. Only commands in [`COMMANDS`] are ever run.
    fn command(&self, argv: &[&str]) -> io::Result<String>;

    /// Whether this is the running host, which may be changed.
    fn live(&self) -> bool;

    /// Runs a program that changes the host: one of [`PROGRAMS`], by its name or its whole path. The error of a program that
    /// ends with another status than 0 says the status and the last line that it wrote. Refused by captures.
    fn run(&self, argv: &[&str]) -> io::Result<()> {
        let _ = argv;
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    /// Replaces a configuration file below [`SAVED`] as a whole (new file, fsync, rename); `None` removes it. Refused by captures.
    fn save(&self, path: &str, content: Option<&[u8]>) -> io::Result<()> {
        let _ = (path, content);
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    /// Lets the host work for a while; a host in memory needs no time.
    fn pause(&self, duration: std::time::Duration) {
        if self.live() {
            std::thread::sleep(duration);
        }
    }

    /// The content as text without the white space around it; `None` when it is absent or cannot be read.
    fn text(&self, path: &str) -> Option<String> {
        self.read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A decimal, or hexadecimal number behind `0x`.
    fn number(&self, path: &str) -> Option<u64> {
        let text = self.text(path)?;
        match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    }

    /// The last component of a link's target: a driver's, a group's name.
    fn link_name(&self, path: &str) -> Option<String> {
        let target = self.link(path).ok()?;
        target.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
    }
}

/// The programs that [`Sysfs::run`] runs, by the last part of their path.
pub const PROGRAMS: &[&str] = &["modprobe", "nvidia-smi", "sriov-manage", "update-initramfs", "dracut"];

/// Where [`Sysfs::save`] may write: prefixes of paths.
pub const SAVED: &[&str] = &["/etc/modprobe.d/oriel-", "/etc/gim_config"];

/// The commands whose output belongs to a host's state. They read, they change nothing, and none takes input of ours.
pub const COMMANDS: &[&[&str]] = &[
    &["uname", "-r"],
    &["nvidia-smi", "-q"],
    &["nvidia-smi", "vgpu", "-q"],
    &["nvidia-smi", "vgpu", "-s", "-v"],
    &["nvidia-smi", "vgpu", "-c", "-v"],
    &["nvidia-smi", "mig", "-lgip"],
    &["nvidia-smi", "mig", "-lgi"],
    &["nvidia-smi", "mig", "-lgipp"],
    &["dmesg", "--notime"],
    &["modinfo", "-F", "firmware", "i915"],
    &["modinfo", "-F", "firmware", "xe"],
    &["modinfo", "-F", "firmware", "amdgpu"],
    &["modinfo", "-F", "firmware", "radeon"],
    &["modinfo", "-F", "firmware", "nouveau"],
    &["qemu-system-x86_64", "-display", "help"],
    &["qemu-system-x86_64", "-device", "help"],
    &["qemu-system-aarch64", "-device", "help"],
    &["qemu-system-x86_64", "--version"],
];

/// Where a capture keeps what a command printed: one file per command below this folder.
pub const COMMANDS_FOLDER: &str = "/.oriel/commands";

/// The file below [`COMMANDS_FOLDER`] for a command: its words joined by spaces, `/` replaced.
pub fn command_file(argv: &[&str]) -> String {
    format!("{COMMANDS_FOLDER}/{}", argv.join(" ").replace('/', "_"))
}
