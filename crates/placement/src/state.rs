//! What of a host is taken, at one time or over a span: plain arithmetic, cheap to copy, so that choosing can try things out.
#![expect(clippy::indexing_slicing, reason = "arrays of POOL_KINDS, walked by 0..POOL_KINDS")]

use crate::{
    SlotSet,
    group::Group,
    profile::{Amount, Class, POOL_KINDS, Profile},
};

/// No unit can join a card that is locked so: over the span it holds classes that exclude each other.
pub(crate) const CLASS_TORN: Class = Class::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CardState {
    pub group: u16,
    pub numa: Option<u8>,
    pub enabled: u64,
    pub used: SlotSet,
    pub pool: Amount,
    /// 0: untouched.
    pub class: Class,
    pub weight: u32,
    pub units: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostState {
    pub cpu: i64,
    pub memory: i64,
    /// What is free of each NUMA node for desktops pinned to it.
    pub nodes: Vec<(i64, i64)>,
    pub cards: Vec<CardState>,
}

impl HostState {
    /// How much of all cards is free, in thousandths of a card.
    pub fn idle_milli(&self, groups: &[Group]) -> i64 {
        let free =
            |card: &CardState| groups.get(usize::from(card.group)).map_or(0, |group| i64::from(card.free_milli(group)));
        self.cards.iter().map(free).sum()
    }
}

/// One unit's needs, resolved: a profile of a group, and how much of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Choice {
    pub group: u16,
    pub profile: u16,
    pub pool: Amount,
}

/// Why a card cannot give a unit; greater is closer to success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Short {
    NotSupported,
    NotEnabled,
    OtherClass,
    Full,
}

impl CardState {
    /// Room for the unit, slots aside.
    pub fn admits(&self, choice: &Choice, profile: &Profile, group: &Group) -> Result<(), Short> {
        if self.group != choice.group {
            return Err(Short::NotSupported);
        }
        if self.enabled >> choice.profile & 1 == 0 {
            return Err(Short::NotEnabled);
        }
        if self.class != 0 && self.class != profile.class {
            return Err(Short::OtherClass);
        }
        if (0..POOL_KINDS).any(|kind| self.pool[kind].saturating_add(choice.pool[kind]) > group.pool[kind]) {
            return Err(Short::Full);
        }
        Ok(())
    }

    /// The first placement that is free.
    pub fn first_fit(&self, choice: &Choice, profile: &Profile, group: &Group) -> Result<SlotSet, Short> {
        self.admits(choice, profile, group)?;
        profile.placements.iter().copied().find(|set| set.is_disjoint(self.used)).ok_or(Short::Full)
    }

    /// The free placement that leaves the most to others, and what it costs them ([`CardState::options`]).
    pub fn best_fit(&self, choice: &Choice, profile: &Profile, group: &Group) -> Result<(SlotSet, u64), Short> {
        self.admits(choice, profile, group)?;
        if !group.placed {
            // All pieces are alike, or nobody else may join.
            return self.first_fit(choice, profile, group).map(|set| (set, 0));
        }
        let before = self.options(profile.class, self.used, group);
        profile
            .placements
            .iter()
            .filter(|set| set.is_disjoint(self.used))
            .map(|set| (*set, before.saturating_sub(self.options(profile.class, self.used.union(*set), group))))
            .min_by_key(|(set, cost)| (*cost, *set))
            .ok_or(Short::Full)
    }

    /// What else could still be placed beside `class`: over the enabled profiles, the free placements, each counting as much as
    /// it has slots.
    fn options(&self, class: Class, used: SlotSet, group: &Group) -> u64 {
        let enabled = group.profiles.iter().enumerate().filter(|(at, _)| self.enabled >> at & 1 == 1);
        enabled
            .filter(|(_, profile)| profile.class == class)
            .flat_map(|(_, profile)| &profile.placements)
            .filter(|set| set.is_disjoint(used))
            .map(|set| u64::from(set.len()))
            .sum()
    }

    pub fn put(&mut self, choice: &Choice, profile: &Profile, slots: SlotSet) {
        self.used = self.used.union(slots);
        for (pool, need) in self.pool.iter_mut().zip(choice.pool) {
            *pool = pool.saturating_add(need);
        }
        self.class = if self.class == 0 || self.class == profile.class { profile.class } else { CLASS_TORN };
        self.weight = self.weight.saturating_add(profile.weight);
        self.units = self.units.saturating_add(1);
    }

    /// Units of the kind that it could still give; where placements overlap, more than that.
    pub fn capacity(&self, choice: &Choice, profile: &Profile, group: &Group) -> u64 {
        if self.admits(choice, profile, group).is_err() {
            return 0;
        }
        let slots = profile.placements.iter().filter(|set| set.is_disjoint(self.used)).count() as u64;
        let pool = (0..POOL_KINDS)
            .filter(|kind| choice.pool[*kind] > 0)
            .map(|kind| u64::from((group.pool[kind] - self.pool[kind]) / choice.pool[kind]))
            .min();
        pool.map_or(slots, |pool| pool.min(slots))
    }

    /// How much of the card is free, in thousandths.
    pub fn free_milli(&self, group: &Group) -> u32 {
        if group.pool[0] > 0 {
            return (u64::from(group.pool[0].saturating_sub(self.pool[0])) * 1000 / u64::from(group.pool[0])) as u32;
        }
        let all = group.slots.len().max(1);
        (all - self.used.len().min(all)) * 1000 / all
    }
}
