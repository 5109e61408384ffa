//! Which of Intel's graphics have GVT-g, and which SR-IOV.

/// What GVT-g says of a device id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gvt {
    Supported,
    /// Graphics of an earlier or later generation.
    Never,
}

/// Ranges of device ids of Broadwell, Skylake, Broxton (and Apollo Lake), Kaby Lake, Coffee Lake and Comet Lake
/// (`drivers/gpu/drm/i915/intel_gvt.c:is_supported_device`, ids of `include/drm/i915_pciids.h`).
const GVT: &[(u16, u16)] = &[
    (0x1602, 0x163e), // Broadwell
    (0x1902, 0x193d), // Skylake
    (0x0a84, 0x0a84), // Broxton
    (0x1a84, 0x1a85),
    (0x5a84, 0x5a85),
    (0x5902, 0x593b), // Kaby Lake
    (0x591c, 0x591c), // Amber Lake
    (0x87c0, 0x87ca),
    (0x3e90, 0x3ea9), // Coffee Lake, Whiskey Lake
    (0x9b21, 0x9bf6), // Comet Lake
];

pub(crate) fn gvt(device_id: &str) -> Gvt {
    let found = u16::from_str_radix(device_id, 16)
        .is_ok_and(|id| GVT.iter().any(|(first, last)| (*first..=*last).contains(&id)));
    if found { Gvt::Supported } else { Gvt::Never }
}

/// Virtual functions of Intel's graphics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sriov {
    /// What people call it.
    pub platform: &'static str,
    /// In the mainline driver `xe` from this kernel on.
    pub xe_since: Option<(u32, u32)>,
    /// In Intel's i915 that is built beside the kernel.
    pub i915_backport: bool,
}

/// First and last device id.
type Ids = &'static [(u16, u16)];

/// Platforms whose hardware has virtual functions. `xe` of Linux 6.12 has the code but no platform switched on; the
/// out-of-tree i915 serves the 11th to 14th generation.
const SRIOV: &[(Ids, Sriov)] = &[
    (
        &[(0x9a40, 0x9aff)],
        Sriov { platform: "Tiger Lake (11th generation)", xe_since: Some((6, 19)), i915_backport: true },
    ),
    (
        &[(0x4680, 0x4693), (0xa780, 0xa78b)],
        Sriov {
            platform: "Alder Lake-S, Raptor Lake-S (12th to 14th generation)",
            xe_since: Some((6, 19)),
            i915_backport: true,
        },
    ),
    (
        &[(0x4626, 0x462a), (0x46a0, 0x46c3), (0xa720, 0xa721), (0xa7a0, 0xa7ad)],
        Sriov {
            platform: "Alder Lake-P, Raptor Lake-P (12th and 13th generation)",
            xe_since: Some((6, 19)),
            i915_backport: true,
        },
    ),
    (&[(0x46d0, 0x46d4)], Sriov { platform: "Alder Lake-N", xe_since: Some((6, 19)), i915_backport: true }),
    (
        &[(0x56c0, 0x56c2)],
        Sriov { platform: "Data Center GPU Flex (ATS-M)", xe_since: Some((6, 19)), i915_backport: true },
    ),
    (&[(0xe202, 0xe223)], Sriov { platform: "Battlemage", xe_since: Some((6, 17)), i915_backport: false }),
    (&[(0xb080, 0xb0b0)], Sriov { platform: "Panther Lake", xe_since: Some((6, 17)), i915_backport: false }),
    (&[(0x7d40, 0x7d60), (0x7dd5, 0x7dd5)], Sriov { platform: "Meteor Lake", xe_since: None, i915_backport: true }),
];

pub(crate) fn intel_sriov(device_id: &str) -> Option<Sriov> {
    let id = u16::from_str_radix(device_id, 16).ok()?;
    SRIOV
        .iter()
        .find(|(ids, _)| ids.iter().any(|(first, last)| (*first..=*last).contains(&id)))
        .map(|(_, sriov)| *sriov)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_told_apart() {
        // UHD 630 (Coffee Lake), HD 530 (Skylake); UHD 770 and Flex 170 have virtual functions instead.
        assert_eq!(
            (gvt("3e92"), gvt("1912"), gvt("4680"), gvt("0166")),
            (Gvt::Supported, Gvt::Supported, Gvt::Never, Gvt::Never)
        );
        assert!(intel_sriov("4680").is_some() && intel_sriov("56c0").is_some() && intel_sriov("3e92").is_none());
    }
}
