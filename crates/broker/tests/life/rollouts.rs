//! Pools that go from one version of their image to another, and back.

use crate::house::House;
use crate::pools::{enter, house, person, until};
use oriel_broker::{BrokerError, PoolChange, RolloutView};
use oriel_compute::fake::FakeStep;
use oriel_model::{Desktop, DesktopState, Image, ImageId, Pool, PoolKind, Replace, RolloutPlan, RolloutState, Share};
use std::time::Duration;

/// The next version of the pool's image.
async fn next_version(house: &House) -> Image {
    let old = house.store.image_by_name(&"debian".parse().unwrap(), None).await.unwrap().unwrap();
    house.store.put_image(&Image { id: ImageId::new(), ..old }).await.unwrap()
}

fn plan(canary: u32) -> RolloutPlan {
    RolloutPlan { canary: Share::Count(canary), watch_minutes: 0, ..RolloutPlan::default() }
}

async fn ends(house: &House, pool: &Pool, state: RolloutState) -> RolloutView {
    let mut last = None;
    for _ in 0..900 {
        last = house.broker.rollout(pool).await.unwrap();
        match &last {
            Some(view) if view.rollout.state == state => return last.unwrap(),
            _ => {
                // As the reconciler's period does.
                house.broker.change_pool(pool.id, PoolChange::default()).await.unwrap();
                house.broker.connections_changed();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    panic!("not {state:?} in time but {last:?}");
}

fn all_of(desktops: &[Desktop], image: ImageId, count: usize) -> bool {
    desktops.len() == count
        && desktops.iter().all(|one| one.facts.image == Some(image) && one.state == DesktopState::Ready)
}

async fn image_of(house: &House, pool: &Pool) -> Option<ImageId> {
    house.store.pool(pool.id).await.unwrap().unwrap().image
}

#[tokio::test]
async fn a_new_version_reaches_a_few_and_then_all_and_back_in_one_click() {
    let (house, pool, _) = house(PoolKind::Floating, "running=3,per_minute=1000", 6).await;
    let old = pool.image.unwrap();
    until(&house, &pool, "three are ready", |all| all_of(all, old, 3)).await;
    let new = next_version(&house).await;
    let same = house.broker.start_rollout(&pool, Some(1), plan(1)).await;
    assert!(matches!(same, Err(BrokerError::Conflict { code: "same_version", .. })), "{same:?}");
    let missing = house.broker.start_rollout(&pool, Some(9), plan(1)).await;
    assert!(matches!(missing, Err(BrokerError::Missing { what: "image", .. })), "{missing:?}");

    // The first one is watched for an hour.
    let watched = RolloutPlan { watch_minutes: 60, ..plan(1) };
    house.broker.start_rollout(&pool, None, watched).await.unwrap();
    let first = |all: &[Desktop]| all.iter().filter(|one| one.facts.image == Some(new.id)).count() == 1;
    until(&house, &pool, "one is of the new version", first).await;
    let again = house.broker.start_rollout(&pool, None, plan(1)).await;
    assert!(matches!(again, Err(BrokerError::Conflict { code: "rollout_open", .. })), "{again:?}");
    let beside = PoolChange { image: Some(new.id), ..PoolChange::default() };
    let beside = house.broker.change_pool(pool.id, beside).await;
    assert!(matches!(beside, Err(BrokerError::Conflict { code: "rollout_open", .. })), "{beside:?}");
    let mut view = None;
    for _ in 0..600 {
        view = house.broker.rollout(&pool).await.unwrap();
        if view.as_ref().is_some_and(|view| view.rollout.watched_since.is_some()) {
            break;
        }
        house.broker.change_pool(pool.id, PoolChange::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let view = view.unwrap();
    let since = view.rollout.watched_since.unwrap();
    assert_eq!((view.rollout.state, view.count.new, view.count.old), (RolloutState::Canary, 1, 2));
    assert_eq!(image_of(&house, &pool).await, Some(old), "new desktops are of the old one until then");

    // An hour later.
    let aged = house.store.modify_rollout(pool.id, |rollout| rollout.watched_since = Some(since.plus_seconds(-3600)));
    aged.await.unwrap();
    let done = ends(&house, &pool, RolloutState::Done).await;
    assert_eq!((done.count.new, done.rollout.failures.len()), (3, 0));
    assert_eq!(image_of(&house, &pool).await, Some(new.id));
    until(&house, &pool, "all are of the new version", |all| all_of(all, new.id, 3)).await;

    // What it may go back to stays.
    let refused = house.broker.delete_image(old).await;
    let Err(BrokerError::Conflict { code: "image_in_use", text, next_step }) = refused else { panic!("{refused:?}") };
    assert!(text.contains("the last roll-out of pool floor") || text.contains("lab"), "{text}");
    assert!(!next_step.is_empty());

    house.broker.roll_back(&house.broker.find_pool("floor").await.unwrap(), plan(0)).await.unwrap();
    assert_eq!(image_of(&house, &pool).await, Some(old), "at once for new desktops");
    ends(&house, &pool, RolloutState::Done).await;
    until(&house, &pool, "all are of the old version again", |all| all_of(all, old, 3)).await;
    let twice = house.broker.roll_back(&house.broker.find_pool("floor").await.unwrap(), plan(0)).await;
    assert!(matches!(twice, Err(BrokerError::Conflict { code: "nothing_to_go_back_to", .. })), "{twice:?}");
    house.broker.forget_rollout(&pool).await.unwrap();
    house.broker.delete_image(new.id).await.unwrap();
}

#[tokio::test]
async fn it_stops_when_the_first_does_not_come_up() {
    let (house, pool, _) = house(PoolKind::Floating, "running=2,per_minute=1000", 2).await;
    let old = pool.image.unwrap();
    until(&house, &pool, "two are ready", |all| all_of(all, old, 2)).await;
    let new = next_version(&house).await;
    house.host.fail_always(FakeStep::CloneDisk, Some("the disk is broken"));
    house.broker.start_rollout(&pool, None, plan(1)).await.unwrap();
    let stopped = ends(&house, &pool, RolloutState::Stopped).await;
    assert_eq!(stopped.rollout.failures.len(), 1);
    let reason = stopped.rollout.reason.unwrap();
    assert!(reason.contains("did not come up") && reason.contains("the disk is broken"), "{reason}");
    assert_eq!(image_of(&house, &pool).await, Some(old));
    let findings = house.broker.rollout_findings().await.unwrap();
    assert!(
        findings.iter().any(|one| one.fix == "oriel pool rollback floor" && one.reason.contains("the disk is broken"))
    );
    let all = house.store.desktops_in_pool(pool.id).await.unwrap();
    assert_eq!(all.iter().filter(|one| one.facts.image == Some(old)).count(), 1, "the other one was left alone");

    // Who brings the pool to a third version by hand has dealt with it.
    let third = next_version(&house).await;
    let by_hand = PoolChange { image: Some(third.id), ..PoolChange::default() };
    house.broker.change_pool(pool.id, by_hand).await.unwrap();
    assert_eq!(house.broker.rollout_findings().await.unwrap(), []);
    house.broker.change_pool(pool.id, PoolChange { image: Some(old), ..PoolChange::default() }).await.unwrap();

    // Back in one click, when disks can be made again.
    house.host.fail_always(FakeStep::CloneDisk, None);
    house.broker.roll_back(&pool, plan(0)).await.unwrap();
    ends(&house, &pool, RolloutState::Done).await;
    until(&house, &pool, "both are of the old version", |all| all_of(all, old, 2)).await;
    assert!(house.store.image(new.id).await.unwrap().is_some());
    assert_eq!(house.broker.rollout_findings().await.unwrap(), []);
}

#[tokio::test]
async fn who_is_in_a_desktop_is_left_alone_and_a_restart_in_the_middle_changes_nothing() {
    let (mut house, pool, gateway) = house(PoolKind::Floating, "running=1,return=0,per_minute=1000", 3).await;
    let old = pool.image.unwrap();
    until(&house, &pool, "one is ready", |all| all_of(all, old, 1)).await;
    let given = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    enter(&house, &house.anna, given.id).await.unwrap();
    gateway.0.lock().unwrap().push(given.id);
    house.broker.connections_changed();
    house.reaches(given.id, DesktopState::InUse).await;
    let new = next_version(&house).await;
    house.broker.start_rollout(&pool, None, plan(1)).await.unwrap();
    let spare_is_new = |all: &[Desktop]| all.iter().any(|one| one.owner.is_none() && one.facts.image == Some(new.id));
    until(&house, &pool, "the spare is of the new version", spare_is_new).await;

    house.restart().await;
    house.broker.set_sessions(gateway.clone());
    for _ in 0..30 {
        house.broker.connections_changed();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let view = ends(&house, &pool, RolloutState::Rest).await;
    assert_eq!(view.count.waiting, 1, "{view:?}");
    let hers = house.store.desktop(given.id).await.unwrap().unwrap();
    assert_eq!((hers.generation, hers.owner), (given.generation, Some(house.anna.id)));

    // She has left.
    gateway.0.lock().unwrap().clear();
    ends(&house, &pool, RolloutState::Done).await;
    let all_new = |all: &[Desktop]| !all.is_empty() && all.iter().all(|one| one.facts.image == Some(new.id));
    until(&house, &pool, "all are of the new version", all_new).await;
}

#[tokio::test]
async fn what_is_somebodys_for_good_is_wiped_only_when_that_was_asked_for() {
    let (house, pool, _) = house(PoolKind::Dedicated, "running=1,per_minute=1000", 4).await;
    let given = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    house.reaches(given.id, DesktopState::Ready).await;
    let new = next_version(&house).await;
    let begun = house.broker.start_rollout(&pool, None, plan(0)).await.unwrap();
    assert_eq!(begun.count.kept, 1);
    ends(&house, &pool, RolloutState::Done).await;
    let kept = house.store.desktop(given.id).await.unwrap().unwrap();
    assert_eq!((kept.facts.image, kept.generation), (pool.image, 1));

    // Back, and once more with all of them, now.
    house.broker.roll_back(&house.broker.find_pool("floor").await.unwrap(), plan(0)).await.unwrap();
    ends(&house, &pool, RolloutState::Done).await;
    let all = RolloutPlan { wipe_dedicated: true, replace: Replace::Now, ..plan(0) };
    house.broker.start_rollout(&pool, None, all).await.unwrap();
    ends(&house, &pool, RolloutState::Done).await;
    let wiped = house.store.desktop(given.id).await.unwrap().unwrap();
    assert_eq!((wiped.facts.image, wiped.owner, wiped.generation), (Some(new.id), Some(house.anna.id), 2));
}

#[tokio::test]
async fn it_is_paused_resumed_and_cancelled() {
    let (house, pool, _) = house(PoolKind::Floating, "running=2,per_minute=1000", 4).await;
    let old = pool.image.unwrap();
    until(&house, &pool, "two are ready", |all| all_of(all, old, 2)).await;
    let new = next_version(&house).await;
    // Nothing before tomorrow.
    let tomorrow = oriel_store::clock::now().plus_seconds(24 * 3600);
    let early = RolloutPlan { not_before: Some(tomorrow), ..plan(1) };
    house.broker.start_rollout(&pool, None, early).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(all_of(&house.store.desktops_in_pool(pool.id).await.unwrap(), old, 2));
    let cancelled = house.broker.cancel_rollout(&pool).await.unwrap();
    assert_eq!(cancelled.rollout.state, RolloutState::Cancelled);
    let over = house.broker.pause_rollout(&pool, true).await;
    assert!(matches!(over, Err(BrokerError::Conflict { code: "rollout_over", .. })), "{over:?}");

    let watched = RolloutPlan { watch_minutes: 60, ..plan(1) };
    house.broker.start_rollout(&pool, None, watched).await.unwrap();
    let first = |all: &[Desktop]| {
        all.iter().filter(|one| one.facts.image == Some(new.id) && one.state == DesktopState::Ready).count() == 1
    };
    until(&house, &pool, "one is of the new version", first).await;
    let paused = house.broker.pause_rollout(&pool, true).await.unwrap();
    assert!(paused.rollout.is_paused && paused.step.starts_with("paused"), "{}", paused.step);
    house.store.modify_rollout(pool.id, |rollout| rollout.watched_since = Some(oriel_model::Micros(1))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(house.broker.rollout(&pool).await.unwrap().unwrap().rollout.state, RolloutState::Canary);
    house.broker.pause_rollout(&pool, false).await.unwrap();
    ends(&house, &pool, RolloutState::Done).await;
}

#[tokio::test]
async fn what_is_made_for_one_visit_tries_the_new_version_too() {
    let (house, pool, gateway) = house(PoolKind::Ephemeral, "return=0,per_minute=1000", 3).await;
    let held = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    house.reaches(held.id, DesktopState::Ready).await;
    gateway.0.lock().unwrap().push(held.id);
    house.broker.connections_changed();
    let new = next_version(&house).await;
    house.broker.start_rollout(&pool, None, plan(1)).await.unwrap();
    let bob = person(&house, &pool, "bob").await;
    let tried = house.broker.take_desktop(&bob, &pool).await.unwrap();
    let tried = house.reaches(tried.id, DesktopState::Ready).await;
    assert_eq!(tried.facts.image, Some(new.id), "the first one is new");
    assert_eq!(house.store.desktop(held.id).await.unwrap().unwrap().facts.image, pool.image);
}

#[tokio::test]
async fn a_session_host_drains_for_a_new_version_while_the_next_one_takes_people() {
    let (house, pool, _) = house(PoolKind::SessionHost, "running=1,sessions=2,per_minute=1000", 2).await;
    let old = pool.image.unwrap();
    until(&house, &pool, "one is ready", |all| all_of(all, old, 1)).await;
    let first = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    let new = next_version(&house).await;
    let begun = house.broker.start_rollout(&pool, None, plan(1)).await.unwrap();
    assert_eq!((begun.count.waiting, begun.count.old), (1, 0), "somebody has a place on it");
    let beside = |all: &[Desktop]| {
        let is = |one: &Desktop| one.facts.image == Some(new.id) && one.state == DesktopState::Ready;
        all.iter().any(is) && all.iter().any(|one| one.id == first.id && one.facts.drained_for == Some(new.id))
    };
    until(&house, &pool, "another one is made of the new version, and the first takes nobody new", beside).await;
    let bob = crate::pools::person(&house, &pool, "bob").await;
    assert_ne!(house.broker.take_desktop(&bob, &pool).await.unwrap().id, first.id);
    assert_eq!(house.broker.take_desktop(&house.anna, &pool).await.unwrap().id, first.id, "who is there comes back");

    let drained = house.store.desktop(first.id).await.unwrap().unwrap();
    let refused = house.broker.undrain(&drained).await;
    assert!(matches!(refused, Err(BrokerError::Conflict { code: "rollout_drains", .. })), "{refused:?}");
    // Paused, it takes people again.
    house.broker.pause_rollout(&pool, true).await.unwrap();
    until(&house, &pool, "it is open", |all| all.iter().all(|one| !one.facts.draining)).await;
    house.broker.pause_rollout(&pool, false).await.unwrap();
    let place = house.store.place_of(pool.id, house.anna.id).await.unwrap().unwrap();
    assert!(house.store.take_back_place(place, |_, _| true).await.unwrap());
    let done = ends(&house, &pool, RolloutState::Done).await;
    assert_eq!(done.count.total(), done.count.new);
    let all = house.store.desktops_in_pool(pool.id).await.unwrap();
    assert!(all.iter().all(|one| one.facts.image == Some(new.id) && !one.facts.draining), "{all:#?}");
}
