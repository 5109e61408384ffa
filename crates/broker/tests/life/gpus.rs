//! Units of GPUs from claim to release, and switching a card between desktops.

use crate::house::House;
use oriel_broker::{BrokerError, NewPool, PoolChange};
use oriel_compute::Compute;
use oriel_compute::fake::{FakeCompute, FakeMode, FakeStep, M60_GPUS};
use oriel_model::{DesktopId, DesktopIntent, DesktopState, GpuMode, GpuSwitch, GpuUnit, OperationState};
use std::collections::BTreeSet;
use std::time::Duration;

/// A house with a Tesla M60, whose pool asks for `request`.
async fn house(request: &str) -> House {
    let mut house = House::on(FakeCompute::new("here", FakeMode::Auto).with_m60()).await;
    let change =
        PoolChange { gpu: Some(Some(request.parse().unwrap())), desktops_max: Some(40), ..PoolChange::default() };
    house.pool = house.broker.change_pool(house.pool.id, change).await.unwrap();
    house
}

/// Everything that is held, checked against itself: no slot twice, every slice made, none without a holder.
async fn held(house: &House) -> Vec<(DesktopId, String, Vec<u8>)> {
    let claims = house.store.gpu_claims().await.unwrap();
    let mut slots = BTreeSet::new();
    for claim in &claims {
        for slot in &claim.hold.slots {
            assert!(slots.insert((claim.hold.gpu.clone(), *slot)), "slot {slot} of {} twice", claim.hold.gpu);
        }
    }
    let made: BTreeSet<String> =
        house.host.gpu_slices().await.unwrap().iter().map(|slice| format!("{:?}", slice.unit)).collect();
    let wanted: BTreeSet<String> = claims.iter().map(|claim| format!("{:?}", claim.hold.unit)).collect();
    assert_eq!(made, wanted, "what exists is what is claimed");
    claims.into_iter().map(|claim| (claim.desktop, claim.hold.gpu.to_string(), claim.hold.slots)).collect()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not in time: {what}");
}

#[tokio::test]
async fn held_while_a_desktop_runs_and_given_back_after() {
    let house = house("vgpu,profile=M60-2Q").await;
    let (one, two) = (house.desktop().await.id, house.desktop().await.id);
    for id in [one, two] {
        house.reaches(id, DesktopState::Ready).await;
        let holds = house.host.holds(id);
        assert!(matches!(&holds[..], [hold] if matches!(hold.unit, GpuUnit::Mdev { .. })), "{holds:?}");
    }
    let both = held(&house).await;
    assert_eq!(both.len(), 2);
    assert_eq!(both[0].1, both[1].1, "density fills a card that is begun");
    assert_eq!(both[0].2.len(), 4, "a quarter of sixteen slots");

    house.broker.set_intent(one, DesktopIntent::Stopped).await.unwrap();
    house.reaches(one, DesktopState::Stopped).await;
    assert_eq!(held(&house).await.len(), 1);
    house.broker.set_intent(one, DesktopIntent::Running).await.unwrap();
    house.reaches(one, DesktopState::Ready).await;
    assert_eq!(held(&house).await.len(), 2);
    house.broker.set_intent(two, DesktopIntent::Recycle).await.unwrap();
    until("the second generation", async || {
        let desktop = house.store.desktop(two).await.unwrap().unwrap();
        desktop.generation == 2 && desktop.state == DesktopState::Ready
    })
    .await;
    assert_eq!(held(&house).await.len(), 2);
    for id in [one, two] {
        house.broker.set_intent(id, DesktopIntent::Deleted).await.unwrap();
        house.is_gone(id).await;
    }
    assert_eq!(held(&house).await, []);
}

#[tokio::test]
async fn when_none_is_left_the_closest_failure_is_told() {
    let house = house("vgpu,profile=M60-8Q").await;
    let (one, two, three) = (house.desktop().await.id, house.desktop().await.id, house.desktop().await.id);
    let mut failed = Vec::new();
    until("two run and one does not", async || {
        let desktops = house.store.desktops().await.unwrap();
        failed = desktops.iter().filter(|d| d.state == DesktopState::Failed).cloned().collect();
        failed.len() == 1 && desktops.iter().filter(|d| d.state == DesktopState::Ready).count() == 2
    })
    .await;
    let text = failed[0].failure.clone().unwrap();
    assert!(text.contains("M60-8Q") && text.contains("1 desktop of M60-8Q on 0000:0"), "{text}");
    assert_eq!(held(&house).await.len(), 2);
    // One goes off, the other gets its place.
    let running = [one, two, three].into_iter().find(|id| *id != failed[0].id).unwrap();
    house.broker.set_intent(running, DesktopIntent::Stopped).await.unwrap();
    house.reaches(running, DesktopState::Stopped).await;
    house.broker.set_intent(failed[0].id, DesktopIntent::Restart).await.unwrap();
    house.reaches(failed[0].id, DesktopState::Ready).await;
    assert_eq!(held(&house).await.len(), 2);
}

#[tokio::test]
async fn twenty_at_once_get_sixteen_places() {
    let house = house("vgpu,profile=M60-1Q").await;
    for _ in 0..20 {
        house.desktop().await;
    }
    until("all are decided", async || {
        let desktops = house.store.desktops().await.unwrap();
        let count = |state| desktops.iter().filter(|desktop| desktop.state == state).count();
        count(DesktopState::Ready) == 16 && count(DesktopState::Failed) == 4
    })
    .await;
    assert_eq!(held(&house).await.len(), 16);
}

#[tokio::test]
async fn slices_that_a_kill_left_are_removed() {
    let mut house = house("vgpu,profile=M60-2Q").await;
    let id = house.desktop().await.id;
    house.reaches(id, DesktopState::Ready).await;
    // As after a kill between the release of the row and nothing else: a slice without a claim.
    let claim = house.store.gpu_claims_of(id).await.unwrap().remove(0);
    house.store.release_gpu(claim.id).await.unwrap();
    assert_eq!(house.host.gpu_slices().await.unwrap().len(), 1);
    house.host.set_power(id, oriel_compute::Power::Off);
    house.restart().await;
    until("nothing is left over", async || house.host.gpu_slices().await.unwrap().is_empty()).await;
    assert_eq!(house.store.gpu_claims().await.unwrap(), []);
}

#[tokio::test]
async fn a_host_that_fails_once_is_asked_again() {
    let house = house("vgpu,profile=M60-2Q").await;
    house.host.fail_next(FakeStep::PrepareGpu, "the kernel said no");
    let id = house.desktop().await.id;
    house.reaches(id, DesktopState::Ready).await;
    assert_eq!(held(&house).await.len(), 1);
}

#[tokio::test]
async fn a_held_card_keeps_its_mode() {
    let house = house("vgpu,profile=M60-2Q").await;
    let id = house.desktop().await.id;
    house.reaches(id, DesktopState::Ready).await;
    let held_card = held(&house).await.remove(0).1;
    let switch = |gpu: &str| GpuSwitch { gpu: gpu.parse().unwrap(), mode: GpuMode::Whole, profile: None, count: None };
    let plan = house.broker.plan_gpu_mode(&switch(&held_card)).await.unwrap();
    assert!(plan.needs_drain && plan.steps.is_empty(), "{plan:?}");
    assert!(
        plan.refused.iter().any(|refusal| refusal.code == "in-use" && refusal.reason.contains("lab-1")),
        "{plan:?}"
    );
    let refused = house.broker.switch_gpu(switch(&held_card), None).await;
    assert!(matches!(refused, Err(BrokerError::Conflict { code: "gpu_mode_refused", .. })), "{refused:?}");

    // The board's other half is free to go.
    let other = M60_GPUS.into_iter().find(|gpu| *gpu != held_card).unwrap();
    let operation = house.broker.switch_gpu(switch(other), None).await.unwrap();
    let mut last = operation.clone();
    until("the switch", async || {
        last = house.store.operation(operation.id).await.unwrap().unwrap();
        matches!(last.state, OperationState::Done | OperationState::Failed)
    })
    .await;
    assert_eq!(last.state, OperationState::Done, "{last:?}");
    let gpus = house.broker.gpus().await.unwrap();
    let mode = |address: &str| gpus.iter().find(|held| held.gpu.address.to_string() == address).unwrap().gpu.mode;
    assert_eq!((mode(&held_card), mode(other)), (GpuMode::Vgpu, GpuMode::Whole));

    // A pool that wants a whole card gets just that one.
    let whole = NewPool {
        name: "whole".parse().unwrap(),
        image: house.pool.image,
        vcpus: 2,
        memory_mib: 1024,
        disk_gib: 8,
        network: oriel_model::Network::User,
        desktops_max: 3,
        keyboard: "us".into(),
        gpu: Some("whole".parse().unwrap()),
    };
    let whole = house.broker.create_pool(whole).await.unwrap();
    house.broker.entitle(whole.id, house.anna.id).await.unwrap();
    let new = oriel_broker::NewDesktop { pool: whole, owner: Some(house.anna.clone()), name: None };
    let desktop = house.broker.create_desktop(new).await.unwrap();
    house.reaches(desktop.id, DesktopState::Ready).await;
    let hold = house.host.holds(desktop.id).remove(0);
    assert_eq!((hold.gpu.to_string().as_str(), hold.mode), (other, GpuMode::Whole));
}
