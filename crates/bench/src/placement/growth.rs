//! How the time of a decision grows with hosts and desktops.

use super::{Random, cpu_time, owner};
use anyhow::{Context, Result};
use oriel_placement::{Card, Fleet, Host, NumaNode, Placer, Policy, Regime, Request, known};
use serde::Serialize;

const GPUS: u32 = 8;
/// Desktops of these kinds in turn: on average 2⅓ GiB of a host's 128.
const KEYS: [&str; 3] = ["A16-1Q", "A16-2Q", "A16-4Q"];
const DESKTOPS_PER_HOST: u32 = 40;
/// Desktops that leave and come while it is measured.
const CHURN: u32 = 20_000;

#[derive(Clone, Debug, Serialize)]
pub struct Grown {
    pub hosts: u32,
    pub desktops: u32,
    /// One desktop leaves, a place is chosen for another, and it is written down.
    pub us_per_change: f64,
}

/// A fleet that fits its desktops, from 10 to 100,000; then the fleet of 1,213 hosts with few desktops and with many.
pub const STEPS: [(u32, u32); 8] =
    [(1, 10), (3, 100), (25, 1_000), (250, 10_000), (2_500, 100_000), (1_213, 10), (1_213, 1_000), (1_213, 48_000)];

pub fn measure(hosts: u32, desktops: u32) -> Result<Grown> {
    let mut fleet = Fleet::new();
    let group = known::a16(Regime::SameSize);
    let enabled = group.all_profiles();
    let group = fleet.add_group(group)?;
    for host in 0..hosts.max(desktops.div_ceil(DESKTOPS_PER_HOST)) {
        let numa = vec![NumaNode { cpu_milli: 512_000, memory_mib: 2_000_000 }];
        let id = fleet.add_host(Host { name: format!("host-{host}"), numa });
        for at in 0..GPUS {
            fleet.add_card(Card { host: id, group, address: format!("0000:{at:02x}:00.0"), numa: None, enabled })?;
        }
    }
    let mut placer = Placer::new(Policy::Density);
    let requests = KEYS.map(|key| Request::new(Request::profile(key, 1), 2000, 4096));
    let mut random = Random(11);
    let mut arrive = |fleet: &mut Fleet, number: u32| -> Result<()> {
        let request = requests.get(number as usize % KEYS.len()).context("three requests")?;
        let decision = placer.choose(fleet, request).context("the fleet is sized for its desktops")?;
        Ok(fleet.hold(owner(number as usize), &decision)?)
    };
    for number in 0..desktops {
        arrive(&mut fleet, number)?;
    }
    let mut alive: Vec<u32> = (0..desktops).collect();
    let start = cpu_time();
    for number in desktops..desktops + CHURN {
        let gone = random.below(alive.len());
        let place = alive.get_mut(gone).context("somebody is there")?;
        fleet.release(owner(*place as usize));
        *place = number;
        arrive(&mut fleet, number)?;
    }
    Ok(Grown {
        hosts: fleet.hosts().count() as u32,
        desktops,
        us_per_change: (cpu_time() - start) * 1e6 / f64::from(CHURN),
    })
}
