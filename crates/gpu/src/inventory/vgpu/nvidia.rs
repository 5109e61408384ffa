//! NVIDIA's slices (GRID, vGPU): three interfaces, four rules of what may live together.
//!
//! ```text
//!   Maxwell … Turing                 GPU/mdev_supported_types/nvidia-18            one mediated device a slice, on the GPU
//!   Ampere and later, older kernels  GPU/virtfn3/mdev_supported_types/nvidia-558   one on each virtual function
//!   Ampere and later, Linux 6.8 …    GPU/virtfn3/nvidia/{creatable,current}_vgpu_type(s)   the virtual function is the slice
//! ```
//!
//! Lists on virtual functions shrink as slices are made, and each function offers at most one slice: what a card can do is taken
//! from the driver's catalogue or Oriel's, and what is left from the rule and the slices that exist; sums over functions would
//! count the same room many times.

use super::{
    CONFIG, Known, Slices,
    known::{described, merge},
    mdev_slice, profile, slots,
    smi::SmiGpu,
};
use crate::inventory::{
    Profile, Regime, Slice, SliceKind, Vgpu, VgpuInterface,
    catalogue::{self, Card},
    mdev::{self, MdevType},
    reader::{Reader, Seen, VirtualFunction},
};

/// Last branch that knows Maxwell's cards (vGPU 16).
const MAXWELL_UNTIL: u32 = 535;
/// Linux that has the vendor interface in place of mediated devices.
const VENDOR_VFIO_SINCE: (u32, u32) = (6, 8);

pub(super) fn read(reader: &Reader, gpu: &Seen, own_ids: &[String]) -> Slices {
    let card = catalogue::card(&gpu.vendor_id, &gpu.device_id, &gpu.subsystem_device_id);
    let smi = reader.smi(gpu);
    let here = Here::look(reader, gpu, own_ids, card);
    let mut known = types(reader, gpu, card, smi);
    here.teach(&mut known);
    let regime = regime(&here, smi);
    keep_for(&mut known, regime, smi, card);
    let mut profiles: Vec<Profile> = known.iter().map(|one| profile(one, here.id(one))).collect();
    slots::place(&known, &mut profiles, regime);
    let made = here.slices(reader, gpu, &profiles, smi);
    // MIG instances are made by NVIDIA's ordinary driver as well: they say nothing of slices.
    let sliced = made.iter().any(|one| one.kind != SliceKind::MigInstance);
    let mut reasons = here.reasons(reader, gpu, card, &profiles, sliced);
    let incomplete = here.incomplete(&made);
    if incomplete {
        reasons.insert(
            0,
            "incomplete reading: virtual functions are there, but their driver shows no types yet; look again in some seconds".to_owned(),
        );
    }
    let available = reasons.is_empty();
    if available {
        for index in 0..profiles.len() {
            let free = profiles.get(index).map(|one| here.free(one, &profiles, &made, regime));
            if let (Some(one), Some(free)) = (profiles.get_mut(index), free) {
                one.free = free;
            }
        }
    }
    profiles.sort_by_key(order);
    let interface = (!profiles.is_empty()).then_some(here.interface);
    let regime = (!profiles.is_empty()).then_some(regime);
    Slices { vgpu: Vgpu { available, reasons, interface, regime, profiles, incomplete }, made }
}

/// By series as people choose: workstations, office, compute, applications; the largest first.
fn order(profile: &Profile) -> (u8, u64, String) {
    let series = match profile.license.as_deref() {
        Some("vWS") => 0,
        Some("vPC") => 1,
        Some("NVAIE") => 2,
        _ => 3,
    };
    (series, u64::MAX - profile.framebuffer_mib, profile.key.clone())
}

/// What sysfs shows of this card's slices now.
struct Here<'a> {
    interface: VgpuInterface,
    /// Types with their files, of the GPU or of one of its functions.
    types: Vec<MdevType>,
    /// Number and name of what may be made on a free function; `None` when no function is free.
    creatable: Option<Vec<Known>>,
    settled: bool,
    functions: &'a [VirtualFunction],
}

impl<'a> Here<'a> {
    fn look(reader: &Reader, gpu: &'a Seen, own_ids: &[String], card: Option<&Card>) -> Self {
        let functions = gpu.functions.as_slice();
        let mut here = Self {
            interface: VgpuInterface::Mdev,
            types: Vec::new(),
            creatable: None,
            settled: mdev::settled(own_ids),
            functions,
        };
        if !own_ids.is_empty() {
            here.types = mdev::types(reader.sysfs, &gpu.path);
            return here;
        }
        if functions.iter().any(|function| function.vendor_type.is_some()) {
            here.interface = VgpuInterface::VendorVf;
            let free = functions.iter().find(|function| function.vendor_type == Some(0));
            here.creatable = free.map(|function| {
                creatable(
                    &reader.sysfs.text(&format!("{}/nvidia/creatable_vgpu_types", function.path)).unwrap_or_default(),
                )
            });
            return here;
        }
        if let Some(function) = functions.iter().find(|function| !function.type_ids.is_empty()) {
            here.interface = VgpuInterface::MdevOnVf;
            here.settled = functions.iter().all(|function| mdev::settled(&function.type_ids));
            here.types = mdev::types(reader.sysfs, &function.path);
            return here;
        }
        if gpu.total_vfs > 0 || card.is_some_and(|card| card.sriov) {
            let vendor = reader.host.kernel_version() >= VENDOR_VFIO_SINCE;
            here.interface = if vendor { VgpuInterface::VendorVf } else { VgpuInterface::MdevOnVf };
        }
        here
    }

    /// What the driver says of its types now. A list of mediated types is the whole list; one of creatable types is not.
    fn teach(&self, known: &mut Vec<Known>) {
        let of_mdev = |one: &MdevType| Known {
            number: one.id.rsplit_once('-').map(|(_, number)| number.to_owned()).unwrap_or_default(),
            ..with_description(Known::named(&one.name), one.description.as_deref().unwrap_or_default())
        };
        let now: Vec<Known> = if self.settled {
            self.types.iter().map(of_mdev).filter(|one| !one.key.is_empty()).collect()
        } else {
            Vec::new()
        };
        if !now.is_empty() {
            known.retain(|one| now.iter().any(|other| other.key == one.key));
            merge(known, &now);
        }
        if let Some(creatable) = &self.creatable {
            merge(known, creatable);
        }
    }

    /// What the host calls a type.
    fn id(&self, known: &Known) -> String {
        match self.interface {
            _ if known.number.is_empty() => String::new(),
            VgpuInterface::VendorVf => known.number.clone(),
            _ => format!("nvidia-{}", known.number),
        }
    }

    fn slices(&self, reader: &Reader, gpu: &Seen, profiles: &[Profile], smi: Option<&SmiGpu>) -> Vec<Slice> {
        let key = |id: &str| profiles.iter().find(|one| !id.is_empty() && one.id == id).map(|one| one.key.clone());
        // A type that is no longer listed still has its name in its folder.
        let mdev_key = |id: &str| {
            key(id).or_else(|| {
                self.types.iter().find(|one| one.id == id).map(|one| super::name::key(&one.name).to_owned())
            })
        };
        let own = reader.mdevs(&gpu.name).iter().map(|mdev| mdev_slice(reader, mdev, None, mdev_key(&mdev.type_id)));
        let mut made: Vec<Slice> = own.collect();
        for function in self.functions {
            let name = function.address.to_string();
            made.extend(
                reader
                    .mdevs(&name)
                    .iter()
                    .map(|mdev| mdev_slice(reader, mdev, Some(function.address), mdev_key(&mdev.type_id))),
            );
            if let Some(number) = function.vendor_type.filter(|number| *number != 0) {
                let parameters =
                    reader.sysfs.text(&format!("{}/nvidia/vgpu_params", function.path)).unwrap_or_default();
                made.push(Slice {
                    kind: SliceKind::VendorVf,
                    name,
                    profile: key(&number.to_string()),
                    parent: gpu.address,
                    driver: function.driver.clone(),
                    iommu_group: function.group,
                    placement: mdev::placement(&parameters),
                    in_use: reader.in_use(&function.path, function.group),
                });
            }
        }
        // GPU instances are what slices of a MIG card stand on; with slices on them they are in use.
        for instance in smi.into_iter().flat_map(|gpu| &gpu.made) {
            let of_instance = profiles.iter().find(|one| fills(&one.key, &instance.name));
            made.push(Slice {
                kind: SliceKind::MigInstance,
                name: instance.id.to_string(),
                profile: Some(of_instance.map_or_else(|| instance.name.clone(), |one| one.key.clone())),
                parent: None,
                driver: None,
                iommu_group: None,
                placement: Some(instance.start),
                in_use: false,
            });
        }
        made
    }

    fn free(&self, profile: &Profile, all: &[Profile], made: &[Slice], regime: Regime) -> u32 {
        let (instances, slices): (Vec<Slice>, Vec<Slice>) =
            made.iter().cloned().partition(|one| one.kind == SliceKind::MigInstance);
        let by_rule = if instances.is_empty() {
            slots::free(profile, all, &slices, regime)
        } else {
            // An instance without a slice on it waits for one of its kind; what is left of the card may become more instances.
            let of_kind = |list: &[Slice]| {
                list.iter().filter(|one| one.profile.as_deref() == Some(profile.key.as_str())).count() as u32
            };
            let waiting = of_kind(&instances).saturating_sub(of_kind(&slices));
            // Some instances there may be once only (`+me`), wherever they would fit.
            let more = profile.max_per_gpu.saturating_sub(of_kind(&instances));
            waiting + slots::free(profile, all, &instances, regime).min(more)
        };
        let offered = self.types.iter().find(|one| one.id == profile.id).map(|one| one.available);
        match self.interface {
            // On the GPU itself the driver counts for the whole GPU.
            VgpuInterface::Mdev => offered.unwrap_or(by_rule),
            _ if self.functions.is_empty() => by_rule,
            VgpuInterface::MdevOnVf => by_rule.min((self.functions.len() as u32).saturating_sub(slices.len() as u32)),
            VgpuInterface::VendorVf => {
                let left = self.functions.iter().filter(|function| function.vendor_type == Some(0)).count() as u32;
                let offered = self.creatable.as_ref().is_some_and(|list| list.iter().any(|one| one.key == profile.key));
                if offered { by_rule.clamp(1, left.max(1)) } else { 0 }
            }
        }
    }

    /// Functions without types and without slices: the driver is still bringing them up, or somebody looked too early.
    fn incomplete(&self, made: &[Slice]) -> bool {
        let nothing = match self.interface {
            VgpuInterface::VendorVf => self.creatable.as_ref().is_none_or(Vec::is_empty),
            _ => self.types.is_empty(),
        };
        let held_by_driver = self.functions.iter().any(|function| function.driver.as_deref() == Some("nvidia"));
        !self.settled || (held_by_driver && nothing && made.is_empty())
    }

    /// Why there are no slices to be had; empty when there are, or when a change of mode brings them.
    fn reasons(
        &self,
        reader: &Reader,
        gpu: &Seen,
        card: Option<&Card>,
        profiles: &[Profile],
        any: bool,
    ) -> Vec<String> {
        let shown = !self.types.is_empty() || self.creatable.as_ref().is_some_and(|list| !list.is_empty()) || any;
        if shown {
            return Vec::new();
        }
        if profiles.is_empty() {
            let what = super::super::names::short(&gpu.title).to_owned();
            return vec![format!(
                "NVIDIA makes no slices of {what}: neither its driver nor the tables of vGPU types know it"
            )];
        }
        let mut reasons = Vec::new();
        let version = reader.nvidia_version();
        let manager = reader.sysfs.exists(CONFIG) || reader.sysfs.exists("/sys/module/nvidia_vgpu_vfio");
        let driver = gpu.driver.as_deref();
        if !manager {
            let holds = driver.map_or("nothing".to_owned(), |driver| format!("`{driver}`"));
            reasons.push(format!(
                "NVIDIA's vGPU host driver is not installed ({CONFIG} is missing; {holds} holds the card): it comes with a licence from \
                 NVIDIA's licensing portal"
            ));
            return reasons;
        }
        if self.interface == VgpuInterface::Mdev {
            if driver == Some("nvidia") {
                reasons.push(match (version, gpu.class.as_str()) {
                    (Some(version), _) if version > MAXWELL_UNTIL && card.is_some_and(maxwell) => {
                        format!("driver {version} no longer knows this card: {MAXWELL_UNTIL} (vGPU 16) is the last branch for Maxwell")
                    }
                    (_, "0302") if matches!(card.map(|card| card.name), Some("M60" | "M6")) => {
                        "the card is in compute mode (it shows itself as a 3D controller), slices need graphics mode: gpumodeswitch --gpumode graphics".to_owned()
                    }
                    _ => "its driver shows no types (mdev_supported_types is missing): see whether nvidia-vgpu-mgr runs, and the kernel log".to_owned(),
                });
            }
            return reasons;
        }
        if reader.host.iommu.present && gpu.group.is_some() {
            if gpu.total_vfs == 0 && driver.is_some() {
                reasons.push(
                    "the card shows no virtual functions (sriov_totalvfs is missing or 0): switch SR-IOV on in the BIOS, and the board to \
                     its mode without displays (displaymodeselector)"
                        .to_owned(),
                );
            }
        } else {
            reasons.push("its slices sit on virtual functions, which need an IOMMU, and that is off; see mode whole for the reason".to_owned());
        }
        reasons
    }
}

fn maxwell(card: &Card) -> bool {
    matches!(card.name, "M60" | "M10" | "M6")
}

fn with_description(mut known: Known, description: &str) -> Known {
    known.learn(&described(description));
    known
}

/// All types of the card: Oriel's table, corrected by the driver's catalogue and by its tool, each of which is a whole list.
fn types(reader: &Reader, gpu: &Seen, card: Option<&Card>, smi: Option<&SmiGpu>) -> Vec<Known> {
    let mut known = card.map(Card::types).unwrap_or_default();
    let catalogue =
        reader.config().map(|config| config.types_of(&gpu.device_id, &gpu.subsystem_device_id)).unwrap_or_default();
    for list in [catalogue.as_slice(), smi.map_or(&[], |gpu| gpu.types.as_slice())] {
        if !list.is_empty() {
            known.retain(|one| list.iter().any(|other| other.key == one.key));
            merge(&mut known, list);
        }
    }
    known
}

fn regime(here: &Here, smi: Option<&SmiGpu>) -> Regime {
    match smi {
        Some(gpu) if gpu.mig == Some(true) => Regime::Mig,
        Some(gpu) if gpu.mixed => Regime::MixedSize,
        _ if here.interface != VgpuInterface::Mdev => Regime::SameSize,
        // Maxwell to Turing, whatever the driver: the guide of 17.x repeats for mediated devices on the GPU itself what that of 8.x
        // says (1.4.3), all vGPUs of a GPU are of one type.
        _ => Regime::SameType,
    }
}

/// With MIG on only slices of instances can be, and without only those that share time. Instances are profiles themselves where no
/// vGPU type stands on them.
fn keep_for(known: &mut Vec<Known>, regime: Regime, smi: Option<&SmiGpu>, card: Option<&Card>) {
    let mig = regime == Regime::Mig;
    known.retain(|one| one.name().is_none_or(|name| name.slices.is_some() == mig));
    if !mig {
        return;
    }
    let instances = smi.map_or(&[][..], |gpu| gpu.instances.as_slice());
    for one in known.iter_mut() {
        let Some(name) = one.name() else { continue };
        let found = instances.iter().find(|instance| fills(&one.key, &instance.name) && !instance.ids.is_empty());
        // Smaller slices share an instance in time: they lie where instances of as many compute slices may.
        let width = format!("{}g.", name.slices.unwrap_or(1));
        let shared = || instances.iter().find(|one| one.name.starts_with(&width) && !one.ids.is_empty());
        let memory = card.map_or(one.framebuffer_mib * 8, |card| card.memory_mib);
        (one.equal, one.size) = match found.or_else(shared) {
            Some(instance) => (instance.ids.clone(), instance.size),
            None => catalogue::mig_placement(name.slices.unwrap_or(1), catalogue::eighths(one.framebuffer_mib, memory)),
        };
        if let Some(instance) = found {
            one.max = instance.total;
        }
    }
    if known.is_empty() {
        known.extend(instances.iter().map(|instance| {
            Known {
                key: instance.name.clone(),
                number: String::new(),
                framebuffer_mib: instance
                    .name
                    .split_once('.')
                    .and_then(|(_, rest)| rest.split_once("gb"))
                    .and_then(|(size, _)| size.parse::<u64>().ok())
                    .unwrap_or(0)
                    * 1024,
                max: instance.total,
                size: instance.size,
                equal: instance.ids.clone(),
                ..Known::default()
            }
        }));
    }
}

/// The GPU instance below a slice: `1g.10gb+me` for `H100-1-10CME`. Instances themselves are called so already.
fn instance_name(key: &str) -> String {
    let Some((slices, name)) = super::name::parse(key).and_then(|name| Some((name.slices?, name))) else {
        return key.to_owned();
    };
    let attribute =
        if name.attribute.is_empty() { String::new() } else { format!("+{}", name.attribute.to_lowercase()) };
    format!("{slices}g.{}gb{attribute}", name.framebuffer_mib / 1024)
}

/// Whether a slice takes the whole of an instance. Those with displays need instances with graphics engines (`+gfx`) where a card
/// has such.
fn fills(key: &str, instance: &str) -> bool {
    let wanted = instance_name(key);
    instance == wanted || instance.strip_suffix("+gfx") == Some(wanted.as_str())
}

/// `ID    : vGPU Name` and lines of number and name in either order: NVIDIA's guide has the name first, drivers the number.
fn creatable(text: &str) -> Vec<Known> {
    text.lines()
        .take(256)
        .filter_map(|line| {
            let (one, other) = line.rsplit_once(':')?;
            let (one, other) = (one.trim(), other.trim());
            let (number, name) = match (one.parse::<u32>(), other.parse::<u32>()) {
                (Ok(number), _) => (number, other),
                (_, Ok(number)) => (number, one),
                _ => return None,
            };
            (!name.is_empty()).then(|| Known { number: number.to_string(), ..Known::named(name) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_of_columns() {
        for text in [
            "ID    : vGPU Name\n557   : NVIDIA A40-1Q\n558   : NVIDIA A40-2Q\n",
            "vGPU Name : ID\nNVIDIA A40-1Q : 557\nNVIDIA A40-2Q : 558\n",
        ] {
            let list = creatable(text);
            let pairs: Vec<_> =
                list.iter().map(|one| (one.number.as_str(), one.key.as_str(), one.framebuffer_mib)).collect();
            assert_eq!(pairs, [("557", "A40-1Q", 1024), ("558", "A40-2Q", 2048)]);
        }
        assert!(creatable("\n:\nx : y\n 5 :\n").is_empty());
    }
}
