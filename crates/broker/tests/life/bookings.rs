//! What is booked is there when its time comes, for whoever booked it.

use crate::house::House;
use crate::pools;
use oriel_broker::{BrokerError, NewBooking};
use oriel_compute::fake::FakeMode;
use oriel_model::{
    Booking, BookingBy, BookingId, Desktop, DesktopIntent, DesktopState, Micros, Pool, PoolId, PoolKind, Role, Span,
    User, UserId,
};
use oriel_store::{StoreError, clock::now};

async fn somebody(house: &House, pool: &Pool, name: &str) -> User {
    let user = User {
        id: UserId::new(),
        name: name.to_owned(),
        role: Role::User,
        must_change_password: false,
        disabled: false,
        created: Micros(0),
    };
    house.store.create_user(&user, "no hash").await.unwrap();
    house.broker.entitle(pool.id, user.id).await.unwrap();
    user
}

async fn floor(house: &House, desktops_max: u32) -> Pool {
    let mut pool = house.pool.clone();
    (pool.id, pool.name, pool.kind) = (PoolId::new(), "floor".parse().unwrap(), PoolKind::Floating);
    pool.desktops_max = desktops_max;
    house.store.create_pool(&pool).await.unwrap();
    house.broker.entitle(pool.id, house.anna.id).await.unwrap();
    pool
}

fn span(from: i64, to: i64) -> Span {
    let now = now();
    Span { from: now.plus_seconds(from * 60), to: now.plus_seconds(to * 60) }
}

fn new(pool: &Pool, user: &User, span: Span) -> NewBooking {
    NewBooking { pool: pool.clone(), user: user.clone(), span, by: BookingBy::Rules }
}

fn code<T>(answer: Result<T, BrokerError>) -> &'static str {
    match answer {
        Err(BrokerError::Store(StoreError::Booking(refusal))) => refusal.code,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test]
async fn what_is_booked_runs_in_time_and_is_given_to_who_booked_it() {
    let mut house = House::new(FakeMode::Auto).await;
    let pool = floor(&house, 1).await;
    let bob = somebody(&house, &pool, "bob").await;
    let anna = house.anna.clone();
    assert_eq!(code(house.broker.book(new(&pool, &anna, span(5, 60))).await), "may_not_book");
    house
        .broker
        .set_quota(oriel_model::QuotaScope::Pool(pool.id), "bookings=1,booking_hours=2".parse().unwrap())
        .await
        .unwrap();
    let bookable = house.broker.bookable_by(anna.id).await.unwrap();
    assert_eq!(bookable.len(), 1);
    assert_eq!((bookable[0].0.id, bookable[0].1.hours), (pool.id, 2));

    // It begins in five minutes: its desktop is made now, by a pool that keeps no spares.
    let booking = house.broker.book(new(&pool, &anna, span(5, 60))).await.unwrap().booking;
    assert_eq!(code(house.broker.book(new(&pool, &bob, span(30, 90))).await), "booked_out");
    house.restart().await;
    let mut made = Vec::new();
    for _ in 0..600 {
        made = house.store.desktops_in_pool(pool.id).await.unwrap();
        if !made.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let ready = house.reaches(made[0].id, DesktopState::Ready).await;
    assert_eq!(ready.owner, None);
    // Nobody else gets it.
    assert_eq!(code(house.broker.take_desktop(&bob, &pool).await), "booked");
    assert_eq!(house.broker.take_desktop(&anna, &pool).await.unwrap().id, ready.id);
    let hours = house.broker.booked_hours(pool.id, span(0, 120)).await.unwrap();
    assert_eq!(hours.iter().map(|hour| hour.booked).collect::<Vec<_>>(), [1, 0]);
    house.broker.cancel_booking(&booking).await.unwrap();
    assert!(house.broker.bookings(None, Some(anna.id)).await.unwrap().is_empty());
    house.broker.book(new(&pool, &bob, span(30, 90))).await.unwrap();
}

#[tokio::test]
async fn who_sits_on_a_booked_desktop_is_told_and_led_out_in_time() {
    let (house, pool, gateway) = pools::house(PoolKind::Floating, "running=0", 1).await;
    let bob = pools::person(&house, &pool, "bob").await;
    let anna = house.anna.clone();
    let taken = house.broker.take_desktop(&bob, &pool).await.unwrap();
    house.reaches(taken.id, DesktopState::Ready).await;
    *gateway.0.lock().unwrap() = vec![taken.id];
    // Booked an hour ago, for so many minutes from now.
    let ago = now().plus_seconds(-3600);
    let sits_long = |row: &mut Desktop| row.facts.seat.as_mut().unwrap().since = ago;
    house.store.modify_desktop(taken.id, sits_long).await.unwrap();
    let book = async |from: i64| {
        let (id, span) = (BookingId::new(), span(from, 60));
        let (priority, firm_from, displaced) = (0, ago, None);
        let one = Booking { id, pool: pool.id, user: anna.id, span, priority, firm_from, displaced, created: ago };
        let by = BookingBy::Administrator { priority: None };
        house.store.create_booking(&one, by, ago).await.unwrap().booking
    };
    let later = book(10).await;
    pools::until(&house, &pool, "bob is told", |_| !gateway.2.lock().unwrap().is_empty()).await;
    let by = gateway.2.lock().unwrap().get(&taken.id).copied();
    assert_eq!(by, Some(later.span.from.plus_seconds(-300)), "a third of the start-ahead before it begins");
    assert_eq!(house.store.desktop(taken.id).await.unwrap().unwrap().owner, Some(bob.id), "not yet");

    // Whoever is inside a pool in maintenance stays: nobody could get in for them.
    house.store.delete_booking(later.id).await.unwrap();
    house.broker.maintain_pool(&pool, "back at noon").await.unwrap();
    book(2).await;
    house.broker.by_hand("pools").unwrap().round().await.unwrap();
    assert_eq!(house.store.desktop(taken.id).await.unwrap().unwrap().owner, Some(bob.id));
    house.broker.open_pool(&pool).await.unwrap();
    house.broker.cancel_booking(&later).await.unwrap();
    pools::until(&house, &pool, "bob is led out", |all| all.iter().any(|one| one.owner.is_none())).await;
    gateway.0.lock().unwrap().clear();
    let is_anew = |one: &Desktop| one.state == DesktopState::Ready && one.intent == DesktopIntent::Running;
    pools::until(&house, &pool, "it runs for anna", |all| all.iter().all(is_anew)).await;
    assert_eq!(code(house.broker.take_desktop(&bob, &pool).await), "booked");
    assert_eq!(house.broker.take_desktop(&anna, &pool).await.unwrap().id, taken.id);
}

#[tokio::test]
async fn whose_booking_is_displaced_is_told() {
    let mut house = House::new(FakeMode::Auto).await;
    let pool = floor(&house, 1).await;
    let bob = somebody(&house, &pool, "bob").await;
    let anna = house.anna.clone();
    let limits = |text: &str| text.parse::<oriel_model::QuotaLimits>().unwrap();
    let scope = oriel_model::QuotaScope::Pool(pool.id);
    house.broker.set_quota(scope, limits("bookings=2,booking_notice=1")).await.unwrap();
    house.broker.set_quota(oriel_model::QuotaScope::User(anna.id), limits("booking_priority=1")).await.unwrap();
    let low = house.broker.book(new(&pool, &bob, span(120, 180))).await.unwrap().booking;
    let high = house.broker.book(new(&pool, &anna, span(150, 200))).await.unwrap();
    assert_eq!(high.displaced.iter().map(|one| one.id).collect::<Vec<_>>(), [low.id]);
    house.restart().await;
    let query = oriel_model::AuditQuery { action: Some("displace_booking".to_owned()), ..Default::default() };
    let mut told = Vec::new();
    for _ in 0..600 {
        told = house.broker.audit_entries(&query, 9).await.unwrap();
        if !told.is_empty() && house.store.untold_bookings().await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].what.target.starts_with(&format!("/users/bob/bookings/{} of floor, ", low.id)), "{told:?}");
    assert_eq!(house.store.untold_bookings().await.unwrap(), []);
}

#[tokio::test]
async fn a_booking_for_somebody_who_may_not_use_the_pool_is_refused() {
    let house = House::new(FakeMode::Auto).await;
    let pool = floor(&house, 1).await;
    let bob = somebody(&house, &pool, "bob").await;
    house.broker.unentitle(pool.id, bob.id).await.unwrap();
    let refused = house
        .broker
        .book(NewBooking { by: BookingBy::Administrator { priority: None }, ..new(&pool, &bob, span(5, 60)) })
        .await;
    assert!(matches!(refused, Err(BrokerError::Conflict { code: "not_entitled", .. })));
    let nothing = house.broker.find_booking("nothing").await;
    assert!(matches!(nothing, Err(BrokerError::Missing { what: "booking", .. })));
}
