//! What leaves a capture before it leaves the host: names, serial numbers, addresses, secrets, and files far longer than what of
//! them counts.

use crate::{
    inventory::redact,
    sysfs::{COMMANDS_FOLDER, Node, Tree},
};

/// Names that are no names.
const NO_NAMES: &[&str] = &["localhost", "host", "debian", "ubuntu", "linux", "server", "(none)"];
/// What stands in place of the host's name.
const HOST: &str = "host";
/// Bytes of a function's configuration space that are kept: the header. Beyond it there may be a serial number.
const HEADER: usize = 64;

/// Cleans every file, and every name that has the host's name in it.
pub(super) fn tree(tree: &mut Tree, host: &str) {
    let changed: Vec<(String, Node)> = tree
        .nodes()
        .filter_map(|(path, node)| match node {
            Node::File(content) if !content.is_empty() => {
                let clean = file(path, content, host);
                (clean != *content).then(|| (path.to_owned(), Node::File(clean)))
            }
            _ => None,
        })
        .collect();
    for (path, node) in changed {
        tree.put(&path, node);
    }
}

fn file(path: &str, content: &[u8], host: &str) -> Vec<u8> {
    match path.rsplit('/').next().unwrap_or_default() {
        "config" if path.starts_with("/sys/") => return content.get(..HEADER).unwrap_or(content).to_vec(),
        "rom" if path.starts_with("/sys/") => return rom(content),
        // A monitor's serial number.
        "edid" => return Vec::new(),
        _ => {}
    }
    let Ok(text) = std::str::from_utf8(content) else { return content.to_vec() };
    if text.contains('\0') && !path.contains("/devicetree/") {
        return content.to_vec();
    }
    without_name(&self::text(path, text), host).into_bytes()
}

fn text(path: &str, text: &str) -> String {
    let keep = |wanted: &dyn Fn(&str) -> bool| -> String {
        text.lines().filter(|line| wanted(line)).fold(String::new(), |all, line| all + &redact::text(line) + "\n")
    };
    match path {
        "/proc/cmdline" | "/boot/firmware/cmdline.txt" | "/boot/cmdline.txt" => redact::command_line(text) + "\n",
        "/proc/sys/kernel/hostname" | "/etc/hostname" => format!("{HOST}\n"),
        "/proc/cpuinfo" => cpuinfo(text),
        // Driver settings only: `options vfio-pci ids=…` is what counts, comments are people's own.
        _ if path.starts_with("/etc/modprobe.d/") => keep(&|line| !line.trim_start().starts_with('#')),
        _ if path.starts_with("/etc/apt/") => keep(&|line| !line.trim_start().starts_with('#')),
        _ if path.starts_with("/boot/config-") => keep(&|line| KERNEL_OPTIONS.iter().any(|word| line.contains(word))),
        _ if path.ends_with("/modules.dep") || path.ends_with("/modules.builtin") => {
            keep(&|line| MODULES.iter().any(|word| line.split(':').next().is_some_and(|name| name.contains(word))))
        }
        _ if path.ends_with("/modules.alias") => keep(&|line| MODULES.iter().any(|word| line.ends_with(word))),
        _ if path.ends_with("vgpuConfig.xml") => without_signatures(text),
        _ if path.starts_with(COMMANDS_FOLDER) => command(path, text),
        // Numbers and words of the kernel: a UUID among them would be a mediated device's, whose name its path has anyway.
        _ if path.starts_with("/sys/") => text.to_owned(),
        _ => redact::text(text),
    }
}

const KERNEL_OPTIONS: &[&str] = &[
    "VFIO",
    "IOMMU",
    "GVT",
    "MDEV",
    "DRM_I915",
    "DRM_XE",
    "DRM_AMDGPU",
    "DRM_RADEON",
    "DRM_NOUVEAU",
    "SYSFB",
    "FB_EFI",
    "FB_SIMPLE",
    "DRM_SIMPLE",
    "KVM",
    "PCI_IOV",
    "PCI_STUB",
    "PCI_PF_STUB",
    "HUGETLB",
    "VGA_ARB",
    "HMM",
    "UDMABUF",
    "IRQ_REMAP",
    "ARM_SMMU",
    "SAMPLES",
];

const MODULES: &[&str] = &[
    "vfio",
    "mdev",
    "kvmgt",
    "kvm",
    "i915",
    "/xe/",
    "xe.ko",
    "amdgpu",
    "radeon",
    "nouveau",
    "nvidia",
    "gim",
    "pci-stub",
    "pci-pf-stub",
    "irqbypass",
    "vendor-reset",
    "/ast",
    "mgag200",
    "simpledrm",
    "vc4",
    "v3d",
    "virtio-gpu",
    "iommufd",
    "drm.ko",
    " xe",
    " ast",
    "nova",
];

/// The first processor: they are all alike, and a Raspberry Pi tells its serial number at the end.
fn cpuinfo(text: &str) -> String {
    let first = text.lines().take_while(|line| !line.trim().is_empty());
    let rest = text.lines().filter(|line| line.starts_with("Model"));
    let mut lines: Vec<&str> = first.collect();
    let rest: Vec<&str> = rest.filter(|line| !lines.contains(line)).collect();
    lines.extend(rest);
    lines.into_iter().filter(|line| !line.starts_with("Serial")).fold(String::new(), |all, line| all + line + "\n")
}

/// NVIDIA signs every type with hundreds of digits.
fn without_signatures(text: &str) -> String {
    let mut out = String::with_capacity(text.len() / 4);
    let mut rest = text;
    while let Some(start) = rest.find("<digest") {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        rest = after.find("</digest>").and_then(|end| after.get(end + "</digest>".len()..)).unwrap_or_default();
    }
    out + rest
}

/// Lines of the kernel's log that concern GPUs and their way into machines.
const LOG: &[&str] = &[
    "DMAR",
    "AMD-Vi",
    "IOMMU",
    "iommu",
    "smmu",
    "IRQ remapping",
    "vfio",
    "VFIO",
    "i915",
    "xe 0",
    "amdgpu",
    "radeon",
    "nouveau",
    "nvidia",
    "NVRM",
    "nvidia-vgpu",
    "mdev",
    "gvt",
    "GVT",
    "vgaarb",
    "efifb",
    "simplefb",
    "simple-framebuffer",
    "sysfb",
    "BAR ",
    "Direct firmware load",
    "firmware:",
    "kvm",
    "Linux version",
    "gim",
    "SR-IOV",
    "[drm]",
    "resizable",
    "vc4",
    "v3d",
    "AER",
];

/// Names before a colon whose value is somebody's: numbers of boards and guests, names of guests and programs.
const PRIVATE: &[&str] = &[
    "serial",
    "uuid",
    "pdi",
    "vm id",
    "vm name",
    "process",
    "name of",
    "chassis",
    "guest name",
    "grid license",
    "board id",
];

fn command(path: &str, text: &str) -> String {
    let of = |name: &str| path.trim_start_matches(COMMANDS_FOLDER).trim_start_matches('/').starts_with(name);
    let mut out = String::with_capacity(text.len());
    // Below "Processes" every line is about somebody's programs.
    let mut in_processes = false;
    for line in text.lines() {
        if of("dmesg")
            && (line.contains("Command line:")
                || line.contains("Kernel command line")
                || !LOG.iter().any(|word| line.contains(word)))
        {
            continue;
        }
        if of("nvidia-smi") {
            if let Some((name, _)) = line.split_once(" : ") {
                let lower = name.trim().to_lowercase();
                if in_processes && (lower == "name" || lower == "process id" || lower == "type") {
                    continue;
                }
                if PRIVATE.iter().any(|word| lower.contains(word)) && lower != "grid license" {
                    out.push_str(&format_private(name));
                    continue;
                }
            } else {
                in_processes = line.trim() == "Processes" || (in_processes && line.starts_with("        "));
            }
        }
        out.push_str(&redact::text(line));
        out.push('\n');
    }
    out
}

fn format_private(name: &str) -> String {
    format!("{name} : {}\n", redact::REDACTED)
}

/// The host's own name wherever it stands alone.
fn without_name(text: &str, host: &str) -> String {
    if host.len() < 3 || NO_NAMES.contains(&host) || !text.contains(host) {
        return text.to_owned();
    }
    let word = |one: char| one.is_ascii_alphanumeric() || one == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(host) {
        let (before, from) = rest.split_at(start);
        let after = from.get(host.len()..).unwrap_or_default();
        let alone = !before.ends_with(word) && !after.starts_with(word);
        out.push_str(before);
        out.push_str(if alone { HOST } else { host });
        rest = after;
    }
    out + rest
}

/// An expansion ROM's headers: which images it has. The code in between is the maker's, and tells nothing here.
fn rom(content: &[u8]) -> Vec<u8> {
    const IMAGES_MAX: usize = 16;
    const DATA: usize = 0x20;
    let mut out = vec![0; content.len()];
    let mut start = 0;
    for _ in 0..IMAGES_MAX {
        let word = |at: usize| content.get(at..)?.first_chunk().map(|bytes| usize::from(u16::from_le_bytes(*bytes)));
        if word(start) != Some(0xaa55) {
            break;
        }
        let mut keep = |from: usize, length: usize| {
            let end = (from + length).min(content.len());
            if let (Some(to), Some(from)) = (out.get_mut(from..end), content.get(from..end)) {
                to.copy_from_slice(from);
            }
        };
        keep(start, HEADER);
        let Some(data) = word(start + 0x18).map(|offset| start + offset) else { break };
        keep(data, DATA);
        // PCI Firmware Specification §5.1.2: image length in units of 512 bytes, bit 7 of the indicator on the last image.
        let length = word(data + 0x10).unwrap_or(0) * 512;
        if length == 0 || content.get(data + 0x15).is_none_or(|indicator| indicator & 0x80 != 0) {
            break;
        }
        start += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_leaves() {
        let of = |path: &str, content: &str| String::from_utf8(file(path, content.as_bytes(), "vdi01")).unwrap();
        let smi = "GPU 00000000:41:00.0\n    Serial Number                         : 0320317060550\n    GPU UUID                              : GPU-3f2b6f0e-9f0c-4a53-9f0e-0a1b2c3d4e5f\n    MIG Mode\n        Current                           : Enabled\n    Processes\n        GPU instance ID                   : N/A\n        Process ID                        : 4242\n            Type                          : G\n            Name                          : /home/anna/secret\n";
        assert_eq!(
            of("/.oriel/commands/nvidia-smi -q", smi),
            "GPU 00000000:41:00.0\n    Serial Number                         : redacted\n    GPU UUID                              : redacted\n    MIG Mode\n        Current                           : Enabled\n    Processes\n        GPU instance ID                   : N/A\n"
        );
        assert_eq!(of("/proc/sys/kernel/hostname", "vdi01\n"), "host\n");
        assert_eq!(of("/proc/version", "Linux on vdi01, not vdi012\n"), "Linux on host, not vdi012\n");
        assert_eq!(
            of(
                "/.oriel/commands/dmesg --notime",
                "DMAR: IOMMU enabled\nCommand line: x\nusb 1-1: SerialNumber: 1234\neth0: 52:54:00:12:34:56\nvfio 52:54:00:12:34:56\n"
            ),
            "DMAR: IOMMU enabled\nvfio redacted\n"
        );
        assert_eq!(
            of("/proc/cpuinfo", "processor: 0\nSerial : 1\n\nprocessor: 1\n\nSerial : 2\nModel : Pi\n"),
            "processor: 0\nModel : Pi\n"
        );
        assert_eq!(of("/x/vgpuConfig.xml", "<a/><digest t>00</digest><b/><digest>"), "<a/><b/>");
    }

    #[test]
    fn a_rom_keeps_its_headers() {
        let mut content = vec![0x11; 2048];
        content[0..2].copy_from_slice(&[0x55, 0xaa]);
        content[0x18..0x1a].copy_from_slice(&0x100_u16.to_le_bytes());
        content[0x100..0x104].copy_from_slice(b"PCIR");
        content[0x110..0x112].copy_from_slice(&2_u16.to_le_bytes());
        content[0x115] = 0;
        content[1024..1026].copy_from_slice(&[0x55, 0xaa]);
        content[1024 + 0x18..1024 + 0x1a].copy_from_slice(&0xffff_u16.to_le_bytes());
        let clean = rom(&content);
        assert_eq!((&clean[0x100..0x104], clean[0x90], clean[1025], clean.len()), (&b"PCIR"[..], 0, 0xaa, 2048));
        for end in 0..content.len() {
            rom(&content[..end]);
        }
    }
}
