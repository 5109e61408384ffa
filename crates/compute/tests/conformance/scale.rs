//! Five hundred desktops through everything that a cloud does to them: a used-up quota, lost answers, refusals for a while, a token
//! that ends. They converge, nothing is left over, and calls are counted.

use crate::{stages::FakeCloud, suite::Stage};
use futures::{StreamExt, stream};
use oriel_compute::{Compute, ComputeError, Power};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::{DesktopId, PoolId};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

const DESKTOPS: usize = 500;
const QUOTA: usize = 300;
/// Desktops worked on at once.
const PARALLEL: usize = 8;
/// Made in one round.
const AT_ONCE: usize = 100;
/// Of one desktop that is made: what stands of older ones, whether it is there, whether it fits, the server, whether it is there, and
/// once more whether it runs.
const CALLS_A_DESKTOP: u64 = 6;
/// What a lost answer, or a step that is taken again, costs more at most.
const CALLS_A_FAULT: u64 = 12;

/// What rounds came to.
#[derive(Default)]
struct Tally {
    rounds: u64,
    blind: u64,
    refused: u64,
    faults: u64,
}

async fn make(cloud: &FakeCloud, spec: &MachineSpec, identity: &GuestIdentity) -> Result<(), ComputeError> {
    let host = &cloud.compute;
    host.remove(spec.desktop, Some(spec.generation)).await?;
    host.clone_disk(spec, Path::new("")).await?;
    host.write_seed(spec, identity).await?;
    host.define(spec).await
}

/// One look, and what follows from it; `true` when all is as wanted.
async fn round(
    cloud: &FakeCloud,
    wanted: &BTreeMap<DesktopId, MachineSpec>,
    identity: &GuestIdentity,
    tally: &mut Tally,
) -> bool {
    tally.rounds += 1;
    let Ok(seen) = cloud.compute.list().await else {
        // As a reconciler: of what cannot be seen nothing is known.
        tally.blind += 1;
        return false;
    };
    cloud.compute.prune().await.ok();
    let there: BTreeSet<DesktopId> = seen.iter().map(|one| one.desktop).collect();
    let missing: Vec<&MachineSpec> =
        wanted.values().filter(|spec| !there.contains(&spec.desktop)).take(AT_ONCE).collect();
    let begun = missing.len();
    let outcomes: Vec<Result<(), ComputeError>> =
        stream::iter(missing.into_iter().map(|spec| make(cloud, spec, identity)))
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
    for outcome in outcomes {
        match outcome {
            Ok(()) => {}
            Err(ComputeError::NoPlace { .. }) => tally.refused += 1,
            Err(error) => {
                assert!(error.is_passing(), "{error}");
                tally.faults += 1;
            }
        }
    }
    let orphans: Vec<DesktopId> = there.iter().copied().filter(|id| !wanted.contains_key(id)).collect();
    let gone = orphans.len();
    let removed: Vec<_> =
        stream::iter(orphans.into_iter().map(|id| cloud.compute.remove(id, None))).buffer_unordered(64).collect().await;
    tally.faults += removed.iter().filter(|one| one.is_err()).count() as u64;
    begun == 0 && gone == 0 && seen.iter().all(|one| one.power == Power::Running)
}

async fn until_settled(
    cloud: &FakeCloud,
    wanted: &BTreeMap<DesktopId, MachineSpec>,
    identity: &GuestIdentity,
    tally: &mut Tally,
) {
    while !round(cloud, wanted, identity, tally).await {
        assert!(tally.rounds < 200, "it does not converge");
    }
}

#[tokio::test]
async fn five_hundred_desktops_converge_whatever_the_cloud_does() {
    let cloud = FakeCloud::start().await;
    // One identity for all: keys cost more than all the rest.
    let identity = GuestIdentity::generate(&"many".parse().unwrap(), None).unwrap();
    let pool = PoolId::new();
    let mut wanted = BTreeMap::new();
    for n in 0..DESKTOPS {
        let mut spec = cloud.spec(&format!("many-{n}")).await;
        spec.cloud.as_mut().unwrap().pool = pool;
        wanted.insert(spec.desktop, spec);
    }
    let mut tally = Tally::default();
    // The quota is used up on the way: the others say so, and those that are there stay.
    cloud.nova.state().servers_max = Some(QUOTA);
    for _ in 0..4 {
        round(&cloud, &wanted, &identity, &mut tally).await;
    }
    assert_eq!(cloud.nova.state().guests.len(), QUOTA);
    assert!(tally.refused > 0);
    cloud.nova.state().servers_max = None;
    // A token that ends, and answers that are lost, meanwhile.
    cloud.nova.state().tokens += 1;
    cloud.nova.state().lose = 20;
    round(&cloud, &wanted, &identity, &mut tally).await;
    // A minute of refusals: one look a round, and nothing else.
    for status in [429, 503, 500] {
        cloud.nova.state().sick = Some(status);
        let before = cloud.compute.calls();
        for _ in 0..4 {
            assert!(!round(&cloud, &wanted, &identity, &mut tally).await);
        }
        // Each look is tried twice (`quick`).
        assert_eq!(cloud.compute.calls() - before, 8, "{status}");
    }
    cloud.nova.state().sick = None;
    cloud.nova.state().tokens += 1;
    until_settled(&cloud, &wanted, &identity, &mut tally).await;

    let names: BTreeSet<String> = cloud.nova.state().guests.iter().map(|guest| guest.name.clone()).collect();
    assert_eq!((cloud.nova.state().guests.len(), names.len()), (DESKTOPS, DESKTOPS), "each once");
    let most = DESKTOPS as u64 * CALLS_A_DESKTOP
        + tally.refused * CALLS_A_DESKTOP
        + tally.faults * CALLS_A_FAULT
        + tally.rounds * 4
        + 40;
    assert!(cloud.compute.calls() <= most, "{} calls, and {most} are due", cloud.compute.calls());
    assert_eq!(tally.blind, 12);

    // When nothing happens, a round is one call.
    let before = cloud.compute.calls();
    for _ in 0..5 {
        assert!(round(&cloud, &wanted, &identity, &mut tally).await);
    }
    assert_eq!(cloud.compute.calls() - before, 5);

    // Some are not wanted any more: they go, the others stay as they are.
    let doomed: Vec<DesktopId> = wanted.keys().copied().take(40).collect();
    for id in &doomed {
        wanted.remove(id);
    }
    until_settled(&cloud, &wanted, &identity, &mut tally).await;
    assert_eq!(cloud.nova.state().guests.len(), DESKTOPS - doomed.len());
    assert_eq!(cloud.nova.state().apart.len(), 1, "the pool's group is in use");
}
