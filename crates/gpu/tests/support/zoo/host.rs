//! What is not PCI: release, kernel, processor, memory, modules, firmware.

use super::description::{Description, Host, Iommu, Qemu};
use oriel_gpu::sysfs::Tree;

pub fn add(tree: &mut Tree, description: &Description) {
    let host = &description.host;
    release(tree, host);
    processor(tree, host);
    memory(tree, host);
    modules(tree, host);
    iommu(tree, host);
    if host.uefi {
        tree.folder("/sys/firmware/efi");
    }
    if let [maker, product] = host.machine.as_slice() {
        tree.file("/sys/class/dmi/id/sys_vendor", format!("{maker}\n"));
        tree.file("/sys/class/dmi/id/product_name", format!("{product}\n"));
    }
    if let Some(qemu) = &description.qemu {
        emulator(tree, host, qemu);
    }
    for file in &description.present {
        match file.strip_suffix('/') {
            Some(folder) => tree.folder(folder),
            None => tree.file(file, ""),
        };
    }
    for file in &description.firmware {
        tree.file(&format!("/lib/firmware/{file}"), "");
    }
}

fn release(tree: &mut Tree, host: &Host) {
    let distribution = &host.distribution;
    let mut text = format!("PRETTY_NAME=\"{}\"\n", distribution.pretty);
    if !distribution.version.is_empty() {
        text += &format!("VERSION_ID=\"{}\"\n", distribution.version);
    }
    if let Some(codename) = &distribution.codename {
        text += &format!("VERSION_CODENAME={codename}\n");
    }
    text += &format!("ID={}\n", distribution.id);
    tree.file("/etc/os-release", text);
    tree.file("/proc/cmdline", format!("{}\n", host.cmdline));
    tree.file("/proc/sys/kernel/hostname", format!("{}\n", host.name));
    tree.file("/proc/sys/kernel/osrelease", format!("{}\n", host.kernel));
    tree.file("/proc/sys/kernel/arch", format!("{}\n", host.arch));
    tree.prints(&["uname", "-r"], &format!("{}\n", host.kernel));
    tree.prints(&["uname", "-m"], &format!("{}\n", host.arch));
}

fn emulator(tree: &mut Tree, host: &Host, qemu: &Qemu) {
    let program = format!("qemu-system-{}", host.arch);
    tree.prints(&[&program, "--version"], &format!("QEMU emulator version {}\n", qemu.version));
    tree.prints(
        &[&program, "-display", "help"],
        &format!("Available display backend types:\n{}\n", qemu.displays.join("\n")),
    );
    let devices: Vec<String> = qemu.devices.iter().map(|name| format!("name \"{name}\", bus PCI\n")).collect();
    tree.prints(&[&program, "-device", "help"], &format!("Display devices:\n{}", devices.concat()));
}

fn processor(tree: &mut Tree, host: &Host) {
    let mut text = String::new();
    for cpu in 0..host.cpus {
        if host.arch == "aarch64" {
            text += &format!("processor\t: {cpu}\nCPU implementer\t: {}\nCPU architecture: 8\n\n", host.cpu);
            continue;
        }
        let (vendor, flag) = if host.cpu.contains("AMD") { ("AuthenticAMD", "svm") } else { ("GenuineIntel", "vmx") };
        text += &format!("processor\t: {cpu}\nvendor_id\t: {vendor}\nmodel name\t: {}\nflags\t\t: {flag}\n", host.cpu);
        if let Some(bits) = host.physical_bits {
            text += &format!("address sizes\t: {bits} bits physical, 48 bits virtual\n");
        }
        text.push('\n');
    }
    tree.file("/proc/cpuinfo", text);
    tree.file("/sys/devices/system/cpu/online", format!("0-{}\n", host.cpus - 1));
}

fn memory(tree: &mut Tree, host: &Host) {
    let kib = host.memory_gib << 20;
    tree.file(
        "/proc/meminfo",
        format!(
            "MemTotal:       {kib} kB\nMemAvailable:   {} kB\nHugePages_Total: {:>7}\nHugePages_Free:  {:>7}\nHugepagesize:       2048 kB\n",
            kib / 8 * 7,
            host.hugepages,
            host.hugepages
        ),
    );
    let each = host.cpus / host.nodes;
    for node in 0..host.nodes {
        let folder = format!("/sys/devices/system/node/node{node}");
        tree.file(&format!("{folder}/cpulist"), format!("{}-{}\n", node * each, (node + 1) * each - 1));
        tree.file(
            &format!("{folder}/meminfo"),
            format!("Node {node} MemTotal:       {} kB\n", kib / u64::from(host.nodes)),
        );
    }
    tree.file(
        "/sys/devices/system/node/online",
        match host.nodes {
            1 => "0\n".to_owned(),
            nodes => format!("0-{}\n", nodes - 1),
        },
    );
}

fn modules(tree: &mut Tree, host: &Host) {
    let mut list = String::new();
    for module in &host.modules {
        list += &format!("{module} 16384 0 - Live 0x0000000000000000\n");
        tree.folder(&format!("/sys/module/{module}"));
        // A driver is there as soon as its module is, whether it holds a device or not.
        if module == "vfio_pci" {
            tree.folder("/sys/bus/pci/drivers/vfio-pci");
        }
    }
    tree.file("/proc/modules", list);
    for (name, value) in &host.parameters {
        let (module, parameter) = name.split_once('.').expect("module.parameter");
        tree.file(&format!("/sys/module/{module}/parameters/{parameter}"), format!("{value}\n"));
    }
    let mut known = String::new();
    for file in &host.installed {
        known += &format!("kernel/{file}.ko:\n");
    }
    tree.file(&format!("/lib/modules/{}/modules.dep", host.kernel), known);
}

/// The firmware's table and the kernel's units.
fn iommu(tree: &mut Tree, host: &Host) {
    let bits = host.iommu_bits.unwrap_or(48);
    let remapping = host.interrupt_remapping;
    let unit = |tree: &mut Tree, name: &str, folder: String| {
        tree.folder(&folder);
        tree.link_to(&format!("/sys/class/iommu/{name}"), format!("../..{}", folder.trim_start_matches("/sys")));
    };
    match host.iommu {
        Iommu::Intel | Iommu::IntelOff => {
            // DMA Remapping Reporting Structure: header, host address width less one, flags (bit 0: interrupt remapping).
            let mut table = b"DMAR\x30\0\0\0\x01\0".to_vec();
            table.resize(36, 0);
            table.extend([bits as u8 - 1, u8::from(remapping)]);
            table.resize(48, 0);
            tree.file("/sys/firmware/acpi/tables/DMAR", table);
            if host.iommu == Iommu::Intel {
                let folder = "/sys/devices/virtual/iommu/dmar0".to_owned();
                // Capability register: bits 21:16 are the address width less one.
                tree.file(
                    &format!("{folder}/intel-iommu/cap"),
                    format!("{:x}\n", 0x00d2_0080_c040_0462_u64 & !0x3f_0000 | u64::from(bits - 1) << 16),
                );
                // Extended capability register: bit 3 is interrupt remapping support.
                tree.file(
                    &format!("{folder}/intel-iommu/ecap"),
                    format!("{:x}\n", 0xf0_20d2_u64 | u64::from(remapping) << 3),
                );
                unit(tree, "dmar0", folder);
            }
        }
        Iommu::Amd => {
            tree.file("/sys/firmware/acpi/tables/IVRS", b"IVRS\x30\0\0\0".to_vec());
            unit(tree, "ivhd0", "/sys/devices/pci0000:00/0000:00:00.2/iommu/ivhd0".to_owned());
        }
        Iommu::Smmu => {
            tree.file("/sys/firmware/acpi/tables/IORT", b"IORT\x30\0\0\0".to_vec());
            let name = "smmu3.0x0000033ffe100000";
            unit(tree, name, format!("/sys/devices/platform/arm-smmu-v3.0.auto/iommu/{name}"));
        }
        Iommu::None => {}
    }
    if host.arch == "x86_64" {
        let remapped = remapping && matches!(host.iommu, Iommu::Intel | Iommu::Amd);
        let chip = if remapped { "IR-IO-APIC" } else { "IO-APIC" };
        tree.file("/sys/kernel/irq/9/chip_name", format!("{chip}\n"));
    }
    tree.folder("/sys/class/iommu");
    tree.folder("/sys/kernel/iommu_groups");
}
