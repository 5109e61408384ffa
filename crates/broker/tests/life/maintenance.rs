//! Hosts that are drained, and pools that let nobody new in.

use crate::house::House;
use crate::pools::{house, person, until};
use oriel_broker::{BrokerError, Drain, Fate, NewDesktop};
use oriel_compute::Compute;
use oriel_model::{
    ConnectionId, Desktop, DesktopFacts, DesktopId, DesktopIntent, DesktopState, GuestPort, Maintenance, MaintenanceOf,
    Micros, PoolKind, Role,
};
use std::{fmt::Debug, time::Duration};

fn code<T: Debug>(answer: Result<T, BrokerError>) -> &'static str {
    match answer.unwrap_err() {
        BrokerError::Conflict { code, .. } | BrokerError::Invalid { code, .. } => code,
        error => panic!("{error:?}"),
    }
}

fn ready(all: &[Desktop]) -> usize {
    all.iter().filter(|one| one.owner.is_none() && one.state == DesktopState::Ready).count()
}

/// All but what is somebody's is off.
fn rests(all: &[Desktop]) -> bool {
    all.iter().all(|one| one.owner.is_some() || one.state == DesktopState::Stopped)
}

/// As if the deadline were over.
async fn force(house: &House) {
    let over = Maintenance {
        of: MaintenanceOf::Host,
        reason: String::new(),
        since: Micros(1),
        deadline: Some(Micros(1)),
        force: true,
    };
    house.store.put_maintenance(&over).await.unwrap();
    house.broker.by_hand("pools").unwrap().round().await.unwrap();
}

#[tokio::test]
async fn a_drained_host_starts_nothing_and_waits_for_people() {
    let (mut house, pool, gateway) = house(PoolKind::Floating, "running=1,stopped=1", 4).await;
    until(&house, &pool, "a spare runs", |all| ready(all) == 1).await;
    let given = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    gateway.0.lock().unwrap().push(given.id);
    // One that is only asked for when its host is drained is not made until that is over.
    until(&house, &pool, "the spares are there", |all| {
        ready(all) == 1 && all.len() == 3 && all.iter().any(|one| one.state == DesktopState::Stopped)
    })
    .await;
    let reason = "new memory".to_owned();
    let drain = || Drain { reason: reason.clone(), deadline_seconds: Some(7200), force: true };
    let host = house.broker.drain_host("here", drain()).await.unwrap();
    let since = host.maintenance.unwrap().since;
    let all = until(&house, &pool, "what runs for nobody is off", rests).await;
    assert_eq!(all.len(), 3, "nothing is made, and nothing goes");

    // Whoever is inside is told, stays, and comes back to what is theirs.
    let told = async {
        while gateway.1.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
    let said = gateway.1.lock().unwrap().first().cloned().unwrap();
    assert!(said.contains("new memory") && said.contains("within 120 minutes"), "{said}");
    assert_eq!(house.broker.take_desktop(&house.anna, &pool).await.unwrap().id, given.id);
    let host = house.broker.drain_host("host", drain()).await.unwrap();
    assert_eq!(host.maintenance.as_ref().map(|it| it.since), Some(since), "it holds since it was said first");
    let inside = host.desktops.iter().find(|one| one.id == given.id).unwrap();
    assert_eq!((inside.is_used, inside.fate, inside.inside.as_slice()), (true, Fate::Waits, &["anna".to_owned()][..]));

    // Nobody else gets anything there, from any program that starts meanwhile neither.
    house.restart().await;
    house.broker.set_sessions(gateway.clone());
    let bob = person(&house, &pool, "bob").await;
    assert_eq!(code(house.broker.take_desktop(&bob, &pool).await), "host_drains");
    let new = || NewDesktop { pool: house.pool.clone(), owner: Some(bob.clone()), name: None };
    assert_eq!(code(house.broker.create_desktop(new()).await), "host_drains");
    let off = all.iter().find(|one| one.owner.is_none()).unwrap();
    for intent in [DesktopIntent::Running, DesktopIntent::Restart, DesktopIntent::Recycle] {
        assert_eq!(code(house.broker.set_intent(off.id, intent).await), "host_drains");
    }
    // Where somebody wrote that it shall run all the same, it does not start.
    house.store.modify_desktop(off.id, |row| row.intent = DesktopIntent::Running).await.unwrap();
    until(&house, &pool, "it rests", |all| {
        rests(all) && all.iter().all(|one| one.owner.is_some() || one.intent == DesktopIntent::Stopped)
    })
    .await;
    let runs = house.host.list().await.unwrap().iter().filter(|one| one.power != oriel_compute::Power::Off).count();
    assert_eq!(runs, 1);

    force(&house).await;
    house.reaches(given.id, DesktopState::Stopped).await;
    house.broker.resume_host("here").await.unwrap();
    house.broker.resume_host("here").await.unwrap();
    until(&house, &pool, "a spare runs again", |all| ready(all) == 1).await;
    assert_eq!(house.broker.take_desktop(&house.anna, &pool).await.unwrap().id, given.id);
    house.reaches(given.id, DesktopState::Ready).await;
}

#[tokio::test]
async fn what_is_on_its_way_waits_for_the_host() {
    let (house, pool, _) = house(PoolKind::Dedicated, "default", 4).await;
    // Its row was there before the host was drained, and nothing of it is made.
    house.broker.drain_host("here", Drain::default()).await.unwrap();
    let waits = Desktop {
        id: DesktopId::new(),
        name: "floor-1".parse().unwrap(),
        pool: pool.id,
        owner: None,
        intent: DesktopIntent::Running,
        state: DesktopState::Requested,
        failure: None,
        step: None,
        generation: 0,
        host: None,
        port_base: None,
        facts: DesktopFacts::default(),
        external: None,
        created: Micros(1),
        changed: Micros(1),
    };
    house.store.create_desktop(&waits).await.unwrap();
    house.broker.by_hand("desktops").unwrap().round().await.unwrap();
    assert_eq!(house.store.desktop(waits.id).await.unwrap().unwrap().state, DesktopState::Requested);
    assert!(house.host.list().await.unwrap().is_empty());
    assert_eq!(
        code(house.broker.drain_host("here", Drain { force: true, ..Drain::default() }).await),
        "force_without_deadline"
    );
    let late = Drain { deadline_seconds: Some(0), ..Drain::default() };
    assert_eq!(code(house.broker.drain_host("here", late).await), "bad_deadline");
    let long = Drain { reason: "x".repeat(301), ..Drain::default() };
    assert_eq!(code(house.broker.drain_host("here", long).await), "bad_reason");
    for unknown in ["there", "cloud:oak", ""] {
        let refused = house.broker.drain_host(unknown, Drain::default()).await;
        assert!(matches!(refused, Err(BrokerError::Missing { .. })), "{unknown}");
    }
    house.broker.resume_host("host").await.unwrap();
    house.reaches(waits.id, DesktopState::Ready).await;
}

#[tokio::test]
async fn a_pool_in_maintenance_lets_nobody_new_in() {
    let (house, pool, gateway) = house(PoolKind::Floating, "running=2", 4).await;
    until(&house, &pool, "spares run", |all| ready(all) == 2).await;
    let given = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    house.broker.maintain_pool(&pool, "back at noon").await.unwrap();
    let bob = person(&house, &pool, "bob").await;
    let refused = house.broker.take_desktop(&bob, &pool).await;
    assert!(refused.as_ref().is_err_and(|error| error.to_string().contains("back at noon")), "{refused:?}");
    assert_eq!(code(refused), "pool_maintenance");
    let connect = async |resume| {
        house.broker.connect(&house.anna, &given, GuestPort::Rdp, resume, "session").await.map(|new| new.ticket.desktop)
    };
    assert_eq!(code(connect(None).await), "pool_maintenance");
    // What broke goes on, as long as somebody is there.
    let resume = Some(ConnectionId::new());
    assert_eq!(code(connect(resume).await), "pool_maintenance");
    gateway.0.lock().unwrap().push(given.id);
    assert_eq!(connect(resume).await.unwrap(), given.id);
    // Its desktops run on, and whoever sees to it gets in.
    let new = oriel_broker::NewUser { name: "root".into(), role: Role::Admin, password: None };
    let (root, _) = house.broker.create_user(new).await.unwrap();
    house.broker.take_desktop(&root, &pool).await.unwrap();
    house.broker.open_pool(&pool).await.unwrap();
    house.broker.take_desktop(&bob, &pool).await.unwrap();
}
