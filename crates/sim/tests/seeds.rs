//! The simulation itself: it plays the same from the same seed, the house withstands it, and mistakes do not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use oriel_sim::{Plant, Theatre, play_all};

/// Seeds that the tests play; `./test sim` plays many more.
const SEEDS: u64 = 60;
/// A mistake is noticed within so many.
const SEEDS_TO_NOTICE: u64 = 2500;

#[test]
fn nothing_breaks() {
    let summary = play_all(1, SEEDS, 2, None, None).unwrap();
    assert_eq!(summary.seeds, SEEDS);
    assert!(summary.failed.is_empty(), "{:#?}", summary.failed);
    let tally = summary.tally;
    // A storm that does nothing proves nothing: about one of each in a world.
    let half = SEEDS / 2;
    assert!(
        tally.kills > half && tally.faults > half && tally.lost_replies > half && tally.long_sleeps > 0,
        "{tally:?}"
    );
}

#[test]
fn a_seed_plays_the_same_again() {
    let theatre = Theatre::new(None).unwrap();
    let other = Theatre::new(None).unwrap();
    for seed in 1..12 {
        let first = theatre.play(seed, false).unwrap();
        assert_eq!(other.play(seed, false).unwrap(), first, "seed {seed}");
        assert_eq!(theatre.play(seed, true).unwrap(), first, "seed {seed}, with a log");
    }
}

/// Some seed breaks with the mistake, in these words, and is whole without it. `usual`: the one that did before, which is tried first.
fn is_noticed(plant: Plant, words: &str, usual: u64) {
    let theatre = Theatre::new(Some(plant)).unwrap();
    let noticed = |seed| theatre.play(seed, false).err().filter(|broken| broken.what.contains(words));
    let broken = std::iter::once(usual).chain(1..=SEEDS_TO_NOTICE).find_map(noticed);
    let broken = broken.unwrap_or_else(|| panic!("{plant:?} goes unnoticed for {SEEDS_TO_NOTICE} seeds"));
    assert!(
        theatre.play(broken.seed, true).unwrap_err().what.contains(words),
        "seed {} does not break again",
        broken.seed
    );
    assert!(
        Theatre::new(None).unwrap().play(broken.seed, false).is_ok(),
        "seed {} breaks without a mistake",
        broken.seed
    );
    println!("{plant:?} is noticed by seed {}: {}", broken.seed, broken.what);
}

/// Two programs act on one host.
#[test]
fn a_missing_lease_is_noticed() {
    is_noticed(Plant::NoLead, "changes the host", 1);
}

#[test]
fn missing_uniqueness_of_ports_is_noticed() {
    is_noticed(Plant::NoPortFence, "run with the same ports", 2);
}

#[test]
fn a_missing_look_whether_a_seat_is_free_is_noticed() {
    is_noticed(Plant::NoSeatFence, "was given to", 42);
}

#[test]
fn missing_uniqueness_of_seats_is_noticed() {
    is_noticed(Plant::NoSeatKey, "has two seats", 1);
}

#[test]
fn a_skipped_drain_is_noticed() {
    is_noticed(Plant::NoDrain, "which is of", 4);
}

#[test]
fn a_skipped_wipe_is_noticed() {
    is_noticed(Plant::NoWipe, "was given to", 98);
}

#[test]
fn a_missing_look_at_quotas_is_noticed() {
    is_noticed(Plant::NoQuotaFence, "and may hold", 12);
}

#[test]
fn places_that_are_given_without_a_look_are_noticed() {
    is_noticed(Plant::NoPlaceFence, "have places on", 11);
}

#[test]
fn a_host_that_goes_under_its_people_is_noticed() {
    is_noticed(Plant::NoHostDrain, "goes while", 7);
}

#[test]
fn a_start_without_a_look_at_the_host_is_noticed() {
    is_noticed(Plant::NoMaintenanceFence, "starts on a drained host", 9);
}

#[test]
fn a_personal_disk_that_is_given_twice_is_noticed() {
    is_noticed(Plant::NoDiskFence, "run with the same personal disk", 276);
}
