//! Units of GPUs from claim to release, and switching a card between desktops.

use crate::house::House;
use crate::pools;
use oriel_broker::{BrokerError, GpuRules, NewBooking, NewGpuTurn, NewPool, PoolChange};
use oriel_compute::Compute;
use oriel_compute::fake::{FakeCompute, FakeMode, FakeStep, M60_GPUS};
use oriel_model::{
    BookingBy, DesktopId, DesktopIntent, DesktopState, GpuMode, GpuSwitch, GpuUnit, Hardware, OperationState, PoolId,
    PoolKind, Span,
};
use oriel_store::{StoreError, clock::now};
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
    let switch = |gpu: &str| GpuSwitch::new(gpu.parse().unwrap(), GpuMode::Whole);
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
        kind: oriel_model::PoolKind::Dedicated,
        size: oriel_model::PoolSize::default(),
        hours: oriel_model::PoolHours::default(),
        leaving: oriel_model::Leaving::default(),
        name: "whole".parse().unwrap(),
        image: house.pool.image.unwrap(),
        vcpus: 2,
        memory_mib: 1024,
        disk_gib: 8,
        network: oriel_model::Network::User,
        desktops_max: 3,
        keyboard: "us".into(),
        gpu: Some("whole".parse().unwrap()),
        hardware: Hardware::default(),
        recording: oriel_model::RecordingPolicy::Off,
        policy: oriel_model::SessionPolicy::default(),
        cloud: None,
        personal_disk: None,
    };
    let whole = house.broker.create_pool(whole).await.unwrap();
    house.broker.entitle(whole.id, house.anna.id).await.unwrap();
    let new = oriel_broker::NewDesktop { pool: whole, owner: Some(house.anna.clone()), name: None };
    let desktop = house.broker.create_desktop(new).await.unwrap();
    house.reaches(desktop.id, DesktopState::Ready).await;
    let hold = house.host.holds(desktop.id).remove(0);
    assert_eq!((hold.gpu.to_string().as_str(), hold.mode), (other, GpuMode::Whole));
}

/// The desktops of the pool, each with what became of it, once each runs or has failed.
async fn decided(house: &House, count: usize) -> Vec<oriel_model::Desktop> {
    let mut desktops = Vec::new();
    until("all are decided", async || {
        desktops = house.store.desktops().await.unwrap();
        let ended = |state| matches!(state, DesktopState::Ready | DesktopState::Failed);
        desktops.len() == count && desktops.iter().all(|desktop| ended(desktop.state))
    })
    .await;
    desktops
}

#[tokio::test]
async fn performance_spreads_and_named_cards_are_kept_to() {
    let house = house("vgpu,profile=M60-2Q,placement=performance").await;
    house.desktop().await;
    house.desktop().await;
    decided(&house, 2).await;
    let both = held(&house).await;
    assert_ne!(both[0].1, both[1].1, "as few neighbours as possible");

    let ask = async |request: &str| {
        let change = PoolChange { gpu: Some(Some(request.parse().unwrap())), ..PoolChange::default() };
        house.broker.change_pool(house.pool.id, change).await.unwrap();
        house.desktop().await.id
    };
    let named = ask("vgpu,profile=M60-2Q,cards=0000:07:00.0").await;
    house.reaches(named, DesktopState::Ready).await;
    assert_eq!(house.host.holds(named)[0].gpu.to_string(), "0000:07:00.0");
    let nowhere = ask("vgpu,profile=M60-2Q,cards=0000:99:00.0").await;
    let failed = house.reaches(nowhere, DesktopState::Failed).await.failure.unwrap();
    assert!(failed.contains("none of the GPUs that the pool names: 0000:99:00.0"), "{failed}");
}

#[tokio::test]
async fn licences_have_their_caps() {
    let house = House::on(FakeCompute::new("here", FakeMode::Auto).with_m60()).await;
    let rules = GpuRules { licences: [("VWS".to_owned(), 2)].into(), ..GpuRules::default() };
    house.broker.set_gpu_rules(rules);
    let change = PoolChange {
        gpu: Some(Some("vgpu,profile=M60-1Q".parse().unwrap())),
        desktops_max: Some(40),
        ..PoolChange::default()
    };
    house.broker.change_pool(house.pool.id, change).await.unwrap();
    for _ in 0..4 {
        house.desktop().await;
    }
    let desktops = decided(&house, 4).await;
    let failed: Vec<_> = desktops.iter().filter_map(|desktop| desktop.failure.as_deref()).collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[0].contains("all licences that allow M60-1Q are in use: vWS (at most 2)"), "{failed:?}");
}

#[tokio::test]
async fn a_card_that_was_set_for_one_profile_gives_no_other() {
    let house = house("vgpu,profile=M60-2Q").await;
    let wish =
        GpuSwitch { profile: Some("M60-4Q".into()), ..GpuSwitch::new(M60_GPUS[0].parse().unwrap(), GpuMode::Vgpu) };
    let operation = house.broker.switch_gpu(wish, None).await.unwrap();
    until("the switch", async || {
        house.store.operation(operation.id).await.unwrap().unwrap().state == OperationState::Done
    })
    .await;
    let only: Vec<_> = house.broker.gpus().await.unwrap().into_iter().map(|held| held.only_profile).collect();
    assert_eq!(only, [Some("M60-4Q".to_owned()), None]);
    let id = house.desktop().await.id;
    house.reaches(id, DesktopState::Ready).await;
    assert_eq!(house.host.holds(id)[0].gpu.to_string(), M60_GPUS[1]);
    let request = format!("vgpu,profile=M60-2Q,cards={}", M60_GPUS[0]);
    let change = PoolChange { gpu: Some(Some(request.parse().unwrap())), ..PoolChange::default() };
    house.broker.change_pool(house.pool.id, change).await.unwrap();
    let id = house.desktop().await.id;
    let failed = house.reaches(id, DesktopState::Failed).await.failure.unwrap();
    assert!(failed.contains("does not give M60-2Q: its mode was set for slices M60-4Q only"), "{failed}");
}

#[tokio::test]
async fn what_others_made_is_shown_and_goes_only_when_somebody_says_so() {
    let house = house("vgpu,profile=M60-2Q").await;
    let gpu: oriel_model::GpuAddress = M60_GPUS[0].parse().unwrap();
    let uuid = oriel_gpu::mode::desktop_slice(DesktopId::new().0, 0);
    let unit = GpuUnit::Mdev { uuid, parent: gpu.clone(), type_id: "nvidia-20".into() };
    let hold = oriel_model::GpuHold {
        gpu: gpu.clone(),
        mode: GpuMode::Vgpu,
        profile: Some("M60-4Q".into()),
        slots: vec![0],
        unit,
    };
    house.host.prepare_gpu(&hold).await.unwrap();
    let gpus = house.broker.gpus().await.unwrap();
    let found = &gpus[0].strangers;
    assert_eq!((found.len(), found[0].name.clone(), found[0].slots.len()), (1, uuid.to_string(), 8), "{found:?}");
    assert_eq!(gpus[1].strangers, []);

    let switch = GpuSwitch::new(gpu, GpuMode::Whole);
    let refused = house.broker.switch_gpu(switch.clone(), None).await;
    assert!(matches!(&refused, Err(BrokerError::Conflict { code: "gpu_needs_drain", .. })), "{refused:?}");
    let operation = house.broker.switch_gpu(GpuSwitch { drained: true, ..switch }, None).await.unwrap();
    until("the switch", async || {
        house.store.operation(operation.id).await.unwrap().unwrap().state == OperationState::Done
    })
    .await;
    let gpus = house.broker.gpus().await.unwrap();
    assert_eq!((gpus[0].gpu.mode, gpus[0].strangers.len()), (GpuMode::Whole, 0));
}

#[tokio::test]
async fn modes_are_set_again_until_they_are() {
    let host = FakeCompute::new("here", FakeMode::Auto).with_m60();
    host.fail_next(FakeStep::SettleGpus, "the driver is not there yet");
    let house = House::on(host).await;
    let status = || house.broker.reconcilers().into_iter().find(|status| status.name == "gpu modes");
    until("the failure is shown", async || {
        status().is_some_and(|status| status.last_error.as_deref() == Some("the driver is not there yet"))
    })
    .await;
    assert_eq!(status().unwrap().period, Duration::from_secs(2));
    until("it is tried again", async || status().is_some_and(|status| status.last_error.is_none())).await;
    assert_eq!(status().unwrap().progress, "2 GPUs are as they were set");
}

#[tokio::test]
async fn a_card_is_what_its_time_plan_says_and_nobody_elses() {
    let house = house("vgpu,profile=M60-2Q").await;
    let mut floor = house.pool.clone();
    (floor.id, floor.name, floor.kind) = (PoolId::new(), "floor".parse().unwrap(), PoolKind::Floating);
    floor.gpu = Some("vgpu,profile=M60-4Q".parse().unwrap());
    house.store.create_pool(&floor).await.unwrap();
    house.broker.entitle(floor.id, house.anna.id).await.unwrap();
    let turn = |hours: &str, profile: &str| NewGpuTurn {
        gpu: M60_GPUS[0].to_owned(),
        pool: floor.clone(),
        mode: GpuMode::Vgpu,
        profile: Some(profile.to_owned()),
        hours: hours.to_owned(),
    };
    let of_lab = NewGpuTurn { pool: house.pool.clone(), ..turn("daily 00:00-24:00 UTC", "M60-2Q") };
    for wrong in [of_lab, turn("daily 00:00-24:00 UTC", "M60-2Q"), turn("always", "M60-4Q")] {
        let refused = house.broker.add_gpu_turn(wrong).await;
        assert!(matches!(refused, Err(BrokerError::Invalid { code: "bad_turn", .. })), "{refused:?}");
    }
    let made = house.broker.add_gpu_turn(turn("daily 00:00-24:00 UTC", "M60-4Q")).await.unwrap();
    until("the card is switched", async || house.store.gpu_turns().await.unwrap()[0].is_ready).await;
    let held = house.broker.find_gpu(M60_GPUS[0]).await.unwrap();
    assert_eq!(held.only_profile.as_deref(), Some("M60-4Q"));
    let taken = house.broker.take_desktop(&house.anna, &floor).await.unwrap();
    house.reaches(taken.id, DesktopState::Ready).await;
    assert_eq!(house.host.holds(taken.id)[0].gpu.to_string(), M60_GPUS[0]);
    // Others have the other card.
    let other = house.desktop().await.id;
    house.reaches(other, DesktopState::Ready).await;
    assert_eq!(house.host.holds(other)[0].gpu.to_string(), M60_GPUS[1]);

    // Its turn is another day: in three days, which is never today in any hour.
    house.broker.remove_gpu_turn(&made.id.to_string()).await.unwrap();
    let days = usize::try_from(now().0 / 86_400_000_000).unwrap();
    // 1970 began on a Thursday.
    let day = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"][(days + 3) % 7];
    house.broker.add_gpu_turn(turn(&format!("{day} 06:00-12:00 UTC"), "M60-4Q")).await.unwrap();
    let bob = pools::person(&house, &floor, "bob").await;
    let refused = house.broker.take_desktop(&bob, &floor).await.err();
    let Some(BrokerError::Conflict { code: "gpu_not_its_turn", text, .. }) = refused else { panic!("{refused:?}") };
    assert!(text.starts_with("floor has its GPU by a time plan: next from "), "{text}");
    let span = Span { from: now().plus_seconds(600), to: now().plus_seconds(4200) };
    let by = BookingBy::Administrator { priority: None };
    let refused = house.broker.book(NewBooking { pool: floor.clone(), user: bob, span, by }).await.err();
    let Some(BrokerError::Store(StoreError::Booking(refusal))) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.code, "outside_plan");
}
