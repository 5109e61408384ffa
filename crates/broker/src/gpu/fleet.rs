//! A host's GPUs and the claims on them, as the books in which placement looks.

use oriel_gpu::{
    Inventory,
    inventory::{Gpu, Profile as GpuProfile, Regime as GpuRegime, SliceKind},
};
use oriel_model::{DesktopId, GpuAddress, GpuClaim, GpuMode, GpuUnit};
use oriel_placement::{
    Card, CardId, Decision, Fleet, FleetError, Group, GroupId, Host, HostId, NumaNode, Regime, Several, Slice, SlotSet,
    Span, Unit,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a free pool is divided into: every power of two up to it divides it, as the sizes of slices do.
const POOL: u32 = 1 << 20;
/// Seats at a card that the host keeps and several desktops share.
const SHARED_SEATS: u8 = 64;

/// The books of one host, and which card is which.
pub(super) struct Books {
    pub fleet: Fleet,
    pub host: HostId,
    cards: BTreeMap<CardId, GpuAddress>,
}

impl Books {
    /// `switching`: cards whose mode is being changed give nothing.
    pub fn new(
        name: &str,
        inventory: &Inventory,
        claims: &[GpuClaim],
        switching: &BTreeSet<GpuAddress>,
    ) -> Result<Self, FleetError> {
        let mut fleet = Fleet::new();
        // CPUs and memory are libvirt's to refuse: desktops may share them, GPUs not.
        let host = fleet.add_host(Host {
            name: name.to_owned(),
            numa: vec![NumaNode { cpu_milli: u64::from(u32::MAX), memory_mib: u64::from(u32::MAX) }],
        });
        let mut groups: Vec<(Group, GroupId)> = Vec::new();
        let mut cards = BTreeMap::new();
        for gpu in &inventory.gpus {
            let group = group(gpu);
            let id = match groups.iter().find(|(known, _)| *known == group) {
                Some((_, id)) => *id,
                None => {
                    let id = fleet.add_group(group.clone())?;
                    groups.push((group.clone(), id));
                    id
                }
            };
            let enabled = if switching.contains(&gpu.address) { 0 } else { group.profiles_of(gpu.mode) };
            // One NUMA node is kept for all: a card's node is told to the machine, and does not limit the choice.
            let card =
                fleet.add_card(Card { host, group: id, address: gpu.address.to_string(), numa: None, enabled })?;
            cards.insert(card, gpu.address.clone());
        }
        let mut books = Self { fleet, host, cards };
        books.enter(claims)?;
        books.enter_strangers(inventory, claims);
        Ok(books)
    }

    pub fn address(&self, card: CardId) -> Option<&GpuAddress> {
        self.cards.get(&card)
    }

    /// Into how many slots the card is divided in its mode; 0 when it gives nothing, or has a pool instead.
    pub fn slots(&self, gpu: &Gpu) -> u8 {
        let pooled = gpu.mode == GpuMode::Vgpu && gpu.modes.vgpu.regime == Some(GpuRegime::FreePool);
        let group = self.card(&gpu.address).and_then(|card| self.group(card));
        match group {
            Some(group) if !pooled && gpu.mode != GpuMode::Shared && group.profiles_of(gpu.mode) != 0 => {
                group.slots.len() as u8
            }
            _ => 0,
        }
    }

    fn card(&self, gpu: &GpuAddress) -> Option<CardId> {
        self.cards.iter().find(|(_, address)| *address == gpu).map(|(card, _)| *card)
    }

    fn group(&self, card: CardId) -> Option<&Group> {
        self.fleet.card(card).and_then(|card| self.fleet.group(card.group))
    }

    fn unit(&self, card: CardId, mode: GpuMode, profile: Option<&str>, slots: Option<SlotSet>) -> Option<Unit> {
        let group = self.group(card)?;
        let at = group.profiles.iter().position(|one| {
            one.mode == mode && (!matches!(mode, GpuMode::Vgpu) || profile.is_none_or(|key| key == one.key))
        })?;
        let one = group.profiles.get(at)?;
        Some(Unit {
            card,
            profile: at as u16,
            slots: slots.or_else(|| one.placements.first().copied())?,
            pool: one.pool,
        })
    }

    fn decision(&self, units: Vec<Unit>) -> Decision {
        Decision { host: self.host, numa: None, units, licence: None, cpu_milli: 0, memory_mib: 0, span: Span::from(0) }
    }

    /// Writes down what desktops hold. A claim on a card that is no longer there, or no longer gives such a thing, is no
    /// longer in anybody's way.
    fn enter(&mut self, claims: &[GpuClaim]) -> Result<(), FleetError> {
        let mut units: BTreeMap<DesktopId, Vec<Unit>> = BTreeMap::new();
        for claim in claims {
            let hold = &claim.hold;
            let slots = hold.slots.iter().fold(SlotSet::EMPTY, |set, slot| set.union(SlotSet::range(*slot, 1)));
            let unit =
                self.card(&hold.gpu).and_then(|card| self.unit(card, hold.mode, hold.profile.as_deref(), Some(slots)));
            units.entry(claim.desktop).or_default().extend(unit);
        }
        for (desktop, units) in units {
            match self.fleet.hold(desktop, &self.decision(units)) {
                // What is written in the database happened; a table that has changed since does not undo it.
                Ok(()) | Err(FleetError::Taken) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Slices that exist without a claim (somebody made them with other tools) take room all the same.
    fn enter_strangers(&mut self, inventory: &Inventory, claims: &[GpuClaim]) {
        let ours: BTreeSet<String> = claims.iter().map(|claim| unit_name(&claim.hold.unit)).collect();
        for gpu in &inventory.gpus {
            let Some(card) = self.card(&gpu.address) else { continue };
            for slice in &gpu.slices {
                // A virtual function that nobody uses is what is handed out.
                if ours.contains(&slice.name) || (slice.kind == SliceKind::Vf && !slice.in_use) {
                    continue;
                }
                let mode = if slice.kind == SliceKind::Vf { GpuMode::Vf } else { GpuMode::Vgpu };
                let Some(group) = self.group(card) else { continue };
                let places: Vec<SlotSet> = group
                    .profiles
                    .iter()
                    .filter(|one| one.mode == mode && slice.profile.as_ref().is_none_or(|key| *key == one.key))
                    .flat_map(|one| one.placements.iter().copied())
                    .collect();
                for slots in places {
                    let unit = self.unit(card, mode, slice.profile.as_deref(), Some(slots));
                    let decision = self.decision(unit.into_iter().collect());
                    if self.fleet.hold(DesktopId::new(), &decision).is_ok() {
                        break;
                    }
                }
            }
        }
    }
}

/// How a unit is called in the host's inventory.
fn unit_name(unit: &GpuUnit) -> String {
    match unit {
        GpuUnit::Whole { functions } => functions.first().map(ToString::to_string).unwrap_or_default(),
        GpuUnit::Mdev { uuid, .. } => uuid.to_string(),
        GpuUnit::VendorVf { address, .. } | GpuUnit::Vf { address } => address.to_string(),
        GpuUnit::Shared { render_node } => render_node.clone(),
    }
}

/// All ways in which a card like this can be handed out; which of them it gives is its mode's to say.
fn group(gpu: &Gpu) -> Group {
    let vgpu = &gpu.modes.vgpu;
    let mut group = Group::new(&gpu.name, &gpu.vendor_id);
    let regime = match vgpu.regime {
        Some(GpuRegime::SameType) => Some(Regime::SameType),
        Some(GpuRegime::SameSize) => Some(Regime::SameSize),
        Some(GpuRegime::MixedSize | GpuRegime::Mig) => Some(Regime::Placed),
        Some(GpuRegime::FreePool) => Some(Regime::Pool),
        None => None,
    };
    if let Some(regime) = regime {
        if regime == Regime::Pool {
            group = group.with_pool([POOL, 0, 0]);
        }
        let slots = vgpu.profiles.iter().filter_map(last_slot).max().unwrap_or(1);
        let slices: Vec<Slice> = vgpu.profiles.iter().map(|profile| slice(profile, regime)).collect();
        group = group.with_slices(regime, slots, &slices);
    }
    if gpu.modes.vf.enabled > 0 {
        let framebuffer = framebuffer_mib(gpu) / u64::from(gpu.modes.vf.enabled.max(1));
        group = group.with_vfs(u8::try_from(gpu.modes.vf.enabled).unwrap_or(u8::MAX), framebuffer);
    }
    group = group.with_whole(framebuffer_mib(gpu));
    if gpu.modes.shared.available {
        group = group.with_shared(SHARED_SEATS, 1);
    }
    group
}

/// One past the last slot that an instance can take.
fn last_slot(profile: &GpuProfile) -> Option<u8> {
    profile.placement_ids.iter().map(|id| id.saturating_add(profile.placement_size)).max()
}

fn slice(profile: &GpuProfile, regime: Regime) -> Slice {
    let most = u8::try_from(profile.max_per_gpu).unwrap_or(u8::MAX);
    let slice = match regime {
        Regime::SameType | Regime::SameSize => Slice::equal(&profile.key, profile.framebuffer_mib, most),
        Regime::Placed => {
            Slice::placed(&profile.key, profile.framebuffer_mib, profile.placement_size, &profile.placement_ids)
        }
        Regime::Pool => {
            Slice::pooled(&profile.key, profile.framebuffer_mib, [POOL / profile.max_per_gpu.clamp(1, POOL), 0, 0])
        }
    };
    let edition: Vec<&str> = profile.license.as_deref().into_iter().collect();
    let slice = slice.with_licences(&edition);
    // NVIDIA's A series shows one small screen, C none: chosen only by name.
    let desktop = !matches!(profile.license.as_deref(), Some("vApps" | "NVAIE" | "vCS"));
    let slice = if desktop { slice } else { slice.by_name() };
    slice.with_several(if profile.max_per_gpu == 1 { Several::OtherCards } else { Several::No })
}

/// The card's own memory, as far as its largest slice or its largest window tells.
fn framebuffer_mib(gpu: &Gpu) -> u64 {
    let slices = gpu.modes.vgpu.profiles.iter().map(|profile| profile.framebuffer_mib).max().unwrap_or(0);
    let window = gpu.bars.iter().filter(|bar| bar.prefetchable).map(|bar| bar.size_bytes >> 20).max().unwrap_or(0);
    slices.max(window)
}
