//! MIG: a GPU in slices of hardware, each carrying vGPUs. The order carries the load: `sriov-manage -e` after the instances
//! were made destroys them, and instances must go before MIG can be switched.

use super::{
    DEVICES, carved,
    draft::{Draft, run},
    name::mig_name,
    native, nvidia,
};
use oriel_model::PciAddress;

/// The GPU instances that carry so many vGPUs of a type, as `nvidia-smi mig -cgi` wants them.
fn wanted(draft: &Draft<'_>, own: PciAddress, key: &str, count: u32) -> Vec<String> {
    let Some((slices, gib, draws)) = mig_name(key) else { return Vec::new() };
    let plain = format!("{slices}g.{gib}gb");
    let offered = nvidia::instance_profiles(draft.sysfs, &own.to_string());
    let size = |name: &str| -> Option<u64> {
        let (first, rest) = name.split_once("g.")?;
        (first.parse() == Ok(slices)).then(|| rest.split("gb").next()?.parse().ok())?
    };
    let fits = |name: &&String| {
        size(name).is_some_and(|size| size >= gib) && name.contains("+gfx") == draws && !name.contains("+me")
    };
    let best = offered.iter().filter(fits).min_by_key(|name| size(name));
    let name = best.cloned().unwrap_or_else(|| if draws { format!("{plain}+gfx") } else { plain });
    let each = (size(&name).unwrap_or(gib) / gib.max(1)).max(1);
    vec![name; u64::from(count).div_ceil(each) as usize]
}

/// From whatever the GPU is to MIG with instances for the profile. Whether its functions are new after it.
pub(super) fn enter(draft: &mut Draft<'_>, own: PciAddress, key: &str, count: u32) -> bool {
    let address = own.to_string();
    let wanted = wanted(draft, own, key, count);
    let have = nvidia::instances(draft.sysfs, &address);
    let on = nvidia::mig(draft.sysfs, &address) == Some(true);
    if on && have == wanted && !draft.carved.functions.is_empty() {
        return false;
    }
    native::clear_vgpus(draft);
    destroy(draft, own);
    if !draft.carved.functions.is_empty() {
        native::clear_functions(draft);
    }
    if !on {
        draft.step(
            "switch MIG on",
            run(["nvidia-smi", "-i", &address, "-mig", "1"]),
            Some(run(["nvidia-smi", "-i", &address, "-mig", "0"])),
        );
        // Ampere applies it at a reset; with Linux 7.0 and later the reset wedges the host, and the driver does without.
        if draft.gpu.device_id.starts_with("20") && kernel_major(&draft.inventory.host.kernel) < 7 {
            draft.step("reset the GPU so that MIG begins", run(["nvidia-smi", "-i", &address, "--gpu-reset"]), None);
        }
    }
    draft.step(
        format!("make the virtual functions of {own}"),
        run([nvidia::SRIOV_MANAGE, "-e", &address]),
        Some(run([nvidia::SRIOV_MANAGE, "-d", &address])),
    );
    draft.wait("wait for them", format!("{DEVICES}/{own}/virtfn0"));
    draft.step(
        match wanted.as_slice() {
            [one] => format!("make a GPU instance {one}"),
            all => format!("make {} GPU instances {}", all.len(), all.first().map_or("", String::as_str)),
        },
        run(["nvidia-smi", "mig", "-i", &address, "-cgi", &wanted.join(","), "-C"]),
        Some(run(["nvidia-smi", "mig", "-i", &address, "-dgi"])),
    );
    draft.step(
        "wait until the functions offer them",
        crate::mode::Action::Wait {
            path: format!("{DEVICES}/{own}/virtfn0/nvidia"),
            gone: false,
            limit_ms: super::draft::APPEAR_MS,
        },
        Some(run(["nvidia-smi", "mig", "-i", &address, "-dci"])),
    );
    draft.carved = carved::Carved::default();
    true
}

/// Destroys the GPU instances: before the functions go, or undoing could not bring them back in order.
pub(super) fn destroy(draft: &mut Draft<'_>, own: PciAddress) {
    let address = &own.to_string();
    let have = nvidia::instances(draft.sysfs, address);
    if have.is_empty() || draft.driver(own).as_deref() != Some("nvidia") {
        return;
    }
    draft.needs_drain = true;
    draft.step(
        "destroy the compute instances",
        run(["nvidia-smi", "mig", "-i", address, "-dci"]),
        Some(run(["nvidia-smi", "mig", "-i", address, "-cci"])),
    );
    draft.step(
        "destroy the GPU instances",
        run(["nvidia-smi", "mig", "-i", address, "-dgi"]),
        Some(run(["nvidia-smi", "mig", "-i", address, "-cgi", &have.join(",")])),
    );
}

/// Switches MIG off when it is on.
pub(super) fn leave(draft: &mut Draft<'_>) {
    let Some(own) = draft.gpu.address.pci() else { return };
    let address = own.to_string();
    if draft.driver(own).as_deref() != Some("nvidia") || nvidia::mig(draft.sysfs, &address) != Some(true) {
        return;
    }
    draft.step(
        "switch MIG off",
        run(["nvidia-smi", "-i", &address, "-mig", "0"]),
        Some(run(["nvidia-smi", "-i", &address, "-mig", "1"])),
    );
}

fn kernel_major(release: &str) -> u32 {
    release.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
}
