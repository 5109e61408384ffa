//! AMD: amdgpu and radeon name their files after the chip's code name, newer ones after the version of each block.
//!
//! Chips by the PCI ID database; blocks' versions by `drivers/gpu/drm/amd/amdgpu/amdgpu_discovery.c`.

use super::{Card, firmware};
use crate::inventory::Firmware;
use std::collections::BTreeMap;

/// How a chip's files are called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chip {
    /// What the names begin with, without the folder.
    pub prefixes: &'static [&'static str],
    /// radeon's, unless amdgpu is told to take it (`amdgpu.si_support`, `amdgpu.cik_support`).
    pub old: bool,
}

/// By the chip's name in the PCI ID database; longer names before their beginnings.
const CHIPS: &[(&str, &[&str], bool)] = &[
    ("Navi 10", &["navi10"], false),
    ("Navi 12", &["navi12"], false),
    ("Navi 14", &["navi14"], false),
    ("Navi 21", &["sienna_cichlid"], false),
    ("Navi 22", &["navy_flounder"], false),
    ("Navi 23", &["dimgrey_cavefish"], false),
    ("Navi 24", &["beige_goby"], false),
    ("Navi 31", &["gc_11_0_0", "psp_13_0_0", "smu_13_0_0", "sdma_6_0_0", "vcn_4_0_0", "dcn_3_2_0"], false),
    ("Navi 32", &["gc_11_0_3", "psp_13_0_10", "smu_13_0_10", "sdma_6_0_3", "vcn_4_0_0", "dcn_3_2_0"], false),
    ("Navi32", &["gc_11_0_3", "psp_13_0_10", "smu_13_0_10", "sdma_6_0_3", "vcn_4_0_0", "dcn_3_2_0"], false),
    ("Navi 33", &["gc_11_0_2", "psp_13_0_7", "smu_13_0_7", "sdma_6_0_2", "vcn_4_0_4", "dcn_3_2_1"], false),
    ("Navi 44", &["gc_12_0_0", "psp_14_0_2", "smu_14_0_2", "sdma_7_0_0", "vcn_5_0_0", "dcn_4_0_1"], false),
    ("Navi 48", &["gc_12_0_1", "psp_14_0_3", "smu_14_0_3", "sdma_7_0_1", "vcn_5_0_0", "dcn_4_0_1"], false),
    ("Aqua Vanjaram", &["gc_9_4_3", "psp_13_0_6", "sdma_4_4_2", "vcn_4_0_3"], false),
    ("Phoenix", &["gc_11_0_1", "psp_13_0_4", "sdma_6_0_1", "vcn_4_0_2", "dcn_3_1_4"], false),
    ("HawkPoint", &["gc_11_0_1", "psp_13_0_4", "sdma_6_0_1", "vcn_4_0_2", "dcn_3_1_4"], false),
    ("Raphael", &["gc_10_3_6", "psp_13_0_5", "sdma_5_2_6", "vcn_3_1_2", "dcn_3_1_5"], false),
    ("Rembrandt", &["yellow_carp"], false),
    ("VanGogh", &["vangogh"], false),
    ("Lucienne", &["renoir"], false),
    ("Renoir", &["renoir"], false),
    ("Cezanne", &["green_sardine"], false),
    ("Barcelo", &["green_sardine"], false),
    ("Raven Ridge", &["raven"], false),
    ("Picasso", &["picasso"], false),
    ("Aldebaran", &["aldebaran"], false),
    ("Arcturus", &["arcturus"], false),
    ("Vega 20", &["vega20"], false),
    ("Vega 12", &["vega12"], false),
    ("Vega 10", &["vega10"], false),
    ("Polaris 22", &["vegam"], false),
    ("Polaris12", &["polaris12"], false),
    ("Lexa", &["polaris12"], false),
    ("Baffin", &["polaris11"], false),
    ("Ellesmere", &["polaris10"], false),
    ("Polaris 20", &["polaris10"], false),
    ("Fiji", &["fiji"], false),
    ("Tonga", &["tonga"], false),
    ("Topaz", &["topaz"], false),
    ("Stoney", &["stoney"], false),
    ("Carrizo", &["carrizo"], false),
    ("Wani", &["carrizo"], false),
    ("Hawaii", &["hawaii"], true),
    ("Vesuvius", &["hawaii"], true),
    ("Bonaire", &["bonaire"], true),
    ("Kaveri", &["kaveri"], true),
    ("Kabini", &["kabini"], true),
    ("Mullins", &["mullins"], true),
    ("Tahiti", &["tahiti"], true),
    ("Malta", &["tahiti"], true),
    ("Pitcairn", &["pitcairn"], true),
    ("Curacao", &["pitcairn"], true),
    ("Cape Verde", &["verde"], true),
    ("Chelsea", &["verde"], true),
    ("Heathrow", &["verde"], true),
    ("Venus", &["verde"], true),
    ("Oland", &["oland"], true),
    ("Mars", &["oland"], true),
    ("Hainan", &["hainan"], true),
    ("Sun XT", &["hainan"], true),
    ("Cayman", &["cayman"], true),
    ("Antilles", &["cayman"], true),
    ("Barts", &["barts"], true),
    ("Blackcomb", &["barts"], true),
    ("Turks", &["turks"], true),
    ("Whistler", &["turks"], true),
    ("Thames", &["turks"], true),
    ("Caicos", &["caicos"], true),
    ("Seymour", &["caicos"], true),
    ("Cypress", &["cypress"], true),
    ("Hemlock", &["cypress"], true),
    ("Juniper", &["juniper"], true),
    ("Broadway", &["juniper"], true),
    ("Redwood", &["redwood"], true),
    ("Madison", &["redwood"], true),
    ("Cedar", &["cedar"], true),
    ("Park", &["cedar"], true),
    ("Trinity", &["aruba"], true),
    ("Richland", &["aruba"], true),
];

pub(super) fn chip(card: &Card<'_>) -> Option<Chip> {
    CHIPS
        .iter()
        .find(|(name, ..)| {
            card.name.starts_with(name) || card.name.split('/').any(|part| part.trim().starts_with(name))
        })
        .map(|(_, prefixes, old)| Chip { prefixes, old: *old })
}

/// What amdgpu can do without, or wants only of special boards or revisions: SR-IOV guests (`cap`), content protection (`ta`),
/// a scheduler that it does not use (`mes` before GFX11), revisions of the power controller.
fn optional(prefix: &str, rest: &str) -> bool {
    let tail = rest.trim_end_matches(".bin");
    if prefix.starts_with("gc_11") || prefix.starts_with("gc_12") {
        // GFX11 and later take all work through it.
        return matches!(tail, "toc" | "imu_kicker" | "rlc_kicker" | "rlc_1") || tail.ends_with("_wks");
    }
    matches!(
        tail,
        "cap"
            | "ta"
            | "mes"
            | "mes1"
            | "mes_2"
            | "uni_mes"
            | "mec2"
            | "toc"
            | "isp"
            | "k_mc"
            | "k_smc"
            | "k2_smc"
            | "smc_sk"
            | "acg_smc"
            | "kicker_rlc"
            | "rlc_am4"
            | "imu_kicker"
            | "rlc_kicker"
            | "sos_kicker"
            | "ta_kicker"
            | "kicker"
            | "rlc_1"
            | "dmcu"
            | "sjt_mec"
            | "sjt_mec2"
            | "mec2_2"
            | "wks"
            | "toc_wks"
    )
}

/// amdgpu's files for the card, those with and without `_2` together: Polaris takes the one, or else the other.
pub(super) fn amdgpu(card: &Card<'_>, names: &[&str]) -> Vec<Firmware> {
    let Some(chip) = chip(card) else { return Vec::new() };
    // One entry per purpose; its alternatives by preference.
    let mut purposes: BTreeMap<String, Vec<(u8, String)>> = BTreeMap::new();
    for name in names {
        let Some((_, file)) = name.rsplit_once('/') else { continue };
        let Some((prefix, rest)) = chip.prefixes.iter().find_map(|prefix| {
            let rest = file.strip_prefix(prefix)?;
            rest.strip_prefix('_').or_else(|| rest.starts_with(".bin").then_some(rest)).map(|rest| (prefix, rest))
        }) else {
            continue;
        };
        let (base, order) = match rest.strip_suffix("_2.bin") {
            Some(base) => (format!("{base}.bin"), 0),
            _ => (rest.to_owned(), 1),
        };
        let entry = purposes.entry(format!("{prefix} {base}")).or_default();
        let one = (order, (*name).to_owned());
        if !entry.contains(&one) {
            entry.push(one);
        }
    }
    purposes
        .into_iter()
        .map(|(purpose, mut files)| {
            files.sort();
            let (prefix, rest) = purpose.split_once(' ').unwrap_or(("", &purpose));
            let optional = optional(prefix, rest);
            firmware("amdgpu", files.into_iter().map(|(_, name)| name).collect(), optional)
        })
        .collect()
}

/// radeon's files: those in lower case are newer; the ones in upper case do as well, each for itself.
pub(super) fn radeon(card: &Card<'_>, names: &[&str]) -> Vec<Firmware> {
    let Some(chip) = chip(card) else { return Vec::new() };
    let mut purposes: BTreeMap<String, Vec<(u8, String)>> = BTreeMap::new();
    for name in names {
        let Some((_, file)) = name.rsplit_once('/') else { continue };
        let lower = file.to_ascii_lowercase();
        let Some(rest) =
            chip.prefixes.iter().find_map(|prefix| lower.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')))
        else {
            continue;
        };
        // `mc2` is the upper case name of what is `mc` in lower case.
        let new = file == lower;
        let order = match (new, rest) {
            (true, _) => 0,
            (false, "mc2.bin") => 1,
            (false, _) => 2,
        };
        let purpose = if rest == "mc2.bin" { "mc.bin" } else { rest };
        let entry = purposes.entry(purpose.to_owned()).or_default();
        let one = (order, (*name).to_owned());
        if !entry.contains(&one) {
            entry.push(one);
        }
    }
    purposes
        .into_iter()
        .map(|(purpose, mut files)| {
            files.sort();
            let skippable = optional("", &purpose) || matches!(purpose.as_str(), "uvd.bin" | "vce.bin" | "smc.bin");
            firmware("radeon", files.into_iter().map(|(_, name)| name).collect(), skippable)
        })
        .collect()
}
