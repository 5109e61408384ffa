//! How many more slices of each profile a GPU takes, given those it has: a GPU is a row of slots, a slice takes some of them.

use super::known::Known;
use crate::inventory::{Profile, Regime, Slice};

/// Slots of a card: placement IDs are bytes.
const SLOTS: usize = 256;

/// Gives each profile its slots for a regime: where it may lie, and how many it takes. Slots are as fine as the sizes need.
pub(crate) fn place(known: &[Known], profiles: &mut [Profile], regime: Regime) {
    let unit = known.iter().map(|one| one.framebuffer_mib).filter(|size| *size > 0).fold(0, gcd).max(1);
    for (known, profile) in known.iter().zip(profiles) {
        let size = u8::try_from(known.framebuffer_mib / unit).unwrap_or(u8::MAX).max(1);
        profile.placement_size = if known.size > 0 { known.size } else { size };
        let row = || {
            (0..known.max).filter_map(|index| u8::try_from(index * u32::from(profile.placement_size)).ok()).collect()
        };
        profile.placement_ids = match regime {
            Regime::FreePool => Vec::new(),
            Regime::MixedSize if !known.mixed.is_empty() => known.mixed.clone(),
            Regime::Mig => known.equal.clone(),
            _ if !known.equal.is_empty() => known.equal.clone(),
            _ => row(),
        };
        if regime != Regime::Mig && regime != Regime::FreePool {
            profile.mixed_placement_ids.clone_from(&known.mixed);
        }
        if regime == Regime::MixedSize && !known.mixed.is_empty() {
            profile.max_per_gpu = fit(&[false; SLOTS], &known.mixed, profile.placement_size);
        }
    }
}

/// Where so many of one profile lie while sizes are mixed, none over another: as many as fit.
pub(crate) fn mixed_places(profile: &Profile) -> Vec<u8> {
    let mut slots = [false; SLOTS];
    let mut places = Vec::new();
    for id in &profile.mixed_placement_ids {
        if vacant(&slots, *id, profile.placement_size) {
            take(&mut slots, *id, profile.placement_size);
            places.push(*id);
        }
    }
    places
}

const fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// How many more of one profile a GPU takes whose `slices` are profiles of `all`.
pub(crate) fn free(profile: &Profile, all: &[Profile], slices: &[Slice], regime: Regime) -> u32 {
    let of = |slice: &Slice| all.iter().find(|one| slice.profile.as_deref() == Some(one.key.as_str()));
    // Every slice takes room, also one whose type nobody knows: then nothing is promised.
    let held: Vec<Option<&Profile>> = slices.iter().map(of).collect();
    let left = |fits: bool| if fits { profile.max_per_gpu.saturating_sub(held.len() as u32) } else { 0 };
    match regime {
        Regime::SameType => left(held.iter().all(|one| one.is_some_and(|one| one.key == profile.key))),
        Regime::SameSize => {
            left(held.iter().all(|one| one.is_some_and(|one| one.framebuffer_mib == profile.framebuffer_mib)))
        }
        Regime::MixedSize | Regime::Mig if held.iter().any(Option::is_none) => 0,
        Regime::MixedSize | Regime::Mig => fit(&occupied(all, slices), &profile.placement_ids, profile.placement_size),
        // Only the driver knows.
        Regime::FreePool => profile.free,
    }
}

/// Slots that are taken. Where a slice does not say where it lies, the largest come first, each at the first place that is free: what
/// NVIDIA's manager does by itself.
fn occupied(all: &[Profile], slices: &[Slice]) -> [bool; SLOTS] {
    let mut slots = [false; SLOTS];
    let mut todo: Vec<(&Profile, Option<u8>)> = slices
        .iter()
        .filter_map(|slice| {
            Some((all.iter().find(|one| slice.profile.as_deref() == Some(one.key.as_str()))?, slice.placement))
        })
        .collect();
    todo.sort_by_key(|(profile, placement)| (placement.is_none(), u8::MAX - profile.placement_size));
    for (profile, placement) in todo {
        let size = profile.placement_size;
        let place = placement.or_else(|| profile.placement_ids.iter().copied().find(|id| vacant(&slots, *id, size)));
        if let Some(place) = place {
            take(&mut slots, place, size);
        }
    }
    slots
}

fn vacant(slots: &[bool; SLOTS], id: u8, size: u8) -> bool {
    let start = usize::from(id);
    slots.get(start..start + usize::from(size)).is_some_and(|range| range.iter().all(|taken| !taken))
}

fn take(slots: &mut [bool; SLOTS], id: u8, size: u8) {
    let start = usize::from(id);
    if let Some(range) = slots.get_mut(start..(start + usize::from(size)).min(SLOTS)) {
        range.fill(true);
    }
}

/// How many of a size fit at these IDs, none over another. IDs ascend and all have one size: first fit is best.
fn fit(slots: &[bool; SLOTS], ids: &[u8], size: u8) -> u32 {
    let mut slots = *slots;
    let mut count = 0;
    for id in ids {
        if vacant(&slots, *id, size) {
            take(&mut slots, *id, size);
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{SliceKind, catalogue};

    fn table(device: &str, regime: Regime) -> Vec<Profile> {
        let known = catalogue::card("10de", device, "").unwrap().types();
        let known: Vec<Known> =
            known.into_iter().filter(|one| one.name().is_some_and(|name| name.slices.is_none())).collect();
        let mut profiles: Vec<Profile> = known.iter().map(|one| super::super::profile(one, String::new())).collect();
        place(&known, &mut profiles, regime);
        profiles
    }

    fn slice(key: &str, placement: Option<u8>) -> Slice {
        Slice {
            kind: SliceKind::Mdev,
            name: String::new(),
            profile: Some(key.into()),
            parent: None,
            driver: None,
            iommu_group: None,
            placement,
            in_use: false,
        }
    }

    fn free_of(all: &[Profile], key: &str, slices: &[Slice], regime: Regime) -> u32 {
        free(all.iter().find(|one| one.key == key).unwrap(), all, slices, regime)
    }

    #[test]
    fn one_type_locks_the_gpu() {
        let all = table("13f2", Regime::SameType);
        let slices = [slice("M60-2Q", None)];
        assert_eq!(free_of(&all, "M60-2Q", &slices, Regime::SameType), 3);
        assert_eq!(free_of(&all, "M60-2B", &slices, Regime::SameType), 0);
        assert_eq!(free_of(&all, "M60-2B", &slices, Regime::SameSize), 3);
        assert_eq!(free_of(&all, "M60-1Q", &slices, Regime::SameSize), 0);
        assert_eq!(free_of(&all, "M60-2Q", &[slice("who knows", None)], Regime::SameSize), 0);
        let two = all.iter().find(|one| one.key == "M60-2Q").unwrap();
        assert_eq!((two.placement_ids.as_slice(), two.placement_size), (&[0, 4, 8, 12][..], 4));
    }

    #[test]
    fn mixing_sizes_costs_room() {
        let all = table("26b9", Regime::MixedSize);
        let max = |key: &str| all.iter().find(|one| one.key == key).unwrap().max_per_gpu;
        assert_eq!(
            (max("L40S-16Q"), max("L40S-8Q"), max("L40S-4Q"), max("L40S-2Q"), max("L40S-1Q")),
            (2, 4, 8, 16, 16)
        );
        let slices = [slice("L40S-24Q", None), slice("L40S-8Q", Some(24))];
        assert_eq!(free_of(&all, "L40S-8Q", &slices, Regime::MixedSize), 1);
        assert_eq!(free_of(&all, "L40S-24Q", &slices, Regime::MixedSize), 0);
        assert_eq!(free_of(&all, "L40S-12Q", &slices, Regime::MixedSize), 1);
    }
}
