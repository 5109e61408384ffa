//! A kind of request and how often it comes.

use crate::{group::Group, request::Shape, state::Choice};

/// A kind of request and its weight among all.
#[derive(Clone, Debug)]
pub(crate) struct Typical {
    pub shape: Shape,
    pub weight: u64,
    /// What it takes, in thousandths of GPUs.
    pub demand: u64,
    /// The shape's choice for each group.
    by_group: Vec<Option<Choice>>,
}

impl Typical {
    pub fn new(shape: Shape, weight: u64, groups: &[Group]) -> Self {
        let of = |at: usize| shape.choices.iter().find(|choice| usize::from(choice.group) == at).copied();
        let by_group = (0..groups.len()).map(of).collect();
        let demand = shape.choices.first().map_or(0, |choice| demand(choice, groups)) * u64::from(shape.count);
        Self { shape, weight, demand, by_group }
    }

    pub fn choice(&self, group: u16) -> Option<&Choice> {
        self.by_group.get(usize::from(group)).and_then(Option::as_ref)
    }
}

/// What one unit takes of a card, in thousandths of it.
pub(crate) fn demand(choice: &Choice, groups: &[Group]) -> u64 {
    let Some(group) = groups.get(usize::from(choice.group)) else { return 0 };
    let (need, supply) = (choice.pool.first().copied().unwrap_or(0), group.pool.first().copied().unwrap_or(0));
    if supply > 0 {
        return u64::from(need) * 1000 / u64::from(supply);
    }
    let placements = group.profiles.get(usize::from(choice.profile)).map(|profile| profile.placements.as_slice());
    let slots = placements.and_then(<[_]>::first).map_or(0, |set| set.len());
    u64::from(slots) * 1000 / u64::from(group.slots.len().max(1))
}

/// For each group, the part of all demand that can only be met by it and the groups named with it, against their part of all
/// cards, in thousandths. Above 1000: more is asked of it than it has.
pub(crate) fn scarcity(typical: &[Typical], cards: &[u64]) -> Vec<i64> {
    let all: u64 = typical.iter().map(|kind| kind.weight * kind.demand).sum();
    let supply: u64 = cards.iter().sum();
    let mut scarce = vec![0_i64; cards.len()];
    for kind in typical {
        let able = || kind.shape.choices.iter().map(|choice| usize::from(choice.group));
        let theirs: u64 = able().filter_map(|group| cards.get(group)).sum();
        if theirs == 0 || theirs == supply || all == 0 {
            continue;
        }
        let part = u128::from(kind.weight * kind.demand) * u128::from(supply) * 1000;
        let part = part / (u128::from(all) * u128::from(theirs));
        for group in able() {
            if let Some(scarce) = scarce.get_mut(group) {
                *scarce += part as i64;
            }
        }
    }
    scarce
}
