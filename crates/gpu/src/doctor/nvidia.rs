//! NVIDIA: which driver, which mode of the board, which licence, and what the host needs for vGPU.
//!
//! Source, where nothing else is said: NVIDIA's vGPU user guides, 8.x and 17.x.

use super::{
    case::{Case, held_by_vfio},
    draft::{error, note, warning, warning_if},
};
use crate::{inventory::Gpu, sysfs::Sysfs};
use oriel_model::{Finding, GpuMode};

const GUIDE: &str = "https://docs.nvidia.com/vgpu/latest/grid-vgpu-user-guide/";
const SRIOV_MANAGE: &str = "/usr/lib/nvidia/sriov-manage";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Generation {
    FermiOrOlder,
    Kepler,
    Maxwell,
    Pascal,
    Volta,
    Turing,
    Ampere,
    Hopper,
    Ada,
    Blackwell,
}

/// By the chip's name, `GM204GL`.
pub(super) fn generation(gpu: &Gpu) -> Option<Generation> {
    let letters = gpu.name.get(..2)?;
    Some(match letters {
        "GF" | "GT" | "G8" | "G9" => Generation::FermiOrOlder,
        "GK" => Generation::Kepler,
        "GM" => Generation::Maxwell,
        "GP" => Generation::Pascal,
        "GV" => Generation::Volta,
        "TU" => Generation::Turing,
        "GA" => Generation::Ampere,
        "GH" => Generation::Hopper,
        "AD" => Generation::Ada,
        "GB" => Generation::Blackwell,
        _ => return None,
    })
}

/// The board's name: what stands in brackets.
fn board(gpu: &Gpu) -> &str {
    gpu.name.split_once('[').map_or(gpu.name.as_str(), |(_, rest)| rest.trim_end_matches(']'))
}

pub(super) fn consumer(gpu: &Gpu) -> bool {
    gpu.vendor_id == "10de" && ["GeForce", "TITAN", "Titan"].iter().any(|name| board(gpu).contains(name))
}

/// Boards that NVIDIA sells vGPU for, as their names in the PCI ID database have it.
const VGPU_BOARDS: &[&str] = &[
    "Tesla M60",
    "Tesla M10",
    "Tesla M6",
    "Tesla P4",
    "Tesla P6",
    "Tesla P40",
    "Tesla P100",
    "Tesla V100",
    "Tesla T4",
    "Quadro RTX 6000",
    "Quadro RTX 8000",
    "A2",
    "A10",
    "A16",
    "A30",
    "A40",
    "A100",
    "A800",
    "H100",
    "H200",
    "H800",
    "H20",
    "L2",
    "L4",
    "L20",
    "L40",
    "L40S",
    "L40G",
    "RTX A5000",
    "RTX A5500",
    "RTX A6000",
    "RTX 5000 Ada",
    "RTX 5880 Ada",
    "RTX 6000 Ada",
    "RTX PRO 6000 Blackwell Server",
    "B200",
    "B300",
];

pub(super) fn vgpu_card(gpu: &Gpu) -> bool {
    // `A2 / A16` is one id for two boards, `H100 PCIe` a board with its form.
    gpu.vendor_id == "10de"
        && board(gpu).split('/').map(str::trim).any(|name| {
            VGPU_BOARDS.iter().any(|known| {
                name.strip_prefix(known)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' ') || rest.starts_with('-'))
            })
        })
}

/// Slices through mediated devices on the GPU itself: before Ampere.
pub(super) fn needs_mdev(gpu: &Gpu) -> bool {
    vgpu_card(gpu) && generation(gpu).is_some_and(|generation| generation <= Generation::Turing)
}

/// Boards that may be the host's primary display and serve vGPUs all the same.
pub(super) fn may_be_primary(gpu: &Gpu) -> bool {
    ["Tesla M6", "Quadro RTX 6000", "Quadro RTX 8000"].contains(&board(gpu))
}

/// Its slices come on virtual functions: Ampere and later.
fn by_functions(gpu: &Gpu) -> bool {
    vgpu_card(gpu) && generation(gpu).is_some_and(|generation| generation >= Generation::Ampere)
}

/// The host driver's version, with the file that says it.
fn driver_version(case: &Case<'_>) -> Option<(String, String, u32)> {
    let path = "/sys/module/nvidia/version".to_owned();
    let text = case.sysfs.text(&path)?;
    let branch = text.split('.').next()?.parse().ok()?;
    Some((path, text, branch))
}

/// The vGPU manager is among the host's modules: NVIDIA's ordinary driver does not do.
fn manager(sysfs: &dyn Sysfs) -> bool {
    ["/sys/module/nvidia_vgpu_vfio", "/usr/share/nvidia/vgpu/vgpuConfig.xml", SRIOV_MANAGE]
        .iter()
        .any(|path| sysfs.exists(path))
}

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if gpu.vendor_id != "10de" || gpu.address.pci().is_none() {
        return;
    }
    branch(case, gpu, findings);
    if !case.may_be(GpuMode::Vgpu) {
        return;
    }
    if !vgpu_card(gpu) {
        if case.asked_for(GpuMode::Vgpu) {
            findings.push(not_for_vgpu(gpu));
        }
        return;
    }
    graphics_mode(case, gpu, findings);
    ecc(case, gpu, findings);
    let asked = case.asked_for(GpuMode::Vgpu);
    if !held_by_vfio(gpu.driver.as_deref()) || asked {
        host_driver(case, gpu, asked, findings);
    }
    license(case, gpu, findings);
}

fn not_for_vgpu(gpu: &Gpu) -> Finding {
    error("no-vgpu-on-card", &gpu.address)
        .saw(format!("{}/device", gpu.path()), format!("0x{} {}", gpu.device_id, gpu.name))
        .because(format!(
            "NVIDIA offers no vGPU on the {}{}: it can be handed out whole, or shared",
            board(gpu),
            if consumer(gpu) { ", a card for consumers" } else { "" }
        ))
        .fix(format!("oriel gpu mode set {} whole", gpu.address))
        .see("https://docs.nvidia.com/vgpu/gpus-supported-by-vgpu.html")
}

/// Which branches drive which cards. Oldest: the release notes of the branch that brought the generation; newest: vGPU 16 (535)
/// is Maxwell's last, 470 Kepler's, 390 Fermi's.
fn branch(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let Some((path, version, branch)) = driver_version(case) else { return };
    let Some(generation) = generation(gpu) else { return };
    let oldest = match generation {
        Generation::Blackwell => 570,
        Generation::Ada | Generation::Hopper => 525,
        Generation::Ampere => 450,
        Generation::Turing => 410,
        _ => 0,
    };
    let newest = match generation {
        Generation::FermiOrOlder => 390,
        Generation::Kepler => 470,
        // The ordinary driver knows Maxwell up to 580; its vGPU manager ended with 535.
        Generation::Maxwell if vgpu_card(gpu) && manager(case.sysfs) => 535,
        Generation::Maxwell | Generation::Pascal | Generation::Volta => 580,
        _ => u32::MAX,
    };
    let (what, want) = if branch < oldest {
        ("older than the card", format!("branch {oldest} or later"))
    } else if branch > newest {
        ("without support for the card any more", format!("branch {newest}, its last"))
    } else {
        return;
    };
    findings.push(
        error("nvidia-driver-branch", &gpu.address)
            .saw(path, version)
            .saw(format!("{}/device", gpu.path()), format!("0x{} {}", gpu.device_id, gpu.name))
            .because(format!("the host's NVIDIA driver is of branch {branch}, {what} ({generation:?}): it leaves the card alone, and there are no vGPUs on it"))
            .fix(format!("# install the host driver of {want}; guests' drivers must be of the same branch\n# vGPU managers come from NVIDIA's licensing portal: https://ui.licensing.nvidia.com"))
            .see("https://docs.nvidia.com/vgpu/index.html"),
    );
}

fn graphics_mode(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let class = (format!("{}/class", gpu.path()), format!("0x{}00", gpu.class));
    // Tesla M60 and M6 leave the factory as compute cards.
    if matches!(board(gpu), "Tesla M60" | "Tesla M6") && gpu.class == "0302" {
        findings.push(
            error("compute-mode", &gpu.address)
                .saw(class.0, format!("{} (3D controller; a display controller in graphics mode)", class.1))
                .because("the board is in compute mode: its BARs are too large for desktops' firmware, and there are no vGPUs in this mode")
                .fix("# with NVIDIA's gpumodeswitch (from the licensing portal, on a bootable stick or in Linux with no NVIDIA driver loaded):\ngpumodeswitch --gpumode graphics --auto\npoweroff   # the mode is read at power-on")
                .see("https://docs.nvidia.com/vgpu/latest/gpumodeswitch-user-guide/"),
        );
        return;
    }
    const SWITCHED: [&str; 8] = [
        "A40",
        "L40",
        "L40S",
        "RTX A5000",
        "RTX A5500",
        "RTX A6000",
        "RTX 5000 Ada Generation",
        "RTX 6000 Ada Generation",
    ];
    if SWITCHED.contains(&board(gpu)) && gpu.class == "0300" {
        findings.push(
            warning_if(case.asked_for(GpuMode::Vgpu), "display-mode", &gpu.address)
                .saw(class.0, format!("{} (display controller; a 3D controller without displays)", class.1))
                .because("the board's display outputs are on: vGPU needs them off, which gives the BAR the room that virtual functions take")
                .fix("# with NVIDIA's displaymodeselector (developer.nvidia.com/displaymodeselector), no NVIDIA driver loaded:\n./displaymodeselector --gpumode physical_display_disabled\nreboot")
                .see(GUIDE),
        );
    }
}

/// M60 and M6 have no vGPU with error correction.
fn ecc(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if !matches!(board(gpu), "Tesla M60" | "Tesla M6") {
        return;
    }
    let Ok(text) = case.sysfs.command(&["nvidia-smi", "-q"]) else { return };
    let address = gpu.address.to_string().to_ascii_uppercase();
    // `GPU 00000000:06:00.0` begins a card's part.
    let mut ours = false;
    let mut in_ecc = false;
    for line in text.lines() {
        if line.starts_with("GPU ") {
            ours = line.to_ascii_uppercase().ends_with(&address);
        }
        if line.trim().trim_end_matches(':').trim().eq_ignore_ascii_case("ecc mode") {
            in_ecc = ours;
        } else if in_ecc && let Some((name, value)) = line.split_once(':') {
            if name.trim() == "Current" && value.trim() == "Enabled" {
                findings.push(
                    error("nvidia-ecc", &gpu.address)
                        .saw("nvidia-smi -q", "Ecc Mode: Current: Enabled")
                        .because("error correction is on, and this card has no vGPUs with it: a desktop with a slice does not start")
                        .fix(format!("nvidia-smi -i {} -e 0\nreboot", gpu.address))
                        .see(GUIDE),
                );
            }
            in_ecc = name.trim() != "Current";
        }
    }
}

fn host_driver(case: &Case<'_>, gpu: &Gpu, asked: bool, findings: &mut Vec<Finding>) {
    let driver = gpu.driver.as_deref();
    if driver == Some("nouveau") {
        findings.push(
            warning_if(true, "wrong-driver", &gpu.address)
                .saw(format!("{}/driver", gpu.path()), "nouveau")
                .because(format!("nouveau holds the {}: slices (vGPU) are made by NVIDIA's vGPU manager only, and nouveau wedges many cards when it is told to let go", board(gpu)))
                .fix(format!(
                    "printf 'blacklist nouveau\\noptions nouveau modeset=0\\n' > /etc/modprobe.d/nouveau.conf && {}\nreboot\n# then install NVIDIA's vGPU manager for KVM (from https://ui.licensing.nvidia.com)",
                    case.system.initial_disk()
                ))
                .see(GUIDE),
        );
        return;
    }
    if !manager(case.sysfs) {
        let found = match driver_version(case) {
            Some((path, version, _)) => (path, format!("{version}, without the vGPU manager")),
            None => ("/sys/module/nvidia".to_owned(), "absent".to_owned()),
        };
        findings.push(
            warning_if(asked, "no-vgpu-manager", &gpu.address)
                .saw(found.0, found.1)
                .saw("/sys/module/nvidia_vgpu_vfio", "absent")
                .because(format!("the {} can be sliced (vGPU), but the host has not NVIDIA's vGPU manager, a driver of its own that comes with the licence; without it the card can be handed out whole", board(gpu)))
                .fix("# from https://ui.licensing.nvidia.com, \"vGPU for KVM\", of a branch that knows the card and your guests' drivers:\nsh ./NVIDIA-Linux-x86_64-<version>-vgpu-kvm.run --dkms   # or the .deb/.rpm beside it\nreboot")
                .see(GUIDE),
        );
        return;
    }
    if !by_functions(gpu) {
        return;
    }
    if !case.sysfs.exists(SRIOV_MANAGE) {
        findings.push(
            error("sriov-manage-missing", &gpu.address)
                .saw(SRIOV_MANAGE, "absent")
                .because("slices of this card are made on its virtual functions, and only NVIDIA's script may switch these on; it comes with the vGPU manager and is not there")
                .fix("# install the vGPU manager for KVM anew, of the same version as the driver")
                .see(GUIDE),
        );
    } else if gpu.modes.vf.total > 0 && gpu.modes.vf.enabled == 0 {
        findings.push(
            warning_if(asked, "sriov-manage-not-run", &gpu.address)
                .saw(format!("{}/sriov_numvfs", gpu.path()), "0")
                .because("the card's virtual functions are off, as after every start of the host or the driver, so it offers no slices yet")
                .fix(format!("oriel gpu mode set {address} vgpu   # does it, now and at each start; or by hand:\n{SRIOV_MANAGE} -e {address}", address = gpu.address))
                .see(GUIDE),
        );
    }
}

/// Whether an edition covers what a profile needs (licensing guide: vWS covers vPC's profiles).
fn covers(have: &str, need: &str) -> bool {
    let have = have.to_ascii_lowercase();
    need.to_ascii_lowercase().split('/').any(|need| {
        let need = need.trim();
        have == need || matches!((have.as_str(), need), ("vws", "vpc") | ("vcs", "nvaie") | ("nvaie", "vcs"))
    })
}

fn license(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let Some(wanted) = case.options.profile.as_deref() else { return };
    if gpu.modes.vgpu.profiles.is_empty() {
        return;
    }
    let Some(profile) = gpu.profile(wanted) else {
        let known: Vec<&str> = gpu.modes.vgpu.profiles.iter().map(|profile| profile.key.as_str()).collect();
        findings.push(
            error("unknown-profile", &gpu.address)
                .saw(types_file(case, gpu), known.join(" "))
                .because(format!("the card has no profile {wanted}"))
                .fix(format!("# it has: {}", known.join(", ")))
                .see(GUIDE),
        );
        return;
    };
    let Some(need) = profile.license.as_deref() else { return };
    const LICENSING: &str = "https://docs.nvidia.com/vgpu/latest/grid-licensing-user-guide/";
    match case.options.license.as_deref() {
        Some(have) if covers(have, need) => {}
        Some(have) => findings.push(
            warning("license-edition", &gpu.address)
                .saw(types_file(case, gpu), format!("{}: {need}; --license {have}", profile.key))
                .because(format!("the profile {} needs a licence of edition {need} and there is {have}: desktops start at full speed, and after some twenty minutes draw a few frames a second until they get one", profile.key))
                .fix(format!("# get {need}, or choose a profile for {have}: {}", fitting(gpu, have)))
                .see(LICENSING),
        ),
        None => findings.push(
            note("license-needed", &gpu.address)
                .saw(types_file(case, gpu), format!("{}: {need}", profile.key))
                .because(format!("each desktop with {} takes a licence of edition {need} from your licence server while it runs; the host itself needs none", profile.key))
                .fix("# in the desktop: the client configuration token in /etc/nvidia/ClientConfigToken (Windows: C:\\Program Files\\NVIDIA Corporation\\vGPU Licensing\\ClientConfigToken)\n# which licence you have: oriel gpu doctor --license vWS")
                .see(LICENSING),
        ),
    }
}

/// Where the host says which profiles the card has; without such a file, NVIDIA's list.
fn types_file(case: &Case<'_>, gpu: &Gpu) -> String {
    let function = gpu.modes.vf.functions.first().map(|function| format!("/sys/bus/pci/devices/{function}"));
    let places = [
        Some(format!("{}/mdev_supported_types", gpu.path())),
        function.as_ref().map(|path| format!("{path}/nvidia/creatable_vgpu_types")),
        function.as_ref().map(|path| format!("{path}/mdev_supported_types")),
        Some("/usr/share/nvidia/vgpu/vgpuConfig.xml".to_owned()),
    ];
    let found = places.into_iter().flatten().find(|path| case.sysfs.exists(path));
    found.unwrap_or_else(|| "NVIDIA's vGPU types".to_owned())
}

fn fitting(gpu: &Gpu, have: &str) -> String {
    let names: Vec<&str> = gpu
        .modes
        .vgpu
        .profiles
        .iter()
        .filter(|profile| profile.license.as_deref().is_none_or(|need| covers(have, need)))
        .map(|profile| profile.key.as_str())
        .collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
