//! How much of a host will go to waste.
//!
//! The measure behind `density`, where units mix freely on a card. A host with room left is filled, in thought, with desktops
//! drawn at random from what was asked for until now, until hardly anything fits: GPUs that are then left idle (their host's
//! CPUs or memory have run out, or only crumbs are free) are wasted. The mean over a few such futures is the host's expected
//! waste, and a desktop goes where it raises that least.
//!
//! Fragmentation gradient descent (Weng et al., USENIX ATC '23) asks which part of what is free no typical task could use *next*;
//! this asks what is left *at the end*, and so sees what crumbs are still to be made: that a host's CPUs will not last for its
//! GPUs, that 810 leaves 190 that nobody wants, that 470 and 470 go together.
//!
//! The futures are the same for every host and every call (common random numbers), so that two states are compared on equal
//! terms and a state's waste need be worked out once: hosts in like states share it.
#![expect(clippy::indexing_slicing, reason = "indices into tables that this module itself has built, on its hot path")]

use crate::{
    group::Group,
    profile::{Amount, POOL_KINDS},
    request::Shape,
    state::{CardState, Choice, HostState},
};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// Futures that are tried for each state.
const FUTURES: usize = 16;
/// Desktops that are drawn for each future.
const DRAWS: usize = 60;
/// States whose waste is remembered.
const REMEMBERED_MAX: usize = 1 << 20;
/// Wastes that differ by less than this (thousandths of a GPU) are equal: the estimate is no finer, and among equals the first
/// host wins, which keeps the last ones whole.
pub(crate) const GRAIN_MILLI: i64 = 100;

/// A kind of request and how often it is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Typical {
    pub shape: Shape,
    pub weight: u64,
    /// The shape's choice for each group.
    by_group: Vec<Option<Choice>>,
}

impl Typical {
    pub fn new(shape: Shape, weight: u64, groups: usize) -> Self {
        let by_group = (0..groups)
            .map(|at| shape.choices.iter().find(|choice| usize::from(choice.group) == at).copied())
            .collect();
        Self { shape, weight, by_group }
    }

    pub fn choice(&self, group: u16) -> Option<&Choice> {
        self.by_group.get(usize::from(group)).and_then(Option::as_ref)
    }
}

/// The expected waste of hosts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waste {
    typical: Vec<Typical>,
    futures: Vec<Vec<u16>>,
    known: HashMap<u64, i64, BuildHasherDefault<Plain>>,
    scratch: HostState,
}

impl Waste {
    pub fn is_known(&self) -> bool {
        !self.typical.is_empty()
    }

    /// From now on desktops are drawn from these.
    pub fn learn(&mut self, typical: Vec<Typical>) {
        self.known.clear();
        let mut sums = Vec::new();
        let mut total = 0;
        for kind in &typical {
            total += kind.weight;
            sums.push(total);
        }
        let mut random = Random(7);
        self.futures = (0..FUTURES)
            .map(|_| {
                let draw = |_| {
                    let at = random.below(total.max(1));
                    sums.partition_point(|sum| *sum <= at) as u16
                };
                (0..DRAWS).map(draw).collect()
            })
            .collect();
        self.typical = typical;
    }

    /// Thousandths of a GPU that will be left idle.
    pub fn of(&mut self, state: &HostState, groups: &[Group]) -> i64 {
        let key = fingerprint(state, groups);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let mut left = 0;
        let mut future = std::mem::take(&mut self.scratch);
        for draws in &self.futures {
            future.cpu = state.cpu;
            future.memory = state.memory;
            future.cards.clone_from(&state.cards);
            for draw in draws {
                let Some(kind) = self.typical.get(usize::from(*draw)) else { continue };
                if kind.shape.cpu <= future.cpu && kind.shape.memory <= future.memory {
                    pack(&mut future, kind, groups);
                }
            }
            left += idle(&future, groups);
        }
        self.scratch = future;
        let waste = left / FUTURES as i64;
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        self.known.insert(key, waste);
        waste
    }
}

/// Puts a desktop on the fullest cards that have room, or leaves all as it is.
fn pack(state: &mut HostState, kind: &Typical, groups: &[Group]) {
    let count = kind.shape.count as usize;
    if count > state.cards.len() {
        return;
    }
    // The cards taken, so that several are put only when all fit.
    let mut taken = [0_usize; oriel_model::GpuRequest::COUNT_MAX as usize];
    for nth in 0..count {
        let mut best: Option<(u32, usize)> = None;
        for (at, card) in state.cards.iter().enumerate() {
            let Some(choice) = kind.choice(card.group) else { continue };
            let group = &groups[usize::from(card.group)];
            let profile = &group.profiles[usize::from(choice.profile)];
            if card.admits(choice, profile, group).is_err()
                || taken[..nth].contains(&at)
                || !profile.placements.iter().any(|set| set.is_disjoint(card.used))
            {
                continue;
            }
            let free = card.free(group);
            if best.is_none_or(|(least, _)| free < least) {
                best = Some((free, at));
            }
        }
        let Some((_, at)) = best else { return };
        taken[nth] = at;
    }
    for at in &taken[..count] {
        let card = &mut state.cards[*at];
        let group = &groups[usize::from(card.group)];
        let Some(choice) = kind.choice(card.group) else { continue };
        let profile = &group.profiles[usize::from(choice.profile)];
        if let Ok(slots) = card.first_fit(choice, profile, group) {
            card.put(choice, profile, slots);
        }
    }
    state.cpu -= kind.shape.cpu;
    state.memory -= kind.shape.memory;
}

pub(crate) fn idle(state: &HostState, groups: &[Group]) -> i64 {
    state.cards.iter().map(|card| i64::from(card.free_milli(&groups[usize::from(card.group)]))).sum()
}

/// Equal for states that differ only in the order of their cards, or in which of a pool's seats are taken.
fn fingerprint(state: &HostState, groups: &[Group]) -> u64 {
    let card = |card: &CardState| {
        let group = &groups[usize::from(card.group)];
        let used = if group.placed { card.used.0 } else { u64::from(card.used.len()) };
        let pool: Amount = card.pool;
        let mut hash = mix((u64::from(card.group) << 32) | u64::from(card.class), used);
        for amount in &pool[..POOL_KINDS] {
            hash = mix(hash, u64::from(*amount));
        }
        mix(hash, card.enabled)
    };
    let cards = state.cards.iter().map(card).fold(0_u64, u64::wrapping_add);
    mix(mix(cards, state.cpu as u64), state.memory as u64)
}

fn mix(hash: u64, value: u64) -> u64 {
    let hash = (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (hash >> 32)
}

/// Splitmix64: the same numbers on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// The keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
