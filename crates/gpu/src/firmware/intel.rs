//! Intel: which platform a device id is, and what i915 and xe load for it.
//!
//! GuC schedules and manages power, HuC helps the video decoder, DMC puts the display to sleep. Platforms by
//! `include/drm/intel/pciids.h`; file names by `gt/uc/intel_uc_fw.c` and `display/intel_dmc.c` of Linux 6.1 and 6.12.

use super::{Card, firmware};
use crate::{Sysfs, inventory::Firmware};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    Haswell,
    Broadwell,
    Skylake,
    Broxton,
    KabyLake,
    GeminiLake,
    CoffeeLake,
    CometLake,
    IceLake,
    ElkhartLake,
    JasperLake,
    TigerLake,
    RocketLake,
    Dg1,
    AlderLakeS,
    RaptorLakeS,
    AlderLakeP,
    AlderLakeN,
    RaptorLakeP,
    /// Arc A-series.
    Dg2,
    /// Data Center GPU Flex.
    AtsM,
    PonteVecchio,
    MeteorLake,
    ArrowLake,
    LunarLake,
    Battlemage,
    PantherLake,
}

impl Platform {
    /// `None` for what is older than Haswell or unknown.
    pub fn of(device_id: &str) -> Option<Self> {
        let id = u16::from_str_radix(device_id, 16).ok()?;
        Some(match id {
            0x0402..=0x042e | 0x0a02..=0x0a2e | 0x0c02..=0x0c2e | 0x0d02..=0x0d2e => Self::Haswell,
            0x1602..=0x163e => Self::Broadwell,
            0x1902..=0x193d => Self::Skylake,
            0x0a84 | 0x1a84 | 0x1a85 | 0x5a84 | 0x5a85 => Self::Broxton,
            0x3184 | 0x3185 => Self::GeminiLake,
            0x5902..=0x593b | 0x87c0 => Self::KabyLake,
            0x3e90..=0x3ea9 | 0x87ca => Self::CoffeeLake,
            0x9b21 | 0x9b41 | 0x9ba2..=0x9bf6 => Self::CometLake,
            0x8a50..=0x8a71 => Self::IceLake,
            0x4541..=0x4571 => Self::ElkhartLake,
            0x4e51..=0x4e71 => Self::JasperLake,
            0x9a40..=0x9af8 => Self::TigerLake,
            0x4c80..=0x4c9a => Self::RocketLake,
            0x4905..=0x4909 => Self::Dg1,
            0x4680..=0x4693 => Self::AlderLakeS,
            0xa780..=0xa78b => Self::RaptorLakeS,
            0x46a0..=0x46c3 | 0x4626..=0x462a => Self::AlderLakeP,
            0x46d0..=0x46d4 => Self::AlderLakeN,
            0xa720 | 0xa721 | 0xa7a0..=0xa7ad => Self::RaptorLakeP,
            0x5690..=0x5697 | 0x56a0..=0x56bf => Self::Dg2,
            0x56c0..=0x56c2 => Self::AtsM,
            0x0b69 | 0x0b6e | 0x0bd4..=0x0be5 => Self::PonteVecchio,
            0x7d40 | 0x7d45 | 0x7d55 | 0x7d60 | 0x7dd5 => Self::MeteorLake,
            0x7d41 | 0x7d51 | 0x7d67 | 0x7dd1 | 0xb640 => Self::ArrowLake,
            0x6420 | 0x64a0 | 0x64b0 => Self::LunarLake,
            0xe202..=0xe223 => Self::Battlemage,
            0xb080..=0xb0b0 => Self::PantherLake,
            _ => return None,
        })
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Haswell => "Haswell",
            Self::Broadwell => "Broadwell",
            Self::Skylake => "Skylake",
            Self::Broxton => "Apollo Lake",
            Self::KabyLake => "Kaby Lake",
            Self::GeminiLake => "Gemini Lake",
            Self::CoffeeLake => "Coffee Lake",
            Self::CometLake => "Comet Lake",
            Self::IceLake => "Ice Lake",
            Self::ElkhartLake => "Elkhart Lake",
            Self::JasperLake => "Jasper Lake",
            Self::TigerLake => "Tiger Lake",
            Self::RocketLake => "Rocket Lake",
            Self::Dg1 => "DG1",
            Self::AlderLakeS => "Alder Lake-S",
            Self::RaptorLakeS => "Raptor Lake-S",
            Self::AlderLakeP => "Alder Lake-P",
            Self::AlderLakeN => "Alder Lake-N",
            Self::RaptorLakeP => "Raptor Lake-P",
            Self::Dg2 => "Arc A-series (DG2)",
            Self::AtsM => "Data Center GPU Flex (ATS-M)",
            Self::PonteVecchio => "Data Center GPU Max",
            Self::MeteorLake => "Meteor Lake",
            Self::ArrowLake => "Arrow Lake",
            Self::LunarLake => "Lunar Lake",
            Self::Battlemage => "Arc B-series (Battlemage)",
            Self::PantherLake => "Panther Lake",
        }
    }

    /// In the processor's package, rather than on a card.
    pub const fn integrated(self) -> bool {
        !matches!(self, Self::Dg1 | Self::Dg2 | Self::AtsM | Self::PonteVecchio | Self::Battlemage)
    }

    /// GVT-g was written for these (`intel_gvt.c`, `is_supported_device`).
    pub const fn gvt_g(self) -> bool {
        matches!(
            self,
            Self::Broadwell | Self::Skylake | Self::KabyLake | Self::Broxton | Self::CoffeeLake | Self::CometLake
        )
    }

    /// i915 loads GuC by itself: `Some(true)` to submit work through it, `Some(false)` only to authenticate HuC; `None` not
    /// at all unless told (`intel_uc.c`, `uc_expand_default_options`).
    const fn guc_by_default(self) -> Option<bool> {
        match self {
            Self::Dg1 | Self::AlderLakeS | Self::RaptorLakeS => Some(false),
            Self::AlderLakeP
            | Self::AlderLakeN
            | Self::RaptorLakeP
            | Self::Dg2
            | Self::AtsM
            | Self::PonteVecchio
            | Self::MeteorLake
            | Self::ArrowLake
            | Self::LunarLake
            | Self::Battlemage
            | Self::PantherLake => Some(true),
            _ => None,
        }
    }

    /// What the names of its files begin with: GuC, HuC, DMC.
    const fn prefixes(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Haswell | Self::Broadwell => ("", "", ""),
            Self::Skylake => ("skl", "skl", "skl"),
            Self::Broxton => ("bxt", "bxt", "bxt"),
            Self::KabyLake | Self::CoffeeLake => ("kbl", "kbl", "kbl"),
            Self::CometLake => ("cml", "cml", "kbl"),
            Self::GeminiLake => ("glk", "glk", "glk"),
            Self::IceLake => ("icl", "icl", "icl"),
            Self::ElkhartLake | Self::JasperLake => ("ehl", "ehl", "icl"),
            Self::TigerLake => ("tgl", "tgl", "tgl"),
            Self::RocketLake => ("tgl", "tgl", "rkl"),
            Self::Dg1 => ("dg1", "dg1", "dg1"),
            Self::AlderLakeS | Self::RaptorLakeS => ("tgl", "tgl", "adls"),
            Self::AlderLakeP | Self::AlderLakeN | Self::RaptorLakeP => ("adlp", "tgl", "adlp"),
            Self::Dg2 => ("dg2", "dg2", "dg2"),
            // Without a display.
            Self::AtsM => ("dg2", "dg2", ""),
            Self::PonteVecchio => ("pvc", "", ""),
            Self::MeteorLake | Self::ArrowLake => ("mtl", "mtl", "mtl"),
            Self::LunarLake => ("lnl", "lnl", "xe2lpd"),
            Self::Battlemage => ("bmg", "bmg", "bmg"),
            Self::PantherLake => ("ptl", "ptl", "xe3lpd"),
        }
    }

    /// Names when the module's own list is not at hand: those of Linux 6.1, best first.
    fn table(self) -> (&'static [&'static str], &'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Haswell | Self::Broadwell => (&[], &[], &[]),
            Self::Skylake => (&["i915/skl_guc_70.1.1.bin"], &["i915/skl_huc_2.0.0.bin"], &["i915/skl_dmc_ver1_27.bin"]),
            Self::Broxton => (&["i915/bxt_guc_70.1.1.bin"], &["i915/bxt_huc_2.0.0.bin"], &["i915/bxt_dmc_ver1_07.bin"]),
            Self::KabyLake | Self::CoffeeLake => {
                (&["i915/kbl_guc_70.1.1.bin"], &["i915/kbl_huc_4.0.0.bin"], &["i915/kbl_dmc_ver1_04.bin"])
            }
            Self::CometLake => {
                (&["i915/cml_guc_70.1.1.bin"], &["i915/cml_huc_4.0.0.bin"], &["i915/kbl_dmc_ver1_04.bin"])
            }
            Self::GeminiLake => {
                (&["i915/glk_guc_70.1.1.bin"], &["i915/glk_huc_4.0.0.bin"], &["i915/glk_dmc_ver1_04.bin"])
            }
            Self::IceLake => (&["i915/icl_guc_70.1.1.bin"], &["i915/icl_huc_9.0.0.bin"], &["i915/icl_dmc_ver1_09.bin"]),
            Self::ElkhartLake | Self::JasperLake => {
                (&["i915/ehl_guc_70.1.1.bin"], &["i915/ehl_huc_9.0.0.bin"], &["i915/icl_dmc_ver1_09.bin"])
            }
            Self::TigerLake => {
                (&["i915/tgl_guc_70.1.1.bin"], &["i915/tgl_huc_7.9.3.bin"], &["i915/tgl_dmc_ver2_12.bin"])
            }
            Self::RocketLake => {
                (&["i915/tgl_guc_70.1.1.bin"], &["i915/tgl_huc_7.9.3.bin"], &["i915/rkl_dmc_ver2_03.bin"])
            }
            Self::Dg1 => (&["i915/dg1_guc_70.bin"], &["i915/dg1_huc.bin"], &["i915/dg1_dmc_ver2_02.bin"]),
            Self::AlderLakeS | Self::RaptorLakeS => (
                &["i915/tgl_guc_70.bin", "i915/tgl_guc_70.1.1.bin", "i915/tgl_guc_69.0.3.bin"],
                &["i915/tgl_huc.bin", "i915/tgl_huc_7.9.3.bin"],
                &["i915/adls_dmc_ver2_01.bin"],
            ),
            Self::AlderLakeP | Self::AlderLakeN | Self::RaptorLakeP => (
                &["i915/adlp_guc_70.bin", "i915/adlp_guc_70.1.1.bin", "i915/adlp_guc_69.0.3.bin"],
                &["i915/tgl_huc.bin", "i915/tgl_huc_7.9.3.bin"],
                &["i915/adlp_dmc_ver2_16.bin"],
            ),
            Self::Dg2 => (&["i915/dg2_guc_70.bin"], &["i915/dg2_huc_gsc.bin"], &["i915/dg2_dmc_ver2_07.bin"]),
            Self::AtsM => (&["i915/dg2_guc_70.bin"], &["i915/dg2_huc_gsc.bin"], &[]),
            Self::PonteVecchio => (&[], &[], &[]),
            Self::MeteorLake | Self::ArrowLake => {
                (&["i915/mtl_guc_70.bin"], &["i915/mtl_huc_gsc.bin"], &["i915/mtl_dmc.bin"])
            }
            Self::LunarLake => (&["xe/lnl_guc_70.bin"], &["xe/lnl_huc.bin"], &["i915/xe2lpd_dmc.bin"]),
            Self::Battlemage => (&["xe/bmg_guc_70.bin"], &["xe/bmg_huc.bin"], &["i915/bmg_dmc.bin"]),
            Self::PantherLake => (&["xe/ptl_guc_70.bin"], &["xe/ptl_huc.bin"], &["i915/xe3lpd_dmc.bin"]),
        }
    }
}

/// What i915 and xe load for the card. `names` is the module's own list; empty when it is not known.
pub fn files(sysfs: &dyn Sysfs, card: &Card<'_>, driver: &str, names: &[&str]) -> Vec<Firmware> {
    let Some(platform) = Platform::of(card.device_id) else { return Vec::new() };
    let (guc, huc, dmc) = platform.prefixes();
    // Comet Lake's own came with revision 5; before, it is Kaby Lake.
    let early = platform == Platform::CometLake && u8::from_str_radix(card.revision, 16).is_ok_and(|number| number < 5);
    let (guc, huc) = if early { ("kbl", "kbl") } else { (guc, huc) };
    let listed = |prefix: &str, part: &str| {
        let mut found: Vec<String> = names
            .iter()
            .filter(|name| {
                let (_, file) = name.rsplit_once('/').unwrap_or(("", name));
                !prefix.is_empty() && file.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(part))
            })
            .map(|name| (*name).to_owned())
            .collect();
        found.sort_by_key(|name| std::cmp::Reverse(rank(name)));
        found.dedup();
        found
    };
    let table = platform.table();
    let choose = |prefix: &str, part: &str, known: &[&str]| {
        if names.is_empty() { known.iter().map(|name| (*name).to_owned()).collect() } else { listed(prefix, part) }
    };
    // What was asked for on the command line; -1 is the platform's own choice. Bit 0 submits work, bit 1 loads HuC.
    let asked = sysfs.text("/sys/module/i915/parameters/enable_guc").and_then(|text| text.parse::<i32>().ok());
    let (guc_needed, huc_needed) = match asked.filter(|value| *value >= 0 && driver == "i915") {
        Some(bits) => (bits & 1 != 0, bits & 2 != 0),
        None => (platform.guc_by_default() == Some(true), platform.guc_by_default().is_some()),
    };
    [
        // A GuC that only serves HuC is as optional as that.
        ("GuC", choose(guc, "_guc_", table.0), !guc_needed),
        // Without HuC some video codecs are done by the processor; without DMC the display never sleeps deeply.
        ("HuC", choose(huc, "_huc", table.1), true),
        ("DMC", choose(dmc, "_dmc", table.2), true),
    ]
    .into_iter()
    // Old platforms do not load GuC and HuC unless told to: absent files are no news there.
    .filter(|(role, files, _)| !files.is_empty() && (*role == "DMC" || guc_needed || huc_needed))
    .map(|(role, files, optional)| firmware(role, files, optional))
    .collect()
}

/// Order among alternatives: a name without a minor version takes whatever is newest, so it comes first; then by version.
fn rank(name: &str) -> (bool, Vec<u32>) {
    let stem = name.trim_end_matches(".bin");
    let numbers: Vec<u32> = stem
        .rsplit('_')
        .take_while(|part| part.trim_start_matches("ver").starts_with(|letter: char| letter.is_ascii_digit()))
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .flat_map(|part| part.trim_start_matches("ver").split('.'))
        .filter_map(|number| number.parse().ok())
        .collect();
    (numbers.len() < 2, numbers)
}
