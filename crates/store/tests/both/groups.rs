use crate::{
    on_both,
    samples::{NOW, stored_pool, stored_user},
};
use oriel_model::{Group, GroupId, GroupPolicy, Role, SecondFactorRule, UserId};
use oriel_store::StoreError;

fn group(name: &str, policy: &str) -> Group {
    let policy = policy.parse::<GroupPolicy>().unwrap();
    Group {
        id: GroupId::new(),
        name: name.to_owned(),
        about: "who draws".to_owned(),
        policy,
        second_factor: SecondFactorRule::Required,
        created: NOW,
    }
}

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let artists = group("Artists", "clipboard=off,idle_lock=10");
        store.create_group(&artists).await.unwrap();
        assert_eq!(store.group(artists.id).await.unwrap(), Some(artists.clone()));
        assert_eq!(store.group_by_name("aRTISTS").await.unwrap(), Some(artists.clone()));
        let again = store.create_group(&group("ARTISTS", "none")).await;
        assert!(matches!(again, Err(StoreError::Taken { what: "group", .. })));
        let lab = group("lab", "none");
        store.create_group(&lab).await.unwrap();
        let changed = Group { name: "Painters".into(), about: String::new(), policy: GroupPolicy::default(), second_factor: SecondFactorRule::Optional, ..artists.clone() };
        store.update_group(&changed).await.unwrap();
        assert_eq!(store.groups().await.unwrap(), [lab.clone(), changed.clone()]);
        let alike = store.update_group(&Group { name: "LAB".into(), ..changed.clone() }).await;
        assert!(matches!(alike, Err(StoreError::Taken { .. })));
        store.delete_group(lab.id).await.unwrap();
        assert!(matches!(store.delete_group(lab.id).await, Err(StoreError::Missing { what: "group", .. })));
        assert!(matches!(store.update_group(&lab).await, Err(StoreError::Missing { what: "group", .. })));
        assert_eq!(store.groups().await.unwrap(), [changed]);
    }

    async fn have_members(store: Store) {
        let (artists, lab) = (group("artists", "none"), group("lab", "none"));
        store.create_group(&artists).await.unwrap();
        store.create_group(&lab).await.unwrap();
        let zoe = stored_user(&store, "zoe", Role::User).await;
        let ada = stored_user(&store, "Ada", Role::User).await;
        for user in [zoe.id, ada.id, ada.id] {
            store.add_member(artists.id, user).await.unwrap();
        }
        store.add_member(lab.id, ada.id).await.unwrap();
        assert_eq!(store.members(artists.id).await.unwrap(), [ada.clone(), zoe.clone()]);
        assert_eq!(store.groups_of(ada.id).await.unwrap(), [artists.clone(), lab.clone()]);
        assert_eq!(store.memberships().await.unwrap().len(), 3);
        assert!(matches!(store.add_member(lab.id, UserId::new()).await, Err(StoreError::Missing { .. })));
        assert!(matches!(store.add_member(GroupId::new(), ada.id).await, Err(StoreError::Missing { .. })));
        store.remove_member(artists.id, ada.id).await.unwrap();
        store.remove_member(artists.id, ada.id).await.unwrap();
        assert_eq!(store.groups_of(ada.id).await.unwrap(), std::slice::from_ref(&lab));
        // Membership goes with the user, and with the group.
        store.delete_user(zoe.id).await.unwrap();
        assert_eq!(store.members(artists.id).await.unwrap(), []);
        store.delete_group(lab.id).await.unwrap();
        assert_eq!(store.groups_of(ada.id).await.unwrap(), []);
    }

    async fn open_pools(store: Store) {
        let pool = stored_pool(&store).await;
        let artists = group("artists", "none");
        store.create_group(&artists).await.unwrap();
        let ada = stored_user(&store, "ada", Role::User).await;
        let bob = stored_user(&store, "bob", Role::User).await;
        store.add_member(artists.id, ada.id).await.unwrap();
        assert!(!store.entitled(pool.id, ada.id).await.unwrap());
        store.entitle_group(pool.id, artists.id).await.unwrap();
        store.entitle_group(pool.id, artists.id).await.unwrap();
        assert_eq!(store.pool_groups(pool.id).await.unwrap(), std::slice::from_ref(&artists));
        assert_eq!(store.pools_of_group(artists.id).await.unwrap(), [pool.id]);
        assert!(store.entitled(pool.id, ada.id).await.unwrap());
        assert!(!store.entitled(pool.id, bob.id).await.unwrap());
        assert_eq!(store.pool_users(pool.id).await.unwrap(), [], "the group is not its members");
        // By two ways: one of them is enough.
        store.entitle(pool.id, ada.id).await.unwrap();
        store.unentitle_group(pool.id, artists.id).await.unwrap();
        assert!(store.entitled(pool.id, ada.id).await.unwrap());
        store.unentitle(pool.id, ada.id).await.unwrap();
        assert!(!store.entitled(pool.id, ada.id).await.unwrap());
        assert!(matches!(store.entitle_group(pool.id, GroupId::new()).await, Err(StoreError::Missing { .. })));
        store.entitle_group(pool.id, artists.id).await.unwrap();
        store.delete_pool(pool.id).await.unwrap();
        assert_eq!(store.pools_of_group(artists.id).await.unwrap(), []);
    }
}
