//! What NVIDIA's and Intel's tables say fits on a card is what the placer puts there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use oriel_model::DesktopId;
use oriel_placement::{
    Card, CardId, Closest, Decision, Fleet, Group, Host, HostId, NumaNode, NumaWish, Placer, Policy, Refusal, Regime,
    Request, Several, Slice, SlotSet, Span, Wish, known,
};
use uuid::Uuid;

fn owner(number: u128) -> DesktopId {
    DesktopId(Uuid::from_u128(number))
}

fn host(name: &str, cpus: u64) -> Host {
    Host { name: name.into(), numa: vec![NumaNode { cpu_milli: cpus * 1000, memory_mib: 1 << 20 }] }
}

/// One host with so many cards of one group, all profiles enabled.
fn one_host(group: Group, cards: u8) -> Fleet {
    let mut fleet = Fleet::new();
    let enabled = group.all_profiles();
    let group = fleet.add_group(group).unwrap();
    let host = fleet.add_host(host("a", 4096));
    for at in 0..cards {
        let address = format!("0000:{:02x}:00.0", at + 6);
        fleet.add_card(Card { host, group, address, numa: Some(at % 2), enabled }).unwrap();
    }
    fleet
}

fn want(key: &str) -> Request {
    Request::new(Request::profile(key, 1), 1000, 1024)
}

fn give(fleet: &mut Fleet, placer: &mut Placer, number: u128, request: &Request) -> Result<Decision, Box<Refusal>> {
    let decision = placer.place(fleet, request)?;
    fleet.hold(owner(number), &decision).unwrap();
    Ok(decision)
}

/// As many of a profile as one empty card takes.
fn most(group: Group, key: &str) -> u32 {
    let mut fleet = one_host(group, 1);
    let mut placer = Placer::new(Policy::Density);
    let profile = fleet.groups().first().unwrap().profiles.iter().position(|profile| profile.key == key).unwrap();
    let said = fleet.free_units(CardId(0), profile as u16);
    let mut count = 0;
    while give(&mut fleet, &mut placer, u128::from(count), &want(key)).is_ok() {
        count += 1;
    }
    if group_is_equal(&fleet) {
        assert_eq!(said, count, "{key}");
    }
    count
}

fn group_is_equal(fleet: &Fleet) -> bool {
    !fleet.groups().first().unwrap().placed
}

#[test]
fn maxima_of_l40s_in_both_modes() {
    let table = [
        ("48Q", 1, 1),
        ("24Q", 2, 2),
        ("16Q", 3, 2),
        ("12Q", 4, 4),
        ("8Q", 6, 4),
        ("6Q", 8, 8),
        ("4Q", 12, 8),
        ("3Q", 16, 16),
        ("2Q", 24, 16),
        ("1Q", 32, 16),
    ];
    for (size, equal, mixed) in table {
        let key = format!("L40S-{size}");
        assert_eq!(most(known::l40s(Regime::SameSize), &key), equal, "{key}, equal-size");
        assert_eq!(most(known::l40s(Regime::Placed), &key), mixed, "{key}, mixed-size");
    }
}

#[test]
fn maxima_of_a16_and_maxwell() {
    for (size, count) in [("16Q", 1), ("8Q", 2), ("4Q", 4), ("2Q", 8), ("1Q", 16)] {
        for regime in [Regime::SameSize, Regime::Placed] {
            assert_eq!(most(known::a16(regime), &format!("A16-{size}")), count, "{size} {regime:?}");
        }
    }
    let table = [
        ("8Q", 1),
        ("4Q", 2),
        ("2Q", 4),
        ("1Q", 8),
        ("0Q", 16),
        ("2B", 4),
        ("2B4", 4),
        ("1B", 8),
        ("1B4", 8),
        ("0B", 16),
        ("8A", 1),
        ("4A", 2),
        ("2A", 4),
        ("1A", 8),
    ];
    for card in ["M60", "M10", "M6"] {
        for (size, count) in table {
            assert_eq!(most(known::maxwell(card), &format!("{card}-{size}")), count, "{card}-{size}");
        }
    }
}

#[test]
fn maxima_under_mig_and_gvt_g() {
    let table = [
        ("1g.10gb", 7),
        ("1g.10gb+me", 1),
        ("1g.20gb", 4),
        ("2g.20gb", 3),
        ("3g.40gb", 2),
        ("4g.40gb", 1),
        ("7g.80gb", 1),
    ];
    for (key, count) in table {
        assert_eq!(most(known::h100_mig(), key), count, "{key}");
    }
    // Seen on a real host with a large aperture: V5_1:1, V5_2:2, V5_4:5, V5_8:7 (fences run out for the smallest).
    let large = || known::gvt_g(704, 3072, 28);
    for (key, count) in [("i915-GVTg_V5_1", 1), ("i915-GVTg_V5_2", 2), ("i915-GVTg_V5_4", 5), ("i915-GVTg_V5_8", 7)] {
        assert_eq!(most(large(), key), count, "{key}");
    }
}

#[test]
fn mig_slices_leave_room_for_the_large_ones() {
    let mut fleet = one_host(known::h100_mig(), 1);
    let mut placer = Placer::new(Policy::Density);
    // The small ones gather where the 4g cannot go.
    let first = give(&mut fleet, &mut placer, 1, &want("1g.10gb")).unwrap();
    assert!(
        first.units.first().unwrap().slots.is_disjoint(SlotSet::range(0, 4)),
        "{}",
        first.units.first().unwrap().slots
    );
    give(&mut fleet, &mut placer, 2, &want("4g.40gb")).unwrap();
    give(&mut fleet, &mut placer, 3, &want("2g.20gb")).unwrap();
    assert!(give(&mut fleet, &mut placer, 4, &want("3g.40gb")).is_err());
    assert!(give(&mut fleet, &mut placer, 5, &want("whole")).is_err());
}

#[test]
fn maxwell_cards_are_of_one_type_and_amperes_of_one_size() {
    let mut fleet = one_host(known::maxwell("M60"), 1);
    let mut placer = Placer::new(Policy::Density);
    give(&mut fleet, &mut placer, 1, &want("M60-2Q")).unwrap();
    let refusal = give(&mut fleet, &mut placer, 2, &want("M60-2B")).unwrap_err();
    assert_eq!(refusal.closest, Closest::OtherKind);
    give(&mut fleet, &mut placer, 2, &want("M60-2Q")).unwrap();

    let sizes = [Slice::equal("A40-2Q", 2048, 24), Slice::equal("A40-2B", 2048, 24), Slice::equal("A40-4Q", 4096, 12)];
    let mut fleet = one_host(Group::new("A40", "10de").with_slices(Regime::SameSize, 0, &sizes), 1);
    let mut placer = Placer::new(Policy::Density);
    give(&mut fleet, &mut placer, 1, &want("A40-2Q")).unwrap();
    give(&mut fleet, &mut placer, 2, &want("A40-2B")).unwrap();
    assert_eq!(give(&mut fleet, &mut placer, 3, &want("A40-4Q")).unwrap_err().closest, Closest::OtherKind);
}

#[test]
fn a_refusal_names_the_closest_failure_and_what_would_mend_it() {
    let mut fleet = one_host(known::maxwell("M60"), 2);
    let mut placer = Placer::new(Policy::Density);
    for number in 0..2 {
        give(&mut fleet, &mut placer, number, &want("M60-1Q")).unwrap();
    }
    for number in 10..14 {
        give(&mut fleet, &mut placer, number, &want("M60-2B")).unwrap();
    }
    let say = |fleet: &Fleet, key: &str| Placer::new(Policy::Density).place(fleet, &want(key)).unwrap_err().to_string();
    assert_eq!(
        say(&fleet, "M60-2Q"),
        "2 desktops of M60-1Q on 0000:06:00.0 of host a hold the card; M60-2Q fits when they end"
    );
    // Full comes before another kind.
    assert_eq!(
        say(&fleet, "M60-2B"),
        "1 desktop of M60-2B on 0000:07:00.0 of host a has the room; M60-2B fits when it ends"
    );
    assert_eq!(say(&fleet, "L40S-2Q"), "no GPU in any group gives L40S-2Q: ask for another profile or add such a GPU");
    fleet.enable(CardId(0), 0).unwrap();
    fleet.enable(CardId(1), 0).unwrap();
    assert_eq!(
        say(&fleet, "M60-4Q"),
        "M60-4Q is not enabled on 0000:06:00.0 of host a: enable it there, once the card is free"
    );
}

#[test]
fn the_machine_must_fit_too() {
    let mut fleet = one_host(known::maxwell("M60"), 1);
    let mut placer = Placer::new(Policy::Density);
    let refusal = placer.place(&fleet, &Request::new(Request::profile("M60-2Q", 1), 5_000_000, 1)).unwrap_err();
    assert_eq!(refusal.closest, Closest::Machine);
    assert!(refusal.to_string().contains("4096.0 CPUs free of 5000.0 wanted"), "{refusal}");
    fleet.set_accepting(HostId(0), false).unwrap();
    assert_eq!(placer.place(&fleet, &want("M60-2Q")).unwrap_err().closest, Closest::Closed);
}

#[test]
fn licences_have_an_end() {
    let mut fleet = one_host(known::maxwell("M60"), 1);
    fleet.set_licence("vPC", 1);
    fleet.set_licence("vWS", 1);
    let mut placer = Placer::new(Policy::Density);
    // A B profile takes the smaller edition, then the larger.
    assert_eq!(give(&mut fleet, &mut placer, 1, &want("M60-2B")).unwrap().licence.as_deref(), Some("vPC"));
    assert_eq!(give(&mut fleet, &mut placer, 2, &want("M60-2B")).unwrap().licence.as_deref(), Some("vWS"));
    let refusal = give(&mut fleet, &mut placer, 3, &want("M60-2B")).unwrap_err();
    assert_eq!(refusal.closest, Closest::Licence);
    assert_eq!(refusal.to_string(), "all licences that allow M60-2B are in use: vPC (at most 1), vWS (at most 1)");
    fleet.release(owner(1)).unwrap();
    assert_eq!(give(&mut fleet, &mut placer, 3, &want("M60-2B")).unwrap().licence.as_deref(), Some("vPC"));
}

#[test]
fn auto_takes_shared_before_slice_before_whole_by_what_suffices() {
    let group = known::maxwell("M60").with_shared(16, 10);
    let (shared, slices, whole) = (
        group.profiles_of(oriel_model::GpuMode::Shared),
        group.profiles_of(oriel_model::GpuMode::Vgpu),
        group.profiles_of(oriel_model::GpuMode::Whole),
    );
    let mut fleet = Fleet::new();
    let id = fleet.add_group(group).unwrap();
    let on = fleet.add_host(host("a", 64));
    for (at, enabled) in [whole, slices, shared].into_iter().enumerate() {
        fleet.add_card(Card { host: on, group: id, address: format!("0000:0{at}:00.0"), numa: None, enabled }).unwrap();
    }
    let mut placer = Placer::new(Policy::Density);
    let mut auto = |min: Option<u64>| {
        let wish = Wish::Units(oriel_model::GpuRequest {
            min_framebuffer_mib: min,
            vendor: Some("nvidia".into()),
            ..Default::default()
        });
        placer.place(&fleet, &Request::new(wish, 1000, 1024)).unwrap().units.first().unwrap().card
    };
    // Shared guarantees no memory; a slice has at most 8 GiB, and so has the whole, which comes last.
    assert_eq!(auto(None), CardId(2));
    assert_eq!(auto(Some(1500)), CardId(1));
    assert_eq!(auto(Some(8192)), CardId(1));
}

#[test]
fn several_units_for_one_desktop() {
    let mut fleet = one_host(known::maxwell("M60"), 2);
    let mut placer = Placer::new(Policy::Density);
    // Smaller slices may not; the full size may, from two cards.
    let refusal = placer.place(&fleet, &Request::new(Request::profile("M60-2Q", 2), 1000, 1024)).unwrap_err();
    assert_eq!(refusal.closest, Closest::Nothing);
    let two = give(&mut fleet, &mut placer, 1, &Request::new(Request::profile("M60-8Q", 2), 1000, 1024)).unwrap();
    assert_eq!(two.units.iter().map(|unit| unit.card).collect::<Vec<_>>(), [CardId(0), CardId(1)]);

    let slices = [Slice::equal("X-1Q", 1024, 4).with_several(Several::SameCard)];
    let mut fleet = one_host(Group::new("X", "10de").with_slices(Regime::SameSize, 0, &slices), 1);
    let three = Request::new(Request::profile("X-1Q", 3), 1000, 1024);
    assert_eq!(give(&mut fleet, &mut Placer::new(Policy::Density), 1, &three).unwrap().units.len(), 3);
    let refusal = Placer::new(Policy::Density).place(&fleet, &three).unwrap_err();
    assert_eq!(refusal.to_string(), "host a has room for 1 of 3 times X-1Q that the desktop wants on one host");
}

#[test]
fn one_numa_node_when_required() {
    let mut fleet = Fleet::new();
    let group = fleet.add_group(known::a16(Regime::SameSize)).unwrap();
    let node = NumaNode { cpu_milli: 8000, memory_mib: 16_384 };
    let on = fleet.add_host(Host { name: "a".into(), numa: vec![node; 2] });
    for at in 0..4_u8 {
        let enabled = fleet.groups().first().unwrap().all_profiles();
        let address = format!("0000:0{at}:00.0");
        fleet.add_card(Card { host: on, group, address, numa: Some(at / 2), enabled }).unwrap();
    }
    let mut placer = Placer::new(Policy::Density);
    let mut request = Request::new(Request::profile("A16-16Q", 2), 6000, 8192);
    request.numa = NumaWish::Require;
    let first = give(&mut fleet, &mut placer, 1, &request).unwrap();
    assert_eq!((first.numa, first.units.iter().map(|unit| unit.card.0).collect::<Vec<_>>()), (Some(0), vec![0, 1]));
    let second = give(&mut fleet, &mut placer, 2, &request).unwrap();
    assert_eq!((second.numa, second.units.iter().map(|unit| unit.card.0).collect::<Vec<_>>()), (Some(1), vec![2, 3]));
    fleet.release(owner(1)).unwrap();
    // One card of each node is left, and each node has too few CPUs.
    let mut one = Request::new(Request::profile("A16-16Q", 1), 3000, 1024);
    one.numa = NumaWish::Prefer;
    fleet.enable(CardId(0), 0).unwrap();
    fleet.enable(CardId(1), 0).unwrap();
    fleet.release(owner(2)).unwrap();
    assert_eq!(give(&mut fleet, &mut placer, 3, &one).unwrap().numa, Some(1));
    one.cpu_milli = 9000;
    assert_eq!(give(&mut fleet, &mut placer, 4, &one).unwrap().numa, None);
    one.numa = NumaWish::Require;
    one.cpu_milli = 4000;
    fleet.release(owner(4)).unwrap();
    fleet.enable(CardId(0), 1 << 20).unwrap();
    assert!(placer.place(&fleet, &one).is_ok());
}

#[test]
fn bookings_hold_what_they_hold_when_they_hold_it() {
    let mut fleet = one_host(known::maxwell("M60"), 1);
    let mut placer = Placer::new(Policy::Density);
    let morning = want("M60-2Q").over(Span::new(800, 1200));
    let evening = want("whole").over(Span::new(1200, 1800));
    give(&mut fleet, &mut placer, 1, &morning).unwrap();
    give(&mut fleet, &mut placer, 2, &evening).unwrap();
    // Over noon it would meet both; before the evening it may join the morning.
    let refusal = give(&mut fleet, &mut placer, 3, &want("M60-2Q").over(Span::new(1000, 1300))).unwrap_err();
    assert_eq!((refusal.closest, refusal.free_at), (Closest::OtherKind, Some(1800)));
    give(&mut fleet, &mut placer, 3, &want("M60-2Q").over(Span::new(1000, 1200))).unwrap();
    assert!(give(&mut fleet, &mut placer, 4, &want("M60-2Q").over(Span::from(1100))).is_err());
    give(&mut fleet, &mut placer, 4, &want("M60-8Q").over(Span::from(1800))).unwrap();
    assert_eq!(placer.place(&fleet, &want("M60-2Q").over(Span::new(5, 5))).unwrap_err().closest, Closest::Nothing);
}

#[test]
fn explicit_takes_the_listed_cards_in_their_order() {
    let mut fleet = one_host(known::maxwell("M60"), 3);
    let mut placer = Placer::new(Policy::Explicit(vec![CardId(2), CardId(0)]));
    let cards: Vec<_> = (0..2)
        .map(|number| give(&mut fleet, &mut placer, number, &want("M60-8Q")).unwrap().units.first().unwrap().card.0)
        .collect();
    assert_eq!(cards, [2, 0]);
    assert_eq!(placer.place(&fleet, &want("M60-8Q")).unwrap_err().closest, Closest::Closed);
}

#[test]
fn performance_spreads_over_cards_of_the_kind_and_keeps_a_reserve() {
    let mut fleet = one_host(known::maxwell("M60"), 4);
    let mut placer = Placer::new(Policy::Performance { reserve_percent: 50 });
    let cards: Vec<_> = (0..4)
        .map(|number| give(&mut fleet, &mut placer, number, &want("M60-2Q")).unwrap().units.first().unwrap().card.0)
        .collect();
    assert_eq!(cards, [0, 1, 0, 0], "two cards are begun, two kept, and then the fuller is filled");
    // Another kind finds the kept ones.
    assert_eq!(give(&mut fleet, &mut placer, 9, &want("M60-8Q")).unwrap().units.first().unwrap().card.0, 2);
}

#[test]
fn two_who_saw_the_same_cannot_both_have_it() {
    let mut fleet = one_host(known::maxwell("M60"), 1);
    let decision = Placer::new(Policy::Density).place(&fleet, &want("M60-2Q")).unwrap();
    let rival = Placer::new(Policy::Density).place(&fleet, &want("M60-1Q")).unwrap();
    fleet.hold(owner(1), &decision).unwrap();
    assert_eq!(fleet.hold(owner(2), &rival), Err(oriel_placement::FleetError::Taken));
    assert_eq!(fleet.hold(owner(1), &decision), Err(oriel_placement::FleetError::HoldsAlready(owner(1))));
    // And the slots say so to the database too.
    assert!(!decision.units.first().unwrap().slots.is_disjoint(rival.units.first().unwrap().slots));
}

#[test]
fn slot_sets_read_as_runs() {
    assert_eq!(SlotSet(0b1_0000_1111).to_string(), "0-3 8");
    assert_eq!(SlotSet::first(64).to_string(), "0-63");
    assert_eq!(SlotSet::range(8, 4).iter().collect::<Vec<_>>(), [8, 9, 10, 11]);
    assert_eq!(SlotSet::range(60, 10).len(), 4);
}
