//! GPU groups: cards that are alike.
//!
//! Every way to divide a card is said with the same three things: a unit takes one of its profile's sets of slots
//! ([`Profile::placements`]), an amount of the card's pool, and stands only beside units of its own class. So
//!
//! | regime | slots | class |
//! |---|---|---|
//! | same type (NVIDIA before Ampere) | equal pieces | one for each profile |
//! | same size (Ampere and later, equal-size mode) | equal pieces | one for each framebuffer size |
//! | mixed size (placement ids), MIG | as the vendor's table says | one for all |
//! | free pool (GVT-g, `mbochs`) | a seat each; the pool is what runs out | one for all |
//! | virtual functions | one each | one for all |
//! | whole | all | its own |
//! | shared | a seat each; a weight that refuses nothing | its own |
//!
//! Seats have a use beside counting: two deciders who saw the same card choose the same seat, and the database's UNIQUE
//! constraint on (host, GPU, slot) lets one of them through.

use crate::{
    SlotSet,
    profile::{Amount, Class, POOL_KINDS, Profile, Several, Slice},
    slots::SLOTS_MAX,
};
use oriel_model::GpuMode;

/// Most profiles that a card may have: one bit each says which are enabled.
pub const PROFILES_MAX: usize = 64;

const CLASS_WHOLE: Class = 1;
const CLASS_VF: Class = 2;
const CLASS_SHARED: Class = 3;
const CLASS_MIXED: Class = 4;
/// Classes of single profiles and sizes follow.
const CLASS_FIRST: Class = 16;

/// How vGPU types stand beside one another on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Regime {
    /// All of one type.
    SameType,
    /// All of one framebuffer size.
    SameSize,
    /// Any, where their placement ids allow: NVIDIA's mixed-size mode, and MIG.
    Placed,
    /// Any that the pool has room for.
    Pool,
}

/// Cards that are alike: one model, divided in one way, with the same supply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What a request may name, `M60`.
    pub name: String,
    /// PCI vendor id, `10de`.
    pub vendor: String,
    pub slots: SlotSet,
    pub pool: Amount,
    /// At most [`PROFILES_MAX`]; cards enable some or all of them.
    pub profiles: Vec<Profile>,
    /// Slices begin where a table says, so that a choice of placement costs the others something.
    pub placed: bool,
    /// Which profile gives any part of the pool's first kind, asked for by amount.
    pub share: Option<usize>,
}

impl Group {
    /// A group without profiles; the `with_…` functions add them.
    pub fn new(name: &str, vendor: &str) -> Self {
        Self {
            name: name.to_owned(),
            vendor: vendor.to_owned(),
            slots: SlotSet::first(SLOTS_MAX),
            pool: [0; POOL_KINDS],
            profiles: Vec::new(),
            placed: false,
            share: None,
        }
    }

    /// Slices. `slots` is how many the card has where the regime is `Placed` (its gigabytes; 9 for MIG with a media engine);
    /// equal pieces find it out by themselves.
    pub fn with_slices(mut self, regime: Regime, slots: u8, slices: &[Slice]) -> Self {
        match regime {
            Regime::SameType | Regime::SameSize => {
                let most = slices.iter().map(|slice| slice.max_per_gpu).max().unwrap_or(1);
                self.slots = SlotSet::first(most);
            }
            Regime::Placed => {
                self.slots = SlotSet::first(slots.min(SLOTS_MAX));
                self.placed = true;
            }
            Regime::Pool => {}
        }
        for (at, slice) in slices.iter().enumerate() {
            let (placements, class) = match regime {
                Regime::SameType => (self.equal_pieces(slice.max_per_gpu), CLASS_FIRST + at as Class),
                Regime::SameSize => {
                    let first = slices.iter().position(|other| other.framebuffer_mib == slice.framebuffer_mib);
                    (self.equal_pieces(slice.max_per_gpu), CLASS_FIRST + first.unwrap_or(at) as Class)
                }
                Regime::Placed => {
                    let at = |id: &u8| SlotSet::range(*id, slice.size).union(slice.beside);
                    (slice.placement_ids.iter().map(at).filter(|set| self.slots.contains(*set)).collect(), CLASS_MIXED)
                }
                Regime::Pool => (seats(), CLASS_MIXED),
            };
            self.push(Profile {
                key: slice.key.clone(),
                mode: GpuMode::Vgpu,
                framebuffer_mib: slice.framebuffer_mib,
                placements,
                pool: slice.pool,
                class,
                weight: 0,
                licences: slice.licences.clone(),
                several: slice.several,
                automatic: slice.automatic,
            });
        }
        self
    }

    /// The supply of a free pool, for the slices of [`Regime::Pool`] and for [`Group::with_share`].
    pub fn with_pool(mut self, pool: Amount) -> Self {
        self.pool = pool;
        self
    }

    /// `count` virtual functions.
    pub fn with_vfs(mut self, count: u8, framebuffer_mib: u64) -> Self {
        let placements = (0..count.min(SLOTS_MAX)).map(|slot| SlotSet::range(slot, 1)).collect::<Vec<_>>();
        if self.profiles.is_empty() {
            self.slots = SlotSet::first(count);
        }
        let profile = Profile { placements, ..Self::plain("vf", GpuMode::Vf, framebuffer_mib, CLASS_VF) };
        self.push(profile);
        self
    }

    /// The whole card. Call it last: it takes all slots that the card has by then.
    pub fn with_whole(mut self, framebuffer_mib: u64) -> Self {
        let placements = vec![self.slots];
        let whole = Self::plain("whole", GpuMode::Whole, framebuffer_mib, CLASS_WHOLE);
        self.push(Profile { placements, several: Several::OtherCards, ..whole });
        self
    }

    /// Seats at a card that the host keeps; `seats` bounds them.
    pub fn with_shared(mut self, seats: u8, weight: u32) -> Self {
        let shared = Self::plain("shared", GpuMode::Shared, 0, CLASS_SHARED);
        let placements = (0..seats.min(SLOTS_MAX)).map(|slot| SlotSet::range(slot, 1)).collect();
        self.push(Profile { placements, weight, several: Several::No, ..shared });
        self
    }

    /// Any part of the pool's first kind, by amount (thousandths of a GPU, say).
    pub fn with_share(mut self, capacity: u32) -> Self {
        self.pool = [capacity, 0, 0];
        self.share = Some(self.profiles.len());
        let share = Self::plain("share", GpuMode::Vgpu, 0, CLASS_MIXED);
        self.push(Profile { placements: seats(), automatic: false, ..share });
        self
    }

    pub fn profile(&self, key: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.key == key)
    }

    /// One bit for each profile.
    pub fn all_profiles(&self) -> u64 {
        self.bits(|_| true)
    }

    /// The bits of the profiles that a card in this mode has.
    pub fn profiles_of(&self, mode: GpuMode) -> u64 {
        self.bits(|profile| profile.mode == mode)
    }

    /// The bits of the profiles that `wanted` accepts, for [`Card::enabled`](crate::Card).
    pub fn bits(&self, wanted: impl Fn(&Profile) -> bool) -> u64 {
        let bit = |(at, profile): (usize, &Profile)| if wanted(profile) { 1 << at } else { 0 };
        self.profiles.iter().take(PROFILES_MAX).enumerate().map(bit).sum()
    }

    fn push(&mut self, profile: Profile) {
        if self.profiles.len() < PROFILES_MAX {
            self.profiles.push(profile);
        }
    }

    fn plain(key: &str, mode: GpuMode, framebuffer_mib: u64, class: Class) -> Profile {
        Profile {
            key: key.to_owned(),
            mode,
            framebuffer_mib,
            placements: Vec::new(),
            pool: [0; POOL_KINDS],
            class,
            weight: 0,
            licences: Vec::new(),
            several: Several::default(),
            automatic: true,
        }
    }

    /// `count` pieces of equal size, as large as fits.
    fn equal_pieces(&self, count: u8) -> Vec<SlotSet> {
        let count = count.max(1);
        let size = (self.slots.len() as u8 / count).max(1);
        (0..count).map(|piece| SlotSet::range(piece.saturating_mul(size), size)).collect()
    }
}

fn seats() -> Vec<SlotSet> {
    (0..SLOTS_MAX).map(|slot| SlotSet::range(slot, 1)).collect()
}
