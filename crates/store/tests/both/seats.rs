use crate::{
    at_once, on_both,
    samples::{NOW, desktop, stored_pool, stored_user},
};
use oriel_model::{DesktopIntent, Micros, Role, Seat};
use oriel_store::StoreError;
use std::collections::{BTreeMap, BTreeSet};

/// So long after the moment at which the tests play.
fn at(seconds: i64) -> Micros {
    NOW.plus_seconds(seconds)
}

/// What is awaited takes it for that moment, on whatever thread it goes on.
async fn at_that_time<T>(moment: Micros, asked: impl Future<Output = T>) -> T {
    let mut asked = std::pin::pin!(asked);
    std::future::poll_fn(|context| {
        oriel_store::clock::set(Some(moment));
        let polled = asked.as_mut().poll(context);
        oriel_store::clock::set(None);
        polled
    })
    .await
}

on_both! {
    async fn one_of_many_gets_the_last_one(store: Store) {
        let pool = stored_pool(&store).await;
        let last = desktop("studio-1", pool.id);
        store.create_desktop(&last).await.unwrap();
        let mut people = Vec::new();
        for name in ["ada", "bob", "cem", "dan"] {
            people.push(stored_user(&store, name, Role::User).await.id);
        }
        let given = at_once(4, |n| {
            let (store, person, id) = (store.clone(), people[n], last.id);
            async move { store.give_seat(id, person, true, NOW).await.unwrap() }
        })
        .await;
        let winners: Vec<_> = given.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(store.seat_of(pool.id, winners[0].owner.unwrap()).await.unwrap(), Some(winners[0].clone()));
        assert_eq!(store.free_in_pool(pool.id).await.unwrap(), []);
    }

    async fn one_person_gets_one(store: Store) {
        let pool = stored_pool(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let both = [desktop("studio-1", pool.id), desktop("studio-2", pool.id)];
        for one in &both {
            store.create_desktop(one).await.unwrap();
        }
        let given = at_once(2, |n| {
            let (store, id) = (store.clone(), both[n].id);
            async move { store.give_seat(id, ada, true, NOW).await }
        })
        .await;
        let taken = |answer: &Result<_, StoreError>| matches!(answer, Err(StoreError::Taken { what: "seat", .. }));
        assert_eq!(given.iter().filter(|answer| answer.is_ok()).count(), 1, "{given:?}");
        assert_eq!(given.iter().filter(|answer| taken(answer)).count(), 1, "{given:?}");
        // One that is made for them is no way round it.
        let mut third = desktop("studio-3", pool.id);
        (third.owner, third.facts.seat) = (Some(ada), Some(Seat { since: NOW, seen: NOW }));
        let refused = store.create_desktop(&third).await;
        assert!(matches!(refused, Err(StoreError::Taken { what: "seat", .. })), "{refused:?}");
    }

    async fn are_taken_back_from_who_is_gone_only(store: Store) {
        let pool = stored_pool(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let bob = stored_user(&store, "bob", Role::User).await.id;
        let one = desktop("studio-1", pool.id);
        store.create_desktop(&one).await.unwrap();
        store.give_seat(one.id, ada, true, NOW).await.unwrap().unwrap();
        // They are gone when neither they asked for it nor anybody was in it since.
        let back = async |left, now| {
            let gone = |seat: Seat, there: Option<Micros>| seat.seen.max(there.unwrap_or_default()) <= at(left);
            store.take_back(one.id, at(now), DesktopIntent::Recycle, gone).await.unwrap()
        };
        // They were seen since.
        assert!(!back(-1, 300).await);
        // They are in it.
        let entered = at_that_time(NOW, store.enter(one.id, "here", 60, |found| found.owner == Some(ada))).await.unwrap();
        assert_eq!(entered.unwrap().id, one.id);
        assert!(!back(30, 59).await);
        assert_eq!(store.presence_in(pool.id).await.unwrap().get(&one.id), Some(&at(60)));
        assert_eq!(store.present("here", at(59)).await.unwrap(), BTreeSet::new());
        assert_eq!(store.present("there", at(59)).await.unwrap(), BTreeSet::from([one.id]));
        assert_eq!(store.present("there", at(60)).await.unwrap(), BTreeSet::new());
        store.set_presence("here", &BTreeMap::from([(one.id, Some(at(330)))]), at(400), &BTreeSet::new(), at(60), at(340)).await.unwrap();
        // A word that was on its way for long takes nothing back.
        store.set_presence("here", &BTreeMap::from([(one.id, None)]), at(90), &BTreeSet::new(), at(60), at(341)).await.unwrap();
        assert_eq!(store.presence_in(pool.id).await.unwrap().get(&one.id), Some(&at(400)));
        assert_eq!(store.touched(one.id).await.unwrap(), Some(at(330)));
        assert!(!back(60, 360).await);
        // They left, and have not been gone for long enough.
        store.set_presence("here", &BTreeMap::new(), at(400), &BTreeSet::from([one.id]), at(400), at(380)).await.unwrap();
        assert!(!back(379, 381).await);
        assert!(back(380, 700).await);
        let free = store.desktop(one.id).await.unwrap().unwrap();
        assert_eq!((free.owner, free.facts.seat, free.intent), (None, None, DesktopIntent::Recycle));
        // It is given to nobody before it was wiped, and nobody comes in by a ticket of before.
        assert_eq!(store.give_seat(one.id, bob, true, at(701)).await.unwrap(), None);
        let late = store.enter(one.id, "here", 100, |found| found.owner == Some(ada)).await.unwrap();
        assert_eq!(late, None);
        // Twice is no harm.
        assert!(!back(380, 702).await);
    }

    async fn stay_theirs_when_an_unused_desktop_is_shut_down(store: Store) {
        let pool = stored_pool(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let one = desktop("studio-1", pool.id);
        store.create_desktop(&one).await.unwrap();
        assert!(!store.shut_down_unused(one.id, at(1), |_, _| true).await.unwrap(), "it is nobody's");
        store.give_seat(one.id, ada, true, NOW).await.unwrap().unwrap();
        at_that_time(NOW, store.enter(one.id, "here", 60, |_| true)).await.unwrap();
        let unused = |since: i64| move |_: &oriel_model::Desktop, there: Option<Micros>| there <= Some(at(since));
        assert!(!store.shut_down_unused(one.id, at(59), unused(59)).await.unwrap(), "somebody is in it");
        assert!(store.shut_down_unused(one.id, at(600), unused(60)).await.unwrap());
        let off = store.desktop(one.id).await.unwrap().unwrap();
        assert_eq!((off.owner, off.intent, off.changed), (Some(ada), DesktopIntent::Stopped, at(600)));
        assert_eq!(store.seat_of(pool.id, ada).await.unwrap().map(|found| found.id), Some(one.id));
        assert!(!store.shut_down_unused(one.id, at(601), unused(60)).await.unwrap(), "once");
    }
}
