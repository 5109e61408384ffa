//! Cards whose slices are known without asking their driver: what a card could do while another driver holds it, and what a
//! filtered list hides.
//!
//! Sources: NVIDIA's vGPU user guides (8.x for Maxwell's maxima, R20 for placement IDs) and the `vgpuConfig.xml` of driver
//! 510.47.03 (heads, resolutions, numbers). Numbers are NVIDIA's for all drivers; what the host says wins over all of this.

mod boards;
mod intel;
mod later;
mod maxwell;

pub(crate) use intel::{Gvt, gvt, intel_sriov};

use super::vgpu::known::Known;
use super::vgpu::name;

/// One GPU of a card as NVIDIA's tables describe it.
pub(crate) struct Card {
    /// PCI device ids.
    devices: &'static [u16],
    /// PCI subsystem ids, where one device id is several cards.
    subsystems: &'static [u16],
    /// The name in its vGPU types, `M60`.
    pub name: &'static str,
    /// Of one GPU; a board may have several.
    pub memory_mib: u64,
    /// Most slices of one GPU, whatever their size.
    most: u32,
    /// Slices are made on virtual functions (Ampere and later).
    pub sriov: bool,
    types: &'static [Type],
    /// For each framebuffer size in GiB the IDs where slices may lie when sizes are mixed.
    mixed: &'static [(u64, &'static [u8])],
}

struct Type {
    /// `2Q`, `1-10C`.
    suffix: &'static str,
    /// 0 where unknown.
    number: u16,
    heads: u32,
    resolution: &'static str,
}

/// Short for the tables.
const fn of(suffix: &'static str, number: u16, heads: u32, resolution: &'static str) -> Type {
    Type { suffix, number, heads, resolution }
}

const APPS: &str = "1280x1024";
const SMALL: &str = "2560x1600";
const UHD: &str = "4096x2160";
const FIVE: &str = "5120x2880";
const EIGHT: &str = "7680x4320";

/// The card of PCI ids, `None` when NVIDIA makes no slices of it or Oriel does not know it.
pub(crate) fn card(vendor_id: &str, device_id: &str, subsystem_device_id: &str) -> Option<&'static Card> {
    if vendor_id != "10de" {
        return None;
    }
    let (device, subsystem) =
        (u16::from_str_radix(device_id, 16).ok()?, u16::from_str_radix(subsystem_device_id, 16).ok());
    let cards = || maxwell::CARDS.iter().chain(later::CARDS);
    let exact = cards()
        .find(|card| card.devices.contains(&device) && subsystem.is_some_and(|id| card.subsystems.contains(&id)));
    exact.or_else(|| cards().find(|card| card.devices.contains(&device) && card.subsystems.is_empty()))
}

/// The card's name where its device id is that of several cards: A2 and A16 are one chip.
pub(crate) fn board(vendor_id: &str, device_id: &str, subsystem_device_id: &str) -> Option<String> {
    let found = card(vendor_id, device_id, subsystem_device_id)?;
    let others = maxwell::CARDS
        .iter()
        .chain(later::CARDS)
        .filter(|card| card.devices.iter().any(|id| found.devices.contains(id)));
    (others.count() > 1).then(|| found.name.to_owned())
}

/// Video memory of a board whose slices are in no table, in MiB.
pub(crate) fn memory_mib(vendor_id: &str, device_id: &str) -> Option<u64> {
    let id = |hex: &str| u16::from_str_radix(hex, 16).ok();
    let (vendor, device) = (id(vendor_id)?, id(device_id)?);
    boards::BOARDS.iter().find(|board| (board.0, board.1) == (vendor, device)).map(|board| board.2 * 1024)
}

impl Card {
    /// Its types, ready to be corrected by what the host says.
    pub fn types(&self) -> Vec<Known> {
        self.types.iter().filter_map(|one| self.known(one)).collect()
    }

    fn known(&self, one: &Type) -> Option<Known> {
        let key = format!("{}-{}", self.name, one.suffix);
        let name = name::parse(&key)?;
        let max = match name.slices {
            Some(slices) => mig_max(slices, name.framebuffer_mib, self.memory_mib, name.attribute),
            None => (self.memory_mib / name.framebuffer_mib).min(u64::from(self.most)) as u32,
        };
        let gigabytes = name.framebuffer_mib / 1024;
        let mixed = self.mixed.iter().find(|(size, _)| *size == gigabytes && name.slices.is_none());
        Some(Known {
            number: if one.number == 0 { String::new() } else { one.number.to_string() },
            framebuffer_mib: name.framebuffer_mib,
            max,
            heads: one.heads,
            resolution: one.resolution.to_owned(),
            frame_rate_limit: Some(name.frame_rate_limit()),
            size: 0,
            equal: Vec::new(),
            mixed: mixed.map(|(_, ids)| ids.to_vec()).unwrap_or_default(),
            key,
        })
    }
}

/// Where MIG instances may lie on seven compute and eight memory slices (`nvidia-smi mig -lgipp` of A100 and H100, 80 GB): IDs and
/// size in memory slices. `eighths` is the framebuffer in eighths of the card's.
pub(crate) fn mig_placement(slices: u8, eighths: u64) -> (Vec<u8>, u8) {
    let (ids, size): (&[u8], u8) = match (slices, eighths) {
        (1, 2) => (&[0, 2, 4, 6], 2),
        (1, _) => (&[0, 1, 2, 3, 4, 5, 6], 1),
        (2, _) => (&[0, 2, 4], 2),
        (3, _) => (&[0, 4], 4),
        (4, _) => (&[0], 4),
        _ => (&[0], 8),
    };
    (ids.to_vec(), size)
}

/// How many MIG-backed slices of a kind one card has.
fn mig_max(slices: u8, framebuffer_mib: u64, memory_mib: u64, attribute: &str) -> u32 {
    // One instance has the media engines.
    if attribute == "ME" {
        return 1;
    }
    let (ids, _) = mig_placement(slices, eighths(framebuffer_mib, memory_mib));
    ids.len() as u32
}

pub(crate) fn eighths(framebuffer_mib: u64, memory_mib: u64) -> u64 {
    (framebuffer_mib * 8).checked_div(memory_mib).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maxima(device: &str, subsystem: &str, series: char) -> Vec<(u64, u32)> {
        let types = card("10de", device, subsystem).unwrap().types();
        let of_series = types
            .iter()
            .filter(|one| one.name().is_some_and(|name| name.series == series && name.attribute.is_empty()));
        of_series.map(|one| (one.framebuffer_mib / 1024, one.max)).collect()
    }

    #[test]
    fn maxima_are_those_of_nvidias_tables() {
        let m60 = card("10de", "13f2", "115e").unwrap();
        assert_eq!((m60.name, m60.types().len()), ("M60", 14));
        let sizes = [(8, 1), (4, 2), (2, 4), (1, 8), (0, 16)];
        assert_eq!(maxima("13f2", "115e", 'Q'), sizes);
        assert_eq!(maxima("13bd", "1160", 'Q'), sizes);
        assert_eq!(maxima("25b6", "14a9", 'Q'), [(16, 1), (8, 2), (4, 4), (2, 8), (1, 16)]);
        assert_eq!(card("10de", "25b6", "157e").unwrap().name, "A2");
        assert_eq!(
            maxima("26b9", "1851", 'Q'),
            [(48, 1), (24, 2), (16, 3), (12, 4), (8, 6), (6, 8), (4, 12), (3, 16), (2, 24), (1, 32)]
        );
        assert_eq!(maxima("1eb8", "12a2", 'Q'), [(16, 1), (8, 2), (4, 4), (2, 8), (1, 16)]);
        let two = card("10de", "13f2", "").unwrap().types().into_iter().find(|one| one.key == "M60-2Q").unwrap();
        assert_eq!(
            (two.number.as_str(), two.heads, two.resolution.as_str(), two.frame_rate_limit),
            ("18", 4, FIVE, Some(60))
        );
        assert!(card("10de", "1b80", "").is_none() && card("1002", "13f2", "").is_none());
    }

    #[test]
    fn boards_are_what_the_database_calls_them() {
        for (vendor, device, _, word) in boards::BOARDS {
            let name = crate::inventory::names::device(&format!("{vendor:04x}"), &format!("{device:04x}"), "030000");
            assert!(name.contains(word), "{vendor:04x}:{device:04x} is {name}, not {word}");
        }
        assert_eq!(memory_mib("10de", "1e07"), Some(11_264));
        assert_eq!(memory_mib("10de", "ffff"), None);
    }

    #[test]
    fn numbers_are_unique() {
        let mut numbers: Vec<String> = maxwell::CARDS
            .iter()
            .chain(later::CARDS)
            .flat_map(Card::types)
            .map(|one| one.number)
            .filter(|number| !number.is_empty())
            .collect();
        let all = numbers.len();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
    }

    #[test]
    fn mixed_sizes_never_leave_the_card() {
        for card in maxwell::CARDS.iter().chain(later::CARDS) {
            for (size, ids) in card.mixed {
                assert!(ids.iter().all(|id| u64::from(*id) + size <= card.memory_mib / 1024), "{} {size}", card.name);
            }
        }
    }
}
