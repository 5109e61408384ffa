use crate::{
    at_once, on_both,
    samples::{stored_desktop, stored_user, user},
};
use oriel_model::{Role, UserId};
use oriel_store::StoreError;

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let ada = user("Ada", Role::Admin);
        store.create_user(&ada, "the hash").await.unwrap();
        assert_eq!(store.user(ada.id).await.unwrap(), Some(ada.clone()));
        assert_eq!(store.user_by_name("aDA").await.unwrap(), Some((ada.clone(), "the hash".to_owned())));
        assert_eq!(store.password_hash(ada.id).await.unwrap().as_deref(), Some("the hash"));
        assert_eq!(store.user_by_name("bob").await.unwrap(), None);
        assert_eq!(store.user(UserId::new()).await.unwrap(), None);
    }

    async fn names_are_unique_without_case(store: Store) {
        stored_user(&store, "Zoë", Role::User).await;
        let refused = store.create_user(&user("ZOË", Role::User), "h").await.unwrap_err();
        assert!(matches!(&refused, StoreError::Taken { what: "user", name } if name == "ZOË"), "{refused}");
        let mut bob = stored_user(&store, "bob", Role::User).await;
        bob.name = "zoë".into();
        assert!(matches!(store.update_user(&bob).await, Err(StoreError::Taken { .. })));
        let names: Vec<_> = store.users().await.unwrap().into_iter().map(|user| user.name).collect();
        assert_eq!(names, ["bob", "Zoë"]);
    }

    async fn one_of_many_gets_a_name(store: Store) {
        let said = at_once(20, |_| {
            let store = store.clone();
            async move { store.create_user(&user("ada", Role::User), "h").await }
        })
        .await;
        assert_eq!(said.iter().filter(|one| one.is_ok()).count(), 1);
        assert!(said.iter().all(|one| matches!(one, Ok(()) | Err(StoreError::Taken { .. }))));
    }

    async fn passwords_change(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await;
        store.set_password(ada.id, "new", false).await.unwrap();
        let (read, hash) = store.user_by_name("ada").await.unwrap().unwrap();
        assert_eq!((hash.as_str(), read.must_change_password), ("new", false));
        assert!(matches!(store.set_password(UserId::new(), "new", false).await, Err(StoreError::Missing { .. })));
    }

    async fn an_admin_always_stays(store: Store) {
        let mut ada = stored_user(&store, "ada", Role::Admin).await;
        stored_user(&store, "bob", Role::User).await;
        assert_eq!(store.count_admins().await.unwrap(), 1);
        assert!(matches!(store.delete_user(ada.id).await, Err(StoreError::LastAdmin)));
        ada.disabled = true;
        assert!(matches!(store.update_user(&ada).await, Err(StoreError::LastAdmin)));
        let eve = stored_user(&store, "eve", Role::Admin).await;
        store.update_user(&ada).await.unwrap();
        assert_eq!(store.count_admins().await.unwrap(), 1);
        assert!(matches!(store.delete_user(eve.id).await, Err(StoreError::LastAdmin)));
        // A disabled admin may go: the enabled one stays.
        store.delete_user(ada.id).await.unwrap();
    }

    async fn admins_who_leave_together_leave_one(store: Store) {
        let mut admins = Vec::new();
        for n in 0..8 {
            admins.push(stored_user(&store, &format!("admin{n}"), Role::Admin).await);
        }
        let said = at_once(8, |n| {
            let (store, mut admin) = (store.clone(), admins[n].clone());
            async move {
                if n % 2 == 0 {
                    return store.delete_user(admin.id).await;
                }
                admin.role = Role::User;
                store.update_user(&admin).await
            }
        })
        .await;
        assert_eq!(said.iter().filter(|one| one.is_ok()).count(), 7, "{said:?}");
        assert_eq!(store.count_admins().await.unwrap(), 1);
    }

    async fn with_desktops_cannot_go(store: Store) {
        let desktop = stored_desktop(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await;
        store.modify_desktop(desktop.id, |desktop| desktop.owner = Some(ada.id)).await.unwrap();
        assert!(matches!(store.delete_user(ada.id).await, Err(StoreError::InUse { what: "user", .. })));
        store.delete_desktop(desktop.id).await.unwrap();
        store.delete_user(ada.id).await.unwrap();
        assert!(matches!(store.delete_user(ada.id).await, Err(StoreError::Missing { .. })));
    }
}
