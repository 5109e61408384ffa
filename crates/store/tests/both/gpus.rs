use crate::{
    on_both,
    samples::{NOW, desktop, stored_pool},
};
use oriel_model::{Desktop, GpuAddress, GpuHold, GpuMode, GpuUnit, OperationId};
use oriel_store::{Store, StoreError};
use std::collections::BTreeMap;

fn card(number: u8) -> GpuAddress {
    format!("0000:{number:02x}:00.0").parse().unwrap()
}

fn hold(gpu: &GpuAddress, slots: &[u8]) -> GpuHold {
    let unit = GpuUnit::Mdev { uuid: uuid::Uuid::new_v4(), parent: gpu.clone(), type_id: "nvidia-18".into() };
    GpuHold { gpu: gpu.clone(), mode: GpuMode::Vgpu, profile: Some("M60-2Q".into()), slots: slots.to_vec(), unit }
}

/// What `claim_gpus` wants to know was seen: the cards as they are.
async fn seen(store: &Store) -> BTreeMap<GpuAddress, u64> {
    store.gpu_cards("here").await.unwrap().into_iter().map(|card| (card.gpu, card.version)).collect()
}

async fn stored_desktops(store: &Store, count: usize) -> Vec<Desktop> {
    let pool = stored_pool(store).await;
    let desktops: Vec<Desktop> = (0..count).map(|n| desktop(&format!("studio-{n}"), pool.id)).collect();
    for desktop in &desktops {
        store.create_desktop(desktop).await.unwrap();
    }
    desktops
}

on_both! {
    async fn hold_a_slot_once(store: Store) {
        let [anna, ben, cleo] = stored_desktops(&store, 3).await.try_into().unwrap();
        let wanted = [hold(&card(6), &[0, 1]), hold(&card(7), &[0, 1])];
        let claims = store.claim_gpus(anna.id, "here", &wanted, &seen(&store).await, NOW).await.unwrap();
        assert_eq!(claims.iter().map(|claim| (claim.ordinal, claim.fence)).collect::<Vec<_>>(), [(0, 1), (1, 1)]);
        assert_eq!(store.gpu_claims_of(anna.id).await.unwrap(), claims);
        // A step that was killed and is taken again finds what it has.
        let again = store.claim_gpus(anna.id, "here", &[hold(&card(9), &[3])], &BTreeMap::new(), NOW).await.unwrap();
        assert_eq!(again, claims);
        // Another cannot have a slot of them, and gets nothing at all, whatever else is free.
        let both = [hold(&card(8), &[0]), hold(&card(7), &[1, 2])];
        let refused = store.claim_gpus(ben.id, "here", &both, &seen(&store).await, NOW).await;
        assert!(matches!(refused, Err(StoreError::GpuTaken { .. })), "{refused:?}");
        assert_eq!(store.gpu_claims_of(ben.id).await.unwrap(), []);
        // The same slot of the same card of another host is another thing.
        store.claim_gpus(cleo.id, "there", &[hold(&card(7), &[1])], &BTreeMap::new(), NOW).await.unwrap();
        // A desktop that holds something does not vanish.
        assert!(matches!(store.delete_desktop(anna.id).await, Err(StoreError::InUse { .. })));
        for claim in &claims {
            store.release_gpu(claim.id).await.unwrap();
            store.release_gpu(claim.id).await.unwrap();
        }
        store.delete_desktop(anna.id).await.unwrap();
        store.claim_gpus(ben.id, "here", &both, &seen(&store).await, NOW).await.unwrap();
    }

    async fn refuse_what_was_decided_on_an_old_look(store: Store) {
        let [anna, ben] = stored_desktops(&store, 2).await.try_into().unwrap();
        let old = seen(&store).await;
        store.claim_gpus(anna.id, "here", &[hold(&card(6), &[0])], &old, NOW).await.unwrap();
        // Its slot is free, but the card is no longer the one that was looked at: perhaps of another type by now.
        let late = store.claim_gpus(ben.id, "here", &[hold(&card(6), &[4])], &old, NOW).await;
        assert!(matches!(late, Err(StoreError::GpuTaken { .. })), "{late:?}");
        store.claim_gpus(ben.id, "here", &[hold(&card(6), &[4])], &seen(&store).await, NOW).await.unwrap();
    }

    async fn go_to_one_of_many_at_once(store: Store) {
        let desktops = stored_desktops(&store, 8).await;
        let tries = desktops.iter().map(|desktop| {
            let (store, id) = (store.clone(), desktop.id);
            tokio::spawn(async move {
                let seen = seen(&store).await;
                store.claim_gpus(id, "here", &[hold(&card(6), &[0])], &seen, NOW).await.is_ok()
            })
        });
        let mut winners = 0;
        for one in tries.collect::<Vec<_>>() {
            winners += usize::from(one.await.unwrap());
        }
        assert_eq!(winners, 1);
        assert_eq!(store.gpu_claims().await.unwrap().len(), 1);
    }

    async fn and_switching_their_card_exclude_each_other(store: Store) {
        let [anna] = stored_desktops(&store, 1).await.try_into().unwrap();
        let (one, other) = (OperationId::new(), OperationId::new());
        let claims = store.claim_gpus(anna.id, "here", &[hold(&card(6), &[0])], &BTreeMap::new(), NOW).await.unwrap();
        let held = store.begin_gpu_switch("here", &card(6), one).await;
        assert!(matches!(&held, Err(StoreError::GpuHeld { desktops, .. }) if desktops == "studio-0"), "{held:?}");
        store.release_gpu(claims[0].id).await.unwrap();
        store.begin_gpu_switch("here", &card(6), one).await.unwrap();
        // After a restart the same operation goes on; another waits.
        store.begin_gpu_switch("here", &card(6), one).await.unwrap();
        let busy = store.begin_gpu_switch("here", &card(6), other).await;
        assert!(matches!(busy, Err(StoreError::GpuSwitching { .. })), "{busy:?}");
        let claim = store.claim_gpus(anna.id, "here", &[hold(&card(6), &[0])], &seen(&store).await, NOW).await;
        assert!(matches!(claim, Err(StoreError::GpuSwitching { .. })), "{claim:?}");
        store.end_gpu_switch("here", &card(6), other).await.unwrap();
        assert_eq!(store.gpu_cards("here").await.unwrap()[0].switching, Some(one));
        store.end_gpu_switch("here", &card(6), one).await.unwrap();
        store.claim_gpus(anna.id, "here", &[hold(&card(6), &[0])], &seen(&store).await, NOW).await.unwrap();
    }

    async fn live_as_long_as_they_are_renewed(store: Store) {
        let [anna] = stored_desktops(&store, 1).await.try_into().unwrap();
        store.claim_gpus(anna.id, "here", &[hold(&card(6), &[0])], &BTreeMap::new(), NOW).await.unwrap();
        store.renew_gpu_claims(anna.id, NOW.plus_seconds(60)).await.unwrap();
        assert_eq!(store.gpu_claims().await.unwrap()[0].leased_until, NOW.plus_seconds(60));
    }
}
