//! Desktops that come and go: what share of the asked-for GPU memory has to be refused.
//!
//! 8 hosts with 8 GPUs of 16 GiB. Desktops of 1, 2, 4 and 8 GiB (40, 35, 20 and 5 %) arrive at random (Poisson) and stay for a
//! random time (exponential); nobody moves. Load 1.00 asks for as much memory as there is. In `booked`, every fifth desktop is
//! booked ahead for a span, the others stay until they leave.

use super::{Random, cpu_time, owner};
use anyhow::Result;
use oriel_placement::{Card, Fleet, Host, HostId, NumaNode, Placer, Policy, Regime, Request, Span, known};
use serde::Serialize;
use std::{cmp::Reverse, collections::BinaryHeap, str::FromStr};

pub const POLICIES: [&str; 6] = ["random", "breadth-first", "depth-first", "first-fit", "performance", "density"];
pub const LOADS: [f64; 4] = [0.50, 0.70, 0.85, 1.00];
const HOSTS: u64 = 8;
const GPUS: u64 = 8;
/// GiB, and how many of 100 desktops.
const SIZES: [(u64, u64); 4] = [(1, 40), (2, 35), (4, 20), (8, 5)];
/// How long a desktop stays, on average.
const STAY_SECONDS: f64 = 14_400.0;
const WARM_UP: usize = 4_000;
const ARRIVALS: usize = 24_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    EqualSize,
    MixedSize,
    Booked,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::EqualSize, Self::MixedSize, Self::Booked];

    pub const fn word(self) -> &'static str {
        match self {
            Self::EqualSize => "equal-size",
            Self::MixedSize => "mixed-size",
            Self::Booked => "equal-size, booked",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    pub kind: Kind,
    pub load: f64,
    pub policy: String,
    pub seeds: u64,
    /// Of the GPU memory that was asked for, what was refused.
    pub memory_percent: f64,
    /// Of the desktops, how many were refused.
    pub desktops_percent: f64,
    /// Desktops that share a GPU with a new one, on average: what `performance` is for.
    pub neighbours: f64,
    pub us_per_decision: f64,
}

pub fn measure(kind: Kind, load: f64, policy: &str, seeds: u64) -> Result<Refused> {
    let mut sum = Refused {
        kind,
        load,
        policy: policy.to_owned(),
        seeds,
        memory_percent: 0.0,
        desktops_percent: 0.0,
        neighbours: 0.0,
        us_per_decision: 0.0,
    };
    for seed in 0..seeds {
        let one = run(kind, load, policy, seed)?;
        sum.memory_percent += one.memory_percent / seeds as f64;
        sum.desktops_percent += one.desktops_percent / seeds as f64;
        sum.neighbours += one.neighbours / seeds as f64;
        sum.us_per_decision += one.us_per_decision / seeds as f64;
    }
    Ok(sum)
}

fn run(kind: Kind, load: f64, policy: &str, seed: u64) -> Result<Refused> {
    let mut fleet = Fleet::new();
    let group = known::a16(if kind == Kind::MixedSize { Regime::Placed } else { Regime::SameSize });
    let enabled = group.all_profiles();
    let group = fleet.add_group(group)?;
    for host in 0..HOSTS {
        let numa = vec![NumaNode { cpu_milli: 1_000_000, memory_mib: 4_000_000 }];
        fleet.add_host(Host { name: format!("host-{host}"), numa });
        for at in 0..GPUS {
            let address = format!("0000:{at:02x}:00.0");
            fleet.add_card(Card { host: HostId(host as u32), group, address, numa: None, enabled })?;
        }
    }
    let mut placer = Placer::new(Policy::from_str(policy).map_err(anyhow::Error::msg)?);
    let mut random = Random(seed.wrapping_mul(1000) + 17);
    let mean_size = SIZES.iter().map(|(size, percent)| (size * percent) as f64 / 100.0).sum::<f64>();
    let gap = STAY_SECONDS * mean_size / (load * (HOSTS * GPUS * 16) as f64);
    let (mut now, mut ends) = (0.0, BinaryHeap::new());
    let (mut asked, mut refused, mut turned_away, mut counted) = (0, 0, 0, 0_u64);
    let (mut neighbours, mut placed, mut spent) = (0, 0_u64, 0.0);
    for arrival in 0..ARRIVALS {
        now += random.exponential() * gap;
        while let Some(Reverse((end, desktop))) = ends.peek().copied() {
            if end > now as i64 {
                break;
            }
            ends.pop();
            fleet.release(owner(desktop));
        }
        let mut pick = random.below(100) as u64;
        let mut size = 1;
        for (gib, percent) in SIZES {
            size = gib;
            if pick < percent {
                break;
            }
            pick -= percent;
        }
        let stay = (random.exponential() * STAY_SECONDS) as i64 + 1;
        let booked = kind == Kind::Booked && random.below(5) == 0;
        let start = now as i64 + if booked { (random.exponential() * STAY_SECONDS) as i64 } else { 0 };
        let span = if booked { Span::new(start, start + stay) } else { Span::from(start) };
        let request = Request::new(Request::profile(&format!("A16-{size}Q"), 1), 2000 * size, 4096 * size).over(span);
        let before = cpu_time();
        let decision = placer.choose(&fleet, &request);
        spent += cpu_time() - before;
        let counts = arrival >= WARM_UP;
        asked += if counts { size } else { 0 };
        counted += u64::from(counts);
        match decision {
            Some(decision) => {
                if counts && let Some(unit) = decision.units.first() {
                    neighbours += fleet.holders(unit.card).filter(|(_, _, _, held)| held.overlaps(span)).count();
                    placed += 1;
                }
                fleet.hold(owner(arrival), &decision)?;
                ends.push(Reverse((start + stay, arrival)));
            }
            None if counts => {
                refused += size;
                turned_away += 1;
            }
            None => {}
        }
    }
    Ok(Refused {
        kind,
        load,
        policy: policy.to_owned(),
        seeds: 1,
        memory_percent: refused as f64 * 100.0 / asked.max(1) as f64,
        desktops_percent: f64::from(turned_away) * 100.0 / counted.max(1) as f64,
        neighbours: neighbours as f64 / placed.max(1) as f64,
        us_per_decision: spent * 1e6 / ARRIVALS as f64,
    })
}
