//! Many desktops on a real Nova with hosts that only pretend, through what befalls clouds: a used-up quota, tokens that end, an API that is
//! gone, a queue that loses its power, a host that is down. They converge, nothing is left over, and calls are counted by kind.

use crate::{stages::RealCloud, suite::Stage};
use futures::{StreamExt, stream};
use oriel_compute::{Compute, ComputeError, MachineWork, Power, openstack::OpenStackCompute};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::{DesktopId, MoveState, PoolId};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Another number: `ORIEL_STORM_DESKTOPS`. Nova makes one or two a second on two cores.
const DESKTOPS: usize = 30;
const PARALLEL: usize = 4;
const LOOK: Duration = Duration::from_millis(500);
/// Tries of one request.
const ATTEMPTS: u32 = 2;
/// Of one desktop that is made, with room for what is done again.
const CALLS_A_DESKTOP: u64 = 12;

fn lab(args: &[&str]) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/openstack/cloud");
    assert!(Command::new(program).args(args).status().unwrap().success(), "lab/openstack/cloud {args:?}");
}

/// Hosts that only pretend, for as long as this lives: what else is tested needs real ones.
struct Hosts;

impl Hosts {
    fn up() -> Self {
        let hosts = Self;
        lab(&["hosts", "2"]);
        hosts
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/openstack/cloud");
        for args in [
            ["fault", "start", "nova-api"].as_slice(),
            &["fault", "start", "rabbit"],
            &["quota", "usual"],
            &["hosts", "0"],
        ] {
            let _ = Command::new(&program).args(args).status();
        }
    }
}

struct Storm {
    host: OpenStackCompute,
    wanted: BTreeMap<DesktopId, MachineSpec>,
    identity: GuestIdentity,
    refused: u64,
    /// Taken by Nova, and broken then: where its quota is counted late, say.
    broken: u64,
    faults: u64,
    rounds: u64,
}

impl Storm {
    async fn make(&self, spec: &MachineSpec) -> Result<(), ComputeError> {
        self.host.remove(spec.desktop, Some(spec.generation)).await?;
        self.host.write_seed(spec, &self.identity).await?;
        self.host.define(spec).await
    }

    /// One look, and what follows from it; `true` when all is as wanted.
    async fn round(&mut self) -> bool {
        self.rounds += 1;
        let Ok(seen) = self.host.list().await else { return false };
        self.host.prune().await.ok();
        let there: BTreeSet<DesktopId> = seen.iter().map(|one| one.desktop).collect();
        let missing: Vec<&MachineSpec> = self.wanted.values().filter(|spec| !there.contains(&spec.desktop)).collect();
        let broken: BTreeSet<DesktopId> =
            seen.iter().filter(|one| one.power == Power::Crashed).map(|one| one.desktop).collect();
        let doomed: Vec<DesktopId> =
            there.iter().copied().filter(|id| broken.contains(id) || !self.wanted.contains_key(id)).collect();
        self.broken += broken.len() as u64;
        let is_done = missing.is_empty() && doomed.is_empty();
        let made: Vec<_> =
            stream::iter(missing.into_iter().map(|spec| self.make(spec))).buffer_unordered(PARALLEL).collect().await;
        let gone: Vec<_> = stream::iter(doomed.into_iter().map(|id| self.host.remove(id, None)))
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        for outcome in made.into_iter().chain(gone) {
            match outcome {
                Ok(()) => {}
                Err(ComputeError::NoPlace { .. }) => self.refused += 1,
                Err(error) => {
                    assert!(error.is_passing(), "{error}");
                    self.faults += 1;
                }
            }
        }
        is_done && seen.iter().all(|one| one.power == Power::Running)
    }

    async fn until_settled(&mut self, patience: Duration) {
        let began = Instant::now();
        while !self.round().await {
            assert!(began.elapsed() < patience, "it does not converge: {:?}", self.host.calls_by_kind());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// `false`: one of them came to nothing.
    async fn all_rest(&self, patience: Duration) -> bool {
        let began = Instant::now();
        for id in self.wanted.keys() {
            loop {
                match self.host.standing(*id).await.map(|now| now.state) {
                    Ok(MoveState::Settled) => break,
                    Ok(MoveState::Broken) | Err(_) => return false,
                    Ok(state) => assert!(began.elapsed() < patience, "{id}: {state:?}"),
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        true
    }

    async fn rests(&self, desktop: DesktopId, patience: Duration) -> Option<String> {
        let began = Instant::now();
        loop {
            let now = self.host.standing(desktop).await.unwrap();
            if now.state == MoveState::Settled {
                return now.host;
            }
            assert!(now.state != MoveState::Broken && began.elapsed() < patience, "{now:?}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

pub async fn many_desktops_converge_whatever_befalls(cloud: &RealCloud) {
    let patience = cloud.patience();
    let count = std::env::var("ORIEL_STORM_DESKTOPS").ok().and_then(|text| text.parse().ok()).unwrap_or(DESKTOPS);
    let _hosts = Hosts::up();
    let host = cloud.again(|config| {
        config.options.answer_time = Duration::from_secs(30);
        config.options.attempts = ATTEMPTS;
    });
    // One identity for all: keys cost more than all the rest.
    let identity = GuestIdentity::generate(&"storm".parse().unwrap(), None).unwrap();
    let pool = PoolId::new();
    let mut storm = Storm { host, wanted: BTreeMap::new(), identity, refused: 0, broken: 0, faults: 0, rounds: 0 };
    for n in 0..count {
        let mut spec = cloud.spec(&format!("storm-{n}")).await;
        spec.cloud.as_mut().unwrap().pool = pool;
        storm.wanted.insert(spec.desktop, spec);
    }
    // The quota is used up on the way: the others say so, and those that are there stay.
    let quota = count / 2;
    lab(&["quota", &quota.to_string()]);
    for _ in 0..3 {
        storm.round().await;
        tokio::time::sleep(LOOK).await;
    }
    let running = storm.host.list().await.unwrap().iter().filter(|one| one.power == Power::Running).count();
    assert!(running <= quota && storm.refused + storm.broken > 0, "{running} of {quota}, {} refused", storm.refused);
    lab(&["quota", "-1"]);
    // No token is good any more: of Oriel's and of the services among themselves.
    lab(&["fault", "expire"]);
    storm.until_settled(patience * 2 + Duration::from_secs(count as u64 * 3)).await;

    // The API is gone: one look a round, and nothing else.
    lab(&["fault", "stop", "nova-api"]);
    let before = storm.host.calls();
    for _ in 0..3 {
        assert!(!storm.round().await);
    }
    assert!(storm.host.calls() - before <= u64::from(3 * ATTEMPTS), "{:?}", storm.host.calls_by_kind());
    lab(&["fault", "start", "nova-api"]);
    storm.until_settled(patience).await;

    // The queue loses its power, and some more are wanted as it comes back.
    lab(&["fault", "kill", "rabbit"]);
    assert_eq!(storm.host.list().await.unwrap().len(), count, "what is there is seen all the same");
    lab(&["fault", "start", "rabbit"]);
    for n in 0..2 {
        let mut spec = cloud.spec(&format!("storm-more-{n}")).await;
        spec.cloud.as_mut().unwrap().pool = pool;
        storm.wanted.insert(spec.desktop, spec);
    }
    storm.until_settled(patience * 2).await;
    // Who was on the way as it went may have come to nothing since, and is made anew like any other.
    let began = Instant::now();
    while !storm.all_rest(patience * 2).await {
        assert!(began.elapsed() < patience * 4, "some come to nothing again and again");
        storm.until_settled(patience * 2).await;
    }

    // When nothing happens, a round is one call.
    storm.until_settled(patience).await;
    let before = storm.host.calls();
    for _ in 0..3 {
        assert!(storm.round().await);
    }
    assert_eq!(storm.host.calls() - before, 3);

    // A host is down: its desktops say so, one is made anew elsewhere, and the others are as they were when it is back.
    lab(&["fault", "down", "fake1"]);
    let lost: Vec<DesktopId> =
        storm.host.list().await.unwrap().iter().filter(|one| one.power == Power::Lost).map(|one| one.desktop).collect();
    assert!(!lost.is_empty(), "nobody stands on it");
    let first = lost[0];
    assert!(storm.host.migrate(first, None, false).await.is_err());
    // Not to the real host, from which nothing goes live to one that only pretends.
    assert!(storm.host.migrate(first, Some("fake2"), true).await.unwrap());
    assert_eq!(storm.rests(first, patience).await.as_deref(), Some("fake2"));
    lab(&["fault", "up", "fake1"]);
    storm.host.start(&storm.wanted[&first]).await.unwrap();
    storm.until_settled(patience).await;

    // One that runs goes to the other host and runs.
    let from = storm.rests(first, patience).await;
    let to = if from.as_deref() == Some("fake1") { "fake2" } else { "fake1" };
    assert!(storm.host.migrate(first, Some(to), false).await.unwrap());
    assert_eq!(storm.rests(first, patience).await.as_deref(), Some(to));
    assert!(storm.host.resize(first, "oriel-lab-small").await.unwrap());
    let began = Instant::now();
    while storm.host.standing(first).await.unwrap().state != MoveState::Unconfirmed {
        assert!(began.elapsed() < patience, "{:?}", storm.host.standing(first).await);
        tokio::time::sleep(LOOK).await;
    }
    storm.host.revert(first).await.unwrap();
    storm.rests(first, patience).await;

    storm.wanted.clear();
    storm.until_settled(patience * 2).await;
    let kinds = storm.host.calls_by_kind();
    eprintln!(
        "{count} desktops, {} rounds, {} refusals, {} broken, {} faults, {} calls",
        storm.rounds,
        storm.refused,
        storm.broken,
        storm.faults,
        storm.host.calls()
    );
    for (kind, calls) in &kinds {
        eprintln!("  {calls:5}  {kind}");
    }
    let asked = kinds.iter().filter(|(kind, _)| *kind != "show a server").map(|(_, calls)| calls).sum::<u64>();
    let most =
        (count as u64 + storm.refused + storm.broken + storm.faults) * 2 * CALLS_A_DESKTOP + storm.rounds * 4 + 400;
    assert!(asked <= most, "{asked} calls, and {most} are due: {kinds:?}");
}
