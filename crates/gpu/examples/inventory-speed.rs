//! How long one look at a large host takes: 16 GPUs with 32 virtual functions each, half of them with a slice, 300 other PCI
//! functions, 2,000 processes. In memory, and from a folder, which costs system calls as `/sys` does.
//!
//! `./test bench inventory [--json]` runs it; without `--json` the running host is measured too.

use oriel_gpu::{
    inventory::{Inventory, Options, inventory},
    sysfs::{Folder, Node, Tree},
};
use std::{fs, hint::black_box, os::unix::fs::symlink, path::Path, time::Instant};

const GPUS: u32 = 16;
const VFS: u32 = 32;
const OTHERS: u32 = 300;
const PROCESSES: u32 = 2_000;
const FILES: u32 = 16;
const ROUNDS: usize = 21;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = std::env::args().any(|argument| argument == "--json");
    let tree = large();
    let folder = tempfile::tempdir()?;
    unpack(&tree, folder.path())?;
    let memory = times(|| inventory(&tree, &options()).ok());
    // A new one each round: what it remembers of links is not given to the next.
    let files = times(|| inventory(&Folder::new(folder.path()), &options()).ok());
    if json {
        let one = |name: &str, times: &Times| {
            format!(
                "\"{name}_ms\":{:.1},\"{name}_best_ms\":{:.1},\"{name}_cpu_ms\":{:.1}",
                times.median, times.best, times.cpu
            )
        };
        let (memory, files) = (one("memory", &memory), one("folder", &files));
        println!("{{\"gpus\":{GPUS},\"vfs\":{},\"processes\":{PROCESSES},{memory},{files}}}", GPUS * VFS);
        return Ok(());
    }
    println!("{GPUS} GPUs, {} virtual functions, {} nodes", GPUS * VFS, tree.nodes().count());
    let show = |what: &str, Times { median, best, cpu }: Times| {
        println!("{what:18} {median:6.1} ms, at best {best:6.1} ms, {cpu:6.1} ms of processor time");
    };
    show("in memory", memory);
    show("from a folder", files);
    show("this host", times(|| inventory(&Folder::host(), &options()).ok()));
    // The same files as a running host has them: at its root, with links that the kernel follows. Only root may have it so. The working
    // folder stays outside, and is the way back.
    std::env::set_current_dir("/")?;
    if rustix::process::chroot(folder.path()).is_ok() {
        let Times { median, best, .. } = times(|| inventory(&Folder::host(), &options()).ok());
        rustix::process::chroot(".")?;
        println!("{:18} {median:6.1} ms, at best {best:6.1} ms", "as a running host");
    }
    Ok(())
}

/// In milliseconds.
struct Times {
    median: f64,
    /// The fastest round: what it takes when nobody else wants the processor.
    best: f64,
    /// Processor time of a round, of all threads together: what does not depend on who else runs.
    cpu: f64,
}

fn times(look: impl Fn() -> Option<Inventory>) -> Times {
    let began = cpu();
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            black_box(look());
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    let cpu = (cpu() - began) / ROUNDS as f64;
    times.sort_by(f64::total_cmp);
    let at = |index: usize| times.get(index).copied().unwrap_or(f64::NAN);
    Times { median: at(ROUNDS / 2), best: at(0), cpu }
}

/// Processor time of this program, in milliseconds: `utime` and `stime` of `/proc/self/stat`, in hundredths of a second.
fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|number| number.parse::<f64>().ok());
    ticks.sum::<f64>() * 10.0
}

/// Without the drivers' tools (`nvidia-smi -q` takes a second or more): their time is theirs.
fn options() -> Options {
    Options { commands: false, ..Options::default() }
}

fn large() -> Tree {
    let mut tree = Tree::new();
    tree.file("/proc/sys/kernel/osrelease", "6.8.0-50-generic")
        .file("/proc/cmdline", "intel_iommu=on")
        .file("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n".repeat(256))
        .file("/sys/class/iommu/dmar0/intel-iommu/cap", "d2008c40660462")
        .file("/sys/module/nvidia/version", "550.144.02")
        .folder("/sys/module/nvidia_vgpu_vfio")
        .folder("/sys/bus/pci/drivers/vfio-pci");
    let mut group = 1;
    for gpu in 0..GPUS {
        let bus = 0x10 + gpu * 4;
        let address = format!("0000:{bus:02x}:00.0");
        function(&mut tree, &address, "10de:2235", "030200", "nvidia", group);
        let home = format!("/sys/devices/pci0000:00/{address}");
        tree.file(&format!("{home}/sriov_totalvfs"), VFS.to_string());
        group += 1;
        for index in 0..VFS {
            let (device, function_number) = ((index + 4) / 8, (index + 4) % 8);
            let vf = format!("0000:{bus:02x}:{device:02x}.{function_number}");
            function(&mut tree, &vf, "10de:2235", "030200", "nvidia", group);
            let folder = format!("/sys/devices/pci0000:00/{vf}");
            let (current, creatable) = if index % 2 == 0 && index < 24 { ("560", "") } else { ("0", LIST) };
            tree.link_to(&format!("{folder}/physfn"), format!("../{address}"))
                .link_to(&format!("{home}/virtfn{index}"), format!("../{vf}"))
                .file(&format!("{folder}/nvidia/current_vgpu_type"), current)
                .file(&format!("{folder}/nvidia/creatable_vgpu_types"), creatable);
            group += 1;
        }
    }
    for other in 0..OTHERS {
        let address = format!("0001:{:02x}:{:02x}.0", other / 32, other % 32);
        function(&mut tree, &address, "8086:1533", "020000", "igb", group + other / 4);
    }
    for process in 0..PROCESSES {
        tree.file(&format!("/proc/{}/comm", 100 + process), "qemu-system-x86");
        for file in 0..FILES {
            tree.link_to(&format!("/proc/{}/fd/{file}", 100 + process), "/dev/null");
        }
        if process < 200 {
            tree.link_to(&format!("/proc/{}/fd/99", 100 + process), format!("/dev/vfio/{}", 2 + process));
        }
    }
    tree
}

const LIST: &str =
    "ID    : vGPU Name\n557   : NVIDIA A40-1Q\n558   : NVIDIA A40-2Q\n559   : NVIDIA A40-3Q\n560   : NVIDIA A40-4Q\n";

fn function(tree: &mut Tree, address: &str, ids: &str, class: &str, driver: &str, group: u32) {
    let home = format!("/sys/devices/pci0000:00/{address}");
    let (vendor, device) = ids.split_once(':').unwrap_or_default();
    tree.link_to(&format!("/sys/bus/pci/devices/{address}"), format!("../../../devices/pci0000:00/{address}"))
        .file(&format!("{home}/class"), format!("0x{class}\n"))
        .file(&format!("{home}/vendor"), format!("0x{vendor}\n"))
        .file(&format!("{home}/device"), format!("0x{device}\n"))
        .link_to(&format!("{home}/driver"), format!("../../../bus/pci/drivers/{driver}"))
        .link_to(&format!("{home}/iommu_group"), format!("../../../kernel/iommu_groups/{group}"))
        .link_to(
            &format!("/sys/kernel/iommu_groups/{group}/devices/{address}"),
            format!("../../../../devices/pci0000:00/{address}"),
        );
}

fn unpack(tree: &Tree, root: &Path) -> std::io::Result<()> {
    for (path, node) in tree.nodes() {
        let place = root.join(path.trim_start_matches('/'));
        match node {
            Node::File(content) => fs::write(place, content)?,
            Node::Link(target) => symlink(target, place)?,
            Node::Folder => fs::create_dir_all(place)?,
        }
    }
    Ok(())
}
