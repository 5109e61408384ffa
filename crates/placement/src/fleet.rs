//! Hosts, their cards, and who holds what when.

use crate::{
    Span,
    group::Group,
    profile::{Amount, Class, POOL_KINDS},
    slots::SlotSet,
    state::{CardState, HostState},
};
use oriel_model::DesktopId;
use std::collections::{BTreeMap, BTreeSet};

/// Most cards of one host.
pub const CARDS_PER_HOST_MAX: usize = 64;
/// Most groups of a fleet.
pub const GROUPS_MAX: usize = 4096;
/// Changes that a [`Placer`](crate::Placer) may be behind before it looks at every host again.
const JOURNAL_MAX: usize = 65_536;

/// A host, by its order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);
/// A card, by its order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardId(pub u32);
/// A group, by its order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u16);

/// What a NUMA node of a host has for desktops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumaNode {
    /// Thousandths of a CPU.
    pub cpu_milli: u64,
    pub memory_mib: u64,
}

/// A host as the caller knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    /// At least one.
    pub numa: Vec<NumaNode>,
}

/// A card as the caller knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    pub host: HostId,
    pub group: GroupId,
    /// `0000:41:00.0`.
    pub address: String,
    pub numa: Option<u8>,
    /// The group's profiles that it gives, one bit each ([`Group::bits`]); 0: none, it is being switched or mended.
    pub enabled: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    #[error("there is no such {0}")]
    Unknown(&'static str),
    #[error("too many {what}: at most {most}")]
    TooMany { what: &'static str, most: usize },
    #[error("desktop {0} holds something already; release it first")]
    HoldsAlready(DesktopId),
    #[error("what was chosen is taken or gone by now: place the desktop again")]
    Taken,
    #[error("the span of time is empty: its end must be after its start")]
    EmptySpan,
}

/// One unit of one card, chosen or held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub card: CardId,
    /// Which of the group's profiles.
    pub profile: u16,
    pub slots: SlotSet,
    pub pool: Amount,
}

/// Where a desktop goes and what it holds there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub host: HostId,
    /// The node that all its units belong to, when the request cares.
    pub numa: Option<u8>,
    pub units: Vec<Unit>,
    /// The edition that it uses up.
    pub licence: Option<String>,
    pub cpu_milli: u64,
    pub memory_mib: u64,
    pub span: Span,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CardHold {
    pub owner: DesktopId,
    pub profile: u16,
    pub slots: SlotSet,
    pub pool: Amount,
    pub span: Span,
}

#[derive(Clone, Copy, Debug)]
struct HostHold {
    owner: DesktopId,
    cpu: i64,
    memory: i64,
    numa: Option<u8>,
    span: Span,
}

#[derive(Clone, Debug)]
pub(crate) struct CardSlot {
    pub card: Card,
    /// Its place among its host's cards.
    pub at: usize,
    pub holds: Vec<CardHold>,
}

#[derive(Clone, Debug)]
pub(crate) struct HostSlot {
    pub host: Host,
    pub cards: Vec<CardId>,
    holds: Vec<HostHold>,
    /// As if all holds were at one time; exact while all are open-ended.
    pub state: HostState,
    /// Whether it takes more desktops.
    pub accepting: bool,
}

#[derive(Clone, Debug, Default)]
struct Licence {
    cap: u32,
    /// Holds without an end.
    open: u32,
    timed: Vec<(DesktopId, Span)>,
}

/// Everything that can be given, and who has it. Choosing is [`Placer`](crate::Placer)'s; this keeps the books.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    groups: Vec<Group>,
    hosts: Vec<HostSlot>,
    cards: Vec<CardSlot>,
    licences: BTreeMap<String, Licence>,
    owners: BTreeMap<DesktopId, Decision>,
    /// Hosts that have a hold with an end.
    timed: BTreeSet<HostId>,
    /// For each group, how many of its cards nobody holds, and how many there are.
    untouched: Vec<(u64, u64)>,
    /// Hosts in the order in which they changed; `journal_base` changes were forgotten before.
    journal: Vec<HostId>,
    journal_base: u64,
}

impl Fleet {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add_group(&mut self, group: Group) -> Result<GroupId, FleetError> {
        if self.groups.len() >= GROUPS_MAX {
            return Err(FleetError::TooMany { what: "groups", most: GROUPS_MAX });
        }
        self.groups.push(group);
        self.untouched.push((0, 0));
        Ok(GroupId(self.groups.len() as u16 - 1))
    }

    pub fn add_host(&mut self, host: Host) -> HostId {
        let id = HostId(self.hosts.len() as u32);
        let state = Self::empty_state(&host);
        self.hosts.push(HostSlot { host, cards: Vec::new(), holds: Vec::new(), state, accepting: true });
        self.changed(id);
        id
    }

    pub fn add_card(&mut self, card: Card) -> Result<CardId, FleetError> {
        let id = CardId(self.cards.len() as u32);
        if self.groups.get(usize::from(card.group.0)).is_none() {
            return Err(FleetError::Unknown("group"));
        }
        let host = self.hosts.get_mut(card.host.0 as usize).ok_or(FleetError::Unknown("host"))?;
        if host.cards.len() >= CARDS_PER_HOST_MAX {
            return Err(FleetError::TooMany { what: "cards of one host", most: CARDS_PER_HOST_MAX });
        }
        let at = host.cards.len();
        host.cards.push(id);
        host.state.cards.push(empty_card(&card));
        if let Some(count) = self.untouched.get_mut(usize::from(card.group.0)) {
            *count = (count.0 + 1, count.1 + 1);
        }
        self.changed(card.host);
        self.cards.push(CardSlot { card, at, holds: Vec::new() });
        Ok(id)
    }

    /// Which profiles a card gives from now on; what is held stays held.
    pub fn enable(&mut self, card: CardId, enabled: u64) -> Result<(), FleetError> {
        let slot = self.cards.get_mut(card.0 as usize).ok_or(FleetError::Unknown("card"))?;
        slot.card.enabled = enabled;
        let (host, at) = (slot.card.host, slot.at);
        if let Some(state) = self.hosts.get_mut(host.0 as usize).and_then(|host| host.state.cards.get_mut(at)) {
            state.enabled = enabled;
        }
        self.changed(host);
        Ok(())
    }

    /// Whether a host takes more desktops (not while it is being emptied, or does not answer).
    pub fn set_accepting(&mut self, host: HostId, accepting: bool) -> Result<(), FleetError> {
        self.hosts.get_mut(host.0 as usize).ok_or(FleetError::Unknown("host"))?.accepting = accepting;
        self.changed(host);
        Ok(())
    }

    /// At most `cap` desktops use the edition at one time. An edition that was never named has no cap.
    pub fn set_licence(&mut self, edition: &str, cap: u32) {
        self.licences.entry(edition.to_owned()).or_default().cap = cap;
    }

    /// Writes a decision down, after checking that it still holds: all of it or nothing.
    pub fn hold(&mut self, owner: DesktopId, decision: &Decision) -> Result<(), FleetError> {
        if self.owners.contains_key(&owner) {
            return Err(FleetError::HoldsAlready(owner));
        }
        if decision.span.is_empty() {
            return Err(FleetError::EmptySpan);
        }
        if !self.still_fits(decision) {
            return Err(FleetError::Taken);
        }
        for unit in &decision.units {
            if let Some(slot) = self.cards.get_mut(unit.card.0 as usize) {
                slot.holds.push(CardHold {
                    owner,
                    profile: unit.profile,
                    slots: unit.slots,
                    pool: unit.pool,
                    span: decision.span,
                });
            }
        }
        let host = self.hosts.get_mut(decision.host.0 as usize).ok_or(FleetError::Unknown("host"))?;
        host.holds.push(HostHold {
            owner,
            cpu: decision.cpu_milli as i64,
            memory: decision.memory_mib as i64,
            numa: decision.numa,
            span: decision.span,
        });
        if let Some(licence) = decision.licence.as_ref().and_then(|edition| self.licences.get_mut(edition)) {
            if decision.span.is_open() {
                licence.open += 1;
            } else {
                licence.timed.push((owner, decision.span));
            }
        }
        self.owners.insert(owner, decision.clone());
        self.refresh(decision);
        Ok(())
    }

    /// What a desktop held is free again. Returns what it was.
    pub fn release(&mut self, owner: DesktopId) -> Option<Decision> {
        let decision = self.owners.remove(&owner)?;
        for unit in &decision.units {
            if let Some(slot) = self.cards.get_mut(unit.card.0 as usize) {
                slot.holds.retain(|hold| hold.owner != owner);
            }
        }
        if let Some(host) = self.hosts.get_mut(decision.host.0 as usize) {
            host.holds.retain(|hold| hold.owner != owner);
        }
        if let Some(licence) = decision.licence.as_ref().and_then(|edition| self.licences.get_mut(edition)) {
            if decision.span.is_open() {
                licence.open -= 1;
            } else {
                licence.timed.retain(|(holder, _)| *holder != owner);
            }
        }
        self.refresh(&decision);
        Some(decision)
    }

    pub fn held(&self, owner: DesktopId) -> Option<&Decision> {
        self.owners.get(&owner)
    }

    pub fn holds(&self) -> impl Iterator<Item = (DesktopId, &Decision)> {
        self.owners.iter().map(|(owner, decision)| (*owner, decision))
    }

    /// Who holds what of a card: owner, profile, slots, span.
    pub fn holders(&self, card: CardId) -> impl Iterator<Item = (DesktopId, u16, SlotSet, Span)> {
        let holds = self.cards.get(card.0 as usize).map(|slot| slot.holds.as_slice()).unwrap_or_default();
        holds.iter().map(|hold| (hold.owner, hold.profile, hold.slots, hold.span))
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(usize::from(id.0))
    }

    pub fn host(&self, id: HostId) -> Option<&Host> {
        self.hosts.get(id.0 as usize).map(|slot| &slot.host)
    }

    pub fn card(&self, id: CardId) -> Option<&Card> {
        self.cards.get(id.0 as usize).map(|slot| &slot.card)
    }

    pub fn hosts(&self) -> impl Iterator<Item = (HostId, &Host)> {
        self.hosts.iter().enumerate().map(|(at, slot)| (HostId(at as u32), &slot.host))
    }

    pub fn cards(&self) -> impl Iterator<Item = (CardId, &Card)> {
        self.cards.iter().enumerate().map(|(at, slot)| (CardId(at as u32), &slot.card))
    }

    pub fn find_host(&self, name: &str) -> Option<HostId> {
        self.hosts().find(|(_, host)| host.name == name).map(|(id, _)| id)
    }

    pub fn find_card(&self, host: HostId, address: &str) -> Option<CardId> {
        let cards = &self.hosts.get(host.0 as usize)?.cards;
        cards.iter().copied().find(|id| self.card(*id).is_some_and(|card| card.address == address))
    }

    /// How many more units of a profile the card would give now and for good.
    pub fn free_units(&self, card: CardId, profile: u16) -> u32 {
        let Some(slot) = self.cards.get(card.0 as usize) else { return 0 };
        let group = slot.card.group;
        let Some((group, wanted)) =
            self.group(group).and_then(|found| Some((found, found.profiles.get(usize::from(profile))?)))
        else {
            return 0;
        };
        let choice = crate::state::Choice { group: slot.card.group.0, profile, pool: wanted.pool };
        let Some(mut state) =
            self.hosts.get(slot.card.host.0 as usize).and_then(|host| host.state.cards.get(slot.at).copied())
        else {
            return 0;
        };
        let mut count = 0;
        while let Ok(slots) = state.first_fit(&choice, wanted, group) {
            state.put(&choice, wanted, slots);
            count += 1;
        }
        count
    }

    // ── for the placer ──

    pub(crate) fn host_slots(&self) -> &[HostSlot] {
        &self.hosts
    }

    pub(crate) fn card_slot(&self, id: CardId) -> Option<&CardSlot> {
        self.cards.get(id.0 as usize)
    }

    /// Cards of a group that nobody holds, and all.
    pub(crate) fn untouched(&self, group: u16) -> (u64, u64) {
        self.untouched.get(usize::from(group)).copied().unwrap_or_default()
    }

    pub(crate) fn timed_hosts(&self) -> &BTreeSet<HostId> {
        &self.timed
    }

    /// Hosts that changed since `mark`, and the mark for the next time; `None`: look at all.
    pub(crate) fn changes_since(&self, mark: u64) -> (Option<&[HostId]>, u64) {
        let now = self.journal_base + self.journal.len() as u64;
        let from = mark.checked_sub(self.journal_base).and_then(|from| self.journal.get(from as usize..));
        (from, now)
    }

    /// The host as it is over the whole span: what any hold that overlaps it takes is taken.
    pub(crate) fn state_over(&self, id: HostId, span: Span) -> Option<HostState> {
        let slot = self.hosts.get(id.0 as usize)?;
        if span.is_open() && !self.timed.contains(&id) {
            return Some(slot.state.clone());
        }
        let mut state = Self::empty_state(&slot.host);
        let holds: Vec<_> = slot.holds.iter().filter(|hold| hold.span.overlaps(span)).collect();
        let peak = |value: &dyn Fn(&HostHold) -> i64| peak(span, holds.iter().map(|hold| (hold.span, value(hold))));
        state.cpu -= peak(&|hold| hold.cpu);
        state.memory -= peak(&|hold| hold.memory);
        for (at, node) in state.nodes.iter_mut().enumerate() {
            let here = |hold: &HostHold| hold.numa == Some(at as u8);
            node.0 -= peak(&|hold| if here(hold) { hold.cpu } else { 0 });
            node.1 -= peak(&|hold| if here(hold) { hold.memory } else { 0 });
        }
        for card in &slot.cards {
            state.cards.push(self.card_over(*card, span)?);
        }
        Some(state)
    }

    pub(crate) fn card_over(&self, id: CardId, span: Span) -> Option<CardState> {
        let slot = self.cards.get(id.0 as usize)?;
        let group = self.group(slot.card.group)?;
        let mut state = empty_card(&slot.card);
        let holds: Vec<_> = slot.holds.iter().filter(|hold| hold.span.overlaps(span)).collect();
        for hold in &holds {
            let profile = group.profiles.get(usize::from(hold.profile))?;
            let choice =
                crate::state::Choice { group: slot.card.group.0, profile: hold.profile, pool: [0; POOL_KINDS] };
            state.put(&choice, profile, hold.slots);
        }
        for (kind, taken) in state.pool.iter_mut().enumerate() {
            let amount = |hold: &CardHold| (hold.span, hold.pool.get(kind).copied().map_or(0, i64::from));
            *taken = peak(span, holds.iter().map(|hold| amount(hold))) as u32;
        }
        Some(state)
    }

    /// Whether one more desktop may use the edition over the span.
    pub(crate) fn licence_free(&self, edition: &str, span: Span) -> bool {
        let Some(licence) = self.licences.get(edition) else { return true };
        let timed = peak(span, licence.timed.iter().map(|(_, span)| (*span, 1)));
        i64::from(licence.open) + timed < i64::from(licence.cap)
    }

    pub(crate) fn licence_cap(&self, edition: &str) -> u32 {
        self.licences.get(edition).map_or(u32::MAX, |licence| licence.cap)
    }

    // ── books ──

    fn empty_state(host: &Host) -> HostState {
        let nodes: Vec<_> = host.numa.iter().map(|node| (node.cpu_milli as i64, node.memory_mib as i64)).collect();
        HostState {
            cpu: nodes.iter().map(|node| node.0).sum(),
            memory: nodes.iter().map(|node| node.1).sum(),
            nodes,
            cards: Vec::new(),
        }
    }

    fn still_fits(&self, decision: &Decision) -> bool {
        let Some(mut state) = self.state_over(decision.host, decision.span) else { return false };
        if state.cpu < decision.cpu_milli as i64 || state.memory < decision.memory_mib as i64 {
            return false;
        }
        let node = decision.numa.and_then(|numa| state.nodes.get(usize::from(numa)));
        if decision.numa.is_some()
            && !node
                .is_some_and(|(cpu, memory)| *cpu >= decision.cpu_milli as i64 && *memory >= decision.memory_mib as i64)
        {
            return false;
        }
        for unit in &decision.units {
            let Some(slot) = self.cards.get(unit.card.0 as usize) else { return false };
            let Some((group, card)) = self.group(slot.card.group).zip(state.cards.get_mut(slot.at)) else {
                return false;
            };
            let Some(profile) = group.profiles.get(usize::from(unit.profile)) else { return false };
            let choice = crate::state::Choice { group: slot.card.group.0, profile: unit.profile, pool: unit.pool };
            if slot.card.host != decision.host
                || !card.admits(&choice, profile, group).is_ok_and(|()| unit.slots.is_disjoint(card.used))
                || !profile.placements.contains(&unit.slots)
            {
                return false;
            }
            card.put(&choice, profile, unit.slots);
        }
        decision.licence.as_ref().is_none_or(|edition| self.licence_free(edition, decision.span))
    }

    /// Brings what is known of a decision's host up to date.
    fn refresh(&mut self, decision: &Decision) {
        let id = decision.host;
        for unit in &decision.units {
            let Some(slot) = self.cards.get(unit.card.0 as usize) else { continue };
            let Some(group) = self.groups.get(usize::from(slot.card.group.0)) else { continue };
            let mut state = empty_card(&slot.card);
            for hold in &slot.holds {
                if let Some(profile) = group.profiles.get(usize::from(hold.profile)) {
                    let choice =
                        crate::state::Choice { group: slot.card.group.0, profile: hold.profile, pool: hold.pool };
                    state.put(&choice, profile, hold.slots);
                }
            }
            let at = slot.at;
            if let Some(card) = self.hosts.get_mut(id.0 as usize).and_then(|host| host.state.cards.get_mut(at)) {
                if let Some(count) = self.untouched.get_mut(usize::from(state.group)) {
                    count.0 += u64::from(state.class == 0);
                    count.0 -= u64::from(card.class == 0);
                }
                *card = state;
            }
        }
        if let Some(host) = self.hosts.get_mut(id.0 as usize) {
            let (mut cpu, mut memory, mut timed) = (0, 0, false);
            let mut nodes: Vec<_> =
                host.host.numa.iter().map(|node| (node.cpu_milli as i64, node.memory_mib as i64)).collect();
            let whole = nodes.iter().fold((0, 0), |sum, node| (sum.0 + node.0, sum.1 + node.1));
            for hold in &host.holds {
                cpu += hold.cpu;
                memory += hold.memory;
                timed |= !hold.span.is_open();
                if let Some(node) = hold.numa.and_then(|numa| nodes.get_mut(usize::from(numa))) {
                    node.0 -= hold.cpu;
                    node.1 -= hold.memory;
                }
            }
            (host.state.cpu, host.state.memory, host.state.nodes) = (whole.0 - cpu, whole.1 - memory, nodes);
            if timed {
                self.timed.insert(id);
            } else {
                self.timed.remove(&id);
            }
        }
        self.changed(id);
    }

    fn changed(&mut self, host: HostId) {
        if self.journal.len() >= JOURNAL_MAX {
            self.journal_base += self.journal.len() as u64;
            self.journal.clear();
        }
        self.journal.push(host);
    }
}

fn empty_card(card: &Card) -> CardState {
    CardState {
        group: card.group.0,
        numa: card.numa,
        enabled: card.enabled,
        used: SlotSet::EMPTY,
        pool: [0; POOL_KINDS],
        class: 0 as Class,
        weight: 0,
        units: 0,
    }
}

/// The most that is taken at any one time within the span.
fn peak(span: Span, holds: impl Iterator<Item = (Span, i64)>) -> i64 {
    let mut events = Vec::new();
    for (held, amount) in holds {
        if held.overlaps(span) && amount != 0 {
            events.push((held.start.max(span.start), amount));
            events.push((held.end, -amount));
        }
    }
    // What ends at an instant is gone before what begins then.
    events.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, change) in events {
        now += change;
        most = most.max(now);
    }
    most
}
