use crate::{
    on_both,
    samples::{desktop, image, pool, stored_pool, stored_user},
};
use oriel_model::{Hardware, ImageId, Network, Pool, PoolId, Role, UserId};
use oriel_store::StoreError;

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let studio = stored_pool(&store).await;
        assert_eq!(store.pool(studio.id).await.unwrap(), Some(studio.clone()));
        assert_eq!(store.pool_by_name(&studio.name).await.unwrap(), Some(studio.clone()));
        let again = store.create_pool(&pool("studio", studio.image.unwrap())).await;
        assert!(matches!(again, Err(StoreError::Taken { what: "pool", .. })));
        let nothing = store.create_pool(&pool("lab", ImageId::new())).await;
        assert!(matches!(nothing, Err(StoreError::Missing { what: "image", .. })));
        assert_eq!(store.pools().await.unwrap(), [studio]);
    }

    async fn change(store: Store) {
        let studio = stored_pool(&store).await;
        let lab = pool("lab", studio.image.unwrap());
        store.create_pool(&lab).await.unwrap();
        let image = store.put_image(&image("windows")).await.unwrap();
        let usual = Hardware::default();
        let changed =
            Pool { image: Some(image.id), vcpus: 8, network: Network::User, desktops_max: 1, hardware: usual, ..studio.clone() };
        store.update_pool(&changed).await.unwrap();
        assert_eq!(store.pool(studio.id).await.unwrap(), Some(changed.clone()));
        assert_eq!(store.pool(lab.id).await.unwrap(), Some(lab.clone()));
        let named_alike = Pool { name: lab.name, ..changed.clone() };
        assert!(matches!(store.update_pool(&named_alike).await, Err(StoreError::Taken { .. })));
        let of_nothing = Pool { image: Some(ImageId::new()), ..changed.clone() };
        assert!(matches!(store.update_pool(&of_nothing).await, Err(StoreError::Missing { what: "image", .. })));
        let gone = Pool { id: PoolId::new(), name: "gone".parse().unwrap(), ..changed };
        assert!(matches!(store.update_pool(&gone).await, Err(StoreError::Missing { what: "pool", .. })));
    }

    async fn with_desktops_stay(store: Store) {
        let pool = stored_pool(&store).await;
        let studio = desktop("studio-1", pool.id);
        store.create_desktop(&studio).await.unwrap();
        assert!(matches!(store.delete_pool(pool.id).await, Err(StoreError::InUse { what: "pool", .. })));
        store.delete_desktop(studio.id).await.unwrap();
        store.delete_pool(pool.id).await.unwrap();
        assert!(matches!(store.delete_pool(pool.id).await, Err(StoreError::Missing { .. })));
    }

    async fn know_who_may_use_them(store: Store) {
        let pool = stored_pool(&store).await;
        let zoe = stored_user(&store, "zoe", Role::User).await;
        let ada = stored_user(&store, "Ada", Role::User).await;
        stored_user(&store, "bob", Role::User).await;
        for user in [zoe.id, ada.id, ada.id] {
            store.entitle(pool.id, user).await.unwrap();
        }
        assert_eq!(store.pool_users(pool.id).await.unwrap(), [ada.clone(), zoe.clone()]);
        assert!(store.entitled(pool.id, ada.id).await.unwrap());
        store.unentitle(pool.id, ada.id).await.unwrap();
        store.unentitle(pool.id, ada.id).await.unwrap();
        assert!(!store.entitled(pool.id, ada.id).await.unwrap());
        assert!(matches!(store.entitle(pool.id, UserId::new()).await, Err(StoreError::Missing { .. })));
        // Entitlements go with the user, and with the pool.
        store.delete_user(zoe.id).await.unwrap();
        assert_eq!(store.pool_users(pool.id).await.unwrap(), []);
        store.entitle(pool.id, ada.id).await.unwrap();
        store.delete_pool(pool.id).await.unwrap();
        assert!(!store.entitled(pool.id, ada.id).await.unwrap());
    }
}
