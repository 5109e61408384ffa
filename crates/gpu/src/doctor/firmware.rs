//! Firmware files that the card's driver wants.

use super::{
    case::{Case, enumerate, held_by_vfio},
    draft::{error, note, warning, warning_if},
};
use crate::{
    firmware::{driver, find, folders},
    inventory::{Firmware, Gpu},
};
use oriel_model::{Finding, GpuMode};

const SEARCH: &str = "https://docs.kernel.org/driver-api/firmware/fw_search_path.html";
/// Most names in one sentence.
const NAMES_MAX: usize = 6;

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if gpu.firmware.is_empty() || held_by_vfio(gpu.driver.as_deref()) {
        return;
    }
    // A capture without the folder says nothing of what is in it.
    if gpu.firmware.iter().any(|file| file.unknown) {
        return;
    }
    let missing = |optional: bool| {
        gpu.firmware.iter().filter(|file| file.found.is_none() && file.optional == optional).collect::<Vec<_>>()
    };
    let required = missing(false);
    if required.is_empty() {
        let spare = missing(true);
        if !spare.is_empty() {
            findings.push(optional(case, gpu, &spare));
        }
    } else {
        findings.push(absent(case, gpu, &required));
    }
    older(case, gpu, findings);
    too_early(case, gpu, findings);
}

fn name(file: &Firmware) -> String {
    match file.alternatives.as_slice() {
        [] => file.role.clone(),
        [one] => one.clone(),
        [one, rest @ ..] => format!("{one} (or {})", rest.join(", ")),
    }
}

fn list(files: &[&Firmware]) -> String {
    let mut names: Vec<String> = files.iter().take(NAMES_MAX).map(|file| name(file)).collect();
    if files.len() > NAMES_MAX {
        names.push(format!("{} more", files.len() - NAMES_MAX));
    }
    enumerate(&names)
}

/// Files that were looked for and the folders where they were not.
fn evidence(case: &Case<'_>, gpu: &Gpu, files: &[&Firmware]) -> Vec<(String, String)> {
    let driver = which(case, gpu);
    let listed = case.sysfs.command(&["modinfo", "-F", "firmware", &driver]).is_ok();
    let mut evidence = vec![(
        if listed { format!("modinfo -F firmware {driver}") } else { format!("{driver} of Linux 6.1") },
        files.iter().take(NAMES_MAX).map(|file| name(file)).collect::<Vec<_>>().join("\n"),
    )];
    for folder in folders(case.sysfs, &case.host.kernel) {
        if case.sysfs.exists(&folder) {
            evidence.push((folder, "none of them, plain, .zst or .xz".to_owned()));
        }
    }
    evidence
}

fn which(case: &Case<'_>, gpu: &Gpu) -> String {
    let card = crate::firmware::Card {
        vendor_id: &gpu.vendor_id,
        device_id: &gpu.device_id,
        revision: &gpu.revision,
        name: &gpu.name,
        driver: gpu.driver.as_deref(),
        kernel: &case.host.kernel,
        distribution: &case.host.distribution,
    };
    driver(case.sysfs, &card).unwrap_or("the driver").to_owned()
}

fn install(case: &Case<'_>, files: &[&Firmware]) -> String {
    let mut packages: Vec<&str> = files.iter().filter_map(|file| file.package.as_deref()).collect();
    packages.sort_unstable();
    packages.dedup();
    let mut lines: Vec<String> = Vec::new();
    if packages.is_empty() {
        lines.push("# install your distribution's linux-firmware, or put the files into /lib/firmware:\ngit clone --depth 1 https://git.kernel.org/pub/scm/linux/kernel/git/firmware/linux-firmware.git".to_owned());
    } else {
        lines.extend(case.system.firmware_source());
        lines.push(case.system.install(&packages.join(" ")));
    }
    lines.push(format!("{}\nreboot", case.system.initial_disk()));
    lines.join("\n")
}

fn absent(case: &Case<'_>, gpu: &Gpu, files: &[&Firmware]) -> Finding {
    let driver = which(case, gpu);
    // amdgpu lets go of the card, i915 and xe call the GPU wedged; the others still show a picture.
    let draft = match driver.as_str() {
        // Nobody shares nouveau's cards, and where one is handed out the desktop has the driver.
        "nouveau" => warning_if(case.asked_for(GpuMode::Shared), "firmware-missing", &gpu.address),
        "radeon" => warning("firmware-missing", &gpu.address),
        _ => error("firmware-missing", &gpu.address),
    };
    let why = match driver.as_str() {
        "amdgpu" => "amdgpu gives the card up without them: no screen, no sharing, no VFs on the host",
        "i915" | "xe" => {
            "this GPU takes all its work through GuC: without it there is a picture drawn by the processor, no acceleration, no sharing, no VFs"
        }
        "nouveau" => "without them nouveau shows a picture and accelerates nothing",
        _ => "without them the card shows a picture at best, and accelerates nothing",
    };
    draft
        .saw_all(evidence(case, gpu, files))
        .saw_all(case.logged(&["irmware", "fail"], 3).iter().map(|line| ("dmesg".to_owned(), (*line).to_owned())))
        .because(format!(
            "{driver} wants firmware that is not there: {}; {why}. (A desktop that gets the card whole brings its own.)",
            list(files)
        ))
        .fix(install(case, files))
        .see(SEARCH)
}

fn optional(case: &Case<'_>, gpu: &Gpu, files: &[&Firmware]) -> Finding {
    let mut why: Vec<&str> = Vec::new();
    for (role, words) in [
        ("GuC", "GuC serves HuC here"),
        ("HuC", "without HuC low-power video encoding and some HEVC decoding fall back"),
        ("DMC", "without DMC the display never sleeps deeply, which costs power"),
    ] {
        if files.iter().any(|file| file.role == role) {
            why.push(words);
        }
    }
    if why.is_empty() {
        why.push("they serve special boards, content protection or SR-IOV guests");
    }
    note("firmware-optional", &gpu.address)
        .saw_all(evidence(case, gpu, files))
        .because(format!(
            "{} does without firmware that is not there: {}; {}",
            which(case, gpu),
            list(files),
            enumerate(&why)
        ))
        .fix(format!("# only if you miss it:\n{}", install(case, files)))
        .see(SEARCH)
}

fn older(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let stale: Vec<&Firmware> = gpu
        .firmware
        .iter()
        .filter(|file| matches!(file.role.as_str(), "GuC" | "HuC" | "DMC"))
        .filter(|file| {
            file.found.as_deref().is_some_and(|found| {
                file.alternatives.first().is_some_and(|best| {
                    !found.trim_end_matches(".zst").trim_end_matches(".xz").ends_with(best.as_str())
                })
            })
        })
        .collect();
    if stale.is_empty() {
        return;
    }
    findings.push(
        note("firmware-older", &gpu.address)
            .saw_all(stale.iter().map(|file| {
                (
                    file.found.clone().unwrap_or_default(),
                    format!("the driver would rather have {}", file.alternatives.first().map_or("", String::as_str)),
                )
            }))
            .because(format!(
                "the driver takes an older firmware ({}), which works, with the mistakes that the newer one repairs",
                enumerate(&stale.iter().map(|file| file.role.as_str()).collect::<Vec<_>>())
            ))
            .fix(install(case, &stale))
            .see(SEARCH),
    );
}

/// The file is there now, but was not when the driver asked: the driver came from the initial RAM disk, which lacks it.
fn too_early(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let folders = folders(case.sysfs, &case.host.kernel);
    let mut seen = Vec::new();
    for line in case.logged(&["Direct firmware load for ", "failed with error -2"], 64) {
        let Some(name) = line.split("Direct firmware load for ").nth(1).and_then(|rest| rest.split_whitespace().next())
        else {
            continue;
        };
        let of_card = gpu
            .firmware
            .iter()
            // Alternatives before the one that is there are asked for in vain, and that is no mistake.
            .any(|file| file.alternatives.iter().any(|one| one == name));
        if let Some(path) = find(case.sysfs, &folders, name).filter(|_| of_card) {
            seen.push((line.to_owned(), path));
        }
    }
    let Some((line, path)) = seen.first() else { return };
    findings.push(
        warning("firmware-not-in-initramfs", &gpu.address)
            .saw("dmesg", line)
            .saw(path, "is there now")
            .because("the driver asked for its firmware before the disk was mounted, from an initial RAM disk that lacks it, and went on without: the file is installed and yet not used")
            .fix(format!("{}\nreboot", case.system.initial_disk()))
            .see(SEARCH),
    );
}
