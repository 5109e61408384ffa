//! The host around its GPUs.

use super::redact;
use crate::{Sysfs, sysfs::NAMES_MAX};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its host name.
    pub name: String,
    /// What the machine is sold as, `Dell Inc. PowerEdge R740` or `Raspberry Pi 5 Model B`; empty when unknown.
    #[serde(default)]
    pub machine: String,
    /// `uname -r`, for example `6.1.0-56-amd64`.
    pub kernel: String,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    pub distribution: Distribution,
    /// `/proc/cmdline`, without what looks like a secret.
    pub command_line: String,
    /// `GenuineIntel`, `AuthenticAMD`; empty on others.
    pub cpu_vendor: String,
    pub cpu_model: String,
    pub cpus: u32,
    /// Physical address width of the processor in bits; 0 when unknown.
    pub physical_bits: u32,
    pub memory_mib: u64,
    pub numa_nodes: u32,
    /// Started by UEFI (`/sys/firmware/efi`).
    pub uefi: bool,
    pub iommu: Iommu,
}

/// `/etc/os-release`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// `debian`, `ubuntu`.
    pub id: String,
    /// `12`, `24.04`; empty on rolling ones.
    pub version: String,
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub pretty: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Iommu {
    /// Anything in `/sys/class/iommu`: it is on.
    pub present: bool,
    /// Names in `/sys/class/iommu`: `dmar0`, `ivhd0`, `smmu3.0x…`.
    pub units: Vec<String>,
    /// Firmware describes one (`/sys/firmware/acpi/tables/DMAR` or `IVRS`, `IORT`), be it on or not.
    pub in_firmware: bool,
    /// `None` when it cannot be told.
    pub interrupt_remapping: Option<bool>,
    /// Width of the addresses it translates, in bits; smallest over the units.
    pub address_bits: Option<u32>,
}

impl Host {
    pub fn read(sysfs: &dyn Sysfs) -> Self {
        let text = |path: &str| sysfs.text(path).unwrap_or_default();
        let kernel = sysfs
            .text("/proc/sys/kernel/osrelease")
            .or_else(|| sysfs.command(&["uname", "-r"]).ok())
            .map(|text| text.trim().to_owned())
            .unwrap_or_default();
        let cpu = Cpu::read(sysfs);
        let command_line = redact::command_line(&text("/proc/cmdline"));
        Self {
            name: text("/proc/sys/kernel/hostname"),
            machine: machine(sysfs),
            arch: arch(sysfs, &kernel, &cpu),
            kernel,
            distribution: Distribution::read(sysfs),
            cpu_vendor: cpu.vendor,
            cpu_model: cpu.model,
            cpus: sysfs.text("/sys/devices/system/cpu/online").and_then(|list| ranges(&list)).unwrap_or(cpu.count),
            physical_bits: cpu.physical_bits,
            memory_mib: memory_mib(&text("/proc/meminfo")),
            numa_nodes: numa_nodes(sysfs),
            uefi: sysfs.exists("/sys/firmware/efi"),
            iommu: Iommu::read(sysfs, &command_line),
            command_line,
        }
    }

    /// The value of a parameter of the kernel command line, the last one where it stands several times; `Some("")` for a bare word.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.command_line.split(' ').rev().find_map(|word| match word.split_once('=') {
            Some((one, value)) => (one == name).then_some(value),
            None => (word == name).then_some(""),
        })
    }

    /// Major and minor number of the kernel, `(6, 1)`; `(0, 0)` when unknown.
    pub fn kernel_version(&self) -> (u32, u32) {
        let mut numbers = self.kernel.split(|one: char| !one.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

impl Distribution {
    fn read(sysfs: &dyn Sysfs) -> Self {
        let text = sysfs.text("/etc/os-release").or_else(|| sysfs.text("/usr/lib/os-release")).unwrap_or_default();
        let value = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
                .unwrap_or_default()
        };
        Self { id: value("ID"), version: value("VERSION_ID"), pretty: value("PRETTY_NAME") }
    }
}

#[derive(Default)]
struct Cpu {
    vendor: String,
    model: String,
    arm: bool,
    count: u32,
    physical_bits: u32,
}

impl Cpu {
    fn read(sysfs: &dyn Sysfs) -> Self {
        let text = sysfs.text("/proc/cpuinfo").unwrap_or_default();
        let mut cpu = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.trim() {
                "processor" => cpu.count += 1,
                "vendor_id" if cpu.vendor.is_empty() => value.clone_into(&mut cpu.vendor),
                "model name" | "Model" if cpu.model.is_empty() => value.clone_into(&mut cpu.model),
                "CPU implementer" => cpu.arm = true,
                "address sizes" if cpu.physical_bits == 0 => {
                    let bits = value.split_once(" bits physical").and_then(|(bits, _)| bits.trim().parse().ok());
                    cpu.physical_bits = bits.unwrap_or(0);
                }
                _ => {}
            }
        }
        cpu
    }
}

/// `/proc/sys/kernel/arch` (Linux 6.1 and later), else what the kernel's name and the processor say.
fn arch(sysfs: &dyn Sysfs, kernel: &str, cpu: &Cpu) -> String {
    if let Some(arch) = sysfs.text("/proc/sys/kernel/arch").filter(|arch| !arch.is_empty()) {
        return arch;
    }
    let ends = |ends: &[&str]| ends.iter().any(|end| kernel.ends_with(end));
    let arch = if cpu.arm || ends(&["arm64", "aarch64", "rpi-v8", "rpi-2712"]) {
        "aarch64"
    } else if !cpu.vendor.is_empty() || ends(&["amd64", "x86_64"]) {
        "x86_64"
    } else {
        ""
    };
    arch.to_owned()
}

fn machine(sysfs: &dyn Sysfs) -> String {
    let dmi = |name: &str| {
        let text = sysfs.text(&format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
        // What board makers leave in when nobody fills it in.
        let filler =
            ["To Be Filled By O.E.M.", "System manufacturer", "System Product Name", "Default string", "Not Specified"];
        if filler.contains(&text.as_str()) { String::new() } else { text }
    };
    let (vendor, product) = (dmi("sys_vendor"), dmi("product_name"));
    let name = if product.starts_with(&vendor) { product } else { format!("{vendor} {product}").trim().to_owned() };
    if !name.is_empty() {
        return name;
    }
    let tree = sysfs.text("/sys/firmware/devicetree/base/model").or_else(|| sysfs.text("/proc/device-tree/model"));
    tree.unwrap_or_default().trim_end_matches('\0').to_owned()
}

/// How many numbers `0-3,8,10-11` has.
fn ranges(list: &str) -> Option<u32> {
    list.split(',').try_fold(0_u32, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

fn memory_mib(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn numa_nodes(sysfs: &dyn Sysfs) -> u32 {
    let names = sysfs.list("/sys/devices/system/node").unwrap_or_default();
    let nodes = names.iter().filter(|name| {
        name.strip_prefix("node").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    });
    (nodes.count() as u32).max(1)
}

/// Interrupts that are looked at to find out whether they are remapped: the first few show it.
const INTERRUPTS_MAX: usize = 64;

impl Iommu {
    fn read(sysfs: &dyn Sysfs, command_line: &str) -> Self {
        let units: Vec<String> =
            sysfs.list("/sys/class/iommu").unwrap_or_default().into_iter().take(NAMES_MAX).collect();
        let register = |unit: &str, name: &str| {
            let text = sysfs.text(&format!("/sys/class/iommu/{unit}/intel-iommu/{name}"))?;
            u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
        };
        // VT-d specification §11.4.2, §11.4.3: MGAW is CAP[21:16], the width less one; ECAP bit 3 is interrupt remapping.
        let widths =
            units.iter().filter_map(|unit| register(unit, "cap")).map(|cap| ((cap & 0x3f_0000) >> 16) as u32 + 1);
        let remapping: Vec<bool> =
            units.iter().filter_map(|unit| register(unit, "ecap")).map(|ecap| ecap & (1 << 3) != 0).collect();
        let tables = ["DMAR", "IVRS", "IORT"];
        Self {
            present: !units.is_empty(),
            in_firmware: tables.iter().any(|table| sysfs.exists(&format!("/sys/firmware/acpi/tables/{table}"))),
            interrupt_remapping: interrupt_remapping(sysfs, command_line, &remapping),
            address_bits: widths.min(),
            units,
        }
    }
}

/// What runs counts more than what the hardware could do: first the interrupts themselves, then the kernel's words, then registers.
fn interrupt_remapping(sysfs: &dyn Sysfs, command_line: &str, registers: &[bool]) -> Option<bool> {
    let mut plain = false;
    for irq in sysfs.list("/sys/kernel/irq").unwrap_or_default().into_iter().take(INTERRUPTS_MAX) {
        match sysfs.text(&format!("/sys/kernel/irq/{irq}/chip_name")) {
            Some(chip) if chip.starts_with("IR-") || chip.starts_with("AMD-IR") || chip.starts_with("INTEL-IR") => {
                return Some(true);
            }
            Some(chip) if chip == "IO-APIC" => plain = true,
            _ => {}
        }
    }
    if plain || command_line.split(' ').any(|word| matches!(word, "intremap=off" | "nointremap")) {
        return Some(false);
    }
    if !registers.is_empty() {
        return Some(registers.iter().all(|can| *can));
    }
    let log = sysfs.command(&["dmesg", "--notime"]).ok()?;
    let says = |words: &str| log.lines().any(|line| line.contains(words));
    if says("AMD-Vi: Interrupt remapping enabled") || says("Enabled IRQ remapping in") {
        return Some(true);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysfs::Tree;

    #[test]
    fn a_host_says_who_it_is() {
        let mut tree = Tree::new();
        tree.file("/proc/sys/kernel/osrelease", "6.1.0-56-amd64\n")
            .file("/proc/cmdline", "root=/dev/sda1 intel_iommu=on iommu=pt intel_iommu=off quiet\n")
            .file("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\naddress sizes\t: 46 bits physical, 48 bits virtual\n")
            .file("/proc/meminfo", "MemTotal:       65769420 kB\n")
            .file("/sys/devices/system/cpu/online", "0-11,14\n")
            .file("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n")
            .file("/sys/class/iommu/dmar0/intel-iommu/cap", "d2008c40660462\n")
            .file("/sys/class/iommu/dmar0/intel-iommu/ecap", "f050da\n")
            .file("/sys/firmware/acpi/tables/DMAR", "");
        let host = Host::read(&tree);
        assert_eq!((host.arch.as_str(), host.cpus, host.physical_bits, host.memory_mib), ("x86_64", 13, 46, 64_227));
        assert_eq!((host.distribution.id.as_str(), host.distribution.version.as_str()), ("debian", "12"));
        assert_eq!(
            (host.parameter("intel_iommu"), host.parameter("quiet"), host.parameter("x")),
            (Some("off"), Some(""), None)
        );
        assert_eq!(host.kernel_version(), (6, 1));
        assert_eq!(host.iommu.address_bits, Some(39));
        assert_eq!(host.iommu.interrupt_remapping, Some(true));
        tree.file("/sys/kernel/irq/0/chip_name", "IO-APIC\n");
        assert_eq!(Host::read(&tree).iommu.interrupt_remapping, Some(false));
        tree.file("/sys/kernel/irq/9/chip_name", "IR-IO-APIC\n");
        assert_eq!(Host::read(&tree).iommu.interrupt_remapping, Some(true));
    }
}
