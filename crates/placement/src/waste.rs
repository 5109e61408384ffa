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
//! Two things are added that the end does not show. What a host can take *next* is worth keeping (a host on which the mix's
//! eight-GPU desktops still fit is worth more than its filler), and cards that others depend on are left to them: when some
//! requests name their model and others do not, the others pay for it.
//!
//! The futures are the same for every host and every call (common random numbers), so that two states are compared on equal
//! terms and a state's waste need be worked out once: hosts in like states share it.
#![expect(clippy::indexing_slicing, reason = "indices into tables that this module itself has built, on its hot path")]

use crate::{
    fleet::CARDS_PER_HOST_MAX,
    group::Group,
    random::Random,
    request::Shape,
    state::{Choice, HostState},
    typical::{Typical, demand, scarcity},
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
pub(crate) const GRAIN_MILLI: i64 = 10;
/// How much of what the next request could take counts.
const REACH_PERCENT: i64 = 25;
/// Hosts whose free CPU (thousandths) and memory (MiB) differ by less than this are alike. Rounded down.
const CPU_GRAIN: i64 = 1000;
const MEMORY_GRAIN: i64 = 32_768;
/// A need that nothing meets.
const NEVER: u32 = u32::MAX;

/// What is free of a host, as far as waste is concerned: of each card that is shared by amount, how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spare {
    pub cpu: i64,
    pub memory: i64,
    cards: usize,
    free: [u32; CARDS_PER_HOST_MAX],
    group: [u16; CARDS_PER_HOST_MAX],
    /// All cards are of one group.
    uniform: bool,
}

impl Spare {
    pub fn new(state: &HostState, groups: &[Group]) -> Self {
        let mut spare = Self {
            cpu: state.cpu,
            memory: state.memory,
            cards: state.cards.len().min(CARDS_PER_HOST_MAX),
            free: [0; CARDS_PER_HOST_MAX],
            group: [0; CARDS_PER_HOST_MAX],
            uniform: true,
        };
        for (at, card) in state.cards.iter().take(CARDS_PER_HOST_MAX).enumerate() {
            let group = &groups[usize::from(card.group)];
            spare.group[at] = card.group;
            spare.uniform &= card.group == spare.group[0];
            // A card that serves otherwise is out of this.
            let Some(share) = group.share.filter(|share| card.enabled >> share & 1 == 1) else { continue };
            if card.class == 0 || card.class == group.profiles[share].class {
                spare.free[at] = group.pool[0].saturating_sub(card.pool[0]);
            }
        }
        spare
    }

    /// Takes `amount` of a card.
    pub fn take(&mut self, card: usize, amount: u32) {
        self.free[card] = self.free[card].saturating_sub(amount);
    }

    /// Equal for states that differ only in the order of their cards.
    fn fingerprint(&self) -> u64 {
        let mut cards = 0_u64;
        for at in 0..self.cards {
            cards = cards.wrapping_add(mix(u64::from(self.group[at]) << 32, u64::from(self.free[at])));
        }
        mix(mix(cards, self.cpu as u64), self.memory as u64)
    }
}

/// What drawing needs to know of a kind of request.
#[derive(Clone, Copy, Debug)]
struct Kind {
    cpu: i64,
    memory: i64,
    count: usize,
    /// Its weight times its demand.
    value: u64,
}

/// The expected waste of hosts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waste {
    kinds: Vec<Kind>,
    /// For each kind and group, how much of a card.
    needs: Vec<u32>,
    groups: usize,
    /// The least CPU that any kind with a GPU needs.
    cpu_least: i64,
    weights: u64,
    futures: Vec<Vec<u16>>,
    known: HashMap<u64, i64, BuildHasherDefault<Plain>>,
    /// For each group, what is asked for that only it and others like it can give, in thousandths of what they are.
    scarce: Vec<i64>,
}

impl Waste {
    pub fn is_known(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// From now on desktops are drawn from these. `cards` says how many each group has.
    pub fn learn(&mut self, typical: &[Typical], cards: &[u64]) {
        self.scarce = scarcity(typical, cards);
        self.groups = cards.len();
        self.known.clear();
        self.kinds.clear();
        self.needs.clear();
        let mut sums = Vec::new();
        let mut total = 0;
        for kind in typical {
            total += kind.weight;
            sums.push(total);
            let (cpu, memory) = (kind.shape.cpu, kind.shape.memory);
            self.kinds.push(Kind { cpu, memory, count: kind.shape.count as usize, value: kind.weight * kind.demand });
            for group in 0..cards.len() {
                let need = kind.choice(group as u16).map_or(NEVER, |choice| choice.pool[0]);
                self.needs.push(if need == 0 { NEVER } else { need });
            }
        }
        self.weights = total;
        self.cpu_least = self.kinds.iter().filter(|kind| kind.count > 0).map(|kind| kind.cpu).min().unwrap_or(0);
        let mut random = Random(7);
        let mut draw = || {
            let at = random.below(total.max(1));
            sums.partition_point(|sum| *sum <= at) as u16
        };
        self.futures = (0..FUTURES).map(|_| (0..DRAWS).map(|_| draw()).collect()).collect();
    }

    /// Thousandths of a GPU that will be left idle, less what the next request could take.
    pub fn of(&mut self, spare: &Spare, groups: &[Group]) -> i64 {
        let mut spare = *spare;
        spare.cpu -= spare.cpu % CPU_GRAIN;
        spare.memory -= spare.memory % MEMORY_GRAIN;
        let key = spare.fingerprint();
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let supply = |card: usize| u64::from(groups[usize::from(spare.group[card])].pool[0]).max(1);
        let mut left = 0;
        for draws in &self.futures {
            let mut future = spare;
            let mut idle: u64 = future.free[..future.cards].iter().map(|free| u64::from(*free)).sum();
            for draw in draws {
                let at = usize::from(*draw);
                let kind = &self.kinds[at];
                if kind.cpu > future.cpu || kind.memory > future.memory {
                    continue;
                }
                idle -= self.pack(&mut future, kind, at);
                if idle == 0 || future.cpu < self.cpu_least {
                    break;
                }
            }
            if spare.uniform {
                left += idle * 1000 / supply(0);
            } else {
                for card in 0..future.cards {
                    left += u64::from(future.free[card]) * 1000 / supply(card);
                }
            }
        }
        let waste = left as i64 / FUTURES as i64 - self.reach(&spare) * REACH_PERCENT / 100;
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        self.known.insert(key, waste);
        waste
    }

    /// Puts a desktop on the fullest cards that have room, or leaves all as it is. Returns what it took of the cards.
    fn pack(&self, future: &mut Spare, kind: &Kind, at: usize) -> u64 {
        let needs = &self.needs[at * self.groups..(at + 1) * self.groups];
        let cards = future.cards;
        if kind.count == 1 && future.uniform {
            let need = needs[usize::from(future.group[0])];
            let (mut least, mut best) = (NEVER, 0);
            for (card, free) in future.free[..cards].iter().enumerate() {
                if *free >= need && *free < least {
                    (least, best) = (*free, card);
                }
            }
            if least == NEVER {
                return 0;
            }
            future.free[best] -= need;
            future.cpu -= kind.cpu;
            future.memory -= kind.memory;
            return u64::from(need);
        }
        let mut taken = 0_u64;
        let mut picked = [0_usize; oriel_model::GpuRequest::COUNT_MAX as usize];
        for pick in &mut picked[..kind.count] {
            let mut best = (NEVER, 0);
            for card in 0..cards {
                let free = future.free[card];
                if free < best.0 && free >= needs[usize::from(future.group[card])] && taken >> card & 1 == 0 {
                    best = (free, card);
                }
            }
            if best.0 == NEVER {
                return 0;
            }
            *pick = best.1;
            taken |= 1 << best.1;
        }
        let mut sum = 0;
        for card in &picked[..kind.count] {
            let need = needs[usize::from(future.group[*card])];
            future.free[*card] -= need;
            sum += u64::from(need);
        }
        future.cpu -= kind.cpu;
        future.memory -= kind.memory;
        sum
    }

    /// The mean demand of the next request, where the host can meet it.
    fn reach(&self, spare: &Spare) -> i64 {
        let mut sum = 0;
        for (at, kind) in self.kinds.iter().enumerate() {
            if kind.count == 0 || kind.cpu > spare.cpu || kind.memory > spare.memory {
                continue;
            }
            let needs = &self.needs[at * self.groups..(at + 1) * self.groups];
            let mut fit = 0;
            for card in 0..spare.cards {
                fit += usize::from(spare.free[card] >= needs[usize::from(spare.group[card])]);
            }
            if fit >= kind.count {
                sum += kind.value;
            }
        }
        (sum / self.weights.max(1)) as i64
    }

    /// What taking a card of the choice's group costs others, in thousandths of a GPU: what is taken, where others ask for as much
    /// as there is; nothing where it is among the least asked for of those that would do.
    pub fn toll(&self, shape: &Shape, choice: &Choice, groups: &[Group]) -> i64 {
        let scarce = |choice: &Choice| self.scarce.get(usize::from(choice.group)).copied().unwrap_or_default();
        let least = shape.choices.iter().map(scarce).min().unwrap_or_default();
        let takes = demand(choice, groups) as i64 * i64::from(shape.count);
        takes * (scarce(choice) - least) / 1000
    }
}

fn mix(hash: u64, value: u64) -> u64 {
    let hash = (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (hash >> 32)
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
