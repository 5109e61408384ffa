//! A fresh disk for a server that stands.

use crate::{stages::FakeCloud, suite::Stage};
use oriel_compute::{Compute, ComputeError, Power, Renewed};
use oriel_machine::{GuestIdentity, MachineSpec};
use std::path::Path;

async fn standing(cloud: &FakeCloud) -> MachineSpec {
    let spec = cloud.spec("renewed").await;
    crate::suite::make(&cloud.compute, &spec, Path::new("")).await.unwrap();
    while cloud.nova.state().guests[0].status != "ACTIVE" {
        cloud.compute.list().await.unwrap();
    }
    spec
}

fn next(spec: &MachineSpec) -> MachineSpec {
    let mut next = MachineSpec { generation: spec.generation + 1, ..spec.clone() };
    next.cloud.as_mut().unwrap().image = "newer".into();
    next
}

/// As a reconciler asks: again while it is underway.
async fn renew(cloud: &FakeCloud, spec: &MachineSpec) -> Result<Renewed, ComputeError> {
    let identity = GuestIdentity::generate(&spec.name, None).unwrap();
    for _ in 0..50 {
        match cloud.compute.renew(spec, &identity).await? {
            Renewed::Underway => {}
            done => return Ok(done),
        }
    }
    panic!("it does not end");
}

#[tokio::test]
async fn a_server_keeps_its_place_and_gets_a_fresh_disk() {
    let cloud = FakeCloud::start().await;
    let first = standing(&cloud).await;
    let second = next(&first);
    let (id, data) = {
        let state = cloud.nova.state();
        (state.guests[0].id.clone(), state.guests[0].asked["user_data"].clone())
    };
    // What was asked for is known again when its answer is lost.
    cloud.nova.state().lose = 1;
    let error = renew(&cloud, &second).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    assert_eq!(cloud.compute.list().await.unwrap()[0].generation, 1, "until it is there, it is what it was");
    assert_eq!(renew(&cloud, &second).await.unwrap(), Renewed::Done);
    assert_eq!(cloud.count("POST", &format!("/compute/v2.1/servers/{id}/action")), 1, "it was asked for once");
    let seen = cloud.compute.list().await.unwrap();
    assert_eq!(seen.iter().map(|one| (one.generation, one.power)).collect::<Vec<_>>(), [(2, Power::Running)]);
    {
        let state = cloud.nova.state();
        assert_eq!((state.guests[0].id.as_str(), state.guests[0].image.as_str()), (id.as_str(), "newer"));
        assert_ne!(state.guests[0].asked["user_data"], data, "new keys");
        assert_eq!(state.guests[0].metadata["oriel-generation"], "2");
    }
    cloud.compute.define(&second).await.unwrap();
    cloud.compute.start(&second).await.unwrap();
    // It is of this generation: there is nothing to do.
    assert_eq!(renew(&cloud, &second).await.unwrap(), Renewed::No);
    assert_eq!(renew(&cloud, &next(&second)).await.unwrap(), Renewed::Done);
    assert_eq!(cloud.nova.state().guests.len(), 1);
}

#[tokio::test]
async fn one_that_cannot_be_renewed_is_made_anew() {
    let cloud = FakeCloud::start().await;
    let first = standing(&cloud).await;
    assert_eq!(renew(&cloud, &cloud.spec("nobody").await).await.unwrap(), Renewed::No);
    cloud.nova.state().guests[0].status = "SUSPENDED".into();
    assert_eq!(renew(&cloud, &next(&first)).await.unwrap(), Renewed::No);
    cloud.nova.state().guests[0].status = "ACTIVE".into();
    cloud.nova.state().bad_rebuilds = true;
    let second = next(&first);
    assert_eq!(renew(&cloud, &second).await.unwrap(), Renewed::No);
    let left = cloud.compute.list().await.unwrap();
    assert_eq!(left[0].generation, 1, "what could not be wiped is not taken for wiped");
    crate::suite::make(&cloud.compute, &second, Path::new("")).await.unwrap();
    let left = cloud.compute.list().await.unwrap();
    assert_eq!(left.iter().map(|one| one.generation).collect::<Vec<_>>(), [2]);
}
