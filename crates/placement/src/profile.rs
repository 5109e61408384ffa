//! What one kind of unit takes of a card, and beside what it may stand.

use crate::{SlotSet, slots::SLOTS_MAX};
use oriel_model::GpuMode;

/// Kinds of counted supply in a free pool: GVT-g has three (low and high graphics memory, fences).
pub const POOL_KINDS: usize = 3;
/// An amount of each.
pub type Amount = [u32; POOL_KINDS];

/// Says which units may be on one card at one time: those of equal class.
pub type Class = u32;

/// May one desktop have several units of a profile?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Several {
    /// Only one (NVIDIA's A and B series, older cards' smaller slices).
    No,
    /// Yes, each from another card (Ampere's through mdev).
    #[default]
    OtherCards,
    /// Yes, also from one card.
    SameCard,
}

/// One kind of unit that the cards of a group can give. Made by the constructors of [`Group`](crate::Group).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `M60-2Q`, `L40S-48Q`, `1g.10gb`, `whole`, `vf`, `shared`.
    pub key: String,
    pub mode: GpuMode,
    /// Framebuffer that is the desktop's own; 0 for `shared`, which guarantees none.
    pub framebuffer_mib: u64,
    /// The slots that one unit may take, any one of these.
    pub placements: Vec<SlotSet>,
    /// What one unit takes of the card's pool.
    pub pool: Amount,
    pub class: Class,
    /// Its share of a card that several share without guarantee; counts when choosing, never refuses.
    pub weight: u32,
    /// Licence editions, any one of which allows it (`vPC` or `vWS` for a B profile); empty: needs none.
    pub licences: Vec<String>,
    pub several: Several,
    /// Chosen by `min_framebuffer_mib`; else only by its name (NVIDIA's A and C series are no desktops).
    pub automatic: bool,
}

/// One vGPU type as the card's driver or the vendor's table gives it, from which [`Group`](crate::Group) makes a [`Profile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub key: String,
    pub framebuffer_mib: u64,
    /// Most on one card, where the regime is one of equal pieces.
    pub max_per_gpu: u8,
    /// Slots that it takes and where it may begin, where the regime is one of placements.
    pub size: u8,
    pub placement_ids: Vec<u8>,
    /// Slots that every unit takes beside: what the card has once (MIG's media engine for `1g+me`).
    pub beside: SlotSet,
    /// What it takes, where the regime is a free pool.
    pub pool: Amount,
    pub licences: Vec<String>,
    pub several: Several,
    pub automatic: bool,
}

impl Slice {
    fn new(key: &str, framebuffer_mib: u64) -> Self {
        Self {
            key: key.to_owned(),
            framebuffer_mib,
            max_per_gpu: 1,
            size: 1,
            placement_ids: Vec::new(),
            beside: SlotSet::EMPTY,
            pool: [0; POOL_KINDS],
            licences: Vec::new(),
            several: Several::default(),
            automatic: true,
        }
    }

    /// One of `max_per_gpu` equal pieces.
    pub fn equal(key: &str, framebuffer_mib: u64, max_per_gpu: u8) -> Self {
        Self { max_per_gpu: max_per_gpu.clamp(1, SLOTS_MAX), ..Self::new(key, framebuffer_mib) }
    }

    /// `size` slots beginning at one of `placement_ids`.
    pub fn placed(key: &str, framebuffer_mib: u64, size: u8, placement_ids: &[u8]) -> Self {
        Self { size, placement_ids: placement_ids.to_vec(), ..Self::new(key, framebuffer_mib) }
    }

    /// An amount of a pool.
    pub fn pooled(key: &str, framebuffer_mib: u64, pool: Amount) -> Self {
        Self { pool, ..Self::new(key, framebuffer_mib) }
    }

    pub fn with_licences(mut self, editions: &[&str]) -> Self {
        self.licences = editions.iter().map(|edition| (*edition).to_owned()).collect();
        self
    }

    pub fn with_several(mut self, several: Several) -> Self {
        self.several = several;
        self
    }

    /// Only by name.
    pub fn by_name(mut self) -> Self {
        self.automatic = false;
        self
    }
}
