use crate::{
    at_once, on_both,
    samples::{NOW, stored_user},
};
use oriel_model::{Micros, Passkey, PasskeyId, Role, Totp, UserId};
use oriel_store::{PasskeyAdded, StoreError};

fn passkey(user: UserId, credential: &str) -> Passkey {
    Passkey {
        id: PasskeyId::new(),
        user,
        label: "phone".to_owned(),
        credential_id: credential.to_owned(),
        public_key: "pQECAyYgASFYIA".to_owned(),
        rp_id: "oriel.example".to_owned(),
        user_handle: "aGFuZGxl".to_owned(),
        transports: vec!["internal".to_owned(), "hybrid".to_owned()],
        sign_count: 3,
        synced: true,
        alone: true,
        created: NOW,
        last_used: None,
    }
}

fn codes(of: &str) -> Vec<String> {
    vec![format!("{of} 1"), format!("{of} 2")]
}

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let bob = stored_user(&store, "bob", Role::User).await.id;
        let first = passkey(ada, "c1");
        assert_eq!(store.add_passkey(&first, &codes("first")).await.unwrap(), PasskeyAdded::WithCodes);
        assert_eq!(store.passkey_by_credential("c1").await.unwrap(), Some(first.clone()));
        assert_eq!(store.passkey_by_credential("c2").await.unwrap(), None);
        assert_eq!(store.count_recovery_codes(ada).await.unwrap(), 2);
        let second = Passkey { sign_count: u32::MAX, synced: false, alone: false, transports: Vec::new(), ..passkey(ada, "c2") };
        assert_eq!(store.add_passkey(&second, &codes("second")).await.unwrap(), PasskeyAdded::Added);
        assert!(!store.take_recovery_code(ada, "second 1").await.unwrap(), "those that were there stay");
        assert!(matches!(store.add_passkey(&passkey(bob, "c1"), &[]).await, Err(StoreError::Taken { .. })), "it is hers");
        assert_eq!(store.add_passkey(&passkey(bob, "c3"), &codes("bob")).await.unwrap(), PasskeyAdded::WithCodes);
        assert_eq!(store.passkeys_of(ada).await.unwrap(), [first.clone(), second.clone()]);
        assert_eq!(store.passkeys_by_user().await.unwrap().into_iter().collect::<Vec<_>>(), [(ada, 2), (bob, 1)]);
        assert!(matches!(store.add_passkey(&passkey(UserId::new(), "c9"), &[]).await, Err(StoreError::Missing { .. })));

        assert!(matches!(store.delete_passkey(first.id, bob).await, Err(StoreError::Missing { .. })));
        store.delete_passkey(first.id, ada).await.unwrap();
        assert_eq!(store.count_recovery_codes(ada).await.unwrap(), 2, "one is left");
        store.delete_passkey(second.id, ada).await.unwrap();
        assert_eq!(store.count_recovery_codes(ada).await.unwrap(), 0, "none is left");
        assert!(matches!(store.delete_passkey(second.id, ada).await, Err(StoreError::Missing { .. })));
        store.delete_user(bob).await.unwrap();
        assert_eq!(store.passkey_by_credential("c3").await.unwrap(), None);
    }

    async fn stand_beside_an_app(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let totp = Totp { user: ada, secret: "oriel:v1:sealed".to_owned(), last_step: 7, created: NOW };
        store.put_totp(&totp, &codes("app")).await.unwrap();
        let key = passkey(ada, "c1");
        assert_eq!(store.add_passkey(&key, &codes("key")).await.unwrap(), PasskeyAdded::Added);
        assert!(store.delete_totp(ada).await.unwrap());
        assert!(!store.delete_totp(ada).await.unwrap());
        assert_eq!(store.count_recovery_codes(ada).await.unwrap(), 2, "the passkey is left");
        store.put_totp(&totp, &codes("app")).await.unwrap();
        store.delete_passkey(key.id, ada).await.unwrap();
        assert_eq!(store.count_recovery_codes(ada).await.unwrap(), 2, "the app is left");
        assert!(store.delete_totp(ada).await.unwrap());
        assert_eq!(store.count_recovery_codes(ada).await.unwrap(), 0);
        store.add_passkey(&key, &codes("key")).await.unwrap();
        assert!(store.delete_second_factor(ada).await.unwrap());
        assert!(!store.delete_second_factor(ada).await.unwrap());
        assert_eq!(store.passkeys_of(ada).await.unwrap(), []);
        assert_eq!(store.count_recovery_codes(ada).await.unwrap(), 0);
    }

    async fn counters_only_go_on(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let key = passkey(ada, "c1");
        store.add_passkey(&key, &[]).await.unwrap();
        let at = Micros(NOW.0 + 5);
        for (count, goes_on) in [(3, false), (0, false), (4, true), (4, false), (u32::MAX, true), (5, false)] {
            assert_eq!(store.use_passkey(key.id, count, at).await.unwrap(), goes_on, "{count}");
        }
        let after = store.passkey_by_credential("c1").await.unwrap().unwrap();
        assert_eq!((after.sign_count, after.last_used), (u32::MAX, Some(at)));
        // One that does not count, until it does.
        let other = Passkey { sign_count: 0, ..passkey(ada, "c2") };
        store.add_passkey(&other, &[]).await.unwrap();
        for (count, goes_on) in [(0, true), (0, true), (1, true), (0, false)] {
            assert_eq!(store.use_passkey(other.id, count, at).await.unwrap(), goes_on, "{count}");
        }
        assert!(!store.use_passkey(PasskeyId::new(), 9, at).await.unwrap());
        let said = at_once(12, |_| {
            let store = store.clone();
            async move { store.use_passkey(other.id, 8, at).await.unwrap() }
        })
        .await;
        assert_eq!(said.iter().filter(|one| **one).count(), 1);
    }

    async fn nobody_has_more_than_ten(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let said = at_once(14, |n| {
            let store = store.clone();
            async move { store.add_passkey(&passkey(ada, &format!("c{n}")), &[]).await.unwrap() }
        })
        .await;
        assert_eq!(said.iter().filter(|one| **one == PasskeyAdded::TooMany).count(), 4);
        assert_eq!(store.passkeys_of(ada).await.unwrap().len() as u64, Passkey::PER_USER_MAX);
    }
}
