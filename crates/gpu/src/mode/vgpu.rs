//! Mode `vgpu`: the GPU is ready to be sliced, and with a count it is sliced.
//!
//! | interface | ready | a slice |
//! |---|---|---|
//! | mediated devices on the GPU | its driver (GVT-g: kvmgt) | a UUID written to the type |
//! | mediated devices on virtual functions | `sriov-manage -e` | the same, one per function |
//! | NVIDIA's own VFIO | `sriov-manage -e`, mixed sizes after it | the type's number written to a function, 0 first |

use super::{
    DEVICES, carved,
    draft::{Draft, run, write},
    intel, mark, mig,
    name::is_mig_name,
    native, nvidia,
};
use crate::inventory::{Profile, VgpuInterface, mixed_places, placement};
use oriel_model::PciAddress;

pub(super) fn draft(draft: &mut Draft<'_>) {
    let gpu = draft.gpu;
    let vgpu = &gpu.modes.vgpu;
    if draft.is_handed_out() && !vgpu.available {
        draft.refuse(
            "ask-on-host-driver",
            format!("what slices {0} offers is only known while its own driver has it; run `oriel gpu mode set {0} host` first, then ask again", gpu.address),
        );
        return;
    }
    if gpu.driver.as_deref() == Some("i915") && intel::gvt(draft) {
        return;
    }
    if !vgpu.available && !intel::has_gvt(draft) {
        let reasons =
            if vgpu.reasons.is_empty() { "its driver offers no slices".to_owned() } else { vgpu.reasons.join("; ") };
        draft.refuse("no-vgpu", format!("{} cannot be sliced: {reasons}", gpu.address));
        return;
    }
    let Ok(profile) = profile(draft) else { return };
    match interface(draft) {
        VgpuInterface::Mdev => on_gpu(draft, profile.as_ref()),
        VgpuInterface::MdevOnVf => on_functions(draft, profile.as_ref()),
        VgpuInterface::VendorVf => vendor(draft, profile.as_ref()),
    }
}

/// The plan says why.
struct Refused;

/// The profile that is meant, `None` when none was named.
fn profile(draft: &mut Draft<'_>) -> Result<Option<Profile>, Refused> {
    let gpu = draft.gpu;
    let profiles = &gpu.modes.vgpu.profiles;
    let Some(key) = &draft.wish.profile else {
        if draft.wish.count.is_some() {
            draft.refuse("profile-needed", "a count of slices needs to know of which profile; name one with --profile");
            return Err(Refused);
        }
        return Ok(None);
    };
    let Some(profile) = gpu.profile(key).cloned().or_else(|| mig_profile(draft, key)) else {
        let known: Vec<&str> = profiles.iter().map(|profile| profile.key.as_str()).collect();
        let known = if known.is_empty() { "none that can be told now".to_owned() } else { known.join(", ") };
        draft.refuse("no-such-profile", format!("{} has no profile `{key}`; it has {known}", gpu.address));
        return Err(Refused);
    };
    let places = mixed_places(&profile);
    let mixed = draft.wish.mixed && !places.is_empty();
    let most = if mixed { places.len() as u32 } else { profile.max_per_gpu };
    if let Some(count) = draft.wish.count.filter(|count| most > 0 && *count > most) {
        // Of one size alone there may be room for more; with the regime of now, `max_per_gpu` may be that of mixed sizes already.
        let why = if mixed { " while sizes are mixed" } else { "" };
        draft.refuse(
            "too-many",
            format!("{} holds at most {most} slices {}{why}, not {count}", gpu.address, profile.key),
        );
        return Err(Refused);
    }
    Ok(Some(profile))
}

/// While MIG is off its types are no profiles; the driver's catalogue has their numbers all the same.
fn mig_profile(draft: &Draft<'_>, key: &str) -> Option<Profile> {
    let text =
        draft.sysfs.text("/usr/share/nvidia/vgpu/vgpuConfig.xml").filter(|_| draft.is_nvidia() && is_mig_name(key))?;
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let id = text.split("<vgpuType").skip(1).find_map(|tag| {
        let name = attribute(tag, "name")?;
        (name == key || name.ends_with(&format!(" {key}"))).then(|| attribute(tag, "id"))?
    })?;
    Some(Profile {
        key: key.to_owned(),
        id,
        framebuffer_mib: super::framebuffer_of_name(key)?,
        max_per_gpu: 0,
        free: 0,
        heads: 0,
        max_resolution: String::new(),
        frame_rate_limit: None,
        license: None,
        placement_ids: Vec::new(),
        placement_size: 0,
        mixed_placement_ids: Vec::new(),
    })
}

fn interface(draft: &Draft<'_>) -> VgpuInterface {
    // Up to Turing the GPU itself is the parent, also of cards that have an SR-IOV capability (T4).
    if draft.is_nvidia() && draft.gpu.device_id.as_str() < "2000" {
        return VgpuInterface::Mdev;
    }
    if let Some(interface) = draft.gpu.modes.vgpu.interface {
        return interface;
    }
    let total = draft.sysfs.number(&format!("{}/sriov_totalvfs", draft.gpu.path())).unwrap_or(0);
    if !draft.is_nvidia() || total == 0 {
        return VgpuInterface::Mdev;
    }
    if draft.carved.vendor.is_empty() { VgpuInterface::MdevOnVf } else { VgpuInterface::VendorVf }
}

/// The UUID of the n-th slice that this mode carves.
fn slice(draft: &Draft<'_>, profile: &Profile, index: u32) -> uuid::Uuid {
    mark::mode_slice(&draft.inventory.host.name, &draft.gpu.address.to_string(), &profile.key, index)
}

fn only_one_size(draft: &mut Draft<'_>) {
    if draft.wish.mixed {
        draft.refuse(
            "no-mixed-size",
            format!("{} cannot hold slices of several sizes by choice; leave --mixed out", draft.gpu.address),
        );
    }
}

fn on_gpu(draft: &mut Draft<'_>, profile: Option<&Profile>) {
    only_one_size(draft);
    native::to_own_driver(draft);
    let (Some(profile), Some(count)) = (profile, draft.wish.count) else { return };
    let uuids: Vec<uuid::Uuid> = (0..count).map(|index| slice(draft, profile, index)).collect();
    native::clear_slices(draft, |mdev| uuids.contains(&mdev.uuid) && mdev.type_id == profile.id);
    let path = draft.gpu.path();
    let there: Vec<uuid::Uuid> =
        draft.carved.mdevs.iter().filter(|mdev| mdev.type_id == profile.id).map(|mdev| mdev.uuid).collect();
    for uuid in uuids.into_iter().filter(|uuid| !there.contains(uuid)) {
        create(draft, &path, profile, uuid);
    }
}

fn create(draft: &mut Draft<'_>, parent: &str, profile: &Profile, uuid: uuid::Uuid) {
    draft.step(
        format!("carve a slice {} out of {}: {uuid}", profile.key, parent.rsplit('/').next().unwrap_or_default()),
        write(format!("{parent}/mdev_supported_types/{}/create", profile.id), uuid.to_string()),
        Some(write(format!("{}/{uuid}/remove", super::MDEVS), "1")),
    );
}

/// The functions of an NVIDIA GPU, made if need be; their addresses.
fn make_functions(draft: &mut Draft<'_>, own: PciAddress, ready: &str) -> Vec<PciAddress> {
    if !draft.carved.functions.is_empty() {
        return draft.carved.functions.clone();
    }
    draft.step(
        format!("make the virtual functions of {own}"),
        run([nvidia::SRIOV_MANAGE, "-e", &own.to_string()]),
        Some(run([nvidia::SRIOV_MANAGE, "-d", &own.to_string()])),
    );
    draft.wait("wait until they can carry vGPUs", format!("{DEVICES}/{own}/virtfn0/{ready}"));
    future_functions(draft, own)
}

/// Where functions will be that are not yet there.
fn future_functions(draft: &Draft<'_>, own: PciAddress) -> Vec<PciAddress> {
    let number = |name: &str| draft.sysfs.number(&format!("{DEVICES}/{own}/{name}"));
    let (offset, stride) = (number("sriov_offset").unwrap_or(1), number("sriov_stride").unwrap_or(1));
    let total = number("sriov_totalvfs").unwrap_or(0).min(carved::FUNCTIONS_MAX);
    (0..total).map(|index| super::function_address(own, offset, stride, index)).collect()
}

fn enough(draft: &mut Draft<'_>, functions: &[PciAddress]) -> bool {
    let count = draft.wish.count.unwrap_or(0) as usize;
    if count > functions.len() {
        draft.refuse(
            "too-many",
            format!("{} has {} virtual functions, each for one slice, not {count}", draft.gpu.address, functions.len()),
        );
    }
    count <= functions.len()
}

fn on_functions(draft: &mut Draft<'_>, profile: Option<&Profile>) {
    let Some(own) = draft.pci() else { return };
    only_one_size(draft);
    native::to_own_driver(draft);
    let functions = make_functions(draft, own, "mdev_supported_types");
    let (Some(profile), Some(count)) = (profile, draft.wish.count) else { return };
    if !enough(draft, &functions) {
        return;
    }
    let wanted: Vec<(PciAddress, uuid::Uuid)> =
        functions.iter().zip(0..count).map(|(function, index)| (*function, slice(draft, profile, index))).collect();
    native::clear_slices(draft, |mdev| {
        mdev.type_id == profile.id
            && wanted.iter().any(|(at, uuid)| *uuid == mdev.uuid && mdev.parent == carved::folder(*at))
    });
    let there: Vec<uuid::Uuid> = draft
        .carved
        .mdevs
        .iter()
        .filter(|mdev| mdev.type_id == profile.id)
        .filter(|mdev| wanted.iter().any(|(at, uuid)| *uuid == mdev.uuid && mdev.parent == carved::folder(*at)))
        .map(|mdev| mdev.uuid)
        .collect();
    for (function, uuid) in wanted.into_iter().filter(|(_, uuid)| !there.contains(uuid)) {
        create(draft, &carved::folder(function), profile, uuid);
    }
}

fn vendor(draft: &mut Draft<'_>, profile: Option<&Profile>) {
    let Some(own) = draft.pci() else { return };
    let address = own.to_string();
    if draft.wish.mixed && !nvidia::can_mix(draft.sysfs, &address) {
        draft.refuse("no-mixed-size", format!("{own} does not hold vGPUs of several sizes (`nvidia-smi -q`: Heterogeneous Time-Slice Sizes is not Supported); leave --mixed out"));
        return;
    }
    native::to_own_driver(draft);
    let by_mig = profile.filter(|profile| is_mig_name(&profile.key));
    let fresh = match by_mig {
        Some(profile) => {
            let count = draft.wish.count.unwrap_or(profile.max_per_gpu).max(1);
            mig::enter(draft, own, &profile.key, count)
        }
        None => leave_mig(draft, own),
    };
    // The order: functions, then mixed sizes (which switching functions forgets), then vGPUs.
    let functions = if fresh && by_mig.is_some() {
        future_functions(draft, own)
    } else {
        make_functions(draft, own, "nvidia/current_vgpu_type")
    };
    let mixed_now = !draft.carved.functions.is_empty() && nvidia::mixed(draft.sysfs, &address) == Some(true);
    let switch = by_mig.is_none() && draft.wish.mixed != mixed_now;
    if switch {
        native::clear_vgpus(draft);
        let (to, back) = if draft.wish.mixed { ("1", "0") } else { ("0", "1") };
        let does = if draft.wish.mixed { "allow vGPUs of several sizes" } else { "allow vGPUs of one size only" };
        draft.step(
            does,
            run(["nvidia-smi", "vgpu", "-i", &address, "-shm", to]),
            Some(run(["nvidia-smi", "vgpu", "-i", &address, "-shm", back])),
        );
    }
    let (Some(profile), Some(count)) = (profile, draft.wish.count) else { return };
    if enough(draft, &functions) {
        carve(draft, &functions, profile, count, switch);
    }
}

/// Away from MIG for time-sliced vGPUs. Whether that took the functions away.
fn leave_mig(draft: &mut Draft<'_>, own: PciAddress) -> bool {
    if draft.wish.profile.is_none() || nvidia::mig(draft.sysfs, &own.to_string()) != Some(true) {
        return false;
    }
    native::clear_vgpus(draft);
    mig::destroy(draft, own);
    native::clear_functions(draft);
    mig::leave(draft);
    draft.carved = carved::Carved::default();
    true
}

/// Frees every function that carries something else, and only then carves: a function that was not freed keeps the card's
/// memory, and the next one is refused with EIO.
fn carve(draft: &mut Draft<'_>, functions: &[PciAddress], profile: &Profile, count: u32, freed: bool) {
    let Ok(id) = profile.id.parse::<u64>() else {
        draft.refuse(
            "no-such-profile",
            format!(
                "the driver's number of profile {} is not known now; make the card ready with `vgpu` alone first",
                profile.key
            ),
        );
        return;
    };
    let now = |draft: &Draft<'_>, address: PciAddress| {
        let known = draft.carved.vendor.iter().find(|vendor| vendor.address == address);
        known.map_or(0, |vendor| if freed { 0 } else { vendor.type_id })
    };
    let wanted = |index: usize| if index < count as usize { id } else { 0 };
    for (index, function) in functions.iter().enumerate() {
        let type_id = now(draft, *function);
        if type_id != 0 && type_id != wanted(index) {
            native::free_vgpu(draft, &carved::Vendor { address: *function, type_id });
        }
    }
    let places = if draft.wish.mixed { mixed_places(profile) } else { Vec::new() };
    for (index, function) in functions.iter().enumerate().take(count as usize) {
        let made = now(draft, *function) == wanted(index);
        if !made {
            let file = carved::vendor_file(*function);
            draft.step(
                format!("put a vGPU {} onto {function}", profile.key),
                write(&file, id.to_string()),
                Some(write(&file, "0")),
            );
        }
        if let Some(place) = places.get(index) {
            put(draft, *function, *place, made);
        }
    }
}

/// Says where on the card a vGPU lies, rather than leave it to the driver: what is planned here is then true there.
fn put(draft: &mut Draft<'_>, function: PciAddress, place: u8, made: bool) {
    let file = carved::parameters_file(function);
    let now = draft.sysfs.text(&file);
    if made && now.is_none_or(|text| placement(&text) == Some(place)) {
        return;
    }
    // Freeing the function forgets it.
    draft.step(
        format!("place it at {place} of the card's slots"),
        write(&file, format!("vgpu-placement-id={place}")),
        None,
    );
}
