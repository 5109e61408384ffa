//! The best place on one host, and how good it is: a number, smaller is better, equal for equally good.
#![expect(
    clippy::indexing_slicing,
    reason = "choices, groups and profiles are indices that `resolve` took from these tables"
)]

use crate::{
    CardId, SlotSet,
    baseline::{best_fit, fragments, gradient},
    group::Group,
    policy::{Baseline, Policy},
    profile::Several,
    request::{NumaWish, Shape},
    state::{CardState, Choice, HostState},
    typical::Typical,
    waste::{GRAIN_MILLI, Spare, Waste},
};
use oriel_model::GpuMode;
use std::collections::HashMap;

/// Where on a host: its cards by their place there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pick {
    pub numa: Option<u8>,
    /// Card, which of the shape's choices, slots.
    pub units: Vec<(usize, usize, SlotSet)>,
}

/// What does not fit.
pub(crate) const NOWHERE: u64 = u64::MAX;
/// Above every other consideration: the NUMA node that was preferred has no room.
const NUMA_MISS: u64 = 1 << 60;
/// In the middle of the numbers that a waste may be.
const WASTE_ZERO: i64 = 1 << 30;

pub(crate) struct Scorer<'a> {
    pub groups: &'a [Group],
    pub policy: &'a Policy,
    pub waste: &'a mut Waste,
    pub typical: &'a [Typical],
    /// For [`Policy::Explicit`]: the place of each card in the list.
    pub order: &'a HashMap<CardId, u64>,
    /// Some group mixes units freely, so that desktops without a GPU are placed by waste too.
    pub any_share: bool,
}

impl Scorer<'_> {
    /// `cards` are the ids of the state's cards, in order.
    pub fn best(&mut self, state: &HostState, cards: &[CardId], shape: &Shape) -> Option<(u64, Pick)> {
        if shape.cpu > state.cpu || shape.memory > state.memory {
            return None;
        }
        if shape.numa == NumaWish::Any {
            return self.within(state, cards, shape, None);
        }
        let mut best: Option<(u64, Pick)> = None;
        for (node, (cpu, memory)) in state.nodes.iter().enumerate() {
            if shape.cpu <= *cpu && shape.memory <= *memory {
                let found = self.within(state, cards, shape, Some(node as u8));
                best = match (best, found) {
                    (Some(best), Some(found)) if found.0 >= best.0 => Some(best),
                    (best, found) => found.or(best),
                };
            }
        }
        if best.is_none() && shape.numa == NumaWish::Prefer {
            return self.within(state, cards, shape, None).map(|(score, pick)| (score.saturating_add(NUMA_MISS), pick));
        }
        best
    }

    fn within(&mut self, state: &HostState, cards: &[CardId], shape: &Shape, numa: Option<u8>) -> Option<(u64, Pick)> {
        if shape.count == 0 {
            return Some((self.without_gpu(state, shape), Pick { numa, units: Vec::new() }));
        }
        // Waste and fragments are measured against the host as it is.
        let by_fragments = matches!(self.policy, Policy::Baseline(Baseline::Fgd));
        let before = if by_fragments { fragments(state, self.typical, self.groups) } else { 0 };
        let mut best: Option<((u64, u64), Pick)> = None;
        let mut offer = |key: (u64, u64), pick: Pick| {
            if best.as_ref().is_none_or(|(least, _)| key < *least) {
                best = Some((key, pick));
            }
        };
        for (at, choice) in shape.choices.iter().enumerate() {
            if !state.cards.iter().any(|card| card.group == choice.group) {
                continue;
            }
            let group = &self.groups[usize::from(choice.group)];
            let profile = &group.profiles[usize::from(choice.profile)];
            let by_waste = *self.policy == Policy::Density && group.share == Some(usize::from(choice.profile));
            let spare = (by_waste && self.waste.is_known()).then(|| Spare::new(state, self.groups));
            if shape.count == 1 {
                for (place, card) in state.cards.iter().enumerate() {
                    // Of cards in equal states the first stands for all, unless the order of cards is what counts.
                    let explicit = matches!(self.policy, Policy::Explicit(_));
                    let same = |other: &CardState| other == card;
                    if (numa.is_some() && card.numa != numa) || (!explicit && state.cards[..place].iter().any(same)) {
                        continue;
                    }
                    let Ok((slots, cost)) = card.best_fit(choice, profile, group) else { continue };
                    let Some(id) = cards.get(place) else { continue };
                    let Some(unit) = self.unit(card, *id, shape, at, cost) else { continue };
                    let key = if let Some(spare) = &spare {
                        let mut after = *spare;
                        after.take(place, choice.pool[0]);
                        (self.waste_after(spare, after, shape, Some(choice)), unit)
                    } else if by_fragments {
                        let mut after = state.clone();
                        after.cards[place].put(choice, profile, slots);
                        (self.fragments_after(after, shape, before), unit)
                    } else {
                        (self.host_and_unit(state, shape, at, unit), 0)
                    };
                    offer(key, Pick { numa, units: vec![(place, at, slots)] });
                }
                continue;
            }
            let Some((sum, units, after)) = self.several(state, cards, shape, at, numa) else { continue };
            let key = if let Some(spare) = &spare {
                let mut left = *spare;
                units.iter().for_each(|(place, _, _)| left.take(*place, choice.pool[0]));
                (self.waste_after(spare, left, shape, Some(choice)), sum)
            } else if by_fragments {
                (self.fragments_after(after, shape, before), sum)
            } else {
                (self.host_and_unit(state, shape, at, sum), 0)
            };
            offer(key, Pick { numa, units });
        }
        best.map(|((score, _), pick)| (score, pick))
    }

    /// Units for one desktop: the best card, then the best of the others, and so on.
    #[expect(clippy::type_complexity, reason = "the sum of the units' numbers, the units, the host after them")]
    fn several(
        &self,
        state: &HostState,
        cards: &[CardId],
        shape: &Shape,
        at: usize,
        numa: Option<u8>,
    ) -> Option<(u64, Vec<(usize, usize, SlotSet)>, HostState)> {
        let choice = &shape.choices[at];
        let group = &self.groups[usize::from(choice.group)];
        let profile = &group.profiles[usize::from(choice.profile)];
        let (mut after, mut units, mut sum) = (state.clone(), Vec::new(), 0_u64);
        for _ in 0..shape.count {
            let mut best: Option<(u64, usize, SlotSet)> = None;
            for (place, card) in after.cards.iter().enumerate() {
                let taken = units.iter().any(|(other, _, _)| *other == place);
                if (numa.is_some() && card.numa != numa) || (taken && profile.several != Several::SameCard) {
                    continue;
                }
                let Ok((slots, cost)) = card.best_fit(choice, profile, group) else { continue };
                let Some(unit) = cards.get(place).and_then(|id| self.unit(card, *id, shape, at, cost)) else {
                    continue;
                };
                if best.is_none_or(|(least, _, _)| unit < least) {
                    best = Some((unit, place, slots));
                }
            }
            let (unit, place, slots) = best?;
            after.cards[place].put(choice, profile, slots);
            units.push((place, at, slots));
            sum = sum.saturating_add(unit);
        }
        Some((sum, units, after))
    }

    /// How good a card is for one unit, below 2³³. `None`: the policy excludes it.
    fn unit(&self, card: &CardState, id: CardId, shape: &Shape, at: usize, cost: u64) -> Option<u64> {
        let choice = &shape.choices[at];
        let group = &self.groups[usize::from(choice.group)];
        let profile = &group.profiles[usize::from(choice.profile)];
        let free = u64::from(card.free_milli(group));
        let fresh = u64::from(card.class == 0);
        // A shared card is full, softly, at a weight of 100.
        let crowd = if profile.mode == GpuMode::Shared {
            u64::from((card.weight + profile.weight).saturating_sub(100))
        } else {
            0
        };
        let cost = (cost + crowd).min(0x7fff);
        Some(match self.policy {
            // To begin a card within what may be begun takes from nobody; beyond it, cards must empty again: as `density`.
            Policy::Performance { .. } if shape.may_open => {
                let load = if profile.mode == GpuMode::Shared { u64::from(card.weight.min(1000)) } else { 1000 - free };
                let cost = if fresh == 1 { 0 } else { cost };
                (cost << 16) | load
            }
            Policy::Density | Policy::Performance { .. } => (fresh << 32) | (cost << 16) | free,
            Policy::Explicit(_) => *self.order.get(&id)?,
            Policy::Baseline(Baseline::DepthFirst) => card.capacity(choice, profile, group),
            Policy::Baseline(Baseline::BreadthFirst) => 0xffff - card.capacity(choice, profile, group).min(0xffff),
            // As published: the first GPU of those that score alike.
            Policy::Baseline(Baseline::Fgd) if shape.count == 1 => 0,
            Policy::Baseline(_) => free,
        })
    }

    /// For policies that judge cards: the host's number made of the card's.
    fn host_and_unit(&self, state: &HostState, shape: &Shape, at: usize, unit: u64) -> u64 {
        let choice = &shape.choices[at];
        let group = &self.groups[usize::from(choice.group)];
        let capacity = || -> u64 {
            let profile = &group.profiles[usize::from(choice.profile)];
            state.cards.iter().map(|card| card.capacity(choice, profile, group)).sum()
        };
        match self.policy {
            Policy::Baseline(Baseline::DepthFirst) => (capacity() << 16) | unit.min(0xffff),
            Policy::Baseline(Baseline::BreadthFirst) => ((0xffff - capacity().min(0xffff)) << 16) | unit.min(0xffff),
            Policy::Baseline(Baseline::FirstFit | Baseline::Random { .. }) => 0,
            Policy::Baseline(Baseline::BestFit) => best_fit(state, self.groups),
            _ => unit,
        }
    }

    /// How much more of the host will go to waste.
    fn waste_after(&mut self, spare: &Spare, mut after: Spare, shape: &Shape, choice: Option<&Choice>) -> u64 {
        after.cpu -= shape.cpu;
        after.memory -= shape.memory;
        let gain = self.waste.of(spare, self.groups) - self.waste.of(&after, self.groups);
        let toll = choice.map_or(0, |choice| self.waste.toll(shape, choice, self.groups));
        (WASTE_ZERO - (gain - toll).div_euclid(GRAIN_MILLI)).max(0) as u64
    }

    fn fragments_after(&self, mut after: HostState, shape: &Shape, before: i64) -> u64 {
        after.cpu -= shape.cpu;
        after.memory -= shape.memory;
        gradient(before - fragments(&after, self.typical, self.groups))
    }

    fn without_gpu(&mut self, state: &HostState, shape: &Shape) -> u64 {
        match self.policy {
            Policy::Baseline(Baseline::Fgd) => {
                let before = fragments(state, self.typical, self.groups);
                self.fragments_after(state.clone(), shape, before)
            }
            Policy::Baseline(Baseline::BestFit) => best_fit(state, self.groups),
            Policy::Baseline(_) | Policy::Explicit(_) => 0,
            _ if self.any_share && self.waste.is_known() => {
                let spare = Spare::new(state, self.groups);
                self.waste_after(&spare, spare, shape, None)
            }
            // Away from idle GPUs, then where the least is left.
            _ => ((state.idle_milli(self.groups).max(0) as u64) << 32) | (state.cpu.max(0) as u64).min(0xffff_ffff),
        }
    }
}
