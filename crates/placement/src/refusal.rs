//! Why nothing fits: the failure that is closest to success, and what would mend it.

use crate::{
    CardId, Span,
    fleet::{CardHold, Fleet, HostId},
    group::Group,
    placer::wants_gpu,
    policy::Policy,
    profile::Profile,
    request::{NumaWish, Request, Shape, Wish, resolve},
    state::{Choice, HostState, Short},
};
use oriel_model::DesktopId;
use std::fmt;

/// What stands in the way. Greater is closer to success; the order of the first ones is XenServer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Closest {
    /// No group has such a profile, or the request ends before it begins.
    Nothing,
    /// Hosts have cards, but none of a group with such a profile.
    NotSupported,
    /// A card could, but the profile is not enabled on it.
    NotEnabled,
    /// A card runs units beside which this one may not stand.
    OtherKind,
    /// A card has no room left.
    Full,
    /// Cards have room, but fewer on one host than the desktop wants.
    TooFew,
    /// Its units would be on several NUMA nodes.
    Numa,
    /// The host has the units, but not the CPUs or memory.
    Machine,
    /// All is there but a licence.
    Licence,
    /// All is there, but on hosts that take no more desktops, or on cards that the policy leaves out.
    Closed,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    pub closest: Closest,
    /// What was asked for, `M60-2Q`.
    pub wanted: String,
    pub host: Option<HostId>,
    pub host_name: String,
    pub card: Option<CardId>,
    pub address: String,
    /// Desktops whose end would make room, with what they hold; the fewest that suffice on that card.
    pub blockers: Vec<(DesktopId, String)>,
    /// When the last of them ends; `None`: nobody knows.
    pub free_at: Option<i64>,
    /// What else is to be said, in words: how many of how many, which edition.
    pub detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, host_name, address, detail, .. } = self;
        match self.closest {
            Closest::Nothing => {
                write!(f, "no GPU in any group gives {wanted}{detail}: ask for another profile or add such a GPU")
            }
            Closest::NotSupported => write!(f, "no host has a GPU that gives {wanted}{detail}"),
            Closest::NotEnabled => {
                write!(
                    f,
                    "{wanted} is not enabled on {address} of host {host_name}: enable it there, once the card is free"
                )
            }
            Closest::OtherKind | Closest::Full => {
                let (hold, end) = match (self.closest, self.blockers.len()) {
                    (Closest::OtherKind, 1) => ("holds the card", "it ends"),
                    (Closest::OtherKind, _) => ("hold the card", "they end"),
                    (_, 1) => ("has the room", "it ends"),
                    _ => ("have the room", "they end"),
                };
                write!(f, "{} on {address} of host {host_name} {hold}; {wanted} fits when {end}", self.who())
            }
            Closest::TooFew => {
                write!(f, "host {host_name} has room for {detail} of {wanted} that the desktop wants on one host")
            }
            Closest::Numa => write!(
                f,
                "host {host_name} has room for {wanted}, but not with its CPUs and memory on one NUMA node: prefer one node instead of requiring it"
            ),
            Closest::Machine => write!(f, "host {host_name} has room for {wanted}, but not for the machine: {detail}"),
            Closest::Licence => write!(f, "all licences that allow {wanted} are in use: {detail}"),
            Closest::Closed => write!(f, "host {host_name} has room for {wanted}, but {detail}"),
        }
    }
}

impl Refusal {
    /// `2 desktops of M60-1Q`, `1 desktop of M60-1Q and 1 of M60-4Q`.
    fn who(&self) -> String {
        let mut kinds: Vec<(&str, usize)> = Vec::new();
        for (_, kind) in &self.blockers {
            match kinds.iter_mut().find(|(name, _)| name == kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((kind, 1)),
            }
        }
        let words = kinds.iter().enumerate().map(|(at, (kind, count))| {
            let noun = match (at, count) {
                (0, 1) => " desktop",
                (0, _) => " desktops",
                _ => "",
            };
            format!("{count}{noun} of {kind}")
        });
        words.collect::<Vec<_>>().join(" and ")
    }

    fn new(closest: Closest, wanted: String) -> Self {
        Self {
            closest,
            wanted,
            host: None,
            host_name: String::new(),
            card: None,
            address: String::new(),
            blockers: Vec::new(),
            free_at: None,
            detail: String::new(),
        }
    }
}

/// The closest failure over all that would do: closest kind, then fewest desktops in the way, then first host and card.
pub(crate) fn explain(fleet: &Fleet, request: &Request, policy: &Policy) -> Refusal {
    let wanted = wanted(request);
    let levels = resolve(request, fleet.groups());
    if levels.is_empty() || request.span.is_empty() {
        let mut refusal = Refusal::new(Closest::Nothing, wanted);
        if request.span.is_empty() {
            refusal.detail = " in a span of time that ends before it begins".into();
        }
        return refusal;
    }
    let mut closest = Refusal::new(Closest::NotSupported, wanted.clone());
    // The first level is what was meant; larger ones would do. Of equal failures the first is told.
    for shape in &levels {
        for (id, host) in fleet.hosts() {
            let Some(slot) = fleet.host_slots().get(id.0 as usize) else { continue };
            let Some(state) = fleet.state_over(id, request.span) else { continue };
            let mut found = if shape.count == 0 {
                Some(Refusal::new(Closest::Machine, wanted.clone()))
            } else {
                on_host(fleet, request, shape, &state, &slot.cards, &wanted)
            };
            if let Some(refusal) = &mut found {
                if refusal.closest >= Closest::TooFew {
                    judge_machine(fleet, request, shape, &state, slot.accepting, policy, refusal);
                }
                refusal.host = Some(id);
                refusal.host_name.clone_from(&host.name);
                let better = |new: &Refusal, old: &Refusal| {
                    new.closest > old.closest || (new.closest == old.closest && new.blockers.len() < old.blockers.len())
                };
                if closest.host.is_none() || better(refusal, &closest) {
                    closest = refusal.clone();
                }
            }
        }
    }
    closest
}

/// What was asked for, in a person's words.
fn wanted(request: &Request) -> String {
    match &request.wish {
        Wish::None => "a desktop without a GPU".into(),
        Wish::Share { amount, count: 1 } => format!("{amount} thousandths of a GPU"),
        Wish::Share { amount, count } => format!("{amount} thousandths of {count} GPUs"),
        Wish::Units(wish) => {
            let kind = match (&wish.profile, wish.min_framebuffer_mib) {
                (Some(key), _) => key.clone(),
                (None, Some(mib)) => format!("a GPU with {mib} MiB"),
                (None, None) => "a GPU".into(),
            };
            if wish.count > 1 { format!("{} times {kind}", wish.count) } else { kind }
        }
    }
}

/// Why a host's cards do not do; `TooFew` when each would but there are not enough, `Machine` when they do.
fn on_host(
    fleet: &Fleet,
    request: &Request,
    shape: &Shape,
    state: &HostState,
    cards: &[CardId],
    wanted: &str,
) -> Option<Refusal> {
    let mut closest: Option<Refusal> = None;
    let mut most = 0;
    for choice in &shape.choices {
        let group = fleet.groups().get(usize::from(choice.group))?;
        let profile = group.profiles.get(usize::from(choice.profile))?;
        let same_card = profile.several == crate::Several::SameCard;
        let mut fit = 0;
        for (card, id) in state.cards.iter().zip(cards) {
            let mut copy = *card;
            let mut failure = None;
            loop {
                match copy.first_fit(choice, profile, group) {
                    Ok(slots) => {
                        fit += 1;
                        copy.put(choice, profile, slots);
                        if !same_card || fit >= shape.count {
                            break;
                        }
                    }
                    Err(short) => {
                        failure = Some(short);
                        break;
                    }
                }
            }
            let Some(short) = failure else { continue };
            let kind = match short {
                Short::NotSupported => continue,
                Short::NotEnabled => Closest::NotEnabled,
                Short::OtherClass => Closest::OtherKind,
                Short::Full => Closest::Full,
            };
            let mut refusal = Refusal::new(kind, wanted.to_owned());
            refusal.card = Some(*id);
            refusal.address = fleet.card(*id).map(|card| card.address.clone()).unwrap_or_default();
            if kind >= Closest::OtherKind {
                let slot = fleet.card_slot(*id)?;
                let in_the_way = in_the_way(&slot.holds, request.span, choice, profile, group);
                refusal.free_at = in_the_way.iter().map(|hold| hold.span.end).max().filter(|end| *end != Span::OPEN);
                refusal.blockers = in_the_way
                    .iter()
                    .map(|hold| {
                        let held = group.profiles.get(usize::from(hold.profile));
                        (hold.owner, held.map(|profile| profile.key.clone()).unwrap_or_default())
                    })
                    .collect();
                if refusal.blockers.is_empty() {
                    // Not held by anybody and still no room: the card is too small for it.
                    refusal.closest = Closest::NotSupported;
                    refusal.detail = format!(": {} has too little", refusal.address);
                }
            }
            let better = |new: &Refusal, old: &Refusal| {
                new.closest > old.closest || (new.closest == old.closest && new.blockers.len() < old.blockers.len())
            };
            if closest.as_ref().is_none_or(|old| better(&refusal, old)) {
                closest = Some(refusal);
            }
        }
        most = most.max(fit);
    }
    if most >= shape.count {
        return Some(Refusal::new(Closest::Machine, wanted.to_owned()));
    }
    if most > 0 {
        let mut refusal = Refusal::new(Closest::TooFew, wanted.to_owned());
        refusal.detail = most.to_string();
        return Some(refusal);
    }
    closest
}

/// The units are there: is it the machine, its NUMA node, a licence, or a closed door?
fn judge_machine(
    fleet: &Fleet,
    request: &Request,
    shape: &Shape,
    state: &HostState,
    accepting: bool,
    policy: &Policy,
    refusal: &mut Refusal,
) {
    if refusal.closest == Closest::TooFew {
        return;
    }
    let mut missing = Vec::new();
    if shape.cpu > state.cpu {
        missing.push(format!("{:.1} CPUs free of {:.1} wanted", state.cpu as f64 / 1000.0, shape.cpu as f64 / 1000.0));
    }
    if shape.memory > state.memory {
        missing.push(format!("{} MiB of memory free of {} wanted", state.memory, shape.memory));
    }
    if !missing.is_empty() {
        refusal.detail = missing.join(", ");
        return;
    }
    let editions: Vec<_> = shape
        .choices
        .iter()
        .filter_map(|choice| fleet.groups().get(usize::from(choice.group))?.profiles.get(usize::from(choice.profile)))
        .map(|profile| &profile.licences)
        .collect();
    let blocked = |licences: &&Vec<String>| {
        !licences.is_empty() && !licences.iter().any(|one| fleet.licence_free(one, request.span))
    };
    if wants_gpu(request) && !editions.is_empty() && editions.iter().all(blocked) {
        let mut named: Vec<_> = editions.into_iter().flatten().collect();
        named.sort_unstable();
        named.dedup();
        let caps = named.iter().map(|edition| format!("{edition} (at most {})", fleet.licence_cap(edition)));
        refusal.closest = Closest::Licence;
        refusal.detail = caps.collect::<Vec<_>>().join(", ");
    } else if !accepting {
        refusal.closest = Closest::Closed;
        refusal.detail = "it takes no more desktops now".into();
    } else if request.numa == NumaWish::Require {
        refusal.closest = Closest::Numa;
    } else if matches!(policy, Policy::Explicit(_)) {
        refusal.closest = Closest::Closed;
        refusal.detail = "not on the cards that are listed for it".into();
    }
}

/// The fewest holds whose end makes room on a card.
fn in_the_way<'a>(
    holds: &'a [CardHold],
    span: Span,
    choice: &Choice,
    profile: &Profile,
    group: &Group,
) -> Vec<&'a CardHold> {
    let holds: Vec<_> = holds.iter().filter(|hold| hold.span.overlaps(span)).collect();
    let class_of = |hold: &CardHold| group.profiles.get(usize::from(hold.profile)).map(|profile| profile.class);
    let (mut way, same): (Vec<&CardHold>, Vec<&CardHold>) =
        holds.iter().copied().partition(|hold| class_of(hold) != Some(profile.class));
    // Of its own kind: the holders of the placement that has the fewest.
    let over = |set: crate::SlotSet| -> Vec<&CardHold> {
        same.iter().copied().filter(|hold| !hold.slots.is_disjoint(set)).collect()
    };
    let Some(slots) = profile.placements.iter().map(|set| over(*set)).min_by_key(Vec::len) else { return Vec::new() };
    way.extend(slots);
    // Where the pool runs out: the largest holders until it suffices.
    for (at, need) in choice.pool.iter().enumerate() {
        let of = |hold: &CardHold| hold.pool.get(at).copied().unwrap_or_default();
        let taken: u32 = holds.iter().map(|hold| of(hold)).sum();
        let freed: u32 = way.iter().map(|hold| of(hold)).sum();
        let supply = group.pool.get(at).copied().unwrap_or_default();
        let mut lacking = i64::from(taken) - i64::from(freed) + i64::from(*need) - i64::from(supply);
        let mut rest: Vec<_> = holds.iter().copied().filter(|hold| of(hold) > 0).collect();
        rest.retain(|hold| !way.iter().any(|other| other.owner == hold.owner));
        rest.sort_by_key(|hold| (std::cmp::Reverse(of(hold)), hold.owner));
        for hold in rest {
            if lacking <= 0 {
                break;
            }
            lacking -= i64::from(of(hold));
            way.push(hold);
        }
        if lacking > 0 {
            return Vec::new();
        }
    }
    way
}
