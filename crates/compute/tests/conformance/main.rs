//! One suite for every backend: in memory, a cloud in memory behind HTTP, a real cloud (`ORIEL_TEST_CLOUDS`); libvirt
//! with QEMU in `oriel-libvirt`'s tests. And what is a cloud's alone.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "a test")]

mod floating;
mod groups;
#[path = "../../../openstack/tests/fake/mod.rs"]
mod http;
mod nova;
mod real;
mod renewed;
mod scale;
mod screens;
mod stages;
mod storm;
mod suite;
mod volumes;
mod work;

use oriel_compute::{Compute, ComputeError, ImageFile, Power};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::GuestPort;
use stages::{FakeCloud, INSTALLATION, InMemory, RealCloud};
use std::{path::Path, time::Duration};
use suite::Stage;
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn in_memory() {
    suite::lives_and_leaves_nothing(&InMemory::new()).await;
    suite::steps_may_be_repeated(&InMemory::new()).await;
    suite::lost_answers_make_no_twins(&InMemory::new()).await;
    suite::foreign_machines_are_left_alone(&InMemory::new()).await;
}

#[tokio::test]
async fn fake_cloud_life() {
    suite::lives_and_leaves_nothing(&FakeCloud::start().await).await;
}

#[tokio::test]
async fn fake_cloud_repeats() {
    suite::steps_may_be_repeated(&FakeCloud::start().await).await;
}

#[tokio::test]
async fn fake_cloud_loses_answers() {
    suite::lost_answers_make_no_twins(&FakeCloud::start().await).await;
}

#[tokio::test]
async fn fake_cloud_has_foreign_machines() {
    suite::foreign_machines_are_left_alone(&FakeCloud::start().await).await;
}

/// One after the other: it is one small cloud.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a real cloud: ./test openstack brings one up"]
async fn real_cloud() {
    let cloud = RealCloud::find().await;
    suite::lives_and_leaves_nothing(&cloud).await;
    suite::steps_may_be_repeated(&cloud).await;
    suite::foreign_machines_are_left_alone(&cloud).await;
    cloud.tidy().await;
    real::nothing_is_left(&cloud).await;
}

/// Each by itself, so that what fails is named.
macro_rules! on_a_real_cloud {
    ($($test:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        #[ignore = "it needs a real cloud: ./test openstack brings one up"]
        async fn $test() {
            let cloud = RealCloud::find().await;
            real::$test(&cloud).await;
            real::nothing_is_left(&cloud).await;
        }
    )*};
}

mod real_cloud {
    use super::{RealCloud, real, storm};

    /// Last, by its name: with hosts that only pretend nothing else can be tested.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "it needs a real cloud: ./test openstack brings one up"]
    async fn zz_many_desktops_converge_whatever_befalls() {
        let cloud = RealCloud::find().await;
        storm::many_desktops_converge_whatever_befalls(&cloud).await;
        real::nothing_is_left(&cloud).await;
    }

    on_a_real_cloud!(
        groups_are_made_kept_and_removed,
        a_server_gets_a_fresh_disk_where_it_stands,
        a_server_is_shelved_and_comes_back,
        a_screen_is_dialled_through_a_jump_host,
        a_floating_address_is_taken_once_and_given_back,
        a_snapshot_is_kept_and_restored,
        desktops_are_cloned_from_one_snapshot_and_nothing_stays,
    );
}

async fn made(cloud: &FakeCloud, name: &str) -> Result<MachineSpec, ComputeError> {
    let spec = cloud.spec(name).await;
    let identity = GuestIdentity::generate(&spec.name, None).unwrap();
    cloud.compute.clone_disk(&spec, Path::new("")).await?;
    cloud.compute.write_seed(&spec, &identity).await?;
    Ok(spec)
}

#[tokio::test]
async fn a_server_is_asked_for_with_all_that_it_needs() {
    let cloud = FakeCloud::start().await;
    let spec = made(&cloud, "whole").await.unwrap();
    let asked = cloud.nova.state().guests[0].asked.clone();
    assert_eq!(asked["flavorRef"], "1", "by its name in the pool, by its id in Nova");
    assert_eq!(asked["imageRef"], "image");
    assert_eq!(asked["networks"], "none");
    assert_eq!(asked["config_drive"], true);
    let of = format!("oriel-of-{INSTALLATION}");
    let desktop = format!("oriel-desktop-{}", spec.desktop);
    assert_eq!(asked["tags"], serde_json::json!(["oriel", of, desktop, "oriel-generation-1"]));
    assert!(
        asked["tags"].as_array().unwrap().iter().all(|tag| tag.as_str().unwrap().len() <= 60),
        "Nova's longest tag"
    );
    let data = asked["user_data"].as_str().unwrap();
    let text = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data).unwrap();
    assert!(text.starts_with(b"#cloud-config\n{"));
}

/// A lost answer may leave two, where the first request was still on its way as we looked: the older one stays.
#[tokio::test]
async fn of_twins_the_older_stays() {
    let cloud = FakeCloud::start().await;
    let spec = made(&cloud, "twin").await.unwrap();
    let (first, tags) = {
        let state = cloud.nova.state();
        (state.guests[0].id.clone(), state.guests[0].tags.clone())
    };
    tokio::time::sleep(Duration::from_millis(5)).await;
    cloud.nova.state().put("twin", &tags);
    let seen = cloud.compute.list().await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(cloud.compute.prune().await.unwrap(), 1);
    assert_eq!(cloud.compute.prune().await.unwrap(), 0);
    while cloud.nova.state().guests.len() > 1 {
        cloud.compute.list().await.unwrap();
    }
    assert_eq!(cloud.nova.state().guests[0].id, first);
    // A step that meets them does the same.
    cloud.nova.state().put("twin", &tags);
    cloud.compute.define(&spec).await.unwrap();
    while cloud.nova.state().guests.len() > 1 {
        cloud.compute.list().await.unwrap();
    }
    assert_eq!(cloud.nova.state().guests[0].id, first);
}

#[tokio::test]
async fn what_has_no_place_is_not_asked_for() {
    let cloud = FakeCloud::start().await;
    cloud.nova.state().full = true;
    let error = made(&cloud, "full").await.unwrap_err();
    assert!(matches!(error, ComputeError::NoPlace { .. }), "{error}");
    assert!(error.to_string().starts_with("cloud oak: no host of the cloud has room for flavor tiny"), "{error}");
    assert_eq!(cloud.count("POST", "/compute/v2.1/servers"), 0);
    cloud.nova.state().full = false;
    cloud.nova.state().over_quota = true;
    let error = made(&cloud, "quota").await.unwrap_err().to_string();
    assert!(error.contains("Quota exceeded for instances") && error.contains("raise its quota"), "{error}");
    let mut spec = cloud.spec("unknown").await;
    spec.cloud.as_mut().unwrap().flavor = "huge".into();
    let identity = GuestIdentity::generate(&spec.name, None).unwrap();
    let error = cloud.compute.write_seed(&spec, &identity).await.unwrap_err().to_string();
    assert!(error.starts_with("cloud oak has no flavor \"huge\""), "{error}");
}

#[tokio::test]
async fn a_server_in_error_says_why_and_is_made_anew() {
    let cloud = FakeCloud::start().await;
    cloud.nova.state().faults.push_back("No valid host was found. ".into());
    let spec = made(&cloud, "error").await.unwrap();
    let found = loop {
        let found = cloud.compute.list().await.unwrap()[0];
        if found.power != Power::Running {
            break found;
        }
    };
    assert_eq!(found.power, Power::Crashed);
    assert!(!found.disk, "nothing to start again");
    let error = cloud.compute.start(&spec).await.unwrap_err().to_string();
    assert!(error.contains("no host of the cloud has room for flavor tiny"), "{error}");
    let next = MachineSpec { generation: 2, ..spec.clone() };
    suite::make(&cloud.compute, &next, Path::new("")).await.unwrap();
    let left = cloud.compute.list().await.unwrap();
    assert_eq!(left.iter().map(|found| found.generation).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_look_is_one_call_whatever_there_is() {
    let cloud = FakeCloud::start().await;
    for n in 0..40 {
        made(&cloud, &format!("many-{n}")).await.unwrap();
    }
    let before = cloud.compute.calls();
    let all = cloud.compute.list().await.unwrap();
    let some: Vec<_> = all.iter().map(|found| found.desktop).take(20).collect();
    assert_eq!((all.len(), cloud.compute.calls() - before), (40, 1));
    assert_eq!(cloud.compute.observe(&some).await.unwrap().len(), 20);
    assert_eq!(cloud.compute.observe(&some[..1]).await.unwrap().len(), 1);
    assert_eq!(cloud.compute.observe(&[]).await.unwrap(), []);
    assert_eq!(cloud.compute.calls() - before, 3);
}

#[tokio::test]
async fn an_image_goes_there_once() {
    let cloud = FakeCloud::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a golden disk").unwrap();
    let sha256 = "ab".repeat(32);
    let image = ImageFile { path: file.path(), sha256: &sha256, name: "oriel debian:1" };
    let heard = std::sync::atomic::AtomicU64::new(0);
    let progress = |bytes| heard.store(bytes, std::sync::atomic::Ordering::Relaxed);
    // The answer to the first request is lost: what it made is found and filled.
    cloud.nova.state().lose = 1;
    cloud.compute.put_image(&image, &progress).await.unwrap_err();
    let id = cloud.compute.put_image(&image, &progress).await.unwrap();
    assert_eq!(heard.load(std::sync::atomic::Ordering::Relaxed), 13);
    let there = cloud.nova.state().images.clone();
    assert_eq!(
        (there.len(), there[0]["size"].as_u64(), there[0]["visibility"].as_str()),
        (1, Some(13), Some("private"))
    );
    assert_eq!(cloud.compute.put_image(&image, &progress).await.unwrap(), id);
    assert_eq!(cloud.count("PUT", &format!("/image/v2/images/{id}/file")), 1);
    let nowhere = ImageFile { path: Path::new("/nowhere.qcow2"), sha256: "cd", name: "x" };
    assert!(cloud.compute.put_image(&nowhere, &progress).await.is_err());
    assert_eq!(cloud.nova.state().images.len(), 1, "nothing is made for a file that is not there");
}

/// The port behind a screen may be another server's as soon as its own stops: whoever looks on sees no more.
#[tokio::test]
async fn a_screen_ends_with_its_server() {
    let cloud = FakeCloud::start().await;
    let spec = made(&cloud, "screen").await.unwrap();
    while cloud.nova.state().guests[0].status != "ACTIVE" {
        cloud.compute.list().await.unwrap();
    }
    let mut screen = cloud.compute.dial(&suite::row(&spec), GuestPort::Console).await.unwrap();
    let mut hello = [0; 12];
    screen.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"RFB 003.008\n");
    assert!(cloud.compute.answers(&suite::row(&spec), GuestPort::Console).await);
    let error = cloud.compute.dial(&suite::row(&spec), GuestPort::Rdp).await.err().unwrap();
    assert!(matches!(error, ComputeError::NoCard { .. }), "{error}");
    cloud.compute.power_off(spec.desktop).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), screen.read(&mut hello)).await;
    assert_eq!(ended.unwrap().unwrap(), 0, "the stream ends");
}
