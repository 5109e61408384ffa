use crate::{
    at_once, on_both,
    samples::{NOW, desktop, pool, stored_pool, stored_user, ticket},
};
use oriel_model::{
    Desktop, DesktopIntent, DesktopState, Group, GroupId, GroupPolicy, OverQuota, Pool, Quota, QuotaKind, QuotaOf,
    QuotaScope, Role, SecondFactorRule, UserId,
};
use oriel_store::{Store, StoreError, clock::now};
use std::collections::BTreeSet;

fn quota(scope: QuotaScope, limits: &str) -> Quota {
    Quota { scope, limits: limits.parse().unwrap() }
}

async fn limit(store: &Store, scope: QuotaScope, limits: &str) {
    store.put_quota(&quota(scope, limits)).await.unwrap();
}

fn refused<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> OverQuota {
    match answer {
        Err(StoreError::OverQuota(over)) => *over,
        other => panic!("{other:?}"),
    }
}

fn of(owner: UserId, desktop: Desktop) -> Desktop {
    Desktop { owner: Some(owner), ..desktop }
}

async fn group(store: &Store, name: &str, member: UserId) -> GroupId {
    let group = Group {
        id: GroupId::new(),
        name: name.to_owned(),
        about: String::new(),
        policy: GroupPolicy::default(),
        second_factor: SecondFactorRule::default(),
        created: NOW,
    };
    store.create_group(&group).await.unwrap();
    store.add_member(group.id, member).await.unwrap();
    group.id
}

/// Pools of one image, with a desktop each that is nobody's.
async fn free_ones(store: &Store, count: usize) -> Vec<(Pool, Desktop)> {
    let first = stored_pool(store).await;
    let mut all = Vec::new();
    for n in 0..count {
        let one = pool(&format!("floor{n}"), first.image.unwrap());
        store.create_pool(&one).await.unwrap();
        let free = desktop(&format!("floor{n}-1"), one.id);
        store.create_desktop(&free).await.unwrap();
        all.push((one, free));
    }
    all
}

on_both! {
    async fn the_last_unit_is_given_once(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await.id;
        limit(&store, QuotaScope::Everyone, "desktops=2").await;
        let free = free_ones(&store, 4).await;
        let given = at_once(8, |n| {
            let (store, (pool, one)) = (store.clone(), free[n / 2].clone());
            async move {
                if n % 2 == 0 {
                    store.give_seat(one.id, ada, true, NOW).await.map(|given| given.is_some())
                } else {
                    store.create_desktop(&of(ada, desktop(&format!("made-{n}"), pool.id))).await.map(|()| true)
                }
            }
        })
        .await;
        assert_eq!(given.iter().filter(|answer| matches!(answer, Ok(true))).count(), 2, "{given:?}");
        let over = given.into_iter().filter_map(Result::err);
        assert_eq!(over.filter(|error| matches!(error, StoreError::OverQuota(_))).count(), 6);
        assert_eq!(store.desktops_of(ada).await.unwrap().len(), 2);
    }

    async fn the_last_one_that_runs_is_started_once(store: Store) {
        let pool = stored_pool(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let mut off = Vec::new();
        for n in 0..4 {
            let one = of(ada, desktop(&format!("studio-{n}"), pool.id));
            let one = Desktop { intent: DesktopIntent::Stopped, state: DesktopState::Stopped, ..one };
            store.create_desktop(&one).await.unwrap();
            off.push(one.id);
        }
        // Two CPUs and two slices of a GPU each.
        limit(&store, QuotaScope::User(ada), "cpus=5,gpus=8").await;
        let started = at_once(4, |n| {
            let (store, id) = (store.clone(), off[n]);
            async move {
                store.modify_desktop_within_quota(id, |row| row.intent = DesktopIntent::Running).await
            }
        })
        .await;
        assert_eq!(started.iter().filter(|answer| answer.is_ok()).count(), 2, "{started:?}");
        let over = refused(started.into_iter().find(Result::is_err).unwrap());
        assert_eq!((over.kind, over.held, over.asked, over.most), (QuotaKind::Cpus, 4, 2, 5));
        assert_eq!((over.of, over.person.as_str(), over.holding.len()), (QuotaOf::Own, "ada", 2));
        // What runs is not asked for again, nor is anything taken away when there is less of it to have.
        limit(&store, QuotaScope::User(ada), "running=0").await;
        let runs = store.desktops_of(ada).await.unwrap().into_iter().find(|one| one.intent == DesktopIntent::Running);
        let again = store.modify_desktop_within_quota(runs.unwrap().id, |row| row.intent = DesktopIntent::Restart).await;
        assert_eq!(again.unwrap().intent, DesktopIntent::Restart);
        // Of what is nobody's nothing is asked.
        let free = desktop("studio-9", pool.id);
        store.create_desktop(&free).await.unwrap();
        store.modify_desktop_within_quota(free.id, |row| row.intent = DesktopIntent::Restart).await.unwrap();
    }

    async fn the_most_generous_group_counts_and_the_own_rule_over_all(store: Store) {
        let pool = stored_pool(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let (few, many) = (group(&store, "few", ada).await, group(&store, "many", ada).await);
        limit(&store, QuotaScope::Everyone, "desktops=0").await;
        limit(&store, QuotaScope::Group(few), "desktops=1").await;
        limit(&store, QuotaScope::Group(many), "desktops=2").await;
        let make = async |n: u32| store.create_desktop(&of(ada, desktop(&format!("studio-{n}"), pool.id))).await;
        make(1).await.unwrap();
        make(2).await.unwrap();
        assert_eq!(refused(make(3).await).of, QuotaOf::Group("many".into()));
        limit(&store, QuotaScope::User(ada), "desktops=unlimited").await;
        make(3).await.unwrap();
        // Rules go with what they are of.
        store.delete_quota(QuotaScope::User(ada)).await.unwrap();
        store.delete_group(many).await.unwrap();
        let over = refused(make(4).await);
        assert_eq!((over.of, over.most, over.held), (QuotaOf::Group("few".into()), 1, 3));
        assert_eq!(over.holding, ["studio-1", "studio-2", "studio-3"]);
        let rules = [quota(QuotaScope::Everyone, "desktops=0"), quota(QuotaScope::Group(few), "desktops=1")];
        assert_eq!(store.quotas().await.unwrap(), rules);
        assert_eq!(store.quotas_for(ada).await.unwrap().len(), 2);
        let gone = store.put_quota(&quota(QuotaScope::Group(many), "desktops=1")).await;
        assert!(matches!(gone, Err(StoreError::Missing { what: "group", .. })), "{gone:?}");
    }

    async fn a_pool_limits_its_own_for_one_person(store: Store) {
        let pool = stored_pool(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let bob = stored_user(&store, "bob", Role::User).await.id;
        limit(&store, QuotaScope::Pool(pool.id), "per_person=1").await;
        store.create_desktop(&of(ada, desktop("studio-1", pool.id))).await.unwrap();
        let over = refused(store.create_desktop(&of(ada, desktop("studio-2", pool.id))).await);
        assert_eq!((over.kind, over.of), (QuotaKind::PerPerson, QuotaOf::Pool("studio".into())));
        store.create_desktop(&of(bob, desktop("studio-2", pool.id))).await.unwrap();
        // One that goes is no longer theirs to hold.
        let own = store.desktops_of(ada).await.unwrap();
        store.modify_desktop(own[0].id, |row| row.intent = DesktopIntent::Deleted).await.unwrap();
        store.create_desktop(&of(ada, desktop("studio-3", pool.id))).await.unwrap();
    }

    async fn the_last_session_is_opened_once(store: Store) {
        let pool = stored_pool(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let mut desktops = Vec::new();
        for n in 0..4 {
            let one = desktop(&format!("studio-{n}"), pool.id);
            store.create_desktop(&one).await.unwrap();
            desktops.push(one.id);
        }
        limit(&store, QuotaScope::Everyone, "sessions=1").await;
        let asked = at_once(4, |n| {
            let mut ticket = ticket(ada, desktops[n]);
            (ticket.ticket_sha256, ticket.expires) = (format!("t{n}"), now().plus_seconds(30));
            let store = store.clone();
            async move { store.put_ticket(&ticket, "here").await.map(|()| ticket.desktop) }
        })
        .await;
        let won: Vec<_> = asked.iter().filter_map(|answer| answer.as_ref().ok().copied()).collect();
        assert_eq!(won.len(), 1, "{asked:?}");
        assert_eq!(refused(asked.into_iter().find(Result::is_err).unwrap()).kind, QuotaKind::Sessions);
        // Coming back to the same is no session more, wherever from.
        store.attend(ada, won[0], "here", 60).await.unwrap();
        store.attend(ada, won[0], "there", 60).await.unwrap();
        let other = desktops.iter().copied().find(|id| *id != won[0]).unwrap();
        refused(store.attend(ada, other, "there", 60).await);
        let said = now().plus_seconds(60);
        store.attend(ada, won[0], "here", 70).await.unwrap();
        store.leave(ada, won[0], "here", said).await.unwrap();
        store.leave(ada, won[0], "there", said).await.unwrap();
        refused(store.attend(ada, other, "there", 60).await);
        store.attend(ada, won[0], "there", 60).await.unwrap();
        // The tab that was there for longer is closed as well.
        store.leave(ada, won[0], "here", now().plus_seconds(70)).await.unwrap();
        refused(store.attend(ada, other, "there", 60).await);
        store.leave(ada, won[0], "there", now().plus_seconds(60)).await.unwrap();
        store.attend(ada, other, "there", 60).await.unwrap();
        assert_eq!(store.attended_by(ada, now()).await.unwrap(), BTreeSet::from([other]));
        // Others, through other programs.
        let bob = oriel_model::UserId::new();
        for (without, program, there) in [(bob, "here", true), (bob, "there", false), (ada, "here", false)] {
            let elsewhere = store.attended_elsewhere(without, program, now()).await.unwrap();
            assert_eq!(elsewhere.contains(&other), there, "{program}");
        }
        // A program that says nothing more is one that is gone.
        assert!(store.attended_by(ada, now().plus_seconds(61)).await.unwrap().is_empty());
        let until = now().plus_seconds(300);
        store.prolong_attendance("there", &BTreeSet::from([(ada, other), (ada, won[0])]), until).await.unwrap();
        assert_eq!(store.attended_by(ada, now().plus_seconds(61)).await.unwrap(), BTreeSet::from([other]));
        store.delete_old_attendance(until.plus_seconds(1)).await.unwrap();
        assert!(store.attended_by(ada, now()).await.unwrap().is_empty());
    }
}
