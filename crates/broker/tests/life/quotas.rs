//! What people may hold at most, however many ask at once.

use crate::house::House;
use oriel_broker::{BrokerError, NewDesktop};
use oriel_compute::{Power, fake::FakeMode};
use oriel_model::{
    Cap, Desktop, DesktopIntent, DesktopState, GuestPort, Pool, PoolId, PoolKind, QuotaKind, QuotaScope, User,
};
use oriel_store::StoreError;
use std::time::Duration;

async fn limit(house: &House, scope: QuotaScope, limits: &str) {
    house.broker.set_quota(scope, limits.parse().unwrap()).await.unwrap();
}

async fn pool(house: &House, name: &str) -> Pool {
    let mut pool = house.pool.clone();
    (pool.id, pool.name, pool.kind) = (PoolId::new(), name.parse().unwrap(), PoolKind::Floating);
    house.store.create_pool(&pool).await.unwrap();
    house.broker.entitle(pool.id, house.anna.id).await.unwrap();
    pool
}

fn is_over<T>(answer: &Result<T, BrokerError>) -> bool {
    matches!(answer, Err(BrokerError::Store(StoreError::OverQuota(_))))
}

async fn held(house: &House, user: &User, kind: QuotaKind) -> (u64, Option<Cap>) {
    let of = house.broker.quota_of(user).await.unwrap();
    let used = of.uses.iter().find(|used| used.kind == kind).unwrap();
    (used.held, used.limit.map(|(cap, _)| cap))
}

#[tokio::test]
async fn one_person_asks_four_pools_for_their_last_desktop() {
    let house = House::new(FakeMode::Auto).await;
    limit(&house, QuotaScope::Everyone, "desktops=1").await;
    let mut asking = Vec::new();
    for name in ["floor-a", "floor-b", "floor-c", "floor-d"] {
        let (broker, pool, anna) = (house.broker.clone(), pool(&house, name).await, house.anna.clone());
        asking.push(tokio::spawn(async move { broker.take_desktop(&anna, &pool).await }));
    }
    let mut won = Vec::new();
    for asked in asking {
        match asked.await.unwrap() {
            Ok(desktop) => won.push(desktop),
            refused => assert!(is_over(&refused), "{refused:?}"),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(held(&house, &house.anna, QuotaKind::Desktops).await, (1, Some(Cap::Most(1))));
    // The one that she has she gets again; an administrator cannot give her more, and says whose limit it is.
    let pools = house.broker.pools_for(&house.anna).await.unwrap();
    let of_hers = pools.iter().find(|(_, has)| has.is_some()).unwrap().0.clone();
    assert_eq!(house.broker.take_desktop(&house.anna, &of_hers).await.unwrap().id, won[0].id);
    let new = NewDesktop { pool: house.pool.clone(), owner: Some(house.anna.clone()), name: None };
    let refused = house.broker.create_desktop(new).await.unwrap_err();
    assert!(refused.to_string().starts_with("anna has 1 desktop ("), "{refused}");
    let BrokerError::Conflict { code, text, next_step } = refused.said_to(&house.anna) else { panic!("not said") };
    assert_eq!(code, "over_quota");
    assert!(text.starts_with("you have 1 desktop (") && text.ends_with("everyone's limit is 1"), "{text}");
    assert!(next_step.starts_with("give back "), "{next_step}");
    // Less than she has takes nothing away.
    limit(&house, QuotaScope::User(house.anna.id), "desktops=0").await;
    assert_eq!(held(&house, &house.anna, QuotaKind::Desktops).await, (1, Some(Cap::Most(0))));
    house.reaches(won[0].id, DesktopState::Ready).await;
}

#[tokio::test]
async fn only_so_many_run() {
    let house = House::new(FakeMode::Auto).await;
    let (one, two) = (house.desktop().await, house.desktop().await);
    for id in [one.id, two.id] {
        house.reaches(id, DesktopState::Ready).await;
        house.broker.set_intent(id, DesktopIntent::Stopped).await.unwrap();
        house.reaches(id, DesktopState::Stopped).await;
    }
    limit(&house, QuotaScope::User(house.anna.id), "memory=1G").await;
    let mut asking = Vec::new();
    for id in [one.id, two.id] {
        let broker = house.broker.clone();
        asking.push(tokio::spawn(async move { broker.set_intent(id, DesktopIntent::Running).await }));
    }
    let mut ran = Vec::new();
    for asked in asking {
        match asked.await.unwrap() {
            Ok(desktop) => ran.push(desktop.id),
            refused => assert!(is_over(&refused), "{refused:?}"),
        }
    }
    assert_eq!(ran.len(), 1);
    house.reaches(ran[0], DesktopState::Ready).await;
    let off = if ran[0] == one.id { &two } else { &one };
    let off = house.store.desktop(off.id).await.unwrap().unwrap();
    // Nor by opening it, nor by other tools.
    assert!(is_over(&house.broker.connect(&house.anna, &off, GuestPort::Rdp, None, "s").await));
    house.host.set_power(off.id, Power::Running);
    house.broker.set_intent(off.id, DesktopIntent::Stopped).await.unwrap();
    let runs = || house.host.observed().iter().any(|found| found.desktop == off.id && found.power == Power::Running);
    for _ in 0..600 {
        if !runs() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!runs());
    let off = house.reaches(off.id, DesktopState::Stopped).await;
    assert_eq!(off.intent, DesktopIntent::Stopped);
    // The other one makes room.
    house.broker.set_intent(ran[0], DesktopIntent::Stopped).await.unwrap();
    house.broker.set_intent(off.id, DesktopIntent::Running).await.unwrap();
    house.reaches(off.id, DesktopState::Ready).await;
}

#[tokio::test]
async fn a_session_counts_until_its_last_tab_is_closed() {
    let house = House::new(FakeMode::Auto).await;
    let (one, two) = (house.desktop().await, house.desktop().await);
    let (one, two) =
        (house.reaches(one.id, DesktopState::Ready).await, house.reaches(two.id, DesktopState::Ready).await);
    limit(&house, QuotaScope::Everyone, "sessions=1").await;
    let broker = &house.broker;
    let connect = async |desktop: &Desktop| broker.connect(&house.anna, desktop, GuestPort::Rdp, None, "s").await;
    let ticket = connect(&one).await.unwrap().ticket;
    broker.redeem(&ticket.ticket_sha256, "s").await.unwrap();
    let (tab, other_tab) = (broker.attendance(house.anna.id, one.id), broker.attendance(house.anna.id, one.id));
    assert!(is_over(&connect(&two).await));
    tab.end().await;
    assert!(is_over(&connect(&two).await), "the other tab is there");
    other_tab.end().await;
    connect(&two).await.unwrap();
    assert_eq!(held(&house, &house.anna, QuotaKind::Sessions).await, (1, Some(Cap::Most(1))));
    assert!(is_over(&connect(&one).await), "a ticket that was not used yet counts");
}
