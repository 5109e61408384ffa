use crate::{
    at_once, on_both,
    samples::{NOW, desktop, pool, stored_pool, stored_user},
};
use oriel_model::{
    Booking, BookingBy, BookingCursor, BookingFilter, BookingId, Desktop, DesktopIntent, GpuMode, GpuTurn, GpuTurnId,
    Micros, Pool, PoolId, PoolKind, Quota, QuotaScope, Role, Span, UserId,
};
use oriel_store::{Store, StoreError, clock::now};

/// A pool whose desktops people share, for so many of them.
async fn shared_pool(store: &Store, desktops_max: u32) -> Pool {
    let image = stored_pool(store).await.image.unwrap();
    let one = Pool { kind: PoolKind::Floating, desktops_max, ..pool("floor", image) };
    store.create_pool(&one).await.unwrap();
    one
}

async fn people(store: &Store, count: usize) -> Vec<UserId> {
    let mut all = Vec::new();
    for n in 0..count {
        all.push(stored_user(store, &format!("person{n}"), Role::User).await.id);
    }
    all
}

async fn allow(store: &Store, pool: PoolId, limits: &str) {
    let quota = Quota { scope: QuotaScope::Pool(pool), limits: limits.parse().unwrap() };
    store.put_quota(&quota).await.unwrap();
}

/// Hours from then.
fn span(then: Micros, from: i64, to: i64) -> Span {
    Span { from: then.plus_seconds(from * 3600), to: then.plus_seconds(to * 3600) }
}

fn booking(pool: PoolId, user: UserId, span: Span) -> Booking {
    Booking { id: BookingId::new(), pool, user, span, priority: 0, firm_from: NOW, displaced: None, created: NOW }
}

const ADMINISTRATOR: BookingBy = BookingBy::Administrator { priority: None };

fn code<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> &'static str {
    match answer {
        Err(StoreError::Booking(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

on_both! {
    async fn of_four_who_book_the_last_one_gets_it(store: Store) {
        let pool = shared_pool(&store, 2).await.id;
        allow(&store, pool, "bookings=2").await;
        let five = people(&store, 5).await;
        store.create_booking(&booking(pool, five[4], span(NOW, 1, 4)), BookingBy::Rules, NOW).await.unwrap();
        let asked = at_once(4, |n| {
            let (store, booking) = (store.clone(), booking(pool, five[n], span(NOW, 2, 3)));
            async move { store.create_booking(&booking, BookingBy::Rules, NOW).await }
        })
        .await;
        assert_eq!(asked.iter().filter(|answer| answer.is_ok()).count(), 1, "{asked:?}");
        let codes: Vec<_> = asked.into_iter().filter(Result::is_err).map(code).collect();
        assert_eq!(codes, ["booked_out"; 3]);
        let all = store.bookings(Some(pool), None, NOW).await.unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].span, span(NOW, 1, 4), "by when they begin");
        // Page by page, and for somebody what they may see.
        let filter = BookingFilter { pool: Some(pool), ..BookingFilter::default() };
        let first = store.list_bookings(&filter, None, 1, NOW).await.unwrap();
        assert_eq!(first, all[..1]);
        let after = BookingCursor { begins: first[0].span.from, id: first[0].id };
        assert_eq!(after.to_string().parse::<BookingCursor>(), Ok(after));
        assert_eq!(store.list_bookings(&filter, Some(after), 9, NOW).await.unwrap(), all[1..]);
        for (pools, seen) in [(vec![], 1), (vec![pool], 2)] {
            let seen_by = Some((five[4], pools.into_iter().collect()));
            let filter = BookingFilter { seen_by, ..BookingFilter::default() };
            assert_eq!(store.list_bookings(&filter, None, 9, NOW).await.unwrap().len(), seen);
        }
        // Before and after it there is room.
        store.create_booking(&booking(pool, five[0], span(NOW, 3, 5)), ADMINISTRATOR, NOW).await.unwrap();
        assert_eq!(store.booked(pool, span(NOW, 2, 4)).await.unwrap().len(), 3);
        assert_eq!(span(NOW, 0, 9).peak(&store.booked(pool, span(NOW, 0, 9)).await.unwrap()), 2);
    }

    async fn a_higher_priority_takes_the_place_of_a_lower_one_once(store: Store) {
        let pool = shared_pool(&store, 2).await.id;
        allow(&store, pool, "bookings=9,booking_priority=1,booking_notice=2").await;
        let six = people(&store, 6).await;
        for user in &six[..4] {
            let quota = Quota { scope: QuotaScope::User(*user), limits: "booking_priority=5".parse().unwrap() };
            store.put_quota(&quota).await.unwrap();
        }
        let book = async |user: usize, hours: (i64, i64), by, now| {
            store.create_booking(&booking(pool, six[user], span(NOW, hours.0, hours.1)), by, now).await
        };
        let low = book(4, (4, 6), BookingBy::Rules, NOW).await.unwrap().booking;
        let soon = book(5, (2, 5), BookingBy::Rules, NOW).await.unwrap().booking;
        assert_eq!((low.priority, low.firm_from, soon.firm_from), (1, NOW.plus_seconds(2 * 3600), NOW));
        // One of them begins too soon to give way.
        let asked = at_once(4, |n| {
            let (store, booking) = (store.clone(), booking(pool, six[n], span(NOW, 4, 5)));
            async move { store.create_booking(&booking, BookingBy::Rules, NOW).await }
        })
        .await;
        let won: Vec<_> = asked.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        assert_eq!(won.len(), 1, "{asked:?}");
        assert_eq!(won[0].displaced.iter().map(|one| one.id).collect::<Vec<_>>(), [low.id]);
        let codes: Vec<_> = asked.into_iter().filter(Result::is_err).map(code).collect();
        assert_eq!(codes, ["booked_out"; 3]);
        // Its person still reads of it; it keeps nothing, and they may book another time.
        let of_low = store.bookings(None, Some(six[4]), NOW).await.unwrap();
        assert_eq!((of_low.len(), of_low[0].displaced), (1, Some(NOW)));
        assert_eq!(store.booked(pool, span(NOW, 4, 6)).await.unwrap().len(), 2);
        assert_eq!(store.untold_bookings().await.unwrap(), of_low);
        store.set_booking_told(low.id).await.unwrap();
        assert_eq!(store.untold_bookings().await.unwrap(), []);
        book(4, (6, 8), BookingBy::Rules, NOW).await.unwrap();
        // From two hours before on nobody takes that, however high.
        let later = NOW.plus_seconds(4 * 3600);
        let by = |priority| BookingBy::Administrator { priority: Some(priority) };
        book(5, (6, 8), by(5), later).await.unwrap();
        assert_eq!(code(book(0, (6, 8), by(9), later).await), "booked_out");
        assert_eq!(code(book(0, (6, 8), by(1001), later).await), "bad_priority");
        // A low and a high one at once for the last place: the high one has it, whoever was first.
        book(5, (30, 31), by(9), NOW).await.unwrap();
        at_once(2, |n| {
            let (store, booking) = (store.clone(), booking(pool, [six[4], six[0]][n], span(NOW, 30, 31)));
            async move { store.create_booking(&booking, BookingBy::Rules, NOW).await }
        })
        .await;
        let all = store.bookings(Some(pool), None, NOW).await.unwrap();
        let standing = all.iter().filter(|one| one.displaced.is_none() && one.span == span(NOW, 30, 31));
        let mut users: Vec<UserId> = standing.map(|one| one.user).collect();
        users.sort_unstable();
        let mut expected = [six[0], six[5]];
        expected.sort_unstable();
        assert_eq!(users, expected);
    }

    async fn a_card_is_one_pools_at_a_time_and_what_is_booked_lies_within(store: Store) {
        let pool = shared_pool(&store, 2).await.id;
        let user = people(&store, 1).await[0];
        // It is Wednesday, 11:06.
        let turn = |hours: &str| GpuTurn {
            id: GpuTurnId::new(),
            host: "here".to_owned(),
            gpu: "0000:41:00.0".parse().unwrap(),
            pool,
            mode: GpuMode::Vgpu,
            profile: Some("M60-2Q".to_owned()),
            hours: hours.parse().unwrap(),
            is_ready: false,
            created: NOW,
        };
        let made = at_once(4, |_| {
            let (store, one) = (store.clone(), turn("wed 14:00-18:00 UTC"));
            async move { store.create_gpu_turn(&one, NOW).await }
        })
        .await;
        assert_eq!(made.iter().filter(|answer| answer.is_ok()).count(), 1, "{made:?}");
        assert!(made.into_iter().filter(Result::is_err).map(code).all(|code| code == "turn_overlaps"));
        let evening = turn("wed 18:00-20:00 UTC");
        store.create_gpu_turn(&evening, NOW).await.unwrap();
        store.create_gpu_turn(&GpuTurn { host: "there".to_owned(), ..turn("wed 14:00-15:00 UTC") }, NOW).await.unwrap();
        let nobodys = store.create_gpu_turn(&GpuTurn { pool: PoolId::new(), ..turn("thu 14:00-15:00 UTC") }, NOW).await;
        assert!(matches!(nobodys, Err(StoreError::Missing { what: "pool", .. })), "{nobodys:?}");
        let book = async |from, to| store.create_booking(&booking(pool, user, span(NOW, from, to)), ADMINISTRATOR, NOW).await;
        assert_eq!(code(book(1, 2).await), "outside_plan");
        assert_eq!(code(book(8, 10).await), "outside_plan");
        book(6, 8).await.unwrap();
        store.set_gpu_turn_ready(evening.id, true).await.unwrap();
        let own = store.gpu_turns_of(pool).await.unwrap();
        assert_eq!((own.len(), store.gpu_turns().await.unwrap().len()), (3, 3));
        assert!(own.contains(&GpuTurn { is_ready: true, ..evening.clone() }));
        let later = NOW.plus_seconds(60);
        assert!(store.delete_gpu_turn(evening.id, later).await.unwrap());
        assert!(!store.delete_gpu_turn(evening.id, later).await.unwrap());
    }

    async fn who_may_book_is_said_by_rules(store: Store) {
        let pool = shared_pool(&store, 9).await.id;
        let user = people(&store, 1).await[0];
        let book = async |from, to, bound| {
            let by = if bound { BookingBy::Rules } else { ADMINISTRATOR };
            store.create_booking(&booking(pool, user, span(NOW, from, to)), by, NOW).await
        };
        assert_eq!(code(book(1, 2, true).await), "may_not_book", "nobody may where nothing says so");
        book(1, 2, false).await.unwrap();
        allow(&store, pool, "bookings=2,booking_hours=3,booking_days=2").await;
        assert_eq!(code(book(2, 6, true).await), "booking_too_long");
        assert_eq!(code(book(49, 50, true).await), "booking_too_early");
        assert_eq!(code(book(0, 5, true).await), "booking_too_long");
        assert_eq!(code(book(1, 3, true).await), "booked_already");
        assert_eq!(code(book(-1, 1, true).await), "bad_span");
        book(2, 5, true).await.unwrap();
        assert_eq!(code(book(6, 7, true).await), "too_many_bookings");
        // One that is over is none.
        let later = NOW.plus_seconds(2 * 3600);
        store.create_booking(&booking(pool, user, span(NOW, 6, 7)), BookingBy::Rules, later).await.unwrap();
        assert_eq!(store.bookings(None, Some(user), later).await.unwrap().len(), 2);
        store.delete_old_bookings(later.plus_seconds(1)).await.unwrap();
        assert_eq!(store.bookings(None, None, NOW).await.unwrap().len(), 2);
        // Desktops that people keep are not booked, nor what is not there.
        let kept = store.pool_by_name(&"studio".parse().unwrap()).await.unwrap().unwrap();
        let refused = store.create_booking(&booking(kept.id, user, span(NOW, 1, 2)), ADMINISTRATOR, NOW).await;
        assert_eq!(code(refused), "not_bookable");
        let nowhere = store.create_booking(&booking(PoolId::new(), user, span(NOW, 1, 2)), ADMINISTRATOR, NOW).await;
        assert!(matches!(nowhere, Err(StoreError::Missing { what: "pool", .. })), "{nowhere:?}");
        // Bookings go with whose they are.
        store.delete_user(user).await.unwrap();
        assert_eq!(store.bookings(None, None, NOW).await.unwrap(), []);
    }

    async fn the_last_desktops_are_kept_for_who_booked_them(store: Store) {
        let floor = shared_pool(&store, 2).await;
        let (pool, three) = (floor.id, people(&store, 3).await);
        let mut free = Vec::new();
        for n in 0..2 {
            let one = desktop(&format!("floor-{n}"), pool);
            store.create_desktop(&one).await.unwrap();
            free.push(one.id);
        }
        let of_first = booking(pool, three[0], span(NOW, 1, 3));
        let of_first = store.create_booking(&of_first, ADMINISTRATOR, NOW).await.unwrap().booking;
        let give = async |n: usize, user: usize, at: Micros| store.give_seat(free[n], three[user], true, at).await;
        // One of two is left for others.
        let during = NOW.plus_seconds(3600);
        assert!(give(0, 1, during).await.unwrap().is_some());
        let refused = give(1, 2, during).await;
        let refusal = match refused {
            Err(StoreError::Booking(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal.code, "booked");
        assert_eq!(refusal.text, "the last desktops of floor are booked from 2026-11-18 12:06 to 14:06 UTC");
        // From as long before as the pool starts desktops ahead of its peaks (15 minutes).
        assert_eq!(code(give(1, 2, during.plus_seconds(-900)).await), "booked");
        assert_eq!(store.coming_bookings(pool, during.plus_seconds(-901), 15).await.unwrap(), []);
        assert_eq!(store.coming_bookings(pool, during, 15).await.unwrap(), std::slice::from_ref(&of_first));
        assert_eq!(store.pools_with_bookings(during, 15).await.unwrap(), [pool]);
        assert_eq!(store.pools_with_bookings(during.plus_seconds(-901), 15).await.unwrap(), []);
        assert!(give(1, 0, during).await.unwrap().is_some(), "whoever booked it gets it");
        // Afterwards it is anybody's.
        store.modify_desktop(free[1], |row| (row.owner, row.facts.seat) = (None, None)).await.unwrap();
        assert_eq!(code(give(1, 2, during).await), "booked");
        assert!(give(1, 2, of_first.span.to).await.unwrap().is_some());
    }

    async fn what_begins_now_is_booked_where_a_desktop_is_left(store: Store) {
        let pool = shared_pool(&store, 1).await.id;
        let two = people(&store, 2).await;
        store.create_desktop(&Desktop { owner: Some(two[0]), ..desktop("floor-1", pool) }).await.unwrap();
        let book = async |user: usize, from: i64| {
            store.create_booking(&booking(pool, two[user], span(NOW, from, from + 1)), ADMINISTRATOR, NOW).await
        };
        let refusal = match book(1, 0).await {
            Err(StoreError::Booking(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        assert_eq!((refusal.code, refusal.text.as_str()), ("pool_full", "all 1 desktops of floor are in use"));
        book(1, 2).await.unwrap();
        book(0, 0).await.unwrap();
    }

    async fn a_desktop_is_not_made_for_others_of_what_is_booked(store: Store) {
        let floor = shared_pool(&store, 2).await;
        let (pool, three) = (floor.id, people(&store, 3).await);
        let own = booking(pool, three[0], span(now(), 0, 1));
        store.create_booking(&own, ADMINISTRATOR, now()).await.unwrap();
        let make = async |name: &str, owner: Option<UserId>| {
            store.create_desktop(&Desktop { owner, ..desktop(name, pool) }).await
        };
        let made = at_once(2, |n| {
            let (store, owner) = (store.clone(), Some(three[n + 1]));
            async move { store.create_desktop(&Desktop { owner, ..desktop(&format!("made-{n}"), pool) }).await }
        })
        .await;
        assert_eq!(made.iter().filter(|answer| answer.is_ok()).count(), 1, "{made:?}");
        assert_eq!(code(made.into_iter().find(Result::is_err).unwrap()), "booked");
        // Spares are nobody's: they are made for whoever booked.
        make("floor-9", None).await.unwrap();
        store.delete_booking(own.id).await.unwrap();
        let spare = store.desktop_by_name(&"floor-9".parse().unwrap()).await.unwrap().unwrap();
        store.modify_desktop(spare.id, |row| row.intent = DesktopIntent::Stopped).await.unwrap();
        let given = store.give_seat(spare.id, three[2], true, now()).await;
        assert!(given.is_ok(), "{given:?}");
    }
}
