use crate::{
    at_once, on_both,
    samples::{NOW, stored_user},
};
use oriel_model::{Device, DeviceId, Role, SignInStep, Totp, UserId, WebSession};
use oriel_store::{DEVICES_PER_USER_MAX, Store, StoreError};

fn totp(user: UserId) -> Totp {
    Totp { user, secret: "oriel:v1:sealed".to_owned(), last_step: 7, created: NOW }
}

fn device(user: UserId, token: &str, seconds: i64) -> Device {
    Device {
        id: DeviceId::new(),
        token_sha256: token.to_owned(),
        user,
        label: "Firefox on Linux".to_owned(),
        created: NOW,
        expires: NOW.plus_seconds(seconds),
    }
}

async fn enrolled(store: &Store, name: &str) -> UserId {
    let user = stored_user(store, name, Role::User).await.id;
    store.put_totp(&totp(user), &["c1".to_owned(), "c2".to_owned()]).await.unwrap();
    user
}

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let ada = enrolled(&store, "ada").await;
        let bob = stored_user(&store, "bob", Role::User).await.id;
        assert_eq!(store.totp(ada).await.unwrap(), Some(totp(ada)));
        assert_eq!(store.totp(bob).await.unwrap(), None);
        assert_eq!(store.users_with_totp().await.unwrap().into_iter().collect::<Vec<_>>(), [ada]);
        store.put_device(&device(ada, "d", 60)).await.unwrap();
        // Another app in place of the first, with codes of its own; what is remembered stays.
        store.put_totp(&Totp { last_step: 9, ..totp(ada) }, &["c3".to_owned()]).await.unwrap();
        assert_eq!(store.totp(ada).await.unwrap().unwrap().last_step, 9);
        assert_eq!(store.count_recovery_codes(ada).await.unwrap(), 1);
        assert!(store.is_remembered(ada, "d", NOW).await.unwrap());
        assert!(store.delete_second_factor(ada).await.unwrap());
        assert!(!store.delete_second_factor(ada).await.unwrap());
        assert_eq!(store.totp(ada).await.unwrap(), None);
        assert_eq!(store.count_recovery_codes(ada).await.unwrap(), 0);
        assert!(!store.is_remembered(ada, "d", NOW).await.unwrap());
        assert!(matches!(store.put_totp(&totp(UserId::new()), &[]).await, Err(StoreError::Missing { .. })));
    }

    async fn a_code_is_taken_once(store: Store) {
        let ada = enrolled(&store, "ada").await;
        assert!(!store.take_totp_step(ada, 7).await.unwrap());
        let said = at_once(12, |_| {
            let store = store.clone();
            async move { store.take_totp_step(ada, 8).await.unwrap() }
        })
        .await;
        assert_eq!(said.iter().filter(|one| **one).count(), 1);
        assert!(!store.take_totp_step(ada, 6).await.unwrap(), "an older one is over");
        assert!(store.take_totp_step(ada, 9).await.unwrap());
        assert!(!store.take_totp_step(UserId::new(), 9).await.unwrap());
        let said = at_once(12, |_| {
            let store = store.clone();
            async move { store.take_recovery_code(ada, "c1").await.unwrap() }
        })
        .await;
        assert_eq!(said.iter().filter(|one| **one).count(), 1);
        let bob = enrolled(&store, "bob").await;
        store.put_recovery_codes(bob, &["of bob".to_owned()]).await.unwrap();
        assert!(!store.take_recovery_code(ada, "of bob").await.unwrap());
        assert!(!store.take_recovery_code(bob, "c1").await.unwrap());
        assert_eq!(store.count_recovery_codes(ada).await.unwrap(), 1);
    }

    async fn browsers_are_remembered_for_a_while(store: Store) {
        let (ada, bob) = (enrolled(&store, "ada").await, enrolled(&store, "bob").await);
        let first = device(ada, "first", 60);
        store.put_device(&first).await.unwrap();
        assert!(store.is_remembered(ada, "first", NOW).await.unwrap());
        assert!(!store.is_remembered(bob, "first", NOW).await.unwrap(), "it is hers");
        assert!(!store.is_remembered(ada, "first", NOW.plus_seconds(60)).await.unwrap());
        assert!(matches!(store.delete_device(first.id, bob).await, Err(StoreError::Missing { .. })));
        assert_eq!(store.devices_of(ada, NOW).await.unwrap(), std::slice::from_ref(&first));
        for n in 0..DEVICES_PER_USER_MAX as i64 {
            store.put_device(&device(ada, &format!("t{n}"), 100 + n)).await.unwrap();
        }
        assert!(!store.is_remembered(ada, "first", NOW).await.unwrap(), "the one that ends first gave way");
        assert_eq!(store.devices_of(ada, NOW).await.unwrap().len() as u64, DEVICES_PER_USER_MAX);
        store.delete_expired(NOW.plus_seconds(100)).await.unwrap();
        assert_eq!(store.delete_devices_of(ada).await.unwrap(), DEVICES_PER_USER_MAX - 1);
        store.put_device(&device(ada, "last", 60)).await.unwrap();
        store.delete_user(ada).await.unwrap();
        assert!(!store.is_remembered(ada, "last", NOW).await.unwrap());
    }

    async fn a_session_that_waits_becomes_whole(store: Store) {
        let ada = enrolled(&store, "ada").await;
        let waits = WebSession {
            token_sha256: "w".to_owned(),
            user: ada,
            csrf: "csrf".to_owned(),
            created: NOW,
            expires: NOW.plus_seconds(60),
            locked: false,
            step: SignInStep::Factor,
        };
        store.put_web_session(&waits).await.unwrap();
        assert_eq!(store.web_session("w", NOW).await.unwrap().unwrap().0, waits);
        let whole = WebSession { step: SignInStep::Done, expires: NOW.plus_seconds(900), ..waits };
        assert!(store.finish_web_session("w", whole.expires).await.unwrap());
        assert_eq!(store.web_session("w", NOW).await.unwrap().unwrap().0, whole);
        store.delete_web_session("w").await.unwrap();
        assert!(!store.finish_web_session("w", whole.expires).await.unwrap());
    }
}
