//! Kills at random times while desktops are made, stopped, recycled and deleted.

use crate::{
    house::{House, wait},
    world::{check_all, check_empty},
};
use std::time::{Duration, Instant, SystemTime};

/// How often the program is killed.
const KILLS: u32 = 20;
/// Desktops there may be at once: each machine takes a processor's time.
const DESKTOPS_MAX: usize = 3;
/// A life of the program is at most so long, in milliseconds.
const LIFE_MAX: u64 = 2500;

/// xorshift64: the same storm again from the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// From `ORIEL_STORM_SEED`, or the clock.
fn seed() -> u64 {
    let given = std::env::var("ORIEL_STORM_SEED").ok().map(|text| text.parse().unwrap());
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    given.unwrap_or_else(|| u64::from(clock())).max(1)
}

/// Asks for something at random. What a dying program answers does not matter.
fn ask_something(house: &House, chance: &mut Chance, told: &mut Vec<String>) {
    let Ok(list) = house.ask(&["desktop", "list", "--json"]) else { return };
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let desktops = list["desktops"].as_array().unwrap();
    let words = ["create", "create", "create", "start", "stop", "restart", "recycle", "delete"];
    let word = words[chance.below(words.len() as u64) as usize];
    if word == "create" {
        if desktops.len() < DESKTOPS_MAX {
            house.ask(&["desktop", "create", "lab"]).ok();
            told.push(String::from("create"));
        }
        return;
    }
    if desktops.is_empty() {
        return;
    }
    let desktop = desktops[chance.below(desktops.len() as u64) as usize]["name"].as_str().unwrap();
    house.ask(&["desktop", word, desktop]).ok();
    told.push(format!("{word} {desktop}"));
}

pub fn storm(house: &House) {
    let seed = seed();
    eprintln!("ORIEL_STORM_SEED={seed}");
    let mut chance = Chance(seed);
    let first = house.serve(None);
    house.furnish();
    first.kill();
    for kill in 1..=KILLS {
        let server = house.serve(None);
        let (began, life) = (Instant::now(), Duration::from_millis(chance.below(LIFE_MAX)));
        let mut told = Vec::new();
        while began.elapsed() < life {
            ask_something(house, &mut chance, &mut told);
            std::thread::sleep(Duration::from_millis(chance.below(300)).min(life.saturating_sub(began.elapsed())));
        }
        server.kill();
        eprintln!("kill {kill:2} after {:4} ms: {}", began.elapsed().as_millis(), told.join(", "));
    }

    let server = house.serve(None);
    let mut last = Vec::new();
    let settled = wait(|| {
        last = house.desktops();
        let rests = |desktop: &serde_json::Value| {
            assert_ne!(desktop["state"], "failed", "{desktop:#}");
            matches!(
                (desktop["intent"].as_str().unwrap(), desktop["state"].as_str().unwrap()),
                ("running", "ready") | ("stopped", "stopped")
            )
        };
        last.iter().all(rests)
    });
    assert!(settled, "{last:#?}");
    let rest: Vec<_> = last.iter().map(|desktop| format!("{} {}", desktop["name"], desktop["state"])).collect();
    eprintln!("at rest: {rest:?}");
    check_all(house, None);
    for desktop in &last {
        house.tell(&["desktop", "delete", desktop["name"].as_str().unwrap()]);
    }
    assert!(wait(|| house.desktops().is_empty()));
    check_empty(house);
    drop(server);
}
