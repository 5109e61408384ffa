//! Pools that give desktops away, keep spares and take back what was left.

use crate::house::House;
use async_trait::async_trait;
use oriel_broker::{BrokerError, NewUser, PoolChange, Sessions};
use oriel_compute::Compute;
use oriel_compute::fake::FakeMode;
use oriel_model::{
    Desktop, DesktopId, DesktopIntent, DesktopState, Micros, Pool, PoolHours, PoolId, PoolKind, Role, TokenScope, User,
    UserId,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A gateway whose connections the test says, what was said to them, and which desktops it was told somebody else has booked.
#[derive(Default)]
pub struct Gateway(pub Mutex<Vec<DesktopId>>, pub Mutex<Vec<String>>, pub Mutex<BTreeMap<DesktopId, Micros>>);

#[async_trait]
impl Sessions for Gateway {
    fn connections_to(&self, desktop: DesktopId) -> usize {
        self.0.lock().unwrap().iter().filter(|one| **one == desktop).count()
    }
    fn connected(&self) -> Vec<DesktopId> {
        self.0.lock().unwrap().clone()
    }
    async fn thumbnail(&self, _: DesktopId, _: u16) -> Option<Vec<u8>> {
        None
    }
    fn prelaunch(&self, _: UserId, _: DesktopId) {}
    async fn end_desktop(&self, _: DesktopId, _: &str) {}
    async fn end_user(&self, _: UserId, _: &str) {}
    fn say(&self, desktop: DesktopId, text: &str) {
        assert!(self.connections_to(desktop) > 0);
        self.1.lock().unwrap().push(text.to_owned());
    }

    fn asked_back(&self, by: &BTreeMap<DesktopId, Micros>) {
        self.2.lock().unwrap().clone_from(by);
    }
}

/// A house with one more pool of that kind.
pub async fn house(kind: PoolKind, size: &str, most: u32) -> (House, Pool, Arc<Gateway>) {
    let house = House::new(FakeMode::Auto).await;
    let gateway = Arc::new(Gateway::default());
    house.broker.set_sessions(gateway.clone());
    let mut pool = house.pool.clone();
    (pool.id, pool.name, pool.kind) = (PoolId::new(), "floor".parse().unwrap(), kind);
    (pool.size, pool.desktops_max) = (size.parse().unwrap(), most);
    house.store.create_pool(&pool).await.unwrap();
    house.broker.change_pool(pool.id, PoolChange::default()).await.unwrap();
    house.broker.entitle(pool.id, house.anna.id).await.unwrap();
    (house, pool, gateway)
}

pub async fn person(house: &House, pool: &Pool, name: &str) -> User {
    let new = NewUser { name: name.into(), role: Role::User, password: None };
    let (user, _) = house.broker.create_user(new).await.unwrap();
    house.broker.entitle(pool.id, user.id).await.unwrap();
    user
}

pub async fn until(house: &House, pool: &Pool, what: &str, holds: impl Fn(&[Desktop]) -> bool) -> Vec<Desktop> {
    let mut last = Vec::new();
    for _ in 0..900 {
        last = house.store.desktops_in_pool(pool.id).await.unwrap();
        if holds(&last) {
            return last;
        }
        house.broker.connections_changed();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not in time: {what}: {last:#?}");
}

/// As a viewer with a ticket does it.
pub async fn enter(house: &House, user: &User, id: DesktopId) -> Result<Desktop, BrokerError> {
    let grants = house.broker.grants(user, TokenScope::All).await.unwrap();
    house.broker.enter(user, &grants, id).await
}

fn ready(desktops: &[Desktop]) -> usize {
    desktops.iter().filter(|one| one.owner.is_none() && one.state == DesktopState::Ready).count()
}

#[tokio::test]
async fn spares_are_kept_and_given_away() {
    let (house, pool, _) = house(PoolKind::Floating, "running=2,stopped=1", 6).await;
    let spare = |all: &[Desktop]| {
        ready(all) == 2 && all.iter().filter(|one| one.state == DesktopState::Stopped).count() == 1 && all.len() == 3
    };
    until(&house, &pool, "two spares run and one is off", spare).await;
    let given = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    assert_eq!(given.state, DesktopState::Ready, "who comes gets one that is ready");
    assert_eq!(house.broker.take_desktop(&house.anna, &pool).await.unwrap().id, given.id, "and the same again");
    let all = until(&house, &pool, "the spares are there again", |all| ready(all) == 2 && all.len() == 4).await;
    assert_eq!(all.iter().filter(|one| one.owner == Some(house.anna.id)).count(), 1);
    let mine = house.broker.pools_for(&house.anna).await.unwrap();
    let mine = mine.iter().find(|(one, _)| one.id == pool.id).unwrap();
    assert_eq!(mine.1.as_ref().map(|one| one.id), Some(given.id));
}

#[tokio::test]
async fn four_ask_for_the_last_one() {
    let (house, pool, _) = house(PoolKind::Floating, "running=1", 1).await;
    until(&house, &pool, "one is ready", |all| ready(all) == 1).await;
    let mut asking = Vec::new();
    for name in ["bob", "cem", "dan", "eva"] {
        let (broker, pool, user) = (house.broker.clone(), pool.clone(), person(&house, &pool, name).await);
        asking.push(tokio::spawn(async move { broker.take_desktop(&user, &pool).await }));
    }
    let mut won = 0;
    for asked in asking {
        match asked.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert!(matches!(error, BrokerError::Conflict { code: "pool_full", .. }), "{error}"),
        }
    }
    assert_eq!(won, 1);
    let stranger = NewUser { name: "zoe".into(), role: Role::User, password: None };
    let (stranger, _) = house.broker.create_user(stranger).await.unwrap();
    let refused = house.broker.take_desktop(&stranger, &pool).await;
    assert!(matches!(refused, Err(BrokerError::Missing { .. })), "who may not does not learn of it");
}

#[tokio::test]
async fn what_was_left_is_made_anew_for_the_next() {
    let (house, pool, gateway) = house(PoolKind::Floating, "running=1,return=0", 1).await;
    let bob = person(&house, &pool, "bob").await;
    until(&house, &pool, "one is ready", |all| ready(all) == 1).await;
    let given = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    enter(&house, &house.anna, given.id).await.unwrap();
    gateway.0.lock().unwrap().push(given.id);
    house.broker.connections_changed();
    house.reaches(given.id, DesktopState::InUse).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(house.store.desktop(given.id).await.unwrap().unwrap().owner, Some(house.anna.id), "she is there");
    assert!(house.broker.take_desktop(&bob, &pool).await.is_err());

    gateway.0.lock().unwrap().clear();
    let all = until(&house, &pool, "it is free and anew", |all| ready(all) == 1 && all[0].generation == 2).await;
    assert_eq!((all[0].id, all[0].facts.seat), (given.id, None));
    assert!(enter(&house, &house.anna, given.id).await.is_err(), "she is out");
    assert_eq!(house.broker.take_desktop(&bob, &pool).await.unwrap().id, given.id);
}

#[tokio::test]
async fn what_was_made_for_one_visit_goes_after_it() {
    let (house, pool, gateway) = house(PoolKind::Ephemeral, "return=0", 2).await;
    let given = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    enter(&house, &house.anna, given.id).await.unwrap();
    gateway.0.lock().unwrap().push(given.id);
    house.reaches(given.id, DesktopState::InUse).await;
    // The word of it is in the database, too.
    house.broker.connections_changed();
    tokio::time::sleep(Duration::from_millis(200)).await;
    gateway.0.lock().unwrap().clear();
    until(&house, &pool, "it is gone", <[Desktop]>::is_empty).await;
    assert_eq!(house.host.list().await.unwrap(), vec![]);
}

#[tokio::test]
async fn dedicated_ones_stay_whose_they_are() {
    let (house, pool, _) = house(PoolKind::Dedicated, "running=1,return=0", 3).await;
    until(&house, &pool, "one is ready", |all| ready(all) == 1).await;
    let given = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    until(&house, &pool, "another is ready", |all| ready(all) == 1 && all.len() == 2).await;
    house.broker.set_intent(given.id, DesktopIntent::Stopped).await.unwrap();
    house.reaches(given.id, DesktopState::Stopped).await;
    let again = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    assert_eq!((again.id, again.owner, again.generation), (given.id, Some(house.anna.id), 1));
    house.reaches(given.id, DesktopState::Ready).await;
}

#[tokio::test]
async fn what_an_administrator_was_in_is_made_anew_before_somebody_gets_it() {
    let (house, pool, gateway) = house(PoolKind::Floating, "running=1", 1).await;
    let all = until(&house, &pool, "one is ready", |all| ready(all) == 1).await;
    let spare = all[0].id;
    let root = NewUser { name: "root".into(), role: Role::Admin, password: None };
    let (root, _) = house.broker.create_user(root).await.unwrap();
    enter(&house, &root, spare).await.unwrap();
    gateway.0.lock().unwrap().push(spare);
    house.broker.connections_changed();
    house.reaches(spare, DesktopState::InUse).await;
    let refused = house.broker.take_desktop(&house.anna, &pool).await;
    assert!(matches!(refused, Err(BrokerError::Conflict { .. })), "somebody is in it: {refused:?}");
    house.broker.connections_changed();
    tokio::time::sleep(Duration::from_millis(200)).await;
    gateway.0.lock().unwrap().clear();
    until(&house, &pool, "it is made anew", |all| ready(all) == 1 && all[0].generation == 2).await;
    assert_eq!(house.broker.take_desktop(&house.anna, &pool).await.unwrap().id, spare);
}

#[tokio::test]
async fn spares_are_there_at_peak_only() {
    let (house, pool, _) = house(PoolKind::Floating, "default", 3).await;
    // Three days from now, and at every hour.
    let days = oriel_store::clock::now().0 / (24 * 3600 * 1_000_000);
    let words = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let then = words[usize::try_from((days + 3 + 3) % 7).unwrap()];
    let hours = |peak: String| PoolHours {
        peaks: vec![peak.parse().unwrap()],
        off_peak: "running=0".parse().unwrap(),
        ..PoolHours::default()
    };
    let size = Some("running=2".parse().unwrap());
    let change = PoolChange { size, hours: Some(hours(format!("{then} 08:00-18:00 UTC"))), ..PoolChange::default() };
    house.broker.change_pool(pool.id, change).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(house.store.desktops_in_pool(pool.id).await.unwrap(), [], "off peak nothing is kept ready");
    let change = PoolChange { hours: Some(hours("daily 00:00-24:00 UTC".into())), ..PoolChange::default() };
    house.broker.change_pool(pool.id, change).await.unwrap();
    until(&house, &pool, "two spares run", |all| ready(all) == 2).await;

    let wrong = PoolHours { off_peak: "running=4".parse().unwrap(), ..hours("daily 08:00-18:00 UTC".into()) };
    let refused = house.broker.change_pool(pool.id, PoolChange { hours: Some(wrong), ..PoolChange::default() }).await;
    assert!(matches!(&refused, Err(BrokerError::Invalid { code: "bad_pool", .. })), "{refused:?}");
}

#[tokio::test]
async fn unused_desktops_are_shut_down_and_stay_whose_they_are() {
    let (house, pool, gateway) = house(PoolKind::Dedicated, "default", 3).await;
    let bob = person(&house, &pool, "bob").await;
    let mut given = Vec::new();
    for user in [&house.anna, &bob] {
        let desktop = house.broker.take_desktop(user, &pool).await.unwrap();
        house.reaches(desktop.id, DesktopState::Ready).await;
        given.push(desktop.id);
    }
    let (left, used) = (given[0], given[1]);
    gateway.0.lock().unwrap().push(used);
    house.broker.connections_changed();
    house.reaches(used, DesktopState::InUse).await;
    let long_ago = oriel_store::clock::now().plus_seconds(-3600);
    for id in [left, used] {
        let aged = house.store.modify_desktop(id, |row| {
            row.facts.ready = Some(long_ago);
            row.facts.seat = Some(oriel_model::Seat { since: long_ago, seen: long_ago });
        });
        aged.await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(house.store.desktop(left).await.unwrap().unwrap().state, DesktopState::Ready, "nobody says so");
    let leaving = Some("shut_down=30".parse().unwrap());
    house.broker.change_pool(pool.id, PoolChange { leaving, ..PoolChange::default() }).await.unwrap();
    house.reaches(left, DesktopState::Stopped).await;
    let off = house.store.desktop(left).await.unwrap().unwrap();
    assert_eq!((off.owner, off.generation), (Some(house.anna.id), 1));
    assert_eq!(house.store.desktop(used).await.unwrap().unwrap().state, DesktopState::InUse, "somebody is in it");
    // Whoever comes back finds it, and it starts.
    let again = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    assert_eq!(again.id, left);
    house.reaches(left, DesktopState::Ready).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        house.store.desktop(left).await.unwrap().unwrap().intent,
        DesktopIntent::Running,
        "they have time to come"
    );
}
