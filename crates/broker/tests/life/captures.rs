//! Versions of images that are made from desktops.

use crate::house::House;
use crate::pools::enter;
use oriel_broker::{BrokerError, NewCapture, NewDesktop, PoolChange, fault};
use oriel_compute::fake::{FakeCompute, FakeMode, FakeStep};
use oriel_model::{
    CaptureStep, Desktop, DesktopId, DesktopIntent, DesktopState, Image, ImageId, ImageOs, ImageSource, Leaving,
    Micros, Operation, OperationId, OperationKind, OperationState, Pool, PoolId, PoolKind,
};
use std::{cell::Cell, path::Path, process::Command, rc::Rc, time::Duration};
use tempfile::TempDir;

/// A house whose desktops have disks in files, once [`disk`] made them.
async fn house(mode: FakeMode) -> (House, TempDir) {
    let disks = TempDir::new().unwrap();
    let house = House::on(FakeCompute::new("here", mode).with_disks(disks.path())).await;
    let leaving = Leaving { warn_seconds: 0, ..Leaving::default() };
    let change = PoolChange { leaving: Some(leaving), ..PoolChange::default() };
    house.broker.change_pool(house.pool.id, change).await.unwrap();
    (house, disks)
}

fn qemu_img(arguments: &[&str]) {
    assert!(Command::new("qemu-img").args(arguments).status().unwrap().success(), "{arguments:?}");
}

/// A clone of the pool's image.
fn disk(house: &House, disks: &TempDir, image: &str, desktop: DesktopId) {
    let text = |path: &Path| path.display().to_string();
    let images = house.folder.path().join("images");
    std::fs::create_dir_all(&images).unwrap();
    let base = images.join(format!("{image}.qcow2"));
    if !base.exists() {
        qemu_img(&["create", "-q", "-f", "qcow2", &text(&base), "2M"]);
    }
    let disk = disks.path().join(format!("{desktop}.qcow2"));
    qemu_img(&["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &text(&base), &text(&disk)]);
}

fn wish(name: &str) -> NewCapture {
    NewCapture { name: name.parse().unwrap(), unsealed: false, forced: false }
}

fn code(refused: Result<Operation, BrokerError>) -> &'static str {
    match refused {
        Err(BrokerError::Conflict { code, .. } | BrokerError::Invalid { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

async fn ends(house: &House, operation: &Operation) -> Operation {
    for _ in 0..900 {
        let now = house.broker.find_operation(&operation.id.to_string()).await.unwrap();
        if !matches!(now.state, OperationState::Queued | OperationState::Running) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not end: {operation:?}");
}

async fn until(house: &House, id: DesktopId, what: &str, holds: impl Fn(&Desktop) -> bool) -> Desktop {
    let mut last = None;
    for _ in 0..900 {
        last = house.store.desktop(id).await.unwrap();
        if let Some(desktop) = last.as_ref().filter(|desktop| holds(desktop)) {
            return desktop.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not in time: {what}: {last:#?}");
}

fn runs(desktop: &Desktop) -> bool {
    desktop.state == DesktopState::Ready && desktop.intent == DesktopIntent::Running
}

#[tokio::test]
async fn a_desktop_becomes_the_next_version_and_goes_on_as_its_pool_says() {
    let (house, disks) = house(FakeMode::Auto).await;
    let desktop = house.desktop().await;
    house.reaches(desktop.id, DesktopState::Ready).await;
    disk(&house, &disks, &"0".repeat(64), desktop.id);
    let operation = house.broker.capture_desktop(&desktop, wish("debian"), None).await;
    assert_eq!(code(operation), "desktop_busy", "as it was when it was asked for");
    let desktop = house.store.desktop(desktop.id).await.unwrap().unwrap();
    let operation = house.broker.capture_desktop(&desktop, wish("debian"), None).await.unwrap();
    assert_eq!(code(house.broker.capture_desktop(&desktop, wish("debian"), None).await), "desktop_busy");
    let done = ends(&house, &operation).await;
    assert_eq!((done.state, &done.error), (OperationState::Done, &None));
    let made = house.broker.find_image("debian").await.unwrap();
    assert_eq!((made.version, Some(made.id.to_string()), made.os), (2, done.result, ImageOs::Linux));
    let source = ImageSource::Captured {
        desktop: desktop.name.to_string(),
        of: "debian:1".to_owned(),
        recipe: Some("debian-desktop".to_owned()),
    };
    assert_eq!(made.source, source);
    assert!(house.folder.path().join("images").join(format!("{}.qcow2", made.sha256)).is_file());
    assert_eq!(house.host.sealed()[&desktop.id], desktop.facts.guest_user);
    // It is somebody's for good: it starts again, and sets itself up.
    let again = until(&house, desktop.id, "it runs again", runs).await;
    assert_eq!((again.generation, again.facts.capture), (desktop.generation, None));

    // One of a floating pool was somebody's, and goes to the next person. Windows goes off by itself.
    let windows = Image {
        id: ImageId::new(),
        name: "windows".parse().unwrap(),
        os: ImageOs::Windows,
        source: ImageSource::Imported { from: "/w.qcow2".into() },
        sha256: "1".repeat(64),
        ..made
    };
    let windows = house.store.put_image(&windows).await.unwrap();
    let pool = Pool {
        id: PoolId::new(),
        name: "floor".parse().unwrap(),
        kind: PoolKind::Floating,
        image: Some(windows.id),
        ..house.pool.clone()
    };
    house.store.create_pool(&pool).await.unwrap();
    let new = NewDesktop { pool, owner: None, name: None };
    let shared = house.broker.create_desktop(new).await.unwrap();
    let shared = until(&house, shared.id, "it runs", runs).await;
    disk(&house, &disks, &windows.sha256, shared.id);
    assert_eq!(code(house.broker.capture_desktop(&shared, wish("debian"), None).await), "other_system");
    let operation = house.broker.capture_desktop(&shared, wish("office"), None).await.unwrap();
    let done = ends(&house, &operation).await;
    assert_eq!((done.state, &done.error), (OperationState::Done, &None));
    let made = house.broker.find_image("office").await.unwrap();
    assert_eq!((made.version, made.os, made.source.recipe()), (1, ImageOs::Windows, None));
    let anew = until(&house, shared.id, "it is made anew", |one| runs(one) && one.generation == 2).await;
    assert_eq!(anew.facts.image, Some(windows.id), "what its pool's desktops are of is another matter");
}

#[tokio::test]
async fn what_is_killed_on_the_way_goes_on() {
    for point in ["capture.claimed", "capture.sealed", "operation.image_made"] {
        let (mut house, disks) = house(FakeMode::Auto).await;
        let desktop = house.desktop().await;
        let desktop = until(&house, desktop.id, "it runs", runs).await;
        disk(&house, &disks, &"0".repeat(64), desktop.id);
        let died = Rc::new(Cell::new(false));
        let dies = Rc::clone(&died);
        // Everything here runs on this thread. It dies once.
        fault::watch(Some(Box::new(move |at| at == point && !dies.replace(true))));
        let operation = house.broker.capture_desktop(&desktop, wish("debian"), None).await.unwrap();
        until(&house, desktop.id, "it dies", |_| died.get()).await;
        let held = house.store.desktop(desktop.id).await.unwrap().unwrap();
        assert_eq!(held.intent, DesktopIntent::Capture, "{point}");
        house.restart().await;
        let done = ends(&house, &operation).await;
        fault::watch(None);
        assert_eq!((done.state, &done.error), (OperationState::Done, &None), "{point}");
        assert_eq!(house.broker.images().await.unwrap().len(), 2, "{point}");
        until(&house, desktop.id, "it runs again", runs).await;
    }
}

#[tokio::test]
async fn nothing_else_happens_to_it_meanwhile_and_cancelling_gives_it_back() {
    let (house, disks) = house(FakeMode::Explicit).await;
    let desktop = house.desktop().await;
    let settled = |desktop: &Desktop| {
        house.host.settle(desktop.id);
        runs(desktop)
    };
    let desktop = until(&house, desktop.id, "it runs", settled).await;
    disk(&house, &disks, &"0".repeat(64), desktop.id);
    let operation = house.broker.capture_desktop(&desktop, wish("debian"), None).await.unwrap();
    let is_sealed = |one: &Desktop| {
        one.state == DesktopState::Stopping && one.facts.capture.is_some_and(|it| it.step == CaptureStep::Sealed)
    };
    let held = until(&house, desktop.id, "it is sealed and shuts down", is_sealed).await;
    for intent in [DesktopIntent::Running, DesktopIntent::Restart, DesktopIntent::Stopped, DesktopIntent::Recycle] {
        let refused = house.broker.set_intent(held.id, intent).await;
        assert!(matches!(refused, Err(BrokerError::Conflict { code: "desktop_captured", .. })), "{refused:?}");
    }
    assert!(enter(&house, &house.anna, held.id).await.is_err());
    house.broker.cancel_operation(operation.id).await.unwrap();
    let ended = ends(&house, &operation).await;
    assert_eq!(ended.state, OperationState::Cancelled);
    // Its guest has forgotten who it is: it starts once more.
    let back = until(&house, desktop.id, "it runs again", settled).await;
    assert_eq!((back.generation, back.facts.capture), (desktop.generation, None));
    assert_eq!(house.broker.images().await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_what_can_become_an_image_is_asked_to() {
    let (house, disks) = house(FakeMode::Auto).await;
    let desktop = house.desktop().await;
    let desktop = until(&house, desktop.id, "it runs", runs).await;
    disk(&house, &disks, &"0".repeat(64), desktop.id);

    // What a program had begun that led meanwhile, and is gone, is taken up, and ends.
    let left = Operation {
        id: OperationId::new(),
        kind: OperationKind::ImageCapture {
            desktop: DesktopId::new(),
            title: "gone".to_owned(),
            name: "debian".to_owned(),
            unsealed: true,
            forced: false,
        },
        state: OperationState::Running,
        progress: 0.0,
        step: String::new(),
        log: Vec::new(),
        error: None,
        result: None,
        cancel_requested: false,
        by: None,
        created: Micros(1),
        changed: Micros(1),
    };
    house.store.create_operation(&left).await.unwrap();
    // It runs already: this only says that somebody shall look.
    house.broker.resume_operation(left.id).await.unwrap();
    assert_eq!(ends(&house, &left).await.state, OperationState::Failed);

    // What the guest says no to is said, and it is set up anew.
    house.host.fail_next(FakeStep::Seal, "in the guest, cloud-init ended with exit code 2");
    let failing = house.broker.capture_desktop(&desktop, wish("debian"), None).await.unwrap();
    let failed = ends(&house, &failing).await;
    assert!(failed.error.is_some_and(|error| error.contains("exit code 2")));
    let starts = |house: &House| house.host.calls().iter().filter(|(step, _)| *step == FakeStep::Start).count();
    until(&house, desktop.id, "it runs again", |one| runs(one) && starts(&house) == 2).await;

    // Somebody is in it.
    enter(&house, &house.anna, desktop.id).await.unwrap();
    assert_eq!(code(house.broker.capture_desktop(&desktop, wish("debian"), None).await), "desktop_in_use");
    let forced = NewCapture { forced: true, ..wish("debian") };
    let operation = house.broker.capture_desktop(&desktop, forced, None).await.unwrap();
    assert_eq!(ends(&house, &operation).await.state, OperationState::Done);
    until(&house, desktop.id, "it runs again", runs).await;

    // One that is off cannot be told anything. As it is it can be copied, and stays off.
    house.broker.set_intent(desktop.id, DesktopIntent::Stopped).await.unwrap();
    let off = house.reaches(desktop.id, DesktopState::Stopped).await;
    let forced = |unsealed| NewCapture { forced: true, unsealed, ..wish("as-it-is") };
    assert_eq!(code(house.broker.capture_desktop(&off, forced(false), None).await), "desktop_off");
    let operation = house.broker.capture_desktop(&off, forced(true), None).await.unwrap();
    assert_eq!(ends(&house, &operation).await.state, OperationState::Done);
    let is_back = |one: &Desktop| one.intent == DesktopIntent::Stopped && one.facts.capture.is_none();
    let still = until(&house, desktop.id, "it is let go", is_back).await;
    assert_eq!(still.state, DesktopState::Stopped);
}
