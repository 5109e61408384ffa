//! Another flavor, another host and snapshots of servers.

use crate::{
    stages::{FakeCloud, INSTALLATION},
    suite::{self, Stage},
};
use oriel_compute::{Compute, ComputeError, ImageFile, MachineWork, Power, Renewed};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::{MoveState, Name, Standing};
use std::path::Path;

async fn standing(cloud: &FakeCloud) -> MachineSpec {
    let spec = cloud.spec("moved").await;
    suite::make(&cloud.compute, &spec, Path::new("")).await.unwrap();
    rest(cloud, &spec, MoveState::Settled).await;
    spec
}

async fn rest(cloud: &FakeCloud, spec: &MachineSpec, want: MoveState) -> Standing {
    for _ in 0..20 {
        let now = cloud.compute.standing(spec.desktop).await.unwrap();
        if now.state == want {
            return now;
        }
    }
    panic!("{:?}", cloud.nova.state().guests);
}

async fn power(cloud: &FakeCloud, spec: &MachineSpec) -> Power {
    cloud.compute.observe(&[spec.desktop]).await.unwrap()[0].power
}

#[tokio::test]
async fn a_server_is_resized_and_goes_back_until_that_is_confirmed() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    let spec = standing(&cloud).await;
    assert!(!host.resize(spec.desktop, "tiny").await.unwrap(), "it is so already");
    assert!(host.resize(spec.desktop, "bare").await.unwrap());
    let error = host.resize(spec.desktop, "tiny").await.unwrap_err();
    assert!(error.to_string().contains("it is just resize_migrating"), "{error}");
    assert_eq!(power(&cloud, &spec).await, Power::Running, "somebody's desktop is not taken for off");
    let now = rest(&cloud, &spec, MoveState::Unconfirmed).await;
    assert_eq!((now.flavor.as_str(), now.host.as_deref()), ("bare", Some("second")));
    let error = host.migrate(spec.desktop, None, false).await.unwrap_err();
    assert!(error.to_string().contains("nobody has confirmed that yet"), "{error}");
    host.revert(spec.desktop).await.unwrap();
    assert_eq!(rest(&cloud, &spec, MoveState::Settled).await.flavor, "tiny");
    assert!(host.revert(spec.desktop).await.is_err(), "there is nothing to go back to");
    assert!(host.resize(spec.desktop, "bare").await.unwrap());
    rest(&cloud, &spec, MoveState::Unconfirmed).await;
    for _ in 0..2 {
        host.confirm(spec.desktop).await.unwrap();
    }
    assert_eq!(rest(&cloud, &spec, MoveState::Settled).await.flavor, "bare");
    // Where its pool has another flavor, it is not rebuilt as what it is, but made anew.
    let next = MachineSpec { generation: 2, ..spec.clone() };
    let keys = GuestIdentity::generate(&next.name, None).unwrap();
    assert_eq!(host.renew(&next, &keys).await.unwrap(), Renewed::No);
    let error = host.resize(spec.desktop, "huge").await.unwrap_err();
    assert!(matches!(error, ComputeError::NotInCloud { .. }), "{error}");
}

/// Nova stops and starts none that could still go back: what stands then stays.
#[tokio::test]
async fn one_that_was_moved_while_it_was_off_is_off_and_starts() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    let spec = standing(&cloud).await;
    host.power_off(spec.desktop).await.unwrap();
    while power(&cloud, &spec).await != Power::Off {}
    assert!(host.migrate(spec.desktop, None, false).await.unwrap());
    assert_eq!(power(&cloud, &spec).await, Power::Off, "on its way, too");
    rest(&cloud, &spec, MoveState::Unconfirmed).await;
    assert_eq!(power(&cloud, &spec).await, Power::Off);
    for _ in 0..20 {
        host.start(&spec).await.unwrap();
        if power(&cloud, &spec).await == Power::Running {
            break;
        }
    }
    let now = rest(&cloud, &spec, MoveState::Settled).await;
    assert_eq!((now.host.as_deref(), power(&cloud, &spec).await), (Some("second"), Power::Running));
}

#[tokio::test]
async fn a_server_that_runs_is_migrated_where_these_credentials_may() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    let spec = standing(&cloud).await;
    cloud.nova.state().no_admin = true;
    let error = host.migrate(spec.desktop, None, false).await.unwrap_err();
    assert!(matches!(error, ComputeError::NotDone { .. }), "{error}");
    assert!(error.to_string().contains("that is for the cloud's admins"), "{error}");
    cloud.nova.state().no_admin = false;
    assert!(host.migrate(spec.desktop, Some("third"), false).await.unwrap());
    assert_eq!(rest(&cloud, &spec, MoveState::Settled).await.host.as_deref(), Some("third"));
    assert!(!host.migrate(spec.desktop, Some("third"), false).await.unwrap(), "it stands there");
    assert!(host.migrate(spec.desktop, None, true).await.is_err(), "nothing is evacuated from a host that is up");
}

#[tokio::test]
async fn a_host_is_closed_where_these_credentials_may() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    let spec = standing(&cloud).await;
    assert_eq!(host.on_host("first").await.unwrap(), [spec.desktop]);
    assert!(host.on_host("second").await.unwrap().is_empty());
    cloud.nova.state().no_admin = true;
    let error = host.close_host("first", Some("new memory")).await.unwrap_err();
    assert!(error.to_string().contains("that is for the cloud's admins"), "{error}");
    cloud.nova.state().no_admin = false;
    for _ in 0..2 {
        host.close_host("first", Some("new memory")).await.unwrap();
        assert_eq!(cloud.nova.state().closed, ["first"]);
    }
    let error = host.close_host("third", Some("new memory")).await.unwrap_err();
    assert!(error.to_string().contains("no host third"), "{error}");
    host.close_host("first", None).await.unwrap();
    assert!(cloud.nova.state().closed.is_empty());
}

#[tokio::test]
async fn a_host_that_is_down_is_seen_and_its_servers_are_evacuated() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    let spec = standing(&cloud).await;
    cloud.nova.state().lost.push("first".into());
    assert_eq!(power(&cloud, &spec).await, Power::Lost);
    let now = host.standing(spec.desktop).await.unwrap();
    assert!(now.is_host_lost && now.host.as_deref() == Some("first"), "{now:?}");
    let error = host.start(&spec).await.unwrap_err();
    assert!(matches!(error, ComputeError::NoPlace { .. }), "{error}");
    host.power_off(spec.desktop).await.unwrap();
    let now = host.standing(spec.desktop).await.unwrap();
    assert_eq!((now.state, now.doing), (MoveState::Settled, None), "nobody is there who could do it");
    let error = host.migrate(spec.desktop, None, false).await.unwrap_err();
    assert!(error.to_string().contains("--evacuate"), "{error}");
    assert!(host.migrate(spec.desktop, None, true).await.unwrap());
    assert_eq!(rest(&cloud, &spec, MoveState::Settled).await.host.as_deref(), Some("second"));
    assert_eq!(power(&cloud, &spec).await, Power::Off, "as Nova has it since 2.95");
}

#[tokio::test]
async fn snapshots_are_kept_restored_and_go_with_their_generation() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    let spec = standing(&cloud).await;
    let monday: Name = "monday".parse().unwrap();
    for _ in 0..2 {
        host.take_snapshot(spec.desktop, &monday).await.unwrap();
        rest(&cloud, &spec, MoveState::Settled).await;
    }
    let kept = host.standing(spec.desktop).await.unwrap().snapshots;
    assert_eq!(kept.len(), 1, "once");
    assert!(kept[0].name == "monday" && kept[0].is_whole && !kept[0].is_foreign && kept[0].bytes == 4096, "{kept:?}");
    {
        let state = cloud.nova.state();
        let image = state.images.iter().find(|one| one["image_type"] == "snapshot").unwrap();
        assert!(image["oriel_of"] == INSTALLATION && image["oriel_sha256"] == "none", "{image}");
    }
    // What Nova copies of the golden image's properties makes no golden image of it.
    cloud.nova.state().images.push(serde_json::json!({"id": "shelved", "name": "x-shelved", "status": "active",
        "image_type": "snapshot", "oriel_sha256": "ab"}));
    let file = tempfile::NamedTempFile::new().unwrap();
    let image = ImageFile { path: file.path(), sha256: "ab", name: "golden" };
    assert_ne!(host.put_image(&image, &|_| {}).await.unwrap(), "shelved");

    host.restore_snapshot(spec.desktop, &monday).await.unwrap();
    rest(&cloud, &spec, MoveState::Settled).await;
    assert!(cloud.nova.state().guests[0].image.starts_with("snapshot-"));
    assert!(host.restore_snapshot(spec.desktop, &"tuesday".parse().unwrap()).await.is_err());
    let error = host.drop_snapshot(spec.desktop, &monday).await.unwrap_err();
    assert!(error.to_string().contains("its disk is made of it"), "{error}");
    // Nova copies its properties to the only disk that it has when it is shelved, and to what people make of it.
    {
        let mut state = cloud.nova.state();
        let mut made = state.images.iter().find(|one| one["oriel_snapshot"] == "monday").unwrap().clone();
        made["id"] = "its-only-disk".into();
        made["name"] = "moved-shelved".into();
        state.images.push(made);
    }
    assert_eq!(host.standing(spec.desktop).await.unwrap().snapshots.len(), 1);

    // Its next generation has other keys, and perhaps another person.
    let next = MachineSpec { generation: 2, ..spec.clone() };
    let keys = GuestIdentity::generate(&next.name, None).unwrap();
    while host.renew(&next, &keys).await.unwrap() != Renewed::Done {}
    let is_left = |cloud: &FakeCloud| {
        let is_its = |one: &serde_json::Value| one["oriel_snapshot"] == "monday" && one["id"] != "its-only-disk";
        cloud.nova.state().images.iter().any(is_its)
    };
    assert!(!is_left(&cloud));
    host.take_snapshot(next.desktop, &monday).await.unwrap();
    rest(&cloud, &next, MoveState::Settled).await;
    host.drop_snapshot(next.desktop, &monday).await.unwrap();
    host.drop_snapshot(next.desktop, &monday).await.unwrap();
    assert!(!is_left(&cloud));
    host.take_snapshot(next.desktop, &monday).await.unwrap();
    rest(&cloud, &next, MoveState::Settled).await;
    // Its server has gone at a try that did not come to its end.
    cloud.compute.list().await.unwrap();
    cloud.nova.state().guests.clear();
    host.remove(next.desktop, None).await.unwrap();
    assert!(!is_left(&cloud), "nothing of a desktop is left");
    assert!(cloud.nova.state().images.iter().any(|one| one["id"] == "its-only-disk"), "what is not a snapshot stays");
}

/// What a reconciler sees running that shall be off it takes for somebody's, who has started it elsewhere.
#[tokio::test]
async fn one_that_is_off_is_off_while_it_is_brought_back() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    let spec = standing(&cloud).await;
    let monday: Name = "monday".parse().unwrap();
    host.take_snapshot(spec.desktop, &monday).await.unwrap();
    rest(&cloud, &spec, MoveState::Settled).await;
    host.power_off(spec.desktop).await.unwrap();
    while power(&cloud, &spec).await != Power::Off {}
    host.restore_snapshot(spec.desktop, &monday).await.unwrap();
    assert_eq!(power(&cloud, &spec).await, Power::Off);
    rest(&cloud, &spec, MoveState::Settled).await;
    assert_eq!(power(&cloud, &spec).await, Power::Off);
}

/// Deleting servers asks Glance for nothing where nothing was kept.
#[tokio::test]
async fn what_has_no_snapshots_costs_no_call() {
    let cloud = FakeCloud::start().await;
    let spec = standing(&cloud).await;
    let before = cloud.count("GET", "/image/v2/images");
    suite::gone(&cloud, &spec).await;
    assert_eq!(cloud.count("GET", "/image/v2/images"), before);
}
