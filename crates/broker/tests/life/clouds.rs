//! Pools on a cloud beside pools on the host.

use crate::house::House;
use async_trait::async_trait;
use oriel_broker::{
    BrokerError, CloudJump, CloudReachChange, CloudSignIn, Drain, Fate, NewCloud, NewDesktop, NewPool, PoolChange,
};
use oriel_compute::{
    BoxStream, Compute, JumpDialler, JumpHost, Observed, Power,
    fake::{FakeCompute, FakeMode, FakeStep},
};
use oriel_model::{
    Cloud, CloudAddress, CloudPlace, CloudRoot, Desktop, DesktopId, DesktopIntent, DesktopState, DesktopWork, Hardware,
    MoveState, Network, Operation, OperationId, OperationState, Pool, PoolKind, PoolSize, RecordingPolicy,
    SessionPolicy,
};
use std::sync::Arc;
use std::time::Duration;

const YAML: &str = "clouds:\n  oak:\n    auth:\n      auth_url: https://oak.example:5000\n      application_credential_id: i\n      application_credential_secret: s3cret\n  elm: {}\n";

fn sign_in(yaml: &str) -> CloudSignIn {
    CloudSignIn { clouds_yaml: yaml.to_owned().into(), cloud: Some("oak".into()), ca: None, region: None }
}

struct Sky {
    house: House,
    there: Arc<FakeCompute>,
    cloud: Cloud,
    pool: Pool,
}

async fn sky() -> Sky {
    sky_on(CloudRoot::default()).await
}

async fn sky_on(root: CloudRoot) -> Sky {
    let house = House::new(FakeMode::Auto).await;
    let there = Arc::new(FakeCompute::new("oak", FakeMode::Auto).as_cloud());
    let stands = Arc::clone(&there);
    house.broker.set_cloud_maker(Arc::new(move |_| Arc::clone(&stands) as Arc<dyn Compute>));
    let new = NewCloud { name: "oak".parse().unwrap(), sign_in: sign_in(YAML) };
    let cloud = house.broker.create_cloud(new).await.unwrap();
    let pool = house
        .broker
        .create_pool(NewPool {
            name: "sky".parse().unwrap(),
            kind: PoolKind::Dedicated,
            size: PoolSize::default(),
            hours: oriel_model::PoolHours::default(),
            leaving: oriel_model::Leaving::default(),
            image: house.pool.image.unwrap(),
            vcpus: 2,
            memory_mib: 2048,
            disk_gib: 20,
            network: Network::User,
            desktops_max: 3,
            keyboard: "us".into(),
            gpu: None,
            hardware: Hardware::default(),
            recording: RecordingPolicy::Off,
            policy: SessionPolicy::default(),
            personal_disk: None,
            cloud: Some(CloudPlace {
                cloud: cloud.id,
                flavor: "tiny".into(),
                network: "none".into(),
                address: CloudAddress::default(),
                root,
            }),
        })
        .await
        .unwrap();
    house.broker.entitle(pool.id, house.anna.id).await.unwrap();
    Sky { house, there, cloud, pool }
}

impl Sky {
    async fn desktop(&self) -> Desktop {
        let new = NewDesktop { pool: self.pool.clone(), owner: Some(self.house.anna.clone()), name: None };
        self.house.broker.create_desktop(new).await.unwrap()
    }

    async fn with_image(&self) {
        let image = self.pool.image.unwrap();
        self.house.broker.set_cloud_image(self.cloud.id, image, "glance-1".into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_desktop_stands_where_its_pool_says() {
    let sky = sky().await;
    let house = &sky.house;
    sky.with_image().await;
    let (above, below) = (sky.desktop().await, house.desktop().await);
    let above = house.reaches(above.id, DesktopState::Ready).await;
    let below = house.reaches(below.id, DesktopState::Ready).await;
    assert_eq!((above.host.as_deref(), above.port_base, above.facts.accelerator), (Some("cloud:oak"), None, None));
    assert_eq!(below.host.as_deref(), Some("here"));
    assert_eq!(house.broker.last_look_at_cloud(sky.cloud.id).unwrap().problem, None);
    let offer = house.broker.cloud_offer(sky.cloud.id).await.unwrap();
    assert_eq!((offer.flavors[0].name.as_str(), offer.flavors[0].gpus_free), ("tiny", Some(3)));
    let parts = sky.there.described(above.id).unwrap().cloud.unwrap();
    assert_eq!((parts.image.as_str(), parts.flavor.as_str(), parts.network.as_str()), ("glance-1", "tiny", "none"));
    assert!(house.host.described(above.id).is_none() && sky.there.described(below.id).is_none());
    house.broker.set_intent(above.id, DesktopIntent::Recycle).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let again = house.reaches(above.id, DesktopState::Ready).await;
    assert_eq!(again.generation, 2);
    house.broker.set_intent(above.id, DesktopIntent::Deleted).await.unwrap();
    house.is_gone(above.id).await;
    assert_eq!(sky.there.observed(), []);
    assert!(!sky.there.calls().iter().any(|(step, _)| matches!(step, FakeStep::PowerOff | FakeStep::FreePorts)));
}

#[tokio::test]
async fn what_nobody_wants_on_a_cloud_is_removed() {
    // Of what is there to clone volumes from, only that of the pool's image is wanted.
    let sky = sky_on("volume".parse().unwrap()).await;
    let stray = DesktopId::new();
    let (power, domain) = (Power::Running, true);
    sky.there.leave_behind(Observed { desktop: stray, generation: 3, power, domain, disk: true, seed: true });
    sky.with_image().await;
    let desktop = sky.desktop().await;
    sky.house.reaches(desktop.id, DesktopState::Ready).await;
    for _ in 0..600 {
        let golden: Vec<String> = sky.there.golden().into_iter().collect();
        if golden == ["glance-1"] && sky.there.observed().iter().all(|found| found.desktop == desktop.id) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?} {:?}", sky.there.observed(), sky.there.golden());
}

#[tokio::test]
async fn a_cloud_that_does_not_answer_stops_nothing_else_and_nothing_is_taken_for_gone() {
    let sky = sky().await;
    sky.with_image().await;
    let above = sky.desktop().await;
    sky.house.reaches(above.id, DesktopState::Ready).await;
    sky.there.fail_always(FakeStep::List, Some("the API is down"));
    sky.house.broker.connections_changed();
    let below = sky.house.desktop().await;
    sky.house.reaches(below.id, DesktopState::Ready).await;
    let still = sky.house.store.desktop(above.id).await.unwrap().unwrap();
    assert_eq!((still.state, still.generation), (DesktopState::Ready, 1));
    assert_eq!(sky.there.observed().len(), 1);
}

#[tokio::test]
async fn without_an_image_there_a_desktop_says_what_to_do() {
    let sky = sky().await;
    let desktop = sky.desktop().await;
    let failed = sky.house.reaches(desktop.id, DesktopState::Failed).await;
    let failure = failed.failure.unwrap();
    assert!(
        failure.contains("image debian version 1 is not on cloud:oak") && failure.contains("oriel cloud image"),
        "{failure}"
    );
    sky.with_image().await;
    sky.house.broker.set_intent(desktop.id, DesktopIntent::Restart).await.unwrap();
    sky.house.reaches(desktop.id, DesktopState::Ready).await;
}

#[tokio::test]
async fn an_image_goes_to_a_cloud_and_desktops_are_made_of_it() {
    let sky = sky().await;
    let (broker, image) = (&sky.house.broker, sky.pool.image.unwrap());
    sky.there.fail_next(FakeStep::PutImage, "the line broke");
    let failed = broker.upload_to_cloud(sky.cloud.id, image, None).await.unwrap();
    let done = broker.upload_to_cloud(sky.cloud.id, image, None).await.unwrap();
    for (id, want) in [(failed.id, OperationState::Failed), (done.id, OperationState::Done)] {
        for n in 0.. {
            let operation = broker.find_operation(&id.to_string()).await.unwrap();
            if operation.state == want {
                break;
            }
            assert!(n < 600, "{operation:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(broker.cloud_images(sky.cloud.id).await.unwrap()[0].remote, format!("of-{}", "0".repeat(64)));
    let desktop = sky.desktop().await;
    sky.house.reaches(desktop.id, DesktopState::Ready).await;
}

/// As an operation, to its end.
async fn work(sky: &Sky, desktop: &Desktop, work: DesktopWork) -> Operation {
    let begun = sky.house.broker.work_on_desktop(desktop, work, None).await.unwrap();
    ended(sky, &begun).await
}

async fn ended(sky: &Sky, begun: &Operation) -> Operation {
    for _ in 0..600 {
        let now = sky.house.broker.find_operation(&begun.id.to_string()).await.unwrap();
        if matches!(now.state, OperationState::Done | OperationState::Failed) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{begun:?}");
}

#[tokio::test]
async fn a_desktop_gets_another_flavor_another_host_and_snapshots() {
    let sky = sky().await;
    let broker = &sky.house.broker;
    sky.with_image().await;
    let below = sky.house.desktop().await;
    let below = sky.house.reaches(below.id, DesktopState::Ready).await;
    let refused = broker.work_on_desktop(&below, DesktopWork::Resize, None).await.unwrap_err().to_string();
    assert!(refused.contains("stands on no cloud"), "{refused}");
    assert!(broker.desktop_standing(&below).await.is_err());

    let desktop = sky.desktop().await;
    let desktop = sky.house.reaches(desktop.id, DesktopState::Ready).await;
    let change = PoolChange { flavor: Some("large".into()), ..PoolChange::default() };
    assert_eq!(broker.change_pool(sky.pool.id, change).await.unwrap().cloud.unwrap().flavor, "large");
    let none = PoolChange { flavor: Some("large".into()), ..PoolChange::default() };
    assert!(broker.change_pool(below.pool, none).await.unwrap_err().to_string().contains("stands on no cloud"));
    let done = work(&sky, &desktop, DesktopWork::Resize).await;
    assert_eq!(done.state, OperationState::Done, "{done:?}");
    assert!(done.step.contains("flavor large") && done.step.contains("confirm it, or revert it"), "{}", done.step);
    assert_eq!(broker.desktop_standing(&desktop).await.unwrap().state, MoveState::Unconfirmed);
    let back = work(&sky, &desktop, DesktopWork::Revert).await;
    assert!(back.step.contains("of flavor tiny"), "{}", back.step);
    work(&sky, &desktop, DesktopWork::Resize).await;
    let kept = work(&sky, &desktop, DesktopWork::Confirm).await;
    assert!(kept.step.contains("of flavor large"), "{}", kept.step);

    let moved = work(&sky, &desktop, DesktopWork::Migrate { to: None, evacuate: false }).await;
    assert!(moved.step.ends_with("stands on second"), "{moved:?}");
    let snapshot = || "monday".parse().unwrap();
    work(&sky, &desktop, DesktopWork::Snapshot { snapshot: snapshot() }).await;
    assert_eq!(broker.desktop_standing(&desktop).await.unwrap().snapshots[0].name, "monday");
    let done = work(&sky, &desktop, DesktopWork::Restore { snapshot: snapshot() }).await;
    assert_eq!(done.state, OperationState::Done, "{done:?}");
    work(&sky, &desktop, DesktopWork::DropSnapshot { snapshot: snapshot() }).await;
    let failed = work(&sky, &desktop, DesktopWork::Restore { snapshot: snapshot() }).await;
    assert!(failed.error.clone().unwrap().contains("no such snapshot"));
    // One after the other: what is asked twice is done once.
    let at_it = Operation { id: OperationId::new(), state: OperationState::Running, ..failed };
    sky.house.store.create_operation(&at_it).await.unwrap();
    let refused = broker.work_on_desktop(&desktop, DesktopWork::Resize, None).await.unwrap_err().to_string();
    assert!(refused.contains("already, and is running"), "{refused}");
    assert_eq!(sky.house.store.desktop(desktop.id).await.unwrap().unwrap().state, DesktopState::Ready);
}

#[tokio::test]
async fn one_of_its_hosts_is_emptied() {
    let sky = sky().await;
    let broker = &sky.house.broker;
    sky.with_image().await;
    let runs = sky.house.reaches(sky.desktop().await.id, DesktopState::Ready).await;
    let off = sky.house.reaches(sky.desktop().await.id, DesktopState::Ready).await;
    broker.set_intent(off.id, DesktopIntent::Stopped).await.unwrap();
    sky.house.reaches(off.id, DesktopState::Stopped).await;
    for bad in ["", "a b", "../x"] {
        assert!(broker.empty_cloud_host(sky.cloud.id, bad, "", false, None).await.is_err(), "{bad:?}");
    }
    let begun = broker.empty_cloud_host(sky.cloud.id, "first", "new memory", false, None).await.unwrap();
    let done = ended(&sky, &begun).await;
    assert_eq!(done.state, OperationState::Done, "{done:?}");
    assert!(done.step.contains("2 desktops left it"), "{}", done.step);
    assert_eq!(sky.there.closed_hosts().get("first").map(String::as_str), Some("new memory"));
    for desktop in [&runs, &off] {
        let now = broker.desktop_standing(desktop).await.unwrap();
        assert_eq!((now.host.as_deref(), now.state), (Some("second"), MoveState::Settled), "{}", desktop.name);
    }
    assert_eq!(sky.house.store.desktop(runs.id).await.unwrap().unwrap().state, DesktopState::Ready);
    // Once more there is nothing to do.
    let begun = broker.empty_cloud_host(sky.cloud.id, "first", "", false, None).await.unwrap();
    assert!(ended(&sky, &begun).await.step.contains("0 desktops left it"));
    broker.open_cloud_host(sky.cloud.id, "first").await.unwrap();
    assert!(sky.there.closed_hosts().is_empty());
}

/// Has the reconciler look at it now.
async fn nudge(sky: &Sky, desktop: DesktopId) {
    sky.house.broker.set_intent(desktop, DesktopIntent::Running).await.unwrap();
}

#[tokio::test]
async fn a_desktop_whose_host_is_down_says_so_and_is_evacuated() {
    let sky = sky().await;
    sky.with_image().await;
    let desktop = sky.desktop().await;
    sky.house.reaches(desktop.id, DesktopState::Ready).await;
    sky.there.set_power(desktop.id, Power::Lost);
    nudge(&sky, desktop.id).await;
    let lost = sky.house.reaches(desktop.id, DesktopState::Unreachable).await;
    let why = lost.failure.clone().unwrap();
    assert!(why.contains("does not answer to cloud:oak") && why.contains("--evacuate"), "{why}");
    // Its host is back.
    sky.there.set_power(desktop.id, Power::Running);
    nudge(&sky, desktop.id).await;
    let back = sky.house.reaches(desktop.id, DesktopState::Ready).await;
    assert_eq!((back.failure, back.generation), (None, 1));
    sky.there.set_power(desktop.id, Power::Lost);
    nudge(&sky, desktop.id).await;
    let lost = sky.house.reaches(desktop.id, DesktopState::Unreachable).await;
    let done = work(&sky, &lost, DesktopWork::Migrate { to: None, evacuate: true }).await;
    assert_eq!(done.state, OperationState::Done, "{done:?}");
    // It is off then, and nobody has asked for that.
    let again = sky.house.reaches(desktop.id, DesktopState::Ready).await;
    assert_eq!(again.generation, 1);
}

#[tokio::test]
async fn a_cloud_is_kept_sealed_changed_and_removed_when_nothing_stands_on_it() {
    let sky = sky().await;
    let (broker, store) = (&sky.house.broker, &sky.house.store);
    let sealed = store.cloud_sign_in(sky.cloud.id).await.unwrap().unwrap();
    assert!(!sealed.contains("s3cret") && !sealed.contains("oak.example"));
    let pool = broker.find_pool("sky").await.unwrap();
    assert_eq!(pool, sky.pool);
    let refused = broker.change_pool(pool.id, PoolChange { vcpus: Some(4), ..PoolChange::default() }).await;
    assert!(refused.unwrap_err().to_string().contains("its flavor says"));
    let error = broker.delete_cloud(sky.cloud.id).await.unwrap_err().to_string();
    assert!(error.contains("still used by pools"), "{error}");
    let moved = YAML.replace("oak.example", "oak2.example");
    let changed = broker.change_cloud(sky.cloud.id, Some(sign_in(&moved)), CloudReachChange::default()).await.unwrap();
    assert_eq!(changed.address, "https://oak2.example:5000/v3");
    let bad = broker
        .change_cloud(
            sky.cloud.id,
            Some(sign_in("clouds: {oak: {auth: {auth_url: nonsense}}}")),
            CloudReachChange::default(),
        )
        .await;
    assert!(bad.is_err());
    let error = broker.set_cloud_image(sky.cloud.id, pool.image.unwrap(), "../x".into()).await.unwrap_err();
    assert!(error.to_string().contains("no id of a cloud's image"));
    broker.delete_pool(pool.id).await.unwrap();
    broker.delete_cloud(sky.cloud.id).await.unwrap();
    assert!(broker.find_cloud("oak").await.is_err());
}

/// Shows a key to whoever looks.
struct Gate;

#[async_trait]
impl JumpDialler for Gate {
    fn check(&self, jump: &JumpHost) -> Result<(), String> {
        if jump.user == "nobody" { Err("that is no key".into()) } else { Ok(()) }
    }

    async fn host_key(&self, _: &JumpHost) -> Result<String, String> {
        Ok("ssh-ed25519 AAAAshown".into())
    }

    async fn open(&self, _: &JumpHost, _: &str, _: u16) -> Result<BoxStream, String> {
        Err("nothing is behind it".into())
    }
}

fn jump(user: &str, host_key: Option<&str>) -> CloudReachChange {
    let jump = CloudJump {
        host: "gate.example".into(),
        port: 22,
        user: user.into(),
        private_key: "a pr1vate key".to_owned().into(),
        passphrase: None,
        host_key: host_key.map(str::to_owned),
    };
    CloudReachChange { jump: Some(Some(jump)), ..CloudReachChange::default() }
}

#[tokio::test]
async fn how_desktops_are_reached_is_kept_sealed_and_outlives_another_sign_in() {
    let sky = sky().await;
    let (broker, store) = (&sky.house.broker, &sky.house.store);
    broker.set_jump_dialler(Arc::new(Gate));
    let gateways = Some(vec!["192.0.2.7".to_owned(), "10.1.2.3/8".to_owned(), "192.0.2.7/32".to_owned()]);
    let change = CloudReachChange { gateways, shelve: Some(true), jump: None };
    broker.change_cloud(sky.cloud.id, None, change).await.unwrap();
    broker.change_cloud(sky.cloud.id, None, jump("oriel", None)).await.unwrap();
    let cloud = broker.change_cloud(sky.cloud.id, Some(sign_in(YAML)), CloudReachChange::default()).await.unwrap();
    let reach = broker.cloud_reach(&cloud).await.unwrap();
    assert_eq!((reach.gateways, reach.shelve), (vec!["192.0.2.7/32".to_owned(), "10.0.0.0/8".to_owned()], true));
    let shown = reach.jump.unwrap();
    assert_eq!((shown.user.as_str(), shown.host_key.as_str()), ("oriel", "ssh-ed25519 AAAAshown"), "met and pinned");
    assert!(!store.cloud_sign_in(cloud.id).await.unwrap().unwrap().contains("pr1vate"));
    broker.change_cloud(sky.cloud.id, None, jump("oriel", Some("ssh-ed25519 AAAAsaid"))).await.unwrap();
    let said = broker.cloud_reach(&cloud).await.unwrap().jump.unwrap();
    assert_eq!(said.host_key, "ssh-ed25519 AAAAsaid");
    for (change, words) in [
        (jump("nobody", None), "that is no key"),
        (jump("-oProxyCommand", None), "is not an account"),
        (CloudReachChange { gateways: Some(vec!["here".into()]), ..CloudReachChange::default() }, "no network"),
    ] {
        let error = broker.change_cloud(sky.cloud.id, None, change).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let straight = CloudReachChange { jump: Some(None), ..CloudReachChange::default() };
    broker.change_cloud(sky.cloud.id, None, straight).await.unwrap();
    assert_eq!(broker.cloud_reach(&cloud).await.unwrap().jump, None);
}

#[tokio::test]
async fn a_cloud_is_drained_by_itself() {
    let sky = sky().await;
    let broker = &sky.house.broker;
    sky.with_image().await;
    let above = sky.house.reaches(sky.desktop().await.id, DesktopState::Ready).await;
    let drained = broker.drain_host("cloud:oak", Drain::default()).await.unwrap();
    assert_eq!(drained.desktops.iter().map(|one| (one.id, one.fate)).collect::<Vec<_>>(), [(above.id, Fate::Waits)]);
    let new = NewDesktop { pool: sky.pool.clone(), owner: Some(sky.house.anna.clone()), name: None };
    let refused = broker.create_desktop(new).await;
    assert!(matches!(refused, Err(BrokerError::Conflict { code: "host_drains", .. })), "{refused:?}");
    // What stands elsewhere has nothing to do with it.
    let below = sky.house.desktop().await;
    sky.house.reaches(below.id, DesktopState::Ready).await;
    // Who shuts theirs down does not start it again before that is over.
    broker.set_intent(above.id, DesktopIntent::Stopped).await.unwrap();
    sky.house.reaches(above.id, DesktopState::Stopped).await;
    assert!(broker.set_intent(above.id, DesktopIntent::Running).await.is_err());
    let hosts = broker.hosts().await.unwrap();
    let closed: Vec<bool> = hosts.iter().map(|host| host.maintenance.is_some()).collect();
    assert_eq!((hosts.len(), closed), (2, vec![false, true]));
    broker.resume_host("cloud:oak").await.unwrap();
    broker.set_intent(above.id, DesktopIntent::Running).await.unwrap();
    sky.house.reaches(above.id, DesktopState::Ready).await;
}
