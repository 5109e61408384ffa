use crate::{
    at_once, on_both,
    samples::{NOW, desktop, image, pool, stored_user},
};
use oriel_model::{AccountState, App, AppId, AppRun, Desktop, DesktopId, DesktopIntent, Pool, PoolKind, Role, UserId};
use oriel_store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// A pool of session hosts, with one of them.
async fn stored_host(store: &Store, sessions: u32) -> (Pool, Desktop) {
    let image = store.put_image(&image("debian-desktop")).await.unwrap();
    let mut pool = Pool { kind: PoolKind::SessionHost, personal_disk: None, ..pool("floor", image.id) };
    pool.size.sessions = sessions;
    store.create_pool(&pool).await.unwrap();
    let host = desktop("floor-1", pool.id);
    store.create_desktop(&host).await.unwrap();
    (pool, host)
}

async fn four(store: &Store) -> Vec<UserId> {
    let mut people = Vec::new();
    for name in ["ada", "bob", "cem", "dan"] {
        people.push(stored_user(store, name, Role::User).await.id);
    }
    people
}

on_both! {
    async fn four_ask_for_the_last_place(store: Store) {
        let (pool, host) = stored_host(&store, 1).await;
        let people = four(&store).await;
        let asked = people.clone();
        let given = at_once(4, |n| {
            let (store, person, id) = (store.clone(), asked[n], host.id);
            async move { store.take_place(id, person, NOW).await.unwrap() }
        })
        .await;
        let winners: Vec<_> = given.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        assert_eq!((winners[0].number, winners[0].desktop), (1, host.id));
        assert_eq!(store.places_in(pool.id).await.unwrap(), winners);
        assert!(store.has_place(host.id, winners[0].user).await.unwrap());
        // Their place opens the host to them, and to nobody else.
        for person in people {
            let open = store.desktops_for(person).await.unwrap();
            assert_eq!(open.len(), usize::from(person == winners[0].user));
        }
    }

    async fn one_person_has_one_place_of_a_pool(store: Store) {
        let (pool, host) = stored_host(&store, 9).await;
        let other = desktop("floor-2", pool.id);
        store.create_desktop(&other).await.unwrap();
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let given = at_once(2, |n| {
            let (store, id) = (store.clone(), [host.id, other.id][n]);
            async move { store.take_place(id, ada, NOW).await }
        })
        .await;
        assert_eq!(given.iter().filter(|answer| matches!(answer, Ok(Some(_)))).count(), 1, "{given:?}");
        let taken = |answer: &Result<_, StoreError>| matches!(answer, Err(StoreError::Taken { what: "place", .. }));
        assert_eq!(given.iter().filter(|answer| taken(answer)).count(), 1, "{given:?}");
    }

    async fn places_are_numbered_and_given_back(store: Store) {
        let (pool, host) = stored_host(&store, 3).await;
        let people = four(&store).await;
        let mut places = Vec::new();
        for person in &people[..3] {
            places.push(store.take_place(host.id, *person, NOW).await.unwrap().unwrap());
        }
        assert_eq!(places.iter().map(|place| place.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(store.take_place(host.id, people[3], NOW).await.unwrap(), None);
        assert!(!store.take_back_place(places[1], |_, _| false).await.unwrap());
        assert!(store.take_back_place(places[1], |seat, until| seat.seen == NOW && until.is_none()).await.unwrap());
        assert!(!store.take_back_place(places[1], |_, _| true).await.unwrap(), "twice is no harm");
        // A smaller host takes nobody before it has fewer.
        let small = Pool { size: "sessions=2".parse().unwrap(), ..pool.clone() };
        store.update_pool(&small).await.unwrap();
        assert_eq!(store.take_place(host.id, people[3], NOW).await.unwrap(), None);
        store.update_pool(&pool).await.unwrap();
        assert_eq!(store.take_place(host.id, people[3], NOW).await.unwrap().unwrap().number, 2);
    }

    async fn a_host_goes_only_when_nobody_is_on_it(store: Store) {
        let (pool, host) = stored_host(&store, 3).await;
        let people = four(&store).await;
        let place = store.take_place(host.id, people[0], NOW).await.unwrap().unwrap();
        let change = async |now| store.change_host(host.id, DesktopIntent::Recycle, now, |_| true).await.unwrap();
        assert!(!change(NOW).await);
        // It drains: who is there comes back, and nobody new.
        store.modify_desktop(host.id, |row| row.facts.draining = true).await.unwrap();
        assert_eq!(store.take_place(host.id, people[1], NOW).await.unwrap(), None);
        let back = store.keep_place(pool.id, people[0], NOW.plus_seconds(9)).await.unwrap();
        assert_eq!(back.map(|back| back.id), Some(host.id));
        assert!(store.take_back_place(place, |seat, _| seat.seen == NOW.plus_seconds(9)).await.unwrap());
        // An administrator, who has no place, is still looking at it.
        let (here, until) = (BTreeMap::from([(host.id, None)]), NOW.plus_seconds(60));
        store.set_presence("one", &here, until, &BTreeSet::new(), NOW, NOW).await.unwrap();
        assert!(!change(NOW).await);
        assert!(change(until).await);
        assert!(!change(until).await, "once");
        store.modify_desktop(host.id, |row| row.facts.draining = false).await.unwrap();
        assert_eq!(store.take_place(host.id, people[1], NOW).await.unwrap(), None, "it is being made anew");
    }

    async fn who_is_connected_is_known_by_person(store: Store) {
        let (pool, host) = stored_host(&store, 3).await;
        let people = four(&store).await;
        let place = store.take_place(host.id, people[0], NOW).await.unwrap().unwrap();
        let elsewhere = DesktopId::new();
        let there = BTreeSet::from([(people[0], host.id), (people[1], host.id), (people[1], elsewhere)]);
        let until = NOW.plus_seconds(60);
        let without = store.set_places(&there, until).await.unwrap();
        assert_eq!(without, BTreeSet::from([(people[1], host.id)]));
        // A word that was on its way for long takes nothing back.
        assert_eq!(store.set_places(&BTreeSet::from([(people[0], host.id)]), NOW).await.unwrap(), BTreeSet::new());
        assert_eq!(store.place_of(pool.id, people[0]).await.unwrap().unwrap().until, Some(until));
        assert!(store.see_place(host.id, people[0], NOW, None).await.unwrap());
        assert!(!store.see_place(host.id, people[1], NOW, Some(until)).await.unwrap());
        // A host that is lost keeps nobody for longer than they may still be connected to it.
        store.modify_desktop(host.id, |row| row.state = oriel_model::DesktopState::Failed).await.unwrap();
        let later = NOW.plus_seconds(59);
        assert!(store.see_place(host.id, people[0], later, None).await.unwrap(), "who asks again holds it no longer");
        assert!(store.keep_place(pool.id, people[0], later).await.unwrap().is_some());
        assert_eq!(store.keep_place(pool.id, people[0], NOW.plus_seconds(60)).await.unwrap(), None);
        assert!(!store.take_back_place(place, |_, _| true).await.unwrap(), "it is gone already");
    }

    async fn an_account_lives_as_long_as_its_place(store: Store) {
        let (pool, host) = stored_host(&store, 3).await;
        let people = four(&store).await;
        let (ada, bob, at) = (people[0], people[1], (host.id, host.generation));
        assert_eq!(store.open_account(at, ada, "ada", "one", NOW).await.unwrap(), None, "no place, no account");
        let place = store.take_place(host.id, ada, NOW).await.unwrap().unwrap();
        store.take_place(host.id, bob, NOW).await.unwrap().unwrap();
        let first = store.open_account(at, ada, "ada", "one", NOW).await.unwrap().unwrap();
        assert_eq!((first.state, first.sealed.as_deref()), (AccountState::Asked, Some("one")));
        // Who is called the same gets nothing of hers.
        let namesake = store.open_account(at, bob, "ada", "two", NOW).await;
        assert!(matches!(namesake, Err(StoreError::Taken { what: "account", .. })), "{namesake:?}");
        store.refuse_account(at, bob, "another one is called so", NOW).await.unwrap();
        let refused = store.accounts_of(bob).await.unwrap().remove(0);
        assert_eq!((refused.name, refused.state), (None, AccountState::Refused));
        store.account_said(&first, Ok(AccountState::Ready), NOW).await.unwrap();
        let again = store.open_account(at, ada, "ada", "three", NOW).await.unwrap().unwrap();
        assert_eq!((again.state, again.sealed.as_deref()), (AccountState::Ready, Some("one")), "the same for the stay");
        assert!(again.number > first.number);
        // What is said of an order that is not the last one counts no more.
        store.account_said(&first, Err("it does not answer"), NOW).await.unwrap();
        assert_eq!(store.accounts_of(ada).await.unwrap(), std::slice::from_ref(&again));
        assert_eq!(store.close_account(host.id, ada, NOW).await.unwrap(), None, "she has her place");

        assert!(store.take_back_place(place, |_, _| true).await.unwrap());
        let closing = store.close_account(host.id, ada, NOW).await.unwrap().unwrap();
        assert_eq!((closing.state, &closing.sealed), (AccountState::Closing, &None));
        assert!(closing.number > again.number);
        // She comes back before the host has closed it, called otherwise.
        store.take_place(host.id, ada, NOW).await.unwrap().unwrap();
        let back = store.open_account(at, ada, "countess", "four", NOW).await.unwrap().unwrap();
        assert_eq!(back.name.as_deref(), Some("ada"), "what runs in it is hers, and to be ended");
        assert_eq!((back.state, back.sealed.as_deref()), (AccountState::Asked, Some("four")), "never the one of before");
        assert!(back.number > closing.number);
        store.account_said(&closing, Ok(AccountState::Closed), NOW).await.unwrap();
        assert!(store.accounts_in(pool.id).await.unwrap().contains(&back));
        // A host that is made anew has none.
        store.modify_desktop(host.id, |row| row.generation += 1).await.unwrap();
        assert_eq!(store.open_account(at, ada, "ada", "five", NOW).await.unwrap(), None);
        let at = (host.id, host.generation + 1);
        let bobs = store.open_account(at, bob, "ada", "six", NOW).await.unwrap().unwrap();
        assert_eq!(store.accounts_in(pool.id).await.unwrap(), [bobs]);
    }

    async fn apps_are_published_by_name(store: Store) {
        let (pool, _) = stored_host(&store, 3).await;
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let run = AppRun { remote_app: Some("||ledger".into()), ..AppRun::default() };
        let mut app = App { id: AppId::new(), pool: pool.id, name: "Ledger".into(), run, icon: None, created: NOW };
        store.create_app(&app, None).await.unwrap();
        assert_eq!(store.app(app.id).await.unwrap(), Some(app.clone()));
        let twice = store.create_app(&App { id: AppId::new(), ..app.clone() }, None).await;
        assert!(matches!(twice, Err(StoreError::Taken { what: "app", .. })), "{twice:?}");
        app.name = "Books".into();
        app.icon = Some("ab".into());
        store.update_app(&app, Some(Some(&[0, 127, 255]))).await.unwrap();
        assert_eq!(store.app_icon(app.id).await.unwrap(), Some(vec![0, 127, 255]));
        // Who says nothing of it leaves it.
        store.update_app(&App { icon: None, ..app.clone() }, None).await.unwrap();
        assert_eq!(store.apps_in(pool.id).await.unwrap(), [app.clone()]);
        assert_eq!(store.apps_for(ada).await.unwrap(), []);
        store.entitle(pool.id, ada).await.unwrap();
        assert_eq!(store.apps_for(ada).await.unwrap(), [app.clone()]);
        store.update_app(&App { icon: None, ..app.clone() }, Some(None)).await.unwrap();
        assert_eq!((store.app_icon(app.id).await.unwrap(), store.app(app.id).await.unwrap().unwrap().icon), (None, None));
        store.delete_app(app.id).await.unwrap();
        assert!(matches!(store.delete_app(app.id).await, Err(StoreError::Missing { .. })));
    }
}
