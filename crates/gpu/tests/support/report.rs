//! What the engine says of a host, in lines that a person reads: the zoo's snapshots.

use oriel_gpu::{
    Inventory,
    inventory::{Gpu, Profile},
    mode::{Plan, Wish},
};
use oriel_model::{Finding, GpuMode};
use std::fmt::Write as _;

pub fn list(inventory: &Inventory) -> String {
    let host = &inventory.host;
    let mut out = format!(
        "{}: {}, Linux {} on {}, {} CPUs, {} MiB, {} nodes, {} physical bits, UEFI {}\n",
        host.name,
        host.machine,
        host.kernel,
        host.arch,
        host.cpus,
        host.memory_mib,
        host.numa_nodes,
        host.physical_bits,
        host.uefi
    );
    let iommu = &host.iommu;
    let _ = writeln!(
        out,
        "IOMMU: present {}, in firmware {}, interrupt remapping {:?}, address bits {:?}, units {}",
        iommu.present,
        iommu.in_firmware,
        iommu.interrupt_remapping,
        iommu.address_bits,
        iommu.units.join(" ")
    );
    for gpu in &inventory.gpus {
        of(&mut out, gpu);
    }
    out
}

fn of(out: &mut String, gpu: &Gpu) {
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line(format!("\n{} {} {} [{}:{}]", gpu.address, gpu.vendor, gpu.name, gpu.vendor_id, gpu.device_id));
    line(format!(
        "  subsystem {}:{} rev {} class {} driver {} override {} mode {:?} boot VGA {} node {:?}",
        gpu.subsystem_vendor_id,
        gpu.subsystem_device_id,
        gpu.revision,
        gpu.class,
        gpu.driver.as_deref().unwrap_or("-"),
        gpu.driver_override.as_deref().unwrap_or("-"),
        gpu.mode,
        gpu.boot_vga,
        gpu.numa_node
    ));
    for function in &gpu.functions {
        let driver = function.driver.as_deref().unwrap_or("-");
        line(format!("  function {} {} {} ({driver})", function.address, function.class, function.name));
    }
    match &gpu.iommu_group {
        None => line("  group none".to_owned()),
        Some(group) => {
            let members: Vec<String> = group.members.iter().map(ToString::to_string).collect();
            line(format!("  group {} viable {}: {}", group.id, group.viable, members.join(" ")));
            for blocker in &group.blockers {
                let driver = blocker.driver.as_deref().unwrap_or("-");
                line(format!(
                    "    blocker {} {} {} ({driver}): {}",
                    blocker.address, blocker.class, blocker.name, blocker.reason
                ));
            }
        }
    }
    if let Some(vram) = gpu.vram_mib {
        line(format!("  video memory {vram} MiB"));
    }
    for bar in &gpu.bars {
        let prefetchable = if bar.prefetchable { " prefetchable" } else { "" };
        let sizes =
            bar.resizable.as_ref().map(|sizes| format!(" resizable to {:?} MiB", sizes.sizes_mib)).unwrap_or_default();
        line(format!("  BAR {} {:?}{prefetchable} {}{sizes}", bar.index, bar.kind, size(bar.size_bytes)));
    }
    line(format!("  resets by {}", gpu.reset_methods.join(" ")));
    for file in gpu.firmware.iter().filter(|file| file.found.is_none()) {
        let need = match (file.unknown, file.optional) {
            (true, _) => "may miss (nobody looked)",
            (false, true) => "would like",
            (false, false) => "misses",
        };
        line(format!("  {} {need} {}", file.role, file.alternatives.join(" or ")));
    }
    modes(out, gpu);
}

fn size(bytes: u64) -> String {
    match bytes.trailing_zeros() {
        30.. => format!("{} GiB", bytes >> 30),
        20.. => format!("{} MiB", bytes >> 20),
        10.. => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}

fn modes(out: &mut String, gpu: &Gpu) {
    let modes = &gpu.modes;
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", text.trim_end());
    };
    let mut mode = |name: &str, available: bool, more: String, reasons: &[String]| {
        line(format!("  {name}: {}{more}", if available { "yes" } else { "no" }));
        for reason in reasons {
            line(format!("    because {reason}"));
        }
    };
    mode("whole", modes.whole.available, String::new(), &modes.whole.reasons);
    let vgpu = &modes.vgpu;
    let how = vgpu.interface.map(|interface| format!(", {interface:?}, {:?}", vgpu.regime)).unwrap_or_default();
    mode("vgpu", vgpu.available, how, &vgpu.reasons);
    let vf = &modes.vf;
    mode("vf", vf.available, format!(", {} of {}", vf.enabled, vf.total), &vf.reasons);
    let node = modes.shared.render_node.as_ref().map(|node| format!(", {node}")).unwrap_or_default();
    mode("shared", modes.shared.available, node, &modes.shared.reasons);
    for profile in &vgpu.profiles {
        line(format!("    {}", row(profile)));
    }
    for slice in &gpu.slices {
        line(format!(
            "  slice {:?} {} {} parent {} driver {} group {:?} in use {}",
            slice.kind,
            slice.name,
            slice.profile.as_deref().unwrap_or("-"),
            slice.parent.map_or("-".to_owned(), |parent| parent.to_string()),
            slice.driver.as_deref().unwrap_or("-"),
            slice.iommu_group,
            slice.in_use
        ));
    }
}

fn row(profile: &Profile) -> String {
    format!(
        "{} ({}) {} MiB, {} free of {}, {} heads {} {}, {}, at {:?} of {}",
        profile.key,
        profile.id,
        profile.framebuffer_mib,
        profile.free,
        profile.max_per_gpu,
        profile.heads,
        profile.max_resolution,
        profile.frame_rate_limit.map_or("unlimited".to_owned(), |limit| format!("{limit} fps")),
        profile.license.as_deref().unwrap_or("no licence"),
        profile.placement_ids,
        profile.placement_size
    )
}

pub fn doctor(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let _ = writeln!(out, "{:?} {} {}\n  {}", finding.severity, finding.id, finding.subject, finding.reason);
        for evidence in &finding.evidence {
            let _ = writeln!(out, "  seen in {}: {}", evidence.path, evidence.content.replace('\n', " ⏎ "));
        }
        for fix in finding.fix.lines() {
            let _ = writeln!(out, "  > {fix}");
        }
    }
    out
}

/// What an administrator asks of a card: every mode once, slices of 2 GiB where there are such.
pub fn wishes(gpu: &Gpu) -> Vec<Wish> {
    let to = |mode| Wish::new(gpu.address.clone(), mode);
    let profiles = &gpu.modes.vgpu.profiles;
    let slice = profiles.iter().find(|one| one.framebuffer_mib == 2048 && one.free > 0);
    let mut wishes = vec![to(GpuMode::Whole)];
    if let Some(slice) = slice.or_else(|| profiles.iter().find(|one| one.free > 0)).or(profiles.first()) {
        wishes.push(to(GpuMode::Vgpu).profile(&slice.key).count(2));
    }
    if gpu.modes.vf.total > 0 {
        wishes.push(to(GpuMode::Vf).count(3));
    }
    wishes.extend([to(GpuMode::Shared), to(GpuMode::Host)]);
    wishes
}

pub fn plan(out: &mut String, wish: &Wish, plan: &Plan) {
    let what = match (&wish.profile, wish.count) {
        (Some(profile), Some(count)) => format!(" {count} × {profile}"),
        (None, Some(count)) => format!(" {count}"),
        _ => String::new(),
    };
    let _ = writeln!(out, "{} from {} to {}{what}", wish.gpu, plan.from.word(), wish.mode.word());
    for refusal in &plan.refused {
        let _ = writeln!(out, "  refused ({}): {}", refusal.code, refusal.reason);
    }
    for (name, yes) in [("a reboot", plan.needs_reboot), ("a drained card", plan.needs_drain)] {
        if yes {
            let _ = writeln!(out, "  needs {name}");
        }
    }
    for stop in &plan.stops {
        let _ = writeln!(out, "  stops: {stop}");
    }
    for step in &plan.steps {
        let _ = writeln!(out, "  {}\n    $ {}", step.does, step.command);
        if let Some(undo) = &step.undo {
            let _ = writeln!(out, "    undo $ {undo}");
        }
    }
}
