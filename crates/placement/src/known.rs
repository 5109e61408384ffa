//! Vendors' tables of slices, for hosts that cannot be asked and for tests.
//!
//! Sources: NVIDIA, Virtual GPU Software User Guide: release 8 for M60, M10 and M6; release 20, chapter 9, for A16 and L40S
//! (equal-size maxima and mixed-size placement ids); `nvidia-smi mig -lgipp` for MIG; Linux `drivers/gpu/drm/i915/gvt/vgpu.c`
//! for GVT-g.

use crate::{Group, Regime, Several, SlotSet, profile::Slice};

const NVIDIA: &str = "10de";
const VWS: &[&str] = &["vWS"];
const VPC: &[&str] = &["vPC", "vWS"];
const VAPPS: &[&str] = &["vApps"];

/// One physical GPU of a Tesla M60 (two a board), M10 (four) or M6 (one): 8 GiB, all slices of one type.
pub fn maxwell(name: &str) -> Group {
    let sizes = [("8", 8192, 1), ("4", 4096, 2), ("2", 2048, 4), ("1", 1024, 8), ("0", 512, 16)];
    let mut slices = Vec::new();
    for (word, mib, most) in sizes {
        // Several for one desktop: only the full size.
        let several = if most == 1 { Several::OtherCards } else { Several::No };
        let slice = Slice::equal(&format!("{name}-{word}Q"), mib, most);
        slices.push(slice.with_licences(VWS).with_several(several));
    }
    for (word, mib, most) in [("2B", 2048, 4), ("2B4", 2048, 4), ("1B", 1024, 8), ("1B4", 1024, 8), ("0B", 512, 16)] {
        let slice = Slice::equal(&format!("{name}-{word}"), mib, most);
        slices.push(slice.with_licences(VPC).with_several(Several::No));
    }
    for (word, mib, most) in [("8A", 8192, 1), ("4A", 4096, 2), ("2A", 2048, 4), ("1A", 1024, 8)] {
        let slice = Slice::equal(&format!("{name}-{word}"), mib, most);
        slices.push(slice.with_licences(VAPPS).with_several(Several::No).by_name());
    }
    Group::new(name, NVIDIA).with_slices(Regime::SameType, 0, &slices).with_whole(8192)
}

/// One of the four GPUs of an A16 board, 16 GiB.
pub fn a16(regime: Regime) -> Group {
    let sizes: [(u8, u8, &[u8]); 5] = [
        (16, 1, &[0]),
        (8, 2, &[0, 8]),
        (4, 4, &[0, 4, 8, 12]),
        (2, 8, &[0, 2, 4, 6, 8, 10, 12, 14]),
        (1, 16, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
    ];
    ampere("A16", regime, 16, &sizes)
}

/// An L40S, 48 GiB: mixed-size mode costs capacity.
pub fn l40s(regime: Regime) -> Group {
    let sizes: [(u8, u8, &[u8]); 10] = [
        (48, 1, &[0]),
        (24, 2, &[0, 24]),
        (16, 3, &[0, 32]),
        (12, 4, &[0, 12, 24, 36]),
        (8, 6, &[0, 16, 24, 40]),
        (6, 8, &[0, 6, 12, 18, 24, 30, 36, 42]),
        (4, 12, &[0, 8, 12, 20, 24, 32, 36, 44]),
        (3, 16, &[0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45]),
        (2, 24, &[0, 4, 6, 10, 12, 16, 18, 22, 24, 28, 30, 34, 36, 40, 42, 46]),
        (1, 32, &[0, 5, 6, 11, 12, 17, 18, 23, 24, 29, 30, 35, 36, 41, 42, 47]),
    ];
    ampere("L40S", regime, 48, &sizes)
}

fn ampere(name: &str, regime: Regime, gib: u8, sizes: &[(u8, u8, &[u8])]) -> Group {
    let slices: Vec<_> = sizes
        .iter()
        .map(|(size, most, ids)| {
            let (key, mib) = (format!("{name}-{size}Q"), u64::from(*size) * 1024);
            let slice = match regime {
                Regime::Placed => Slice::placed(&key, mib, *size, ids),
                _ => Slice::equal(&key, mib, *most),
            };
            slice.with_licences(VWS)
        })
        .collect();
    Group::new(name, NVIDIA).with_slices(regime, gib, &slices).with_whole(u64::from(gib) * 1024)
}

/// An H100 with 80 GiB under MIG: eight memory slices, and the media engine as a ninth slot.
pub fn h100_mig() -> Group {
    let media = SlotSet::range(8, 1);
    let slices = [
        Slice::placed("1g.10gb", 10_240, 1, &[0, 1, 2, 3, 4, 5, 6]),
        Slice { beside: media, ..Slice::placed("1g.10gb+me", 10_240, 1, &[0, 1, 2, 3, 4, 5, 6]) }.by_name(),
        Slice::placed("1g.20gb", 20_480, 2, &[0, 2, 4, 6]),
        Slice::placed("2g.20gb", 20_480, 2, &[0, 2, 4]),
        Slice::placed("3g.40gb", 40_960, 4, &[0, 4]),
        Slice::placed("4g.40gb", 40_960, 4, &[0]),
        Slice::placed("7g.80gb", 81_920, 8, &[0]),
    ];
    Group::new("H100", NVIDIA).with_slices(Regime::Placed, 9, &slices).with_whole(81_920)
}

/// An integrated GPU with GVT-g: low and high graphics memory in MiB, and fences, of which slices take amounts.
pub fn gvt_g(low_mib: u32, high_mib: u32, fences: u32) -> Group {
    let slices = [
        Slice::pooled("i915-GVTg_V5_1", 512, [512, 2048, 4]),
        Slice::pooled("i915-GVTg_V5_2", 256, [256, 1024, 4]),
        Slice::pooled("i915-GVTg_V5_4", 128, [128, 512, 4]),
        Slice::pooled("i915-GVTg_V5_8", 64, [64, 384, 4]),
    ]
    .map(|slice| slice.with_several(Several::No));
    Group::new("GVT-g", "8086").with_pool([low_mib, high_mib, fences]).with_slices(Regime::Pool, 0, &slices)
}
