//! Choosing: a request, a fleet and a policy in, a decision out.

use crate::{
    CardId,
    fleet::{Decision, Fleet, HostId, Unit},
    mix::{Mix, SHAPES_MAX, most_frequent},
    policy::{Baseline, Policy},
    random::Random,
    refusal::{Refusal, explain},
    request::{Request, Shape, Wish, resolve},
    score::{NOWHERE, Pick, Scorer},
    state::HostState,
    typical::Typical,
    waste::Waste,
};
use std::collections::HashMap;

/// Numbers that are remembered: hosts times kinds of requests. 8 bytes each, twice.
const REMEMBERED_MAX: usize = 1 << 23;
/// Where a number is dear to work out (expected waste), so many of the hosts that changed last are judged anew before a choice;
/// of the others those that look best, until the best is one whose number is fresh. What has room is never overlooked.
const FRESH_MAX: usize = 256;

/// How good each host is for one kind of request, with the best on top: a binary tree in an array, whose leaves are the hosts
/// and whose inner nodes are the less of their two.
#[derive(Clone, Debug, Default)]
struct Ranking {
    /// A power of two, at least the number of hosts.
    leaves: usize,
    tree: Vec<u64>,
    /// Hosts that changed since their number was worked out.
    stale: Vec<bool>,
    /// What of the fleet's journal it has seen.
    seen: u64,
    hosts: usize,
}

impl Ranking {
    fn new(hosts: usize) -> Self {
        let leaves = hosts.next_power_of_two();
        Self { leaves, tree: vec![NOWHERE; leaves * 2], stale: vec![false; hosts], seen: 0, hosts }
    }

    fn get(&self, host: usize) -> u64 {
        self.tree.get(self.leaves + host).copied().unwrap_or(NOWHERE)
    }

    fn is_stale(&self, host: usize) -> bool {
        self.stale.get(host).copied().unwrap_or(false)
    }

    fn set(&mut self, host: usize, score: u64) {
        if let Some(stale) = self.stale.get_mut(host) {
            *stale = false;
        }
        let mut at = self.leaves + host;
        if let Some(leaf) = self.tree.get_mut(at) {
            *leaf = score;
        }
        while at > 1 {
            at /= 2;
            let of = |node: usize| self.tree.get(node).copied().unwrap_or(NOWHERE);
            let least = of(at * 2).min(of(at * 2 + 1));
            match self.tree.get_mut(at) {
                Some(node) if *node != least => *node = least,
                _ => return,
            }
        }
    }

    /// The best host; of equals the first.
    fn best(&self) -> Option<(u64, usize)> {
        let least = self.tree.get(1).copied().filter(|least| *least != NOWHERE)?;
        let mut at = 1;
        while at < self.leaves {
            at *= 2;
            if self.tree.get(at).copied() != Some(least) {
                at += 1;
            }
        }
        Some((least, at - self.leaves))
    }
}

/// Chooses places. It remembers how good hosts were for what kinds of requests, and what was asked for: keep one for a fleet
/// and ask it again. The same questions in the same order give the same answers.
#[derive(Clone, Debug)]
pub struct Placer {
    policy: Policy,
    order: HashMap<CardId, u64>,
    shapes: Vec<Shape>,
    /// Only looked up, never walked.
    numbers: HashMap<Shape, usize>,
    rankings: Vec<Option<Ranking>>,
    mix: Mix,
    /// The mix was given and is not learned.
    given: bool,
    typical: Vec<Typical>,
    waste: Waste,
    random: Random,
    /// Of the fleet, when it was last looked at.
    groups: usize,
    any_share: bool,
}

impl Placer {
    pub fn new(policy: Policy) -> Self {
        let mut order = HashMap::new();
        if let Policy::Explicit(cards) = &policy {
            for (at, card) in cards.iter().enumerate() {
                order.entry(*card).or_insert(at as u64);
            }
        }
        let random = Random(match policy {
            Policy::Baseline(Baseline::Random { seed }) => seed,
            _ => 0,
        });
        Self {
            policy,
            order,
            shapes: Vec::new(),
            numbers: HashMap::new(),
            rankings: Vec::new(),
            mix: Mix::default(),
            given: false,
            typical: Vec::new(),
            waste: Waste::default(),
            random,
            groups: 0,
            any_share: false,
        }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Tells the placer what will be asked for and how often, rather than let it learn from what is.
    pub fn set_mix(&mut self, fleet: &Fleet, mix: &[(Request, u64)]) {
        let kinds = mix.iter().filter_map(|(request, weight)| {
            resolve(request, fleet.groups()).into_iter().next().map(|shape| (shape, *weight))
        });
        self.typical = most_frequent(kinds.collect(), fleet.groups());
        self.waste.learn(&self.typical, &cards_of(fleet));
        self.given = true;
        self.forget();
    }

    /// Where the desktop goes, or why it cannot go anywhere. Writes nothing down: that is [`Fleet::hold`].
    pub fn place(&mut self, fleet: &Fleet, request: &Request) -> Result<Decision, Box<Refusal>> {
        self.choose(fleet, request).ok_or_else(|| Box::new(self.explain(fleet, request)))
    }

    /// Why the request would be refused now.
    pub fn explain(&self, fleet: &Fleet, request: &Request) -> Refusal {
        explain(fleet, request, &self.policy)
    }

    /// As [`Placer::place`], without the reasons, which take longer than the choice.
    pub fn choose(&mut self, fleet: &Fleet, request: &Request) -> Option<Decision> {
        if request.span.is_empty() {
            return None;
        }
        if self.groups != fleet.groups().len() {
            self.groups = fleet.groups().len();
            self.any_share = fleet.groups().iter().any(|group| group.share.is_some());
            self.forget();
        }
        let mut levels = resolve(request, fleet.groups());
        if let Some(first) = levels.first() {
            self.learn(fleet, first.clone());
        }
        for level in &mut levels {
            self.allow(fleet, request, level);
            if level.choices.is_empty() && level.count > 0 {
                continue;
            }
            if let Some((host, pick)) = self.best(fleet, request, level) {
                return Self::decide(fleet, request, level, host, pick);
            }
        }
        None
    }

    /// Counts the request, and draws conclusions when it is time.
    fn learn(&mut self, fleet: &Fleet, shape: Shape) {
        let uses_mix =
            matches!(self.policy, Policy::Density | Policy::Performance { .. } | Policy::Baseline(Baseline::Fgd));
        if self.given || !uses_mix || !self.any_share {
            return;
        }
        let kind = self.number(shape);
        if self.mix.count(kind) {
            self.typical = self.mix.typical(&self.shapes, fleet.groups());
            self.waste.learn(&self.typical, &cards_of(fleet));
            // What was thought of the hosts is nearly right still: the best are judged anew before they are chosen.
            self.rankings.iter_mut().flatten().for_each(|ranking| ranking.stale.fill(true));
        }
    }

    /// Takes out what licences do not allow, and finds whether another card may be begun.
    fn allow(&self, fleet: &Fleet, request: &Request, shape: &mut Shape) {
        let groups = fleet.groups();
        shape.choices.retain(|choice| {
            let profile =
                groups.get(usize::from(choice.group)).and_then(|group| group.profiles.get(usize::from(choice.profile)));
            profile.is_some_and(|profile| {
                profile.licences.is_empty()
                    || profile.licences.iter().any(|edition| fleet.licence_free(edition, request.span))
            })
        });
        if let Policy::Performance { reserve_percent } = self.policy {
            let (mut untouched, mut all) = (0, 0);
            let mut last = None;
            for choice in &shape.choices {
                if last != Some(choice.group) {
                    let of = fleet.untouched(choice.group);
                    untouched += of.0 * 100;
                    all += of.1 * u64::from(reserve_percent);
                }
                last = Some(choice.group);
            }
            shape.may_open = untouched > all;
        }
    }

    /// The best host over the request's span, and where on it.
    fn best(&mut self, fleet: &Fleet, request: &Request, shape: &Shape) -> Option<(HostId, Pick)> {
        let open = request.span.is_open();
        let mut best: Option<(u64, HostId)> = None;
        if open {
            let kind = self.number(shape.clone());
            self.rank(fleet, kind, shape);
            let ranking = self.rankings.get(kind).and_then(Option::as_ref);
            best = match (&self.policy, ranking) {
                (Policy::Baseline(Baseline::Random { .. }), Some(ranking)) => {
                    let fit: Vec<_> = (0..ranking.hosts).filter(|host| ranking.get(*host) != NOWHERE).collect();
                    let at = self.random.below(fit.len() as u64) as usize;
                    fit.get(at).map(|host| (0, HostId(*host as u32)))
                }
                (_, ranking) => ranking.and_then(Ranking::best).map(|(score, host)| (score, HostId(host as u32))),
            };
        }
        // Hosts whose holds come and go by the clock are looked at for the span itself, and so are all when the request ends.
        let look = |placer: &mut Self, best: &mut Option<(u64, HostId)>, id: HostId| {
            let slot = fleet.host_slots().get(id.0 as usize).filter(|slot| slot.accepting);
            let Some((slot, state)) = slot.zip(fleet.state_over(id, request.span)) else { return };
            if let Some((score, _)) = placer.score(fleet, &state, &slot.cards, shape)
                && best.is_none_or(|least| (score, id) < least)
            {
                *best = Some((score, id));
            }
        };
        if open {
            for id in fleet.timed_hosts() {
                look(self, &mut best, *id);
            }
        } else {
            for (id, _) in fleet.hosts() {
                look(self, &mut best, id);
            }
        }
        let (_, id) = best?;
        let cards = &fleet.host_slots().get(id.0 as usize)?.cards;
        let state = fleet.state_over(id, request.span)?;
        self.score(fleet, &state, cards, shape).map(|(_, pick)| (id, pick))
    }

    fn score(&mut self, fleet: &Fleet, state: &HostState, cards: &[CardId], shape: &Shape) -> Option<(u64, Pick)> {
        let mut scorer = Scorer {
            groups: fleet.groups(),
            policy: &self.policy,
            waste: &mut self.waste,
            typical: &self.typical,
            order: &self.order,
            any_share: self.any_share,
        };
        scorer.best(state, cards, shape)
    }

    /// Brings a kind's ranking up to date.
    fn rank(&mut self, fleet: &Fleet, kind: usize, shape: &Shape) {
        let hosts = fleet.host_slots();
        let dear = self.any_share && self.policy == Policy::Density && self.waste.is_known();
        if kind >= self.rankings.len() {
            self.rankings.resize(kind + 1, None);
        }
        let kept = self.rankings.get_mut(kind).and_then(Option::take).filter(|ranking| ranking.hosts == hosts.len());
        let (mut ranking, fresh) = match kept {
            Some(ranking) => (ranking, false),
            None => {
                let remembered = self.rankings.iter().flatten().count();
                if remembered.saturating_mul(hosts.len()) > REMEMBERED_MAX {
                    self.rankings.fill(None);
                }
                (Ranking::new(hosts.len()), true)
            }
        };
        let (changed, now) = fleet.changes_since(ranking.seen);
        let mut judge = |ranking: &mut Ranking, id: HostId| {
            let Some(slot) = hosts.get(id.0 as usize) else { return };
            let by_the_clock = fleet.timed_hosts().contains(&id);
            let score = if slot.accepting && !by_the_clock {
                self.score(fleet, &slot.state, &slot.cards, shape).map_or(NOWHERE, |(score, _)| score)
            } else {
                NOWHERE
            };
            ranking.set(id.0 as usize, score);
        };
        match changed {
            Some(changed) if !fresh && changed.len() < hosts.len() * 4 => {
                let (old, new) = changed.split_at(if dear { changed.len().saturating_sub(FRESH_MAX) } else { 0 });
                for id in old {
                    if let Some(stale) = ranking.stale.get_mut(id.0 as usize) {
                        *stale = true;
                    }
                }
                new.iter().for_each(|id| judge(&mut ranking, *id));
            }
            _ => (0..hosts.len()).for_each(|id| judge(&mut ranking, HostId(id as u32))),
        }
        loop {
            match ranking.best() {
                Some((_, host)) if ranking.is_stale(host) => judge(&mut ranking, HostId(host as u32)),
                Some(_) => break,
                None => {
                    // Before anybody is refused, whoever may have room by now is asked.
                    for host in 0..hosts.len() {
                        if ranking.is_stale(host) && ranking.best().is_none() {
                            judge(&mut ranking, HostId(host as u32));
                        }
                    }
                    if ranking.best().is_none() {
                        break;
                    }
                }
            }
        }
        ranking.seen = now;
        if let Some(slot) = self.rankings.get_mut(kind) {
            *slot = Some(ranking);
        }
    }

    fn decide(fleet: &Fleet, request: &Request, shape: &Shape, host: HostId, pick: Pick) -> Option<Decision> {
        let cards = &fleet.host_slots().get(host.0 as usize)?.cards;
        let (mut units, mut licence) = (Vec::new(), None);
        for (place, at, slots) in pick.units {
            let choice = shape.choices.get(at)?;
            units.push(Unit { card: *cards.get(place)?, profile: choice.profile, slots, pool: choice.pool });
            let profile = fleet.groups().get(usize::from(choice.group))?.profiles.get(usize::from(choice.profile))?;
            // The first edition that is free: the table names the smaller one first.
            licence = profile.licences.iter().find(|edition| fleet.licence_free(edition, request.span)).cloned();
        }
        Some(Decision {
            host,
            numa: pick.numa,
            units,
            licence,
            cpu_milli: request.cpu_milli,
            memory_mib: request.memory_mib,
            span: request.span,
        })
    }

    fn number(&mut self, shape: Shape) -> usize {
        if let Some(number) = self.numbers.get(&shape) {
            return *number;
        }
        if self.shapes.len() >= SHAPES_MAX {
            // A site with so many kinds begins anew; what it learned of the first ones goes with them.
            self.shapes.clear();
            self.numbers.clear();
            self.mix = Mix::default();
            self.rankings.clear();
        }
        self.numbers.insert(shape.clone(), self.shapes.len());
        self.shapes.push(shape);
        self.shapes.len() - 1
    }

    fn forget(&mut self) {
        self.shapes.clear();
        self.numbers.clear();
        self.rankings.clear();
        if !self.given {
            self.mix = Mix::default();
            self.typical.clear();
            self.waste = Waste::default();
        }
    }
}

/// How many cards each group has.
fn cards_of(fleet: &Fleet) -> Vec<u64> {
    (0..fleet.groups().len()).map(|group| fleet.untouched(group as u16).1).collect()
}

/// Whether the request asks for a GPU at all.
pub(crate) fn wants_gpu(request: &Request) -> bool {
    request.wish != Wish::None
}
