//! arm64: what a desktop's display must be.

use super::{
    case::Case,
    draft::{HOST, note},
};
use oriel_model::Finding;

pub(super) fn host(case: &Case<'_>, findings: &mut Vec<Finding>) {
    if !case.arm() {
        return;
    }
    findings.push(
        note("arm-display", HOST)
            .saw("/proc/sys/kernel/arch", &case.host.arch)
            .because("desktops on this host get virtio-gpu rather than a VGA card. VGA, QXL and Cirrus keep their picture in a BAR, which an arm64 guest maps uncached while QEMU's side is cached: under KVM the two do not see each other's writes, and the picture is torn. virtio-gpu fetches pictures from the guest's ordinary memory; ramfb serves until its driver is there, as in Windows' installer")
            .fix("# nothing for desktops that Oriel makes; by hand: <video><model type='virtio'/></video>, firmware AAVMF, machine `virt`")
            .see("https://bugzilla.redhat.com/show_bug.cgi?id=1679680"),
    );
}
