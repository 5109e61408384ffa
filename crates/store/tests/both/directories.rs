use crate::{
    at_once, on_both,
    samples::{NOW, stored_user, user},
};
use oriel_model::{Directory, DirectoryId, DirectoryPerson, DirectorySettings, Role, UserId};
use oriel_store::StoreError;

fn directory(name: &str) -> Directory {
    Directory {
        id: DirectoryId::new(),
        name: name.to_owned(),
        enabled: true,
        settings: DirectorySettings {
            url: "ldaps://ldap.lab".to_owned(),
            bind_dn: Some("cn=oriel,dc=lab".to_owned()),
            base: "dc=lab".to_owned(),
            ..DirectorySettings::default()
        },
        created: NOW,
    }
}

fn person(user: UserId, of: DirectoryId, external_id: &str) -> DirectoryPerson {
    DirectoryPerson {
        user,
        directory: of,
        external_id: external_id.to_owned(),
        dn: "uid=ada,dc=lab".to_owned(),
        active: true,
        seen: NOW,
    }
}

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let (mut lab, shop) = (directory("lab"), directory("shop"));
        store.create_directory(&lab, Some("sealed")).await.unwrap();
        store.create_directory(&shop, None).await.unwrap();
        assert!(matches!(store.create_directory(&directory("LAB"), None).await, Err(StoreError::Taken { .. })));
        assert_eq!(store.directories().await.unwrap(), [lab.clone(), shop.clone()]);
        assert_eq!(store.directory_secret(lab.id).await.unwrap().as_deref(), Some("sealed"));
        assert_eq!(store.directory_secret(shop.id).await.unwrap(), None);
        "laboratory".clone_into(&mut lab.name);
        lab.enabled = false;
        store.update_directory(&lab, None).await.unwrap();
        assert_eq!(store.directory(lab.id).await.unwrap(), Some(lab.clone()));
        assert_eq!(store.directory_secret(lab.id).await.unwrap(), None);
        let renamed = Directory { name: "Shop".to_owned(), ..lab.clone() };
        assert!(matches!(store.update_directory(&renamed, None).await, Err(StoreError::Taken { .. })));
        assert!(matches!(store.update_directory(&directory("none"), None).await, Err(StoreError::Missing { .. })));
        store.delete_directory(shop.id).await.unwrap();
        assert!(matches!(store.delete_directory(shop.id).await, Err(StoreError::Missing { .. })));
    }

    async fn a_person_of_one_is_one_user(store: Store) {
        let lab = directory("lab");
        store.create_directory(&lab, None).await.unwrap();
        // Who signs in for the first time in several places at once is made once, whole or not at all.
        let made = at_once(8, |n| {
            let store = store.clone();
            let user = user(&format!("ada{n}"), Role::User);
            async move { store.create_directory_user(&user, "none", &person(user.id, lab.id, "e1")).await }
        })
        .await;
        assert_eq!(made.iter().filter(|one| one.is_ok()).count(), 1);
        assert!(made.iter().all(|one| matches!(one, Ok(()) | Err(StoreError::Taken { .. }))));
        let users = store.users().await.unwrap();
        assert_eq!(users.len(), 1);
        let ada = users[0].id;
        let known = store.directory_person_by_external(lab.id, "e1").await.unwrap().unwrap();
        assert_eq!((known.user, known.active), (ada, true));
        assert_eq!(store.users_of_directories().await.unwrap(), [(ada, lab.id)]);
        assert!(matches!(store.delete_directory(lab.id).await, Err(StoreError::InUse { .. })));

        let bob = stored_user(&store, "bob", Role::User).await.id;
        assert_eq!(store.directory_person(bob).await.unwrap(), None);
        let same = store.put_directory_person(&person(bob, lab.id, "e1")).await;
        assert!(matches!(same, Err(StoreError::Taken { .. })), "{same:?}");
        let nowhere = store.put_directory_person(&person(bob, DirectoryId::new(), "e2")).await;
        assert!(matches!(nowhere, Err(StoreError::Missing { .. })), "{nowhere:?}");
        let moved = DirectoryPerson { dn: "uid=ada,ou=sales,dc=lab".to_owned(), ..person(ada, lab.id, "e1") };
        store.put_directory_person(&moved).await.unwrap();
        assert_eq!(store.directory_people(lab.id).await.unwrap(), [moved]);

        store.delete_user(ada).await.unwrap();
        assert_eq!(store.directory_person_by_external(lab.id, "e1").await.unwrap(), None);
        store.delete_directory(lab.id).await.unwrap();
    }

    async fn whoever_is_out_there_has_no_session_here(store: Store) {
        let lab = directory("lab");
        store.create_directory(&lab, None).await.unwrap();
        let ada = user("ada", Role::User);
        store.create_directory_user(&ada, "none", &person(ada.id, lab.id, "e1")).await.unwrap();
        let session = oriel_model::WebSession {
            token_sha256: "t".to_owned(),
            user: ada.id,
            csrf: "c".to_owned(),
            created: NOW,
            expires: NOW.plus_seconds(60),
            locked: false,
            step: oriel_model::SignInStep::Done,
        };
        store.put_web_session(&session).await.unwrap();
        assert!(store.web_session("t", NOW).await.unwrap().is_some());
        store.set_directory_active(ada.id, false).await.unwrap();
        assert!(store.web_session("t", NOW).await.unwrap().is_none());
        store.set_directory_active(ada.id, true).await.unwrap();
        assert!(store.web_session("t", NOW).await.unwrap().is_some());
    }
}
