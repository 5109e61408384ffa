use crate::{
    at_once, on_both,
    samples::{NOW, desktop, image, pool, stored_user},
};
use oriel_model::{DesktopIntent, Pool, PoolId, Role, Rollout, RolloutFailure, RolloutPlan, RolloutState, Share};
use oriel_store::{Store, StoreError};

/// A pool of the first of two versions, and its way to the second.
async fn begun(store: &Store) -> (Pool, Rollout) {
    let one = store.put_image(&image("debian-desktop")).await.unwrap();
    let two = store.put_image(&image("debian-desktop")).await.unwrap();
    let pool = pool("studio", one.id);
    store.create_pool(&pool).await.unwrap();
    let rollout = Rollout {
        pool: pool.id,
        from: one.id,
        to: two.id,
        plan: RolloutPlan { canary: Share::Percent(20), not_before: Some(NOW), ..RolloutPlan::default() },
        state: RolloutState::Canary,
        is_paused: false,
        is_rollback: false,
        watched_since: None,
        failures: Vec::new(),
        reason: None,
        created: NOW,
        changed: NOW,
    };
    assert!(store.begin_rollout(&rollout, false).await.unwrap());
    (pool, rollout)
}

async fn image_of(store: &Store, pool: &Pool) -> Option<oriel_model::ImageId> {
    store.pool(pool.id).await.unwrap().unwrap().image
}

on_both! {
    async fn take_their_pool_along(store: Store) {
        let (pool, rollout) = begun(&store).await;
        assert_eq!(store.rollout(pool.id).await.unwrap().as_ref(), Some(&rollout));
        assert_eq!(image_of(&store, &pool).await, Some(rollout.from));
        let failure = RolloutFailure {
            desktop: oriel_model::DesktopId::new(),
            name: "studio-1".parse().unwrap(),
            generation: 2,
            reason: "it did not answer".to_owned(),
            at: NOW,
        };
        let rest = store.modify_rollout(pool.id, |rollout| {
            rollout.state = RolloutState::Rest;
            rollout.watched_since = Some(NOW);
            rollout.failures.push(failure.clone());
        });
        let rest = rest.await.unwrap();
        assert_eq!((rest.failures.len(), rest.created), (1, NOW));
        assert!(rest.changed >= NOW);
        assert_eq!(store.rollout(pool.id).await.unwrap(), Some(rest));
        assert_eq!(image_of(&store, &pool).await, Some(rollout.to));
        // Who changes something else of the pool, and had read it before, does not turn it back.
        store.update_pool_but_image(&Pool { vcpus: 7, ..pool.clone() }).await.unwrap();
        let changed = store.pool(pool.id).await.unwrap().unwrap();
        assert_eq!((changed.image, changed.vcpus), (Some(rollout.to), 7));
        store.modify_rollout(pool.id, |rollout| rollout.state = RolloutState::Stopped).await.unwrap();
        assert_eq!(image_of(&store, &pool).await, Some(rollout.from));
        assert_eq!(store.open_rollouts().await.unwrap(), []);
        assert_eq!(store.rollouts().await.unwrap().len(), 1);
        let nobody = store.modify_rollout(PoolId::new(), |_| {}).await;
        assert!(matches!(nobody, Err(StoreError::Missing { .. })));
    }

    async fn are_one_at_a_time(store: Store) {
        let (pool, rollout) = begun(&store).await;
        let again = at_once(8, |_| {
            let (store, rollout) = (store.clone(), rollout.clone());
            async move { store.begin_rollout(&rollout, false).await.unwrap() }
        });
        let again: Vec<bool> = again.await;
        assert!(again.iter().all(|begun| !begun));
        assert!(!store.delete_rollout(pool.id).await.unwrap(), "it goes on");
        let back = Rollout {
            from: rollout.to,
            to: rollout.from,
            state: RolloutState::Rest,
            is_rollback: true,
            ..rollout.clone()
        };
        assert!(store.begin_rollout(&back, true).await.unwrap());
        assert_eq!(store.open_rollouts().await.unwrap(), std::slice::from_ref(&back));
        assert_eq!(image_of(&store, &pool).await, Some(rollout.from));
        store.modify_rollout(pool.id, |rollout| rollout.state = RolloutState::Done).await.unwrap();
        let gone = Rollout { to: oriel_model::ImageId::new(), ..rollout };
        assert!(matches!(store.begin_rollout(&gone, false).await, Err(StoreError::Missing { .. })));
        assert!(store.rollout(pool.id).await.unwrap().is_some(), "all or nothing");
        assert!(store.delete_rollout(pool.id).await.unwrap());
        assert!(!store.delete_rollout(pool.id).await.unwrap());
    }

    async fn keep_both_versions_alive(store: Store) {
        let (pool, rollout) = begun(&store).await;
        for id in [rollout.from, rollout.to] {
            assert!(matches!(store.delete_image(id).await, Err(StoreError::InUse { what: "image", .. })));
        }
        store.modify_rollout(pool.id, |rollout| rollout.state = RolloutState::Done).await.unwrap();
        // It may go back.
        assert!(matches!(store.delete_image(rollout.from).await, Err(StoreError::InUse { .. })));
        assert!(store.delete_rollout(pool.id).await.unwrap());
        store.delete_image(rollout.from).await.unwrap();
        assert!(matches!(store.delete_image(rollout.to).await, Err(StoreError::InUse { .. })), "the pool is of it");
        store.delete_pool(pool.id).await.unwrap();
        store.delete_image(rollout.to).await.unwrap();
    }

    async fn make_only_what_may_be_made_anew(store: Store) {
        let (pool, rollout) = begun(&store).await;
        let studio = desktop("studio-1", pool.id);
        store.create_desktop(&studio).await.unwrap();
        let refused = store.remake(studio.id, rollout.to, NOW, |_, there| there.is_some()).await.unwrap();
        assert!(!refused);
        store.enter(studio.id, "one", 60, |_| true).await.unwrap().unwrap();
        assert!(store.remake(studio.id, rollout.to, NOW, |_, there| there.is_some()).await.unwrap());
        let marked = store.desktop(studio.id).await.unwrap().unwrap();
        assert_eq!((marked.intent, marked.facts.next), (DesktopIntent::Recycle, Some(rollout.to)));
        assert!(rollout.tries(&marked));
        assert!(!store.remake(studio.id, rollout.to, NOW, |_, _| true).await.unwrap(), "it is on its way");
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let free = store.give_seat(studio.id, ada, false, NOW).await.unwrap();
        assert_eq!(free, None, "nobody is given what is made anew");
    }
}
