//! Mode `vf`: SR-IOV virtual functions of AMD's and Intel's cards.

use super::{
    Slice, SliceKind, Vf, VgpuInterface, catalogue, names,
    reader::{Reader, Seen},
};

pub(crate) fn read(reader: &Reader, gpu: &Seen, vgpu: Option<VgpuInterface>) -> (Vf, Vec<Slice>) {
    let enabled = gpu.functions.len() as u32;
    let reasons = reasons(reader, gpu, vgpu);
    let functions = gpu.functions.iter().map(|function| function.address).collect();
    let vf = Vf { available: reasons.is_empty(), reasons, total: gpu.total_vfs, enabled, functions };
    // NVIDIA's functions are not slices by themselves: a slice is made on one.
    let slices = gpu.functions.iter().filter(|_| gpu.vendor_id != "10de").map(|function| Slice {
        kind: SliceKind::Vf,
        name: function.address.to_string(),
        profile: None,
        parent: gpu.address,
        driver: function.driver.clone(),
        iommu_group: function.group,
        placement: None,
        in_use: reader.in_use(&function.path, function.group),
    });
    (vf, slices.collect())
}

fn reasons(reader: &Reader, gpu: &Seen, vgpu: Option<VgpuInterface>) -> Vec<String> {
    if gpu.address.is_none() {
        return vec!["it is no PCI device and has no virtual functions".to_owned()];
    }
    let mut reasons = match gpu.vendor_id.as_str() {
        // Turing's cards have functions that no driver makes.
        "10de" if gpu.total_vfs > 0 && vgpu == Some(VgpuInterface::Mdev) => {
            return vec![
                "NVIDIA's driver makes no virtual functions of this card; its slices are mediated devices (mode vgpu)"
                    .to_owned(),
            ];
        }
        "10de" if gpu.total_vfs > 0 => {
            return vec!["NVIDIA's virtual functions carry its slices: they are the mode vgpu".to_owned()];
        }
        "10de" => return vec!["the card has no SR-IOV".to_owned()],
        // A lab counts other controllers as GPUs: what is said of graphics is not true of them.
        "8086" if is_graphics(gpu) => intel(reader, gpu),
        "1002" if is_graphics(gpu) => amd(gpu),
        _ if gpu.total_vfs == 0 => vec!["the card has no SR-IOV (sriov_totalvfs is missing or 0)".to_owned()],
        _ => Vec::new(),
    };
    if reasons.is_empty() && gpu.functions.is_empty() && gpu.group.is_none() {
        reasons.push("virtual functions need an IOMMU, and that is off; see mode whole for the reason".to_owned());
    }
    reasons
}

fn is_graphics(gpu: &Seen) -> bool {
    super::CLASSES.iter().any(|class| gpu.class.starts_with(class))
}

/// Intel's virtual functions come with the right driver on the right platform and kernel.
fn intel(reader: &Reader, gpu: &Seen) -> Vec<String> {
    if gpu.total_vfs > 0 {
        return match gpu.driver.as_deref() {
            Some("i915" | "xe") => Vec::new(),
            other => vec![format!(
                "virtual functions are made by the drivers xe and i915, and {} holds the card",
                holds(other)
            )],
        };
    }
    let Some(sriov) = catalogue::intel_sriov(&gpu.device_id) else {
        return vec![
            "graphics of this generation have no SR-IOV: it came with the 11th (Tiger Lake) and the Flex cards"
                .to_owned(),
        ];
    };
    let kernel = &reader.host.kernel;
    let mut ways = Vec::new();
    if let Some((major, minor)) = sriov.xe_since {
        let enough = reader.host.kernel_version() >= (major, minor);
        ways.push(if enough {
            "the driver xe with xe.max_vfs=7 on the kernel command line".to_owned()
        } else {
            format!("Linux {major}.{minor} or later with the driver xe (this is {kernel})")
        });
    }
    if sriov.i915_backport {
        ways.push(
            "Intel's i915 with SR-IOV, built beside the kernel (i915-sriov-dkms; i915.enable_guc=3 i915.max_vfs=7)"
                .to_owned(),
        );
    }
    vec![format!(
        "{} has virtual functions, but {} shows none (sriov_totalvfs is missing or 0); it takes {}",
        sriov.platform,
        holds(gpu.driver.as_deref()),
        ways.join(", or ")
    )]
}

/// AMD's virtual functions come with its host driver `gim` only; `amdgpu` makes none.
fn amd(gpu: &Seen) -> Vec<String> {
    if gpu.total_vfs == 0 {
        let name = names::short(&gpu.title);
        return vec![format!(
            "the {name} shows no SR-IOV (sriov_totalvfs is missing or 0): it takes a card of AMD's MxGPU (S7150, V710), and SR-IOV on in the BIOS"
        )];
    }
    match gpu.driver.as_deref() {
        Some("gim") => Vec::new(),
        _ if !gpu.functions.is_empty() => Vec::new(),
        other => vec![format!(
            "virtual functions are made by AMD's host driver `gim`, and {} holds the card: install gim and keep amdgpu off it",
            holds(other)
        )],
    }
}

fn holds(driver: Option<&str>) -> String {
    driver.map_or("no driver".to_owned(), |driver| format!("`{driver}`"))
}
