//! Slices out of a common pool: GVT-g and the kernel's sample displays. Any mix goes while there is room, and only the driver
//! knows how much there is.

use super::{Slices, mdev_slice};
use crate::inventory::{
    Profile, Regime, Slice, Vgpu, VgpuInterface,
    mdev::{self, MdevType},
    reader::{Reader, Seen},
};

pub(super) fn read(reader: &Reader, gpu: &Seen) -> Slices {
    let types = mdev::types(reader.sysfs, &gpu.path);
    let made: Vec<Slice> = reader
        .mdevs(&gpu.name)
        .iter()
        .map(|mdev| {
            let profile = types.iter().find(|one| one.id == mdev.type_id).map(|one| key(one).to_owned());
            mdev_slice(reader, mdev, None, profile)
        })
        .collect();
    let mut profiles: Vec<Profile> = types.iter().filter(|one| one.device_api == "vfio-pci").map(profile).collect();
    whole(&mut profiles, &made);
    profiles
        .sort_by(|one, other| one.framebuffer_mib.cmp(&other.framebuffer_mib).then_with(|| one.key.cmp(&other.key)));
    let available = !profiles.is_empty();
    let reasons =
        if available { Vec::new() } else { vec!["its driver offers no type that a machine could use".to_owned()] };
    let vgpu = Vgpu {
        available,
        reasons,
        interface: Some(VgpuInterface::Mdev),
        regime: Some(Regime::FreePool),
        profiles,
        incomplete: false,
    };
    Slices { vgpu, made }
}

/// What people call a type: GVT-g's without the driver's name before it.
fn key(one: &MdevType) -> &str {
    one.id.strip_prefix("i915-").unwrap_or(&one.id)
}

fn profile(one: &MdevType) -> Profile {
    let facts = facts(one.description.as_deref().unwrap_or_default());
    Profile {
        key: key(one).to_owned(),
        id: one.id.clone(),
        framebuffer_mib: facts.0,
        max_per_gpu: one.available,
        free: one.available,
        heads: 1,
        max_resolution: facts.1,
        frame_rate_limit: None,
        license: None,
        placement_ids: Vec::new(),
        placement_size: 0,
        mixed_placement_ids: Vec::new(),
    }
}

/// Megabytes and resolution out of `low_gm_size: 128MB` and `high_gm_size: 512MB` (one pool each, a guest sees both),
/// `resolution: 1920x1200`, `16 MB video memory`, `1024x768 framebuffer`.
fn facts(description: &str) -> (u64, String) {
    let mut megabytes = 0_u64;
    let mut resolution = String::new();
    let mut previous = "";
    for word in description.split([' ', ',', '\n', ':']).filter(|word| !word.is_empty()) {
        let digits = |text: &str| text.parse::<u64>().ok();
        if let Some(size) = word.strip_suffix("MB").and_then(digits).filter(|_| previous.ends_with("_gm_size")) {
            megabytes = megabytes.saturating_add(size);
        } else if word == "MB" {
            megabytes = megabytes.saturating_add(digits(previous).unwrap_or(0));
        } else if word
            .split_once('x')
            .is_some_and(|(width, height)| digits(width).is_some() && digits(height).is_some())
        {
            word.clone_into(&mut resolution);
        }
        previous = word;
    }
    (megabytes, resolution)
}

/// What would fit on an empty GPU: what fits now, and what its slices hold. At least so much memory is free as the largest offer says.
fn whole(profiles: &mut [Profile], made: &[Slice]) {
    let held =
        made.iter().filter_map(|slice| profiles.iter().find(|one| slice.profile.as_deref() == Some(one.key.as_str())));
    let held: u64 = held.map(|one| one.framebuffer_mib).sum();
    let free = profiles.iter().map(|one| u64::from(one.free) * one.framebuffer_mib).max().unwrap_or(0);
    for profile in profiles {
        profile.max_per_gpu = match (free + held).checked_div(profile.framebuffer_mib) {
            // GVT-g's pools run out one by one: memory alone would promise more than there is.
            Some(fit) if !made.is_empty() => u32::try_from(fit).unwrap_or(u32::MAX).max(profile.free),
            Some(_) => profile.free,
            None => profile.free + made.len() as u32,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_of_pools() {
        let gvt = "low_gm_size: 128MB\nhigh_gm_size: 512MB\nfence: 4\nresolution: 1920x1200\nweight: 4\n";
        assert_eq!(facts(gvt), (640, "1920x1200".to_owned()));
        assert_eq!(facts("virtual display, 16 MB video memory"), (16, String::new()));
        assert_eq!(facts("virtual display, 1024x768 framebuffer"), (0, "1024x768".to_owned()));
        assert_eq!(facts("99999999999999999999MB x MB 1x"), (0, String::new()));
    }
}
