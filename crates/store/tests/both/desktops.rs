use crate::{
    at_once, on_both,
    samples::{NOW, desktop, stored_desktop, stored_pool, stored_user},
};
use oriel_model::{
    Capture, CaptureStep, Desktop, DesktopFacts, DesktopId, DesktopIntent, DesktopState, Micros, OperationId, Pool,
    PoolId, Role, StartStep, UserId,
};
use oriel_store::{DesktopCount, Store, StoreError};

/// As many desktops as asked for, in one pool that has room.
async fn stored_desktops(store: &Store, count: u32) -> Vec<Desktop> {
    let pool = stored_pool(store).await;
    store.update_pool(&Pool { desktops_max: count, ..pool.clone() }).await.unwrap();
    let mut all = Vec::new();
    for n in 0..count {
        let desktop = desktop(&format!("studio-{n}"), pool.id);
        store.create_desktop(&desktop).await.unwrap();
        all.push(desktop);
    }
    all
}

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let pool = stored_pool(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await;
        let studio = Desktop {
            owner: Some(ada.id),
            intent: DesktopIntent::Recycle,
            state: DesktopState::InUse,
            failure: Some("it fell: pick it up".to_owned()),
            step: Some(StartStep::WaitingForRdp),
            generation: u32::MAX,
            host: Some("gpu01".to_owned()),
            port_base: Some(u16::MAX),
            facts: DesktopFacts {
                image: pool.image,
                accelerator: Some("tcg".to_owned()),
                started: Some(NOW),
                start_seconds: Some(25.5),
                ..DesktopFacts::default()
            },
            ..desktop("studio-1", pool.id)
        };
        store.create_desktop(&studio).await.unwrap();
        assert_eq!(store.desktop(studio.id).await.unwrap(), Some(studio.clone()));
        assert_eq!(store.desktop_by_name(&studio.name).await.unwrap(), Some(studio.clone()));
        assert_eq!(store.desktops_of(ada.id).await.unwrap(), std::slice::from_ref(&studio));
        assert_eq!(store.desktops_of(UserId::new()).await.unwrap(), []);
        assert_eq!(store.desktops_in_pool(pool.id).await.unwrap(), std::slice::from_ref(&studio));
        assert_eq!(store.desktops_in_pool(PoolId::new()).await.unwrap(), []);
        assert_eq!(store.desktops().await.unwrap(), [studio]);
    }

    async fn are_held_for_an_image_when_nobody_is_there(store: Store) {
        let one = stored_desktops(&store, 1).await.remove(0);
        let operation = OperationId::new();
        let nobody = |_: &Desktop, last: Option<Micros>| last.is_none();
        assert!(!store.hold_for_capture(one.id, operation, NOW, |_, _| false).await.unwrap());
        assert!(store.hold_for_capture(one.id, operation, NOW, nobody).await.unwrap());
        let held = store.desktop(one.id).await.unwrap().unwrap();
        let capture = Capture { operation, step: CaptureStep::Claimed, was_running: one.intent == DesktopIntent::Running };
        assert_eq!((held.intent, held.facts.capture), (DesktopIntent::Capture, Some(capture)));
        // Not twice, and nothing that takes desktops takes it.
        assert!(!store.hold_for_capture(one.id, OperationId::new(), NOW, nobody).await.unwrap());
        assert!(!store.wipe_touched(one.id, NOW).await.unwrap());
        assert!(!store.take_back(one.id, NOW, DesktopIntent::Recycle, |_, _| true).await.unwrap());
        let missing = store.hold_for_capture(DesktopId::new(), operation, NOW, nobody).await;
        assert!(matches!(missing, Err(StoreError::Missing { .. })), "{missing:?}");
    }

    async fn are_counted_by_pool_and_state(store: Store) {
        assert_eq!(store.desktop_counts().await.unwrap(), []);
        let all = stored_desktops(&store, 4).await;
        let ada = stored_user(&store, "ada", Role::User).await;
        for (one, state) in all.iter().zip([DesktopState::Ready, DesktopState::Ready, DesktopState::Stopped]) {
            store.modify_desktop(one.id, |row| row.state = state).await.unwrap();
        }
        store.modify_desktop(all[0].id, |row| row.owner = Some(ada.id)).await.unwrap();
        let mut counts = store.desktop_counts().await.unwrap();
        counts.sort_by_key(|count| count.all * 10 + count.assigned);
        let pool = all[0].pool;
        let of = |state, all, assigned| DesktopCount { pool, state, all, assigned };
        assert_eq!(counts.len(), 3);
        assert!(counts.contains(&of(DesktopState::Ready, 2, 1)) && counts.contains(&of(DesktopState::Stopped, 1, 0)));
        store.ping().await.unwrap();
    }

    async fn need_a_name_a_pool_and_an_owner(store: Store) {
        let pool = stored_desktop(&store).await.pool;
        let again = store.create_desktop(&desktop("studio-1", pool)).await;
        assert!(matches!(again, Err(StoreError::Taken { what: "desktop", .. })));
        let nowhere = store.create_desktop(&desktop("studio-2", PoolId::new())).await;
        assert!(matches!(nowhere, Err(StoreError::Missing { what: "pool", .. })));
        let nobodys = Desktop { owner: Some(UserId::new()), ..desktop("studio-3", pool) };
        assert!(matches!(store.create_desktop(&nobodys).await, Err(StoreError::Missing { .. })));
    }

    async fn never_more_than_the_pool_may_hold(store: Store) {
        let pool = stored_pool(&store).await;
        let said = at_once(30, |n| {
            let (store, pool) = (store.clone(), pool.id);
            async move { store.create_desktop(&desktop(&format!("studio-{n}"), pool)).await }
        })
        .await;
        assert_eq!(said.iter().filter(|one| one.is_ok()).count(), 10);
        assert_eq!(said.iter().filter(|one| matches!(one, Err(StoreError::PoolFull { max: 10, .. }))).count(), 20);
        assert_eq!(store.desktops_in_pool(pool.id).await.unwrap().len(), 10);
    }

    async fn fifty_writers_lose_nothing(store: Store) {
        let studio = stored_desktop(&store).await;
        at_once(50, |n| {
            let (store, id) = (store.clone(), studio.id);
            async move {
                let modified = store.modify_desktop(id, |desktop| {
                    desktop.generation += 1;
                    if n == 25 {
                        desktop.intent = DesktopIntent::Stopped;
                    }
                });
                modified.await.unwrap();
            }
        })
        .await;
        let read = store.desktop(studio.id).await.unwrap().unwrap();
        assert_eq!((read.generation, read.intent), (51, DesktopIntent::Stopped));
    }

    async fn say_when_they_changed(store: Store) {
        let studio = stored_desktop(&store).await;
        let same = store.modify_desktop(studio.id, |_| ()).await.unwrap();
        assert_eq!(same, studio);
        let before = Micros(i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap());
        let stamped = store.modify_desktop(studio.id, |desktop| desktop.state = DesktopState::Placed).await.unwrap();
        assert!(stamped.changed >= before || stamped.changed == NOW, "{stamped:?}");
        let said = store
            .modify_desktop(studio.id, |desktop| {
                desktop.state = DesktopState::Starting;
                desktop.changed = NOW.plus_seconds(5);
                desktop.id = DesktopId::new();
                desktop.created = Micros(0);
            })
            .await
            .unwrap();
        assert_eq!((said.changed, said.id, said.created), (NOW.plus_seconds(5), studio.id, studio.created));
        assert_eq!(store.desktop(studio.id).await.unwrap(), Some(said));
        assert!(matches!(store.modify_desktop(DesktopId::new(), |_| ()).await, Err(StoreError::Missing { .. })));
    }

    async fn a_refused_change_changes_nothing(store: Store) {
        let all = stored_desktops(&store, 2).await;
        let refused = store
            .modify_desktop(all[1].id, |desktop| {
                desktop.name = all[0].name.clone();
                desktop.generation = 9;
            })
            .await;
        assert!(matches!(refused, Err(StoreError::Taken { what: "desktop", .. })));
        assert_eq!(store.desktop(all[1].id).await.unwrap().as_ref(), Some(&all[1]));
        // And the row is free for the next.
        store.modify_desktop(all[1].id, |desktop| desktop.generation = 9).await.unwrap();
    }

    async fn claim_ports_of_their_own(store: Store) {
        let all = stored_desktops(&store, 24).await;
        let mut ports: Vec<_> = at_once(24, |n| {
            let (store, id) = (store.clone(), all[n].id);
            async move { store.claim_port_base(id, "here", 23000..=23047, 2).await.unwrap() }
        })
        .await;
        ports.sort_unstable();
        assert_eq!(ports, (23000..23048).step_by(2).collect::<Vec<u16>>());
        // Claiming again keeps it; a second host has its own ports.
        let held = store.desktop(all[3].id).await.unwrap().unwrap();
        assert_eq!(store.claim_port_base(all[3].id, "here", 1..=9, 2).await.unwrap(), held.port_base.unwrap());
        assert_eq!(store.claim_port_base(all[3].id, "there", 23000..=23047, 2).await.unwrap(), 23000);
        assert_eq!(store.desktop(all[3].id).await.unwrap().unwrap().host.as_deref(), Some("there"));
        // Freed ports are given out again.
        store.delete_desktop(all[4].id).await.unwrap();
        let late = desktop("late", all[0].pool);
        store.create_desktop(&late).await.unwrap();
        assert!(ports.contains(&store.claim_port_base(late.id, "here", 23000..=23047, 2).await.unwrap()));
    }

    async fn run_out_of_ports(store: Store) {
        let all = stored_desktops(&store, 3).await;
        // Five ports hold two spans of two.
        assert_eq!(store.claim_port_base(all[0].id, "here", 65531..=65535, 2).await.unwrap(), 65531);
        assert_eq!(store.claim_port_base(all[1].id, "here", 65531..=65535, 2).await.unwrap(), 65533);
        let refused = store.claim_port_base(all[2].id, "here", 65531..=65535, 2).await;
        assert!(matches!(refused, Err(StoreError::NoFreePort { first: 65531, last: 65535, .. })));
        // Spans of another alignment do not overlap those that are taken.
        assert_eq!(store.claim_port_base(all[2].id, "here", 65528..=65535, 2).await.unwrap(), 65528);
        store.modify_desktop(all[0].id, |desktop| desktop.port_base = None).await.unwrap();
        let gone = store.claim_port_base(DesktopId::new(), "here", 1..=9, 2).await;
        assert!(matches!(gone, Err(StoreError::Missing { .. })));
        let same = store.modify_desktop(all[0].id, |desktop| desktop.port_base = Some(65533)).await;
        assert!(matches!(same, Err(StoreError::Taken { what: "port range", .. })), "{same:?}");
    }

    async fn keep_secrets_as_long_as_they_live(store: Store) {
        let studio = stored_desktop(&store).await;
        assert_eq!(store.secret(studio.id).await.unwrap(), None);
        store.put_secret(studio.id, "oriel:v1:one").await.unwrap();
        store.put_secret(studio.id, "oriel:v1:two").await.unwrap();
        assert_eq!(store.secret(studio.id).await.unwrap().as_deref(), Some("oriel:v1:two"));
        store.delete_desktop(studio.id).await.unwrap();
        store.delete_desktop(studio.id).await.unwrap();
        assert_eq!(store.secret(studio.id).await.unwrap(), None);
        assert!(matches!(store.put_secret(studio.id, "x").await, Err(StoreError::Missing { what: "desktop", .. })));
    }
}
