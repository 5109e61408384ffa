//! A host's GPUs and the claims on them, as the books in which placement looks.

use oriel_gpu::{
    Inventory,
    inventory::{Gpu, Profile as GpuProfile, Regime as GpuRegime, SliceKind},
    mode::Wish as ModeWish,
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

/// Nodes of a host that are told apart.
const NODES_MAX: u32 = 64;
/// What a process that has a card through VFIO opens.
const VFIO_NODES: &str = "/dev/vfio/";

/// A host's GPUs with all that decides what they give.
pub(super) struct Look<'a> {
    pub host: &'a str,
    pub inventory: &'a Inventory,
    /// The modes that were set.
    pub wishes: &'a [ModeWish],
    /// All, other hosts' too: licences are counted over the house.
    pub claims: &'a [GpuClaim],
    /// Cards whose mode is being changed give nothing.
    pub switching: &'a BTreeSet<GpuAddress>,
    pub licences: &'a BTreeMap<String, u32>,
}

/// Something of a card that is in use, and not by a desktop of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// What the host calls it: a UUID, an address, a process.
    pub name: String,
    pub profile: Option<String>,
    /// Slots as if it had them: the host counts only how many there are.
    pub slots: Vec<u8>,
}

/// The books of one host, and which card is which.
pub(super) struct Books {
    pub fleet: Fleet,
    pub host: HostId,
    cards: BTreeMap<CardId, GpuAddress>,
    strangers: Vec<(GpuAddress, Stranger)>,
    /// Why a card gives nothing, or not everything.
    closed: BTreeMap<CardId, String>,
}

impl Books {
    pub fn new(look: &Look<'_>) -> Result<Self, FleetError> {
        let mut fleet = Fleet::new();
        // CPUs and memory are libvirt's to refuse: desktops may share them, GPUs not.
        let node = NumaNode { cpu_milli: u64::from(u32::MAX), memory_mib: u64::from(u32::MAX) };
        let node_of = |gpu: &Gpu| gpu.numa_node.filter(|node| *node < NODES_MAX);
        let nodes = look.inventory.gpus.iter().filter_map(node_of).max().unwrap_or(0) as usize + 1;
        let host = fleet.add_host(Host { name: look.host.to_owned(), numa: vec![node; nodes] });
        let mut groups: Vec<(Group, GroupId)> = Vec::new();
        let mut cards = BTreeMap::new();
        for gpu in &look.inventory.gpus {
            let group = group(gpu);
            let id = match groups.iter().find(|(known, _)| *known == group) {
                Some((_, id)) => *id,
                None => {
                    let id = fleet.add_group(group.clone())?;
                    groups.push((group.clone(), id));
                    id
                }
            };
            let card = fleet.add_card(Card {
                host,
                group: id,
                address: gpu.address.to_string(),
                numa: node_of(gpu).map(|node| node as u8),
                // Until what is held was written down.
                enabled: group.all_profiles(),
            })?;
            cards.insert(card, gpu.address.clone());
        }
        let mut books = Self { fleet, host, cards, strangers: Vec::new(), closed: BTreeMap::new() };
        let editions = books.editions(look.licences);
        for (edition, _) in &editions {
            books.fleet.set_licence(edition, u32::MAX);
        }
        let here: Vec<&GpuClaim> = look.claims.iter().filter(|claim| claim.host == look.host).collect();
        books.enter(&here)?;
        books.enter_strangers(look.inventory, &here);
        for gpu in &look.inventory.gpus {
            books.close(gpu, look)?;
        }
        for (edition, cap) in editions {
            let elsewhere = books.licences_elsewhere(&edition, look);
            books.fleet.set_licence(&edition, cap.saturating_sub(elsewhere));
        }
        Ok(books)
    }

    /// Leaves of a card's profiles those that it gives as things stand, and keeps why.
    fn close(&mut self, gpu: &Gpu, look: &Look<'_>) -> Result<(), FleetError> {
        let Some((card, group)) = self.card(&gpu.address).and_then(|card| Some((card, self.group(card)?))) else {
            return Ok(());
        };
        let mut enabled = group.profiles_of(gpu.mode);
        let why = if look.switching.contains(&gpu.address) {
            enabled = 0;
            "its mode is being changed, or its time plan gives it to others now".to_owned()
        } else if gpu.mode == GpuMode::Whole && !gpu.modes.whole.available {
            enabled = 0;
            gpu.modes.whole.reasons.join("; ")
        } else if let Some(only) = super::only_profile(gpu, look.wishes) {
            enabled &= group.bits(|one| one.key == only);
            format!("its mode was set for slices {only} only")
        } else if gpu.mode == GpuMode::Host {
            "the host keeps it for itself".to_owned()
        } else {
            format!("it is in mode {}", gpu.mode)
        };
        self.fleet.enable(card, enabled)?;
        self.closed.insert(card, why);
        Ok(())
    }

    /// Takes all other cards out.
    pub fn keep_only(&mut self, named: &[CardId]) -> Result<(), FleetError> {
        for card in self.cards.keys().filter(|card| !named.contains(card)) {
            self.fleet.enable(*card, 0)?;
        }
        Ok(())
    }

    /// Why the card does not give something that cards like it can.
    pub fn closed(&self, card: CardId) -> Option<&str> {
        self.closed.get(&card).map(String::as_str)
    }

    pub fn find(&self, gpu: &GpuAddress) -> Option<CardId> {
        self.card(gpu)
    }

    /// What others than desktops of ours have of the card.
    pub fn strangers(&self, gpu: &GpuAddress) -> Vec<Stranger> {
        self.strangers.iter().filter(|(of, _)| of == gpu).map(|(_, stranger)| stranger.clone()).collect()
    }

    /// The editions that profiles here want, as these write them, with their caps.
    fn editions(&self, caps: &BTreeMap<String, u32>) -> Vec<(String, u32)> {
        let wanted: BTreeSet<&String> = self
            .fleet
            .groups()
            .iter()
            .flat_map(|group| &group.profiles)
            .flat_map(|profile| &profile.licences)
            .collect();
        let cap = |edition: &str| caps.iter().find(|(name, _)| name.eq_ignore_ascii_case(edition)).map(|(_, cap)| *cap);
        wanted.into_iter().filter_map(|edition| Some((edition.clone(), cap(edition)?))).collect()
    }

    /// How many desktops of other hosts use the edition, as far as a card here has their profile.
    fn licences_elsewhere(&self, edition: &String, look: &Look<'_>) -> u32 {
        let wants = |key: &str| {
            let profiles = self.fleet.groups().iter().filter_map(|group| group.profile(key));
            profiles.into_iter().any(|profile| profile.licences.contains(edition))
        };
        let elsewhere = look.claims.iter().filter(|claim| claim.host != look.host);
        let desktops: BTreeSet<DesktopId> = elsewhere
            .filter(|claim| claim.hold.profile.as_deref().is_some_and(wants))
            .map(|claim| claim.desktop)
            .collect();
        u32::try_from(desktops.len()).unwrap_or(u32::MAX)
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

    fn decision(&self, units: Vec<Unit>, licence: Option<String>) -> Decision {
        Decision { host: self.host, numa: None, units, licence, cpu_milli: 0, memory_mib: 0, span: Span::from(0) }
    }

    /// The edition that a unit uses up.
    fn licence(&self, unit: &Unit) -> Option<String> {
        self.group(unit.card)?.profiles.get(usize::from(unit.profile))?.licences.first().cloned()
    }

    /// Writes down what desktops hold. A claim on a card that is no longer there, or no longer gives such a thing, is no
    /// longer in anybody's way.
    fn enter(&mut self, claims: &[&GpuClaim]) -> Result<(), FleetError> {
        let mut units: BTreeMap<DesktopId, Vec<Unit>> = BTreeMap::new();
        for claim in claims {
            let hold = &claim.hold;
            let slots = hold.slots.iter().fold(SlotSet::EMPTY, |set, slot| set.union(SlotSet::range(*slot, 1)));
            let unit =
                self.card(&hold.gpu).and_then(|card| self.unit(card, hold.mode, hold.profile.as_deref(), Some(slots)));
            units.entry(claim.desktop).or_default().extend(unit);
        }
        for (desktop, units) in units {
            let licence = units.first().and_then(|unit| self.licence(unit));
            match self.fleet.hold(desktop, &self.decision(units, licence)) {
                // What is written in the database happened; a table that has changed since does not undo it.
                Ok(()) | Err(FleetError::Taken) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What exists without a claim (somebody made it or took it with other tools) takes room all the same.
    fn enter_strangers(&mut self, inventory: &Inventory, claims: &[&GpuClaim]) {
        let ours: BTreeSet<String> = claims.iter().map(|claim| unit_name(&claim.hold.unit)).collect();
        for gpu in &inventory.gpus {
            for slice in &gpu.slices {
                // A virtual function that nobody uses is what is handed out.
                if ours.contains(&slice.name) || (slice.kind == SliceKind::Vf && !slice.in_use) {
                    continue;
                }
                let mode = if slice.kind == SliceKind::Vf { GpuMode::Vf } else { GpuMode::Vgpu };
                self.enter_stranger(gpu, mode, slice.name.clone(), slice.profile.clone());
            }
            let claimed = claims.iter().any(|claim| claim.hold.gpu == gpu.address);
            let machine = gpu.holders.iter().find(|holder| holder.path.starts_with(VFIO_NODES));
            if let Some(machine) = machine.filter(|_| gpu.mode == GpuMode::Whole && !claimed) {
                self.enter_stranger(gpu, GpuMode::Whole, format!("{} ({})", machine.process, machine.pid), None);
            }
        }
    }

    fn enter_stranger(&mut self, gpu: &Gpu, mode: GpuMode, name: String, profile: Option<String>) {
        let Some(card) = self.card(&gpu.address) else { return };
        let Some(group) = self.group(card) else { return };
        let places: Vec<SlotSet> = group
            .profiles
            .iter()
            .filter(|one| {
                one.mode == mode && (mode != GpuMode::Vgpu || profile.as_ref().is_none_or(|key| *key == one.key))
            })
            .flat_map(|one| one.placements.iter().copied())
            .collect();
        let taken = places.into_iter().find(|slots| {
            let unit = self.unit(card, mode, profile.as_deref(), Some(*slots));
            let decision = self.decision(unit.into_iter().collect(), None);
            self.fleet.hold(DesktopId::new(), &decision).is_ok()
        });
        let slots = taken.map(|slots| slots.iter().collect()).unwrap_or_default();
        self.strangers.push((gpu.address.clone(), Stranger { name, profile, slots }));
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

/// The card's own memory, as far as it or its largest slice tells. A card of which nobody can tell is taken to be large enough, after
/// those of which somebody can: its largest window (256 MiB for most cards) says nothing of what lies behind.
fn framebuffer_mib(gpu: &Gpu) -> u64 {
    let slices = gpu.modes.vgpu.profiles.iter().map(|profile| profile.framebuffer_mib).max();
    gpu.vram_mib.or(slices).unwrap_or(u64::MAX)
}
