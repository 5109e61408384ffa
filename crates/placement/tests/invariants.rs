//! What must hold whatever comes: checked on small fleets of every regime, with random arrivals, departures and bookings.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use oriel_model::DesktopId;
use oriel_placement::{
    Card, CardId, Decision, Fleet, Group, Host, HostId, NumaNode, NumaWish, Placer, Policy, Regime, Request, Slice,
    SlotSet, Span, Unit, Wish, known,
};
use proptest::prelude::*;
use std::str::FromStr;
use uuid::Uuid;

#[derive(Clone, Debug)]
enum Deed {
    Arrive { what: usize, count: u32, cpus: u64, numa: NumaWish, span: Span },
    Depart(usize),
    Enable { card: usize, on: bool },
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let span = prop_oneof![
        3 => Just(Span::from(0)),
        1 => (0_i64..20, 1_i64..20).prop_map(|(start, len)| Span::new(start, start + len)),
        1 => (0_i64..20).prop_map(Span::from),
    ];
    let numa = prop_oneof![4 => Just(NumaWish::Any), 1 => Just(NumaWish::Prefer), 1 => Just(NumaWish::Require)];
    let arrive = (0_usize..32, 1_u32..3, 0_u64..9, numa, span)
        .prop_map(|(what, count, cpus, numa, span)| Deed::Arrive { what, count, cpus, numa, span });
    let deed = prop_oneof![
        6 => arrive,
        2 => (0_usize..64).prop_map(Deed::Depart),
        1 => (0_usize..8, any::<bool>()).prop_map(|(card, on)| Deed::Enable { card, on }),
    ];
    prop::collection::vec(deed, 1..60)
}

/// Two hosts with two cards of the group each.
fn fleet(regime: usize) -> Fleet {
    let pieces = [
        Slice::equal("P-4", 4096, 1),
        Slice::equal("P-2", 2048, 2),
        Slice::equal("P-2B", 2048, 2),
        Slice::equal("P-1", 1024, 4),
    ];
    let group = match regime {
        0 => Group::new("P", "10de").with_slices(Regime::SameType, 0, &pieces).with_whole(4096),
        1 => Group::new("P", "10de").with_slices(Regime::SameSize, 0, &pieces).with_whole(4096),
        2 => known::l40s(Regime::Placed),
        3 => known::h100_mig(),
        4 => known::gvt_g(512, 2048, 16),
        5 => Group::new("S", "10de").with_share(1000).with_shared(4, 40),
        _ => Group::new("V", "1002").with_vfs(3, 2048).with_whole(8192),
    };
    let mut fleet = Fleet::new();
    let enabled = group.all_profiles();
    let group = fleet.add_group(group).unwrap();
    for name in ["a", "b"] {
        let node = NumaNode { cpu_milli: 8000, memory_mib: 8192 };
        let host = fleet.add_host(Host { name: name.into(), numa: vec![node; 2] });
        for at in 0..2_u8 {
            fleet.add_card(Card { host, group, address: format!("0000:0{at}:00.0"), numa: Some(at), enabled }).unwrap();
        }
    }
    fleet
}

fn wish(fleet: &Fleet, what: usize, count: u32) -> Wish {
    let group = &fleet.groups()[0];
    match what % (group.profiles.len() + 2) {
        0 => Wish::None,
        1 => Wish::Units(oriel_model::GpuRequest { min_framebuffer_mib: Some(2048), count, ..Default::default() }),
        at if group.share == Some(at - 2) => Wish::Share { amount: [190, 320, 470, 810, 1000][what % 5], count },
        at => Request::profile(&group.profiles[at - 2].key, count),
    }
}

fn owner(number: usize) -> DesktopId {
    DesktopId(Uuid::from_u128(number as u128))
}

/// Everything that is held, checked from nothing but the holds: at each instant no slot twice, one class a card, pools, CPUs and
/// memory within what there is.
fn check(fleet: &Fleet) {
    let holds: Vec<_> = fleet.holds().map(|(_, decision)| decision.clone()).collect();
    let instants = holds.iter().map(|decision| decision.span.start).collect::<Vec<_>>();
    for now in instants {
        let live: Vec<_> = holds.iter().filter(|held| held.span.start <= now && now < held.span.end).collect();
        for (id, card) in fleet.cards() {
            let group = fleet.group(card.group).unwrap();
            let units: Vec<&Unit> = live.iter().flat_map(|held| &held.units).filter(|unit| unit.card == id).collect();
            let mut used = SlotSet::EMPTY;
            let mut pool = [0; 3];
            for unit in &units {
                assert!(unit.slots.is_disjoint(used), "a slot of {} is held twice", card.address);
                assert!(!unit.slots.is_empty() && group.slots.contains(unit.slots));
                used = used.union(unit.slots);
                pool.iter_mut().zip(unit.pool).for_each(|(sum, amount)| *sum += amount);
                let class = |unit: &Unit| group.profiles[usize::from(unit.profile)].class;
                assert_eq!(class(unit), class(units[0]), "two classes on {}", card.address);
            }
            assert!(pool.iter().zip(group.pool).all(|(sum, supply)| *sum <= supply));
        }
        for (id, host) in fleet.hosts() {
            let here = || live.iter().filter(|held| held.host == id);
            assert!(here().map(|held| held.cpu_milli).sum::<u64>() <= 16_000);
            for (at, node) in host.numa.iter().enumerate() {
                let pinned = here().filter(|held| held.numa == Some(at as u8));
                assert!(pinned.map(|held| held.cpu_milli).sum::<u64>() <= node.cpu_milli);
            }
        }
    }
}

/// Whether anything at all fits: every choice of cards, profiles and placements is tried with `hold` itself.
fn anything_fits(fleet: &Fleet, request: &Request) -> bool {
    let mut fleet = fleet.clone();
    let free = owner(usize::MAX);
    let groups = fleet.groups().to_vec();
    for host in 0..2_u32 {
        let numas: Vec<_> = match request.numa {
            NumaWish::Require => vec![Some(0), Some(1)],
            _ => vec![None],
        };
        for numa in numas {
            let base = Decision {
                host: HostId(host),
                numa,
                units: Vec::new(),
                licence: None,
                cpu_milli: request.cpu_milli,
                memory_mib: request.memory_mib,
                span: request.span,
            };
            let cards: Vec<_> = [host * 2, host * 2 + 1]
                .into_iter()
                .filter(|card| numa.is_none_or(|numa| u32::from(numa) == card % 2))
                .collect();
            let mut options: Vec<Vec<Unit>> = Vec::new();
            match &request.wish {
                Wish::None => options.push(Vec::new()),
                Wish::Share { amount, count } => {
                    let share = groups[0].share.unwrap();
                    let sets = vec![(share, groups[0].profiles[share].placements.clone(), [*amount, 0, 0])];
                    units(&cards, &sets, *count, &mut options);
                }
                Wish::Units(wish) => {
                    for (at, profile) in groups[0].profiles.iter().enumerate() {
                        let named = wish.profile.as_ref().map_or(
                            profile.automatic && profile.framebuffer_mib >= wish.min_framebuffer_mib.unwrap_or(0),
                            |key| *key == profile.key,
                        );
                        if named && (wish.count == 1 || profile.several != oriel_placement::Several::No) {
                            units(&cards, &[(at, profile.placements.clone(), profile.pool)], wish.count, &mut options);
                        }
                    }
                }
            }
            for units in options {
                let fits = fleet.hold(free, &Decision { units, ..base.clone() }).is_ok();
                if fits {
                    fleet.release(free);
                    return true;
                }
            }
        }
    }
    false
}

type Sets = (usize, Vec<SlotSet>, [u32; 3]);

/// All ways to take `count` (one or two) units, two from different cards.
fn units(cards: &[u32], sets: &[Sets], count: u32, options: &mut Vec<Vec<Unit>>) {
    for (profile, placements, pool) in sets {
        let unit =
            |card: u32, slots: SlotSet| Unit { card: CardId(card), profile: *profile as u16, slots, pool: *pool };
        for first in placements {
            if count == 1 {
                options.extend(cards.iter().map(|card| vec![unit(*card, *first)]));
            } else if let [one, other] = cards {
                options.extend(placements.iter().map(|second| vec![unit(*one, *first), unit(*other, *second)]));
            }
        }
    }
}

fn run(regime: usize, policy: &Policy, deeds: &[Deed]) -> Vec<Option<Decision>> {
    let mut fleet = fleet(regime);
    let mut placer = Placer::new(policy.clone());
    let mut answers = Vec::new();
    let mut alive: Vec<DesktopId> = Vec::new();
    for (number, deed) in deeds.iter().enumerate() {
        match deed {
            Deed::Arrive { what, count, cpus, numa, span } => {
                let mut request = Request::new(wish(&fleet, *what, *count), cpus * 1000, 512).over(*span);
                request.numa = *numa;
                // Whatever fits density fits performance, and the other way round.
                let other = Placer::new(Policy::Density).choose(&fleet, &request);
                let decision = placer.choose(&fleet, &request);
                assert_eq!(decision.is_some(), other.is_some(), "one policy finds room, the other not: {request:?}");
                match &decision {
                    Some(decision) => {
                        assert_eq!(decision.span, *span);
                        fleet.hold(owner(number), decision).unwrap();
                        alive.push(owner(number));
                        check(&fleet);
                    }
                    None => {
                        assert!(!anything_fits(&fleet, &request), "refused, but it fits: {request:?}");
                        let refusal = placer.explain(&fleet, &request);
                        assert!(!refusal.to_string().is_empty());
                        ends_help(&fleet, &request, &refusal);
                    }
                }
                answers.push(decision);
            }
            Deed::Depart(which) => {
                if !alive.is_empty() {
                    let gone = alive.swap_remove(which % alive.len());
                    let held = fleet.release(gone).unwrap();
                    // What was given back can be held again as it was.
                    fleet.hold(gone, &held).unwrap_or_else(|error| assert!(!enabled(&fleet, &held), "{error}"));
                    fleet.release(gone);
                }
            }
            Deed::Enable { card, on } => {
                let id = CardId((*card % 4) as u32);
                let all = fleet.groups()[0].all_profiles();
                fleet.enable(id, if *on { all } else { all & 0b101 }).unwrap();
            }
        }
    }
    for desktop in alive {
        fleet.release(desktop).unwrap();
    }
    // Everything is as it was.
    let fresh = self::fleet(regime);
    for (id, _) in fresh.cards() {
        fleet.enable(id, fleet.groups()[0].all_profiles()).unwrap();
        for profile in 0..fresh.groups()[0].profiles.len() {
            assert_eq!(fleet.free_units(id, profile as u16), fresh.free_units(id, profile as u16));
        }
    }
    answers
}

fn enabled(fleet: &Fleet, held: &Decision) -> bool {
    held.units.iter().all(|unit| fleet.card(unit.card).unwrap().enabled >> unit.profile & 1 == 1)
}

/// When the desktops that a refusal names are gone, there is room for one unit on the card it names.
fn ends_help(fleet: &Fleet, request: &Request, refusal: &oriel_placement::Refusal) {
    let Wish::Units(wish) = &request.wish else { return };
    if refusal.blockers.is_empty() || wish.count > 1 || wish.profile.is_none() || request.numa == NumaWish::Require {
        return;
    }
    let mut fleet = fleet.clone();
    for (desktop, _) in &refusal.blockers {
        fleet.release(*desktop);
    }
    // The card, not the machine, is what a refusal by the card speaks of.
    let small = Request { cpu_milli: 0, memory_mib: 0, ..request.clone() };
    let mut placer = Placer::new(Policy::Explicit(refusal.card.into_iter().collect()));
    assert!(placer.choose(&fleet, &small).is_some(), "{refusal} is not so");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_is_held_twice_and_refusals_are_true(
        regime in 0_usize..7,
        policy in prop::sample::select(Policy::NAMES.to_vec()),
        deeds in deeds(),
    ) {
        let policy = Policy::from_str(policy).unwrap();
        let answers = run(regime, &policy, &deeds);
        // The same questions in the same order get the same answers.
        prop_assert_eq!(answers, run(regime, &policy, &deeds));
    }
}

/// On a fleet that is too large to be looked at for each request, as `density` remembers it, still nobody is turned away who fits.
#[test]
fn a_large_fleet_turns_nobody_away_who_fits() {
    let mut fleet = Fleet::new();
    let group = fleet.add_group(Group::new("S", "10de").with_share(1000)).unwrap();
    for at in 0..200 {
        let node = NumaNode { cpu_milli: 24_000, memory_mib: 65_536 };
        let host = fleet.add_host(Host { name: format!("host-{at}"), numa: vec![node] });
        for at in 0..2 {
            fleet.add_card(Card { host, group, address: format!("0000:0{at}:00.0"), numa: None, enabled: 1 }).unwrap();
        }
    }
    let mut placer = Placer::new(Policy::Density);
    let (mut seed, mut alive, mut refused, mut placed) = (9_u64, Vec::new(), 0, 0);
    let mut random = move |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    for number in 0..6000 {
        // Full after a while; then one leaves for one that comes, and kinds that are rare come after many changes.
        if number > 1200 && !alive.is_empty() {
            fleet.release(alive.swap_remove(random(alive.len() as u64) as usize)).unwrap();
        }
        let rare = random(100) == 0;
        let amount = if rare { 100 + 10 * random(90) } else { [190, 320, 470, 810, 1000][random(5) as usize] };
        let wish =
            if random(8) == 0 { Wish::None } else { Wish::Share { amount: amount as u32, count: 1 + u32::from(rare) } };
        let request = Request::new(wish, 1000 + 250 * random(40), 2048);
        if let Some(decision) = placer.choose(&fleet, &request) {
            fleet.hold(owner(number), &decision).unwrap();
            alive.push(owner(number));
            placed += 1;
        } else {
            let first_fit = Policy::from_str("first-fit").unwrap();
            assert!(Placer::new(first_fit).choose(&fleet, &request).is_none(), "turned away, but it fits: {request:?}");
            refused += 1;
        }
    }
    assert!(refused > 100 && placed > 1000, "{refused} refused, {placed} placed: the test tests nothing");
}
