//! What became of GuC, HuC and DMC in i915 and xe.

use super::{
    case::{Case, intel},
    draft::{note, ok, warning},
};
use crate::inventory::Gpu;
use oriel_model::Finding;

const I915: &str = "https://docs.kernel.org/gpu/i915.html";

/// Where debugfs keeps the card's files: below its minor number, or its address since Linux 6.14.
fn folders(case: &Case<'_>, gpu: &Gpu) -> Vec<String> {
    let names = case.drm(gpu);
    let minors = names.iter().filter_map(|name| name.strip_prefix("card")).map(str::to_owned);
    minors.chain([gpu.address.to_string()]).map(|name| format!("/sys/kernel/debug/dri/{name}")).collect()
}

fn info(case: &Case<'_>, gpu: &Gpu, name: &str) -> Option<(String, String)> {
    folders(case, gpu).into_iter().find_map(|folder| {
        [format!("{folder}/gt0/uc/{name}"), format!("{folder}/{name}")].into_iter().find_map(|path| {
            let text = case.sysfs.text(&path)?;
            Some((path, text))
        })
    })
}

/// The word behind `status:`, in capitals.
fn status(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.trim().strip_prefix("status:")).map(|word| word.trim().to_ascii_uppercase())
}

/// Words of `intel_uc_fw_status_repr` that say it does not run, and what they mean.
fn meaning(status: &str) -> Option<&'static str> {
    Some(match status {
        "MISSING" => "the file was not found when the driver asked for it",
        "ERROR" => "the file was refused: it is broken, or of a version that this kernel does not take",
        "INIT FAIL" => "there was no memory for it in the GPU's reserved part (WOPCM)",
        "LOAD FAIL" => "the GPU did not accept it: its signature or the hardware's state was wrong",
        "AVAILABLE" | "LOADABLE" | "SELECTED" => "it was found, and never put into the GPU",
        _ => return None,
    })
}

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if intel(gpu).is_none() || !matches!(gpu.driver.as_deref(), Some("i915" | "xe")) {
        return;
    }
    for (id, file, role, loss) in [
        (
            "guc-not-running",
            "guc_info",
            "GuC",
            "the GPU's scheduler: without it newer GPUs take no work, and older ones lose HuC and SR-IOV",
        ),
        (
            "huc-not-running",
            "huc_info",
            "HuC",
            "the helper of the video engine: without it low-power encoding and some decoding fall back to shaders or fail",
        ),
    ] {
        let Some((path, text)) = info(case, gpu, file) else {
            logged(case, gpu, id, role, loss, findings);
            continue;
        };
        let Some(word) = status(&text) else { continue };
        if word == "RUNNING" {
            continue;
        }
        if matches!(word.as_str(), "DISABLED" | "N/A" | "UNINITIALIZED") {
            // Switched off on purpose is worth a word only where somebody did it.
            if let Some((parameter, value)) = case.parameter("i915", "enable_guc").filter(|(_, value)| value == "0")
                && role == "GuC"
                && intel(gpu).is_some_and(|platform| platform >= crate::firmware::Platform::AlderLakeS)
            {
                findings.push(
                    note("guc-switched-off", &gpu.address)
                        .saw(path, format!("status: {word}"))
                        .saw(parameter, value)
                        .because("GuC was switched off (i915.enable_guc=0): no HuC, no SR-IOV; GVT-g wants it so, which this GPU does not have")
                        .fix(case.system.boot_without("i915.enable_guc=0"))
                        .see(I915),
                );
            }
            continue;
        }
        // TRANSFERRED is as good as it gets for HuC before it is authenticated.
        let why = meaning(&word).unwrap_or("it was put into the GPU, and did not start or was not authenticated");
        findings.push(
            warning(id, &gpu.address)
                .saw(path, text.lines().take(6).collect::<Vec<_>>().join("\n"))
                .saw_all(case.logged(&[role], 3).iter().map(|line| ("dmesg".to_owned(), (*line).to_owned())))
                .because(format!("{role} does not run (status {word}): {why}. It is {loss}"))
                .fix(match word.as_str() {
                    "MISSING" | "ERROR" => format!(
                        "# see `firmware-missing` for the package; once the file is there:\n{}\nreboot",
                        case.system.initial_disk()
                    ),
                    _ => "# update the BIOS and the firmware package; on the command line i915.enable_guc= must be absent, or 3".to_owned(),
                })
                .see(I915),
        );
    }
    dmc(case, gpu, findings);
    running(case, gpu, findings);
}

/// Without debugfs (it takes root) the kernel's log tells.
fn logged(case: &Case<'_>, gpu: &Gpu, id: &'static str, role: &str, loss: &str, findings: &mut Vec<Finding>) {
    let address = gpu.address.to_string();
    // Words of `intel_uc.c` and `intel_uc_fw.c`.
    let lines: Vec<&str> =
        ["initialization failed", "load failed", "fetch failed", "authentication failed", "Failed to"]
            .iter()
            .flat_map(|words| case.logged(&[address.as_str(), role, words], 2))
            .collect();
    if lines.is_empty() {
        return;
    }
    findings.push(
        warning(id, &gpu.address)
            .saw_all(lines.iter().map(|line| ("dmesg".to_owned(), (*line).to_owned())))
            .because(format!("{role} did not start, as the kernel's log says. It is {loss}"))
            .fix(format!(
                "# see `firmware-missing` for the package, where it is a matter of the file; then:\n{}\nreboot",
                case.system.initial_disk()
            ))
            .see(I915),
    );
}

/// What runs, in one line, with what each is for: hardly anybody knows these names.
fn running(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let address = gpu.address.to_string();
    let mut evidence = Vec::new();
    let mut words = Vec::new();
    for (file, role, is) in
        [("guc_info", "GuC", "which schedules the GPU's work"), ("huc_info", "HuC", "which helps its video engine")]
    {
        if let Some((path, text)) = info(case, gpu, file) {
            if status(&text).as_deref() == Some("RUNNING") {
                evidence.push((path, "status: RUNNING".to_owned()));
                words.push(format!("{role}, {is}"));
            }
        } else if let Some(line) = case.logged(&[address.as_str(), role], 8).into_iter().find(|line| {
            line.contains("authenticated")
                || line.contains("submission enabled")
                || line.contains("firmware i915/") && line.contains("version")
        }) {
            evidence.push(("dmesg".to_owned(), line.to_owned()));
            words.push(format!("{role}, {is}"));
        }
    }
    if let Some(line) = case.logged(&[address.as_str(), "Finished loading DMC firmware"], 1).first() {
        evidence.push(("dmesg".to_owned(), (*line).to_owned()));
        words.push("DMC, which lets the display sleep".to_owned());
    }
    if words.is_empty() || findings.iter().any(|finding| finding.id.ends_with("-not-running")) {
        return;
    }
    findings.push(
        ok("microcode", &gpu.address)
            .saw_all(evidence)
            .because(format!("the GPU's own firmware runs: {}", words.join("; ")))
            .see(I915),
    );
}

fn dmc(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let Some((path, text)) = info(case, gpu, "i915_dmc_info") else { return };
    let Some(line) = text.lines().find(|line| line.trim().starts_with("fw loaded:")) else { return };
    if line.contains("yes") {
        return;
    }
    findings.push(
        note("dmc-not-loaded", &gpu.address)
            .saw(path, line.trim())
            .because("the display's firmware (DMC) is not loaded: the GPU works, and never sleeps deeply, which costs a few watts")
            .fix("# see `firmware-missing` or `firmware-optional` for the file; then build the initial RAM disk anew and restart")
            .see(I915),
    );
}
