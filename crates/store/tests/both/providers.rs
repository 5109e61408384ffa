use crate::{
    at_once, on_both,
    samples::{NOW, stored_user, user},
};
use oriel_model::{Provider, ProviderId, ProviderPerson, ProviderSettings, Role, UserId};
use oriel_store::StoreError;

fn provider(name: &str) -> Provider {
    Provider {
        id: ProviderId::new(),
        name: name.to_owned(),
        enabled: true,
        settings: ProviderSettings {
            issuer: "https://id.lab".to_owned(),
            client_id: "oriel".to_owned(),
            ..ProviderSettings::default()
        },
        created: NOW,
    }
}

fn person(user: UserId, of: ProviderId, subject: &str) -> ProviderPerson {
    ProviderPerson { user, provider: of, subject: subject.to_owned(), active: true, seen: NOW }
}

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let (mut lab, shop) = (provider("lab"), provider("shop"));
        store.create_provider(&lab, Some("sealed")).await.unwrap();
        store.create_provider(&shop, None).await.unwrap();
        assert!(matches!(store.create_provider(&provider("LAB"), None).await, Err(StoreError::Taken { .. })));
        assert_eq!(store.providers().await.unwrap(), [lab.clone(), shop.clone()]);
        assert_eq!(store.provider_secret(lab.id).await.unwrap().as_deref(), Some("sealed"));
        assert_eq!(store.provider_secret(shop.id).await.unwrap(), None);
        "laboratory".clone_into(&mut lab.name);
        lab.enabled = false;
        store.update_provider(&lab, None).await.unwrap();
        assert_eq!(store.provider(lab.id).await.unwrap(), Some(lab.clone()));
        assert_eq!(store.provider_secret(lab.id).await.unwrap(), None);
        let renamed = Provider { name: "Shop".to_owned(), ..lab.clone() };
        assert!(matches!(store.update_provider(&renamed, None).await, Err(StoreError::Taken { .. })));
        assert!(matches!(store.update_provider(&provider("none"), None).await, Err(StoreError::Missing { .. })));
        store.delete_provider(shop.id).await.unwrap();
        assert!(matches!(store.delete_provider(shop.id).await, Err(StoreError::Missing { .. })));
    }

    async fn a_person_of_one_is_one_user(store: Store) {
        let lab = provider("lab");
        store.create_provider(&lab, None).await.unwrap();
        // Who signs in for the first time in several places at once is made once, whole or not at all.
        let made = at_once(8, |n| {
            let store = store.clone();
            let user = user(&format!("ada{n}"), Role::User);
            async move { store.create_provider_user(&user, "none", &person(user.id, lab.id, "e1")).await }
        })
        .await;
        assert_eq!(made.iter().filter(|one| one.is_ok()).count(), 1);
        assert!(made.iter().all(|one| matches!(one, Ok(()) | Err(StoreError::Taken { .. }))));
        let users = store.users().await.unwrap();
        assert_eq!(users.len(), 1);
        let ada = users[0].id;
        let known = store.provider_person_by_subject(lab.id, "e1").await.unwrap().unwrap();
        assert_eq!((known.user, known.active), (ada, true));
        assert_eq!(store.users_of_providers().await.unwrap(), [(ada, lab.id)]);
        assert!(matches!(store.delete_provider(lab.id).await, Err(StoreError::InUse { .. })));

        let bob = stored_user(&store, "bob", Role::User).await.id;
        assert_eq!(store.provider_person(bob).await.unwrap(), None);
        let same = store.put_provider_person(&person(bob, lab.id, "e1")).await;
        assert!(matches!(same, Err(StoreError::Taken { .. })), "{same:?}");
        let nowhere = store.put_provider_person(&person(bob, ProviderId::new(), "e2")).await;
        assert!(matches!(nowhere, Err(StoreError::Missing { .. })), "{nowhere:?}");
        let moved = ProviderPerson { seen: NOW.plus_seconds(9), ..person(ada, lab.id, "e1") };
        store.put_provider_person(&moved).await.unwrap();
        assert_eq!(store.provider_people(lab.id).await.unwrap(), [moved]);

        store.delete_user(ada).await.unwrap();
        assert_eq!(store.provider_person_by_subject(lab.id, "e1").await.unwrap(), None);
        store.delete_provider(lab.id).await.unwrap();
    }

    async fn a_sign_in_comes_back_once(store: Store) {
        let used = at_once(8, |_| {
            let store = store.clone();
            async move { store.use_sign_in("s1", NOW.plus_seconds(600)).await.unwrap() }
        })
        .await;
        assert_eq!(used.iter().filter(|one| **one).count(), 1);
        assert!(store.use_sign_in("s2", NOW.plus_seconds(600)).await.unwrap());
        store.delete_expired(NOW.plus_seconds(599)).await.unwrap();
        assert!(!store.use_sign_in("s1", NOW.plus_seconds(600)).await.unwrap());
        // Later its cookie is refused by its age.
        store.delete_expired(NOW.plus_seconds(600)).await.unwrap();
        assert!(store.use_sign_in("s1", NOW.plus_seconds(600)).await.unwrap());
    }

    async fn whoever_is_out_there_has_no_session_here(store: Store) {
        let lab = provider("lab");
        store.create_provider(&lab, None).await.unwrap();
        let ada = user("ada", Role::User);
        store.create_provider_user(&ada, "none", &person(ada.id, lab.id, "e1")).await.unwrap();
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
        store.set_provider_active(ada.id, false).await.unwrap();
        assert!(store.web_session("t", NOW).await.unwrap().is_none());
        store.set_provider_active(ada.id, true).await.unwrap();
        assert!(store.web_session("t", NOW).await.unwrap().is_some());
    }
}
