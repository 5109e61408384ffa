//! Intel: parameters of i915 and xe that only count when the module is loaded, which for the console's driver means a reboot.

use super::{
    DEVICES,
    draft::{Draft, run},
};
use crate::mode::Action;
use oriel_model::PciAddress;

/// Device ids of GPUs that GVT-g knows (`intel_gvt.c:is_supported_device`): Broadwell, Skylake, Kaby Lake, Coffee Lake, Comet
/// Lake, Broxton.
const GVT: &[&str] = &["16", "19", "59", "3e", "9b", "87c", "5a84", "5a85", "0a84", "1a84", "1a85"];

/// Whether GVT-g knows the GPU.
pub(super) fn has_gvt(draft: &Draft<'_>) -> bool {
    draft.gpu.vendor_id == "8086" && GVT.iter().any(|start| draft.gpu.device_id.starts_with(start))
}

fn is_on(value: Option<String>) -> bool {
    matches!(value.as_deref(), Some("Y" | "y" | "1"))
}

/// GVT-g: `i915.enable_gvt=1` and kvmgt. Whether the rest of the plan must wait for a reboot.
pub(super) fn gvt(draft: &mut Draft<'_>) -> bool {
    if !has_gvt(draft) || draft.sysfs.exists(&format!("{}/mdev_supported_types", draft.gpu.path())) {
        return false;
    }
    if is_on(draft.sysfs.text("/sys/module/i915/parameters/enable_gvt")) {
        if !draft.sysfs.exists("/sys/module/kvmgt") {
            draft.step("load GVT-g", run(["modprobe", "kvmgt"]), Some(run(["modprobe", "-r", "kvmgt"])));
        }
        draft.wait("wait for its slice types", format!("{}/mdev_supported_types", draft.gpu.path()));
        return false;
    }
    option(draft, "i915", "enable_gvt=1 enable_guc=0", "oriel-gvt.conf");
    true
}

/// Virtual functions of i915 and xe need `max_vfs`. Whether that comes first.
pub(super) fn functions_after_reboot(draft: &mut Draft<'_>, own: PciAddress) -> bool {
    let Some(driver) = draft.driver(own).filter(|driver| driver == "i915" || driver == "xe") else { return false };
    let parameter = draft.sysfs.text(&format!("/sys/module/{driver}/parameters/max_vfs"));
    let total = draft.sysfs.number(&format!("{DEVICES}/{own}/sriov_totalvfs"));
    if parameter.as_deref() != Some("0") || total.is_none() {
        return false;
    }
    let count = draft.wish.count.unwrap_or(7);
    let options = if driver == "i915" { format!("enable_guc=3 max_vfs={count}") } else { format!("max_vfs={count}") };
    option(draft, &driver, &options, "oriel-vf.conf");
    true
}

/// Options for a module from the next boot on.
fn option(draft: &mut Draft<'_>, module: &str, options: &str, file: &str) {
    let path = format!("/etc/modprobe.d/{file}");
    let content = format!("options {module} {options}\n");
    draft.needs_reboot = true;
    let words: Vec<String> = options.split(' ').map(|option| format!("{module}.{option}")).collect();
    draft.stop(format!(
        "everything on this host, for the reboot that must follow (the same as `{}` on the kernel command line)",
        words.join(" ")
    ));
    let old = draft.sysfs.read(&path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if old.as_deref() == Some(content.as_str()) {
        return;
    }
    draft.step(
        format!("start {module} with {options} from the next boot on"),
        Action::Save { path: path.clone(), content: Some(content) },
        Some(Action::Save { path, content: old }),
    );
    let fedora = matches!(
        draft.inventory.host.distribution.id.as_str(),
        "fedora" | "rhel" | "centos" | "rocky" | "almalinux" | "opensuse-leap" | "sles"
    );
    let argv = if fedora { run(["dracut", "-f"]) } else { run(["update-initramfs", "-u"]) };
    draft.step("put that into the first file system of the boot", argv.clone(), Some(argv));
}
