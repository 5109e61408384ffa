//! What was asked for until now.

use std::collections::HashMap;

use crate::{group::Group, request::Shape, typical::Typical};

/// Kinds of requests that are counted; later ones than these are not.
pub(crate) const SHAPES_MAX: usize = 4096;
/// Kinds that are drawn from: the most frequent, up to so many.
const TYPICAL_MAX: usize = 256;
/// … that make up so much of all requests.
const COVER_PERCENT: u64 = 95;
/// Requests before the first conclusions.
const FIRST: u64 = 32;
/// … and the next ones at so many times as many.
const GROWTH: u64 = 4;
/// At so many, all counts are halved: what was long ago counts less.
const HALVE_AT: u64 = 1 << 14;

/// Counts of kinds of requests, by their number.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    counts: Vec<u64>,
    total: u64,
    /// Conclusions are drawn again at this total.
    next: u64,
}

impl Default for Mix {
    fn default() -> Self {
        Self { counts: Vec::new(), total: 0, next: FIRST }
    }
}

impl Mix {
    /// One more request of the kind. True: it is time to learn again.
    pub fn count(&mut self, kind: usize) -> bool {
        if kind >= SHAPES_MAX {
            return false;
        }
        if kind >= self.counts.len() {
            self.counts.resize(kind + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(kind) {
            *count += 1;
        }
        self.total += 1;
        if self.total < self.next {
            return false;
        }
        if self.total >= HALVE_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
            self.next = HALVE_AT;
        } else {
            self.next = self.total * GROWTH;
        }
        true
    }

    /// The most frequent kinds.
    pub fn typical(&self, shapes: &[Shape], groups: &[Group]) -> Vec<Typical> {
        let all = self.counts.iter().zip(shapes).filter(|(count, _)| **count > 0);
        most_frequent(all.map(|(count, shape)| (shape.clone(), *count)).collect(), groups)
    }
}

/// Those that make up [`COVER_PERCENT`] of the weight, most frequent first; of equals, those that came first.
pub(crate) fn most_frequent(all: Vec<(Shape, u64)>, groups: &[Group]) -> Vec<Typical> {
    let mut kinds: Vec<(Shape, u64)> = Vec::new();
    let mut numbers = HashMap::new();
    for (shape, weight) in all {
        let at = *numbers.entry(shape.clone()).or_insert(kinds.len());
        match kinds.get_mut(at) {
            Some((_, sum)) => *sum += weight,
            None => kinds.push((shape, weight)),
        }
    }
    kinds.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let total: u64 = kinds.iter().map(|(_, weight)| weight).sum();
    let (mut covered, mut typical) = (0, Vec::new());
    for (shape, weight) in kinds.into_iter().take(TYPICAL_MAX) {
        if covered * 100 >= total * COVER_PERCENT {
            break;
        }
        covered += weight;
        typical.push(Typical::new(shape, weight, groups));
    }
    typical
}
