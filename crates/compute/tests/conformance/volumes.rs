//! Desktops whose disk is a volume.

use crate::{
    stages::{FakeCloud, INSTALLATION},
    suite::{self, Stage},
};
use oriel_compute::{Compute, ComputeError, Renewed, openstack::OpenStackCompute};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::CloudRoot;
use oriel_openstack::Microversion;
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn spec(cloud: &FakeCloud, name: &str, root: &str) -> MachineSpec {
    let mut spec = cloud.spec(name).await;
    spec.cloud.as_mut().unwrap().root = root.parse::<CloudRoot>().unwrap();
    spec
}

async fn make(host: &OpenStackCompute, spec: &MachineSpec) -> Result<(), ComputeError> {
    host.write_seed(spec, &GuestIdentity::generate(&spec.name, None).unwrap()).await
}

async fn renewed(host: &OpenStackCompute, spec: &MachineSpec) -> Renewed {
    let identity = GuestIdentity::generate(&spec.name, None).unwrap();
    loop {
        match host.renew(spec, &identity).await.unwrap() {
            Renewed::Underway => {}
            done => return done,
        }
    }
}

#[tokio::test]
async fn a_volume_is_made_of_the_image_and_goes_with_the_server() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    make(host, &spec(&cloud, "usual", "volume").await).await.unwrap();
    make(host, &spec(&cloud, "said", "volume,type=ssd,size=20").await).await.unwrap();
    let asked: Vec<_> = cloud.nova.state().guests.iter().map(|guest| guest.asked.clone()).collect();
    let disk = json!({"boot_index": 0, "source_type": "image", "uuid": "image", "destination_type": "volume",
        "volume_size": 1, "delete_on_termination": true});
    assert_eq!(asked[0]["block_device_mapping_v2"], json!([disk]), "as large as the flavor's disk");
    assert!(asked[0].get("imageRef").is_none());
    assert_eq!(
        (
            &asked[1]["block_device_mapping_v2"][0]["volume_type"],
            &asked[1]["block_device_mapping_v2"][0]["volume_size"]
        ),
        (&json!("ssd"), &json!(20))
    );
    // What is not taken of the host's disk is not asked of Placement.
    let log = cloud.http.asked.lock().unwrap().clone();
    let fits: Vec<_> = log.iter().filter(|one| one.path == "/placement/allocation_candidates").collect();
    assert!(fits.len() == 2 && fits.iter().all(|one| !one.query.contains("DISK_GB")), "{fits:?}");

    let mut bare = spec(&cloud, "bare", "volume").await;
    bare.cloud.as_mut().unwrap().flavor = "bare".into();
    let error = make(host, &bare).await.unwrap_err();
    assert!(matches!(error, ComputeError::NoPlace { .. }), "{error}");
    assert!(error.to_string().contains("flavor bare has no disk"), "{error}");
    bare.cloud.as_mut().unwrap().root = "volume,size=8".parse().unwrap();
    make(host, &bare).await.unwrap();
    // A type of volume can be said since 2.67.
    let old = cloud.again(|config| config.options.compute_max = Microversion(2, 66));
    let error = make(&old, &spec(&cloud, "old", "volume,type=ssd").await).await.unwrap_err();
    assert!(error.to_string().contains("a type for a server's volume needs Nova 2.67 or newer"), "{error}");
    make(&old, &spec(&cloud, "old", "volume").await).await.unwrap();
}

#[tokio::test]
async fn what_stands_on_a_volume_is_rebuilt_where_nova_can() {
    let cloud = FakeCloud::start().await;
    let first = spec(&cloud, "first", "volume").await;
    make(&cloud.compute, &first).await.unwrap();
    while cloud.nova.state().guests[0].status != "ACTIVE" {
        cloud.compute.list().await.unwrap();
    }
    let id = cloud.nova.state().guests[0].id.clone();
    let second = MachineSpec { generation: 2, ..first.clone() };
    let old = cloud.again(|config| config.options.compute_max = Microversion(2, 92));
    assert_eq!(renewed(&old, &second).await, Renewed::No, "it is made anew");
    assert_eq!(cloud.count("POST", &format!("/compute/v2.1/servers/{id}/action")), 0);
    assert_eq!(renewed(&cloud.compute, &second).await, Renewed::Done);
    let seen = cloud.compute.list().await.unwrap();
    assert_eq!(seen.iter().map(|one| one.generation).collect::<Vec<_>>(), [2]);
    assert_eq!(cloud.nova.state().guests[0].id, id);
    // One that could not be written over is not taken for fresh.
    cloud.nova.state().bad_rebuilds = true;
    assert_eq!(renewed(&cloud.compute, &MachineSpec { generation: 3, ..first }).await, Renewed::No);
}

/// With a Cinder, and an image that says how large a disk it holds.
async fn with_cinder() -> FakeCloud {
    let cloud = FakeCloud::start().await;
    let mut state = cloud.nova.state();
    state.cinder = true;
    state
        .images
        .push(json!({"id": "image", "name": "oriel debian:1", "status": "active", "virtual_size": 1_500_000_000}));
    drop(state);
    cloud
}

/// Tried again while it is being prepared, as a reconciler does.
async fn made(host: &OpenStackCompute, spec: &MachineSpec) {
    for _ in 0..50 {
        match make(host, spec).await {
            Ok(()) => return,
            Err(error) => assert!(error.is_passing(), "{error}"),
        }
    }
    panic!("it is not made");
}

fn kept(images: &[&str]) -> BTreeSet<String> {
    images.iter().map(|id| (*id).to_owned()).collect()
}

async fn tidied(host: &OpenStackCompute, images: &[&str]) {
    for _ in 0..50 {
        if host.keep_golden(&kept(images)).await.unwrap() {
            return;
        }
    }
    panic!("something is left");
}

fn golden(cloud: &FakeCloud) -> Vec<Value> {
    let state = cloud.nova.state();
    state.volumes.iter().filter(|one| one["metadata"].get("oriel-of").is_some()).cloned().collect()
}

const VOLUMES: &str = "/volumev3/v3/1/volumes";
const LIST: &str = "/volumev3/v3/1/volumes/detail";
const SNAPSHOTS: &str = "/volumev3/v3/1/snapshots";

#[tokio::test]
async fn many_are_cloned_from_one_snapshot_whatever_answers_are_lost() {
    let cloud = with_cinder().await;
    let host = &cloud.compute;
    let mut specs = Vec::new();
    for n in 0..6 {
        specs.push(spec(&cloud, &format!("many-{n}"), "volume,type=ssd,size=4").await);
    }
    {
        let mut state = cloud.nova.state();
        (state.lose_of_volumes, state.lose) = (2, 1);
    }
    futures::future::join_all(specs.iter().map(|spec| made(host, spec))).await;
    assert_eq!((cloud.count("POST", VOLUMES), cloud.count("POST", SNAPSHOTS)), (1, 1));
    let of_it = golden(&cloud);
    assert_eq!(of_it.len(), 1, "{of_it:?}");
    assert_eq!((&of_it[0]["size"], &of_it[0]["volume_type"]), (&json!(2), &json!("ssd")), "as large as what it holds");
    let metadata = json!({"oriel-of": INSTALLATION, "oriel-image": "image", "oriel-type": "ssd"});
    assert_eq!(of_it[0]["metadata"], metadata);
    let snapshot = cloud.nova.state().snapshots[0].clone();
    assert_eq!((&snapshot["metadata"], &snapshot["volume_id"]), (&metadata, &of_it[0]["id"]));
    let asked: Vec<Value> = cloud.nova.state().guests.iter().map(|guest| guest.asked.clone()).collect();
    assert_eq!(asked.len(), 6, "each once");
    let disk = json!({"boot_index": 0, "source_type": "snapshot", "uuid": snapshot["id"], "destination_type": "volume",
        "volume_size": 4, "delete_on_termination": true, "volume_type": "ssd"});
    assert!(asked.iter().all(|one| one["block_device_mapping_v2"] == json!([disk])), "{asked:?}");
    // What is known is not asked for, and stays while a pool has it.
    let before = cloud.count("GET", LIST);
    make(host, &spec(&cloud, "one-more", "volume,type=ssd,size=4").await).await.unwrap();
    assert_eq!(cloud.count("GET", LIST), before);
    tidied(host, &["image", "another"]).await;
    host.keep_golden(&kept(&["image", "another"])).await.unwrap();
    assert_eq!((cloud.count("GET", LIST), golden(&cloud).len()), (before + 1, 1), "a look, and not another");
    futures::future::join_all(specs.iter().map(|spec| suite::gone(&cloud, spec))).await;
    cloud.nova.state().lose_of_volumes = 1;
    tidied(host, &[]).await;
    let left = cloud.nova.state().volumes.clone();
    assert_eq!(left.len(), 1, "that of the desktop that stands: {left:?}");
    assert_eq!(cloud.nova.state().snapshots.len(), 0);
    // Another pool: it is made anew.
    made(host, &spec(&cloud, "again", "volume,type=ssd,size=4").await).await;
    assert_eq!(golden(&cloud).len(), 1);
}

#[tokio::test]
async fn where_there_are_no_snapshots_volumes_are_made_of_the_image() {
    let cloud = with_cinder().await;
    cloud.nova.state().no_snapshots = true;
    made(&cloud.compute, &spec(&cloud, "plain", "volume,size=4").await).await;
    let source = |at: usize| cloud.nova.state().guests[at].asked["block_device_mapping_v2"][0]["source_type"].clone();
    assert_eq!(source(0), "image");
    // What came to nothing goes, though the pool stands; the desktop's own volume stays.
    tidied(&cloud.compute, &["image"]).await;
    assert_eq!((golden(&cloud).len(), cloud.nova.state().volumes.len()), (0, 1));
    make(&cloud.compute, &spec(&cloud, "next", "volume,size=4").await).await.unwrap();
    assert_eq!((source(1), cloud.count("POST", VOLUMES)), (json!("image"), 1), "it is not tried each time");
    // Credentials whose access rules open nothing of Cinder.
    let ruled = cloud.again(|_| {});
    cloud.nova.state().no_volumes = true;
    make(&ruled, &spec(&cloud, "ruled", "volume,size=4").await).await.unwrap();
    assert_eq!(source(2), "image");
    tidied(&ruled, &[]).await;
    // An image that is larger than the volumes: Nova says so, and nothing is prepared.
    cloud.nova.state().no_volumes = false;
    make(&cloud.again(|_| {}), &spec(&cloud, "small", "volume,size=1").await).await.unwrap();
    assert_eq!((source(3), cloud.count("POST", VOLUMES)), (json!("image"), 1));
}

/// Quota of 0, and a store that does not get rid of one.
#[tokio::test]
async fn nothing_is_filled_for_nothing_and_one_that_never_goes_is_in_nobodys_way() {
    let cloud = with_cinder().await;
    cloud.nova.state().snapshot_quota_is_used = true;
    make(&cloud.compute, &spec(&cloud, "plain", "volume,size=4").await).await.unwrap();
    assert_eq!(cloud.count("POST", VOLUMES), 0);
    let host = cloud.again(|_| {});
    cloud.nova.state().snapshot_quota_is_used = false;
    made(&host, &spec(&cloud, "cloned", "volume,size=4").await).await;
    // Older than the one that is used, and never quite gone.
    let mut stuck = golden(&cloud).swap_remove(0);
    stuck["id"] = "stuck".into();
    stuck["created_at"] = "2020-01-01T00:00:00".into();
    stuck["status"] = "error_deleting".into();
    cloud.nova.state().volumes.push(stuck);
    assert!(!host.keep_golden(&kept(&["image"])).await.unwrap());
    let asked = host.calls();
    assert!(!host.keep_golden(&kept(&["image"])).await.unwrap());
    assert_eq!(host.calls(), asked, "not at each look");
    let left: Vec<Value> = golden(&cloud).iter().map(|one| one["status"].clone()).collect();
    assert_eq!(left, [json!("available"), json!("deleting")]);
    make(&cloud.again(|_| {}), &spec(&cloud, "more", "volume,size=4").await).await.unwrap();
    assert_eq!(cloud.count("POST", VOLUMES), 1, "the good one is cloned");
}

#[tokio::test]
async fn of_twins_the_older_is_cloned_and_what_is_anothers_stays() {
    let cloud = with_cinder().await;
    let host = &cloud.compute;
    made(host, &spec(&cloud, "first", "volume,size=4").await).await;
    let ours = golden(&cloud).swap_remove(0);
    {
        let mut state = cloud.nova.state();
        // A late answer's, and another installation's of the same image.
        state.put_volume(&ours);
        let mut theirs = ours.clone();
        theirs["metadata"]["oriel-of"] = "another".into();
        state.put_volume(&theirs);
        // One that somebody has made by hand.
        state.snapshots.push(json!({"id": "by-hand", "status": "available", "size": 2, "volume_id": ours["id"]}));
    }
    // Met anew, as by the next leader.
    let next = cloud.again(|_| {});
    make(&next, &spec(&cloud, "second", "volume,size=4").await).await.unwrap();
    let clones: Vec<Value> =
        cloud.nova.state().guests.iter().map(|one| one.asked["block_device_mapping_v2"][0]["uuid"].clone()).collect();
    assert_eq!(clones[0], clones[1]);
    tidied(&next, &["image"]).await;
    let left: Vec<Value> = golden(&cloud).iter().map(|one| one["metadata"]["oriel-of"].clone()).collect();
    assert_eq!(left, [json!(INSTALLATION), json!("another")], "the younger twin has gone");
    // Without a pool: what hangs on a snapshot of somebody's stays, and is not asked for again and again.
    for _ in 0..3 {
        assert!(!next.keep_golden(&BTreeSet::new()).await.unwrap());
    }
    let stays: Vec<Value> =
        cloud.nova.state().snapshots.iter().filter(|one| one["status"] != "deleting").cloned().collect();
    assert_eq!((stays.len(), &stays[0]["id"]), (1, &json!("by-hand")), "ours goes");
    let asked = cloud.compute.calls() + next.calls();
    assert!(!next.keep_golden(&BTreeSet::new()).await.unwrap());
    assert_eq!(cloud.compute.calls() + next.calls(), asked);
    assert_eq!(golden(&cloud).len(), 2);
}
