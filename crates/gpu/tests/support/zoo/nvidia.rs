//! What NVIDIA's host driver shows beside sysfs: procfs, its programs, and what `nvidia-smi` prints.

use super::{
    boards::{Board, Profile},
    description::{Description, Nvidia, Pci, Smi},
    pci::{Function, Machine},
};
use oriel_gpu::sysfs::Tree;
use std::fmt::Write as _;

pub fn add(tree: &mut Tree, description: &Description, machine: &Machine) {
    let Some(nvidia) = &description.nvidia else { return };
    let flavour =
        if nvidia.open { "NVIDIA UNIX Open Kernel Module for x86_64" } else { "NVIDIA UNIX x86_64 Kernel Module" };
    tree.file("/proc/driver/nvidia/version", format!("NVRM version: {flavour}  {}\n", nvidia.driver));
    tree.file("/sys/module/nvidia/version", format!("{}\n", nvidia.driver));
    tree.file("/dev/nvidiactl", "");
    if nvidia.vgpu_host {
        tree.file("/usr/lib/nvidia/sriov-manage", "");
        tree.file("/usr/bin/nvidia-vgpud", "");
        tree.file("/usr/bin/nvidia-vgpu-mgr", "");
        tree.file("/dev/nvidia-vgpuctl", "");
    }
    let gpus: Vec<(&Function, &Pci, &Smi)> = machine
        .functions
        .iter()
        .filter(|function| function.physical.is_none())
        .filter_map(|function| {
            let pci = &description.pci[function.row];
            Some((function, pci, pci.smi.as_ref()?))
        })
        .collect();
    for (number, (function, _, smi)) in gpus.iter().enumerate() {
        let folder = format!("/proc/driver/nvidia/gpus/{}", function.address);
        tree.file(
            &format!("{folder}/information"),
            format!("Model: \t\t {}\nBus Location: \t {}\n", smi.product, function.address),
        );
        tree.file(&format!("{folder}/unbindLock"), "0\n");
        tree.file(&format!("/dev/nvidia{number}"), "");
    }
    tree.prints(&["nvidia-smi", "-q"], &query(nvidia, &gpus));
    if !nvidia.vgpu_host {
        return;
    }
    let (mut supported, mut creatable, mut active) = (String::new(), String::new(), String::new());
    for (function, pci, smi) in &gpus {
        let name = bus_id(function);
        let boards = pci.mdev.as_ref().map(|mdev| (&mdev.table, &mdev.created, false, 0)).or_else(|| {
            let sriov = pci.sriov.as_ref()?;
            let table = sriov.vendor_vfio.as_ref().or(sriov.mdev.as_ref())?;
            Some((table, &sriov.created, sriov.mixed_size, sriov.mig_instances))
        });
        let Some((table, created, mixed, mig_instances)) = boards else { continue };
        let board = Board::read(table);
        let here: Vec<_> = created.iter().filter(|one| one.gpu == function.which).collect();
        let existing: Vec<&Profile> = here.iter().map(|one| board.profile(&one.profile)).collect();
        let places: Vec<(u32, &Profile)> =
            here.iter().filter_map(|one| Some((one.placement?, board.profile(&one.profile)))).collect();
        let _ = writeln!(supported, "GPU {name}");
        let _ = writeln!(creatable, "GPU {name}");
        let _ = writeln!(active, "GPU {name}\n    Active vGPUs                      : {}", here.len());
        for (number, one) in here.iter().enumerate() {
            let _ = writeln!(
                active,
                "    vGPU ID                           : {}\n        vGPU Name                     : {}",
                3_251_634_200_u64 + number as u64,
                board.name(board.profile(&one.profile))
            );
        }
        for profile in &board.profiles {
            type_block(&mut supported, &board, profile, smi, pci, &profile.mixed);
            let (room, left) = if mixed {
                let left = Board::placements(profile, &places);
                (!left.is_empty(), left)
            } else {
                (board.room(profile, &existing, mig_instances), Vec::new())
            };
            if room {
                type_block(&mut creatable, &board, profile, smi, pci, &left);
            }
        }
    }
    tree.file("/usr/share/nvidia/vgpu/vgpuConfig.xml", catalogue(description));
    tree.prints(&["nvidia-smi", "vgpu", "-s", "-v"], &supported);
    tree.prints(&["nvidia-smi", "vgpu", "-c", "-v"], &creatable);
    tree.prints(&["nvidia-smi", "vgpu", "-q"], &active);
}

/// The catalogue beside the driver, of this host's boards only: every type, and how many of each a GPU has.
fn catalogue(description: &Description) -> String {
    let mut types = String::new();
    let mut gpus = String::new();
    for pci in &description.pci {
        let table = pci.mdev.as_ref().map(|mdev| &mdev.table);
        let of_functions = || pci.sriov.as_ref().and_then(|sriov| sriov.vendor_vfio.as_ref().or(sriov.mdev.as_ref()));
        let Some(table) = table.or_else(of_functions) else { continue };
        let (vendor, device) = pci.id.split_once(':').unwrap();
        let (sub_vendor, sub_device) = pci.sub.as_deref().unwrap().split_once(':').unwrap();
        let _ = writeln!(
            gpus,
            "  <pgpu>\n    <devId vendorId=\"0x{vendor}\" deviceId=\"0x{device}\" subsystemVendorId=\"0x{sub_vendor}\" subsystemId=\"0x{sub_device}\"></devId>"
        );
        let board = Board::read(table);
        for profile in &board.profiles {
            let (id, name, class) = (profile.id, board.name(profile), profile.class());
            let (width, height) = profile.res.split_once('x').unwrap();
            let once = format!("  <vgpuType id=\"{id}\" name=\"{name}\" class=\"{class}\">\n");
            if !types.contains(&once) {
                types += &once;
                let _ = writeln!(types, "    <framebuffer>{:#x}</framebuffer>", profile.fb << 20);
                let _ = writeln!(types, "    <numHeads>{}</numHeads>", profile.heads);
                let _ = writeln!(types, "    <display width=\"{width}\" height=\"{height}\"></display>");
                let _ = writeln!(types, "    <frlConfig>{:#x}</frlConfig>\n  </vgpuType>", profile.frl);
            }
            let max = profile.max;
            let _ = writeln!(
                gpus,
                "    <supportedVgpu vgpuId=\"{id}\">\n      <maxVgpus>{max}</maxVgpus>\n    </supportedVgpu>"
            );
        }
        gpus += "  </pgpu>\n";
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<vgpuconfig>\n  <version>1.0</version>\n{types}{gpus}</vgpuconfig>\n"
    )
}

fn bus_id(function: &Function) -> String {
    let at = function.address;
    format!("{:08X}:{:02X}:{:02X}.{:X}", at.domain, at.bus, at.device, at.function)
}

fn type_block(out: &mut String, board: &Board, profile: &Profile, smi: &Smi, pci: &Pci, places: &[u32]) {
    let _ = writeln!(out, "    vGPU Type ID                          : {:#x}", profile.id);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "        {name:<34}: {value}");
    };
    let vendor = pci.id.split_once(':').unwrap();
    let (x, y) = profile.res.split_once('x').unwrap_or(("0", "0"));
    line("Name", board.name(profile));
    line("Class", profile.class().to_owned());
    line("GPU Instance Profile ID", "N/A".to_owned());
    line("Max Instances", profile.max.to_string());
    line("Max Instances Per VM", "1".to_owned());
    line("Max Instances Per GI", profile.per_instance.map_or("N/A".to_owned(), |count| count.to_string()));
    line("Device ID", format!("0x{}{}", vendor.1.to_uppercase(), vendor.0.to_uppercase()));
    line("FB Memory", format!("{} MiB", profile.fb));
    line("Display Heads", profile.heads.to_string());
    line("Maximum X Resolution", x.to_owned());
    line("Maximum Y Resolution", y.to_owned());
    line("Frame Rate Limit", if profile.frl == 0 { "N/A".to_owned() } else { format!("{} FPS", profile.frl) });
    line("GRID License", profile.license().to_owned());
    if smi.heterogeneous_sizes.as_deref() == Some("Supported") && !profile.mixed.is_empty() {
        line("Placement Size", profile.size.to_string());
        let ids: Vec<String> = places.iter().map(u32::to_string).collect();
        line("Supported Placement IDs", ids.join(" "));
    }
}

/// The part of `nvidia-smi -q` that is no serial number, clock or temperature.
fn query(nvidia: &Nvidia, gpus: &[(&Function, &Pci, &Smi)]) -> String {
    let mut out = format!(
        "\n==============NVSMI LOG==============\n\nDriver Version                            : {}\n\nAttached GPUs                             : {}\n",
        nvidia.driver,
        gpus.len()
    );
    for (function, pci, smi) in gpus {
        let na = || "N/A".to_owned();
        let _ = writeln!(out, "GPU {}", bus_id(function));
        let mut line = |depth: usize, name: &str, value: &str| {
            let indent = " ".repeat(depth * 4);
            let width = 38 - depth * 4 + 4;
            if value.is_empty() {
                let _ = writeln!(out, "{indent}{name}");
            } else {
                let _ = writeln!(out, "{indent}{name:<width$}: {value}");
            }
        };
        line(1, "Product Name", &smi.product);
        line(1, "Product Brand", &smi.brand);
        line(1, "Product Architecture", &smi.architecture);
        if nvidia.vgpu_host {
            line(1, "vGPU Device Capability", "");
            let sizes = smi.heterogeneous_sizes.clone().unwrap_or_else(|| "Not Supported".to_owned());
            line(2, "Fractional Multi-vGPU", "Supported");
            line(2, "Heterogeneous Time-Slice Profiles", &sizes);
            line(2, "Heterogeneous Time-Slice Sizes", &sizes);
        }
        line(1, "MIG Mode", "");
        line(2, "Current", &smi.mig.clone().unwrap_or_else(na));
        line(2, "Pending", &smi.mig.clone().unwrap_or_else(na));
        line(1, "GPU Virtualization Mode", "");
        line(2, "Virtualization Mode", if smi.host_vgpu.is_some() { "Host VGPU" } else { "None" });
        line(2, "Host VGPU Mode", &smi.host_vgpu.clone().unwrap_or_else(na));
        if smi.host_vgpu.is_some() {
            line(2, "vGPU Heterogeneous Mode", &smi.heterogeneous_mode.clone().unwrap_or_else(na));
        }
        line(1, "PCI", "");
        let (vendor, device) = pci.id.split_once(':').unwrap();
        line(2, "Device Id", &format!("0x{}{}", device.to_uppercase(), vendor.to_uppercase()));
        line(2, "Bus Id", &bus_id(function));
        line(1, "FB Memory Usage", "");
        line(2, "Total", &format!("{} MiB", smi.memory_mib));
    }
    out
}
