use crate::{
    on_both,
    samples::{NOW, stored_desktop, stored_user, ticket},
};
use oriel_model::{ApiToken, Role, SignInStep, TokenId, TokenScope, UserId, WebSession};
use oriel_store::{Expired, StoreError, WEB_SESSIONS_PER_USER_MAX};

fn web(user: UserId, token: &str) -> WebSession {
    WebSession {
        token_sha256: token.to_owned(),
        user,
        csrf: "csrf".to_owned(),
        created: NOW,
        expires: NOW.plus_seconds(60),
        locked: false,
        step: SignInStep::Done,
    }
}

fn api(user: UserId, token: &str, seconds: Option<i64>) -> ApiToken {
    ApiToken {
        id: TokenId::new(),
        token_sha256: token.to_owned(),
        user,
        label: "laptop".to_owned(),
        created: NOW,
        expires: seconds.map(|seconds| NOW.plus_seconds(seconds)),
        scope: TokenScope::ReadOnly,
    }
}

on_both! {
    async fn browsers_sign_in_and_out(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await;
        for token in ["t1", "t2", "t3"] {
            store.put_web_session(&web(ada.id, token)).await.unwrap();
        }
        assert_eq!(store.web_session("t1", NOW).await.unwrap(), Some((web(ada.id, "t1"), ada.clone())));
        assert_eq!(store.web_session("nobody", NOW).await.unwrap(), None);
        store.delete_web_session("t1").await.unwrap();
        store.delete_web_session("t1").await.unwrap();
        assert_eq!(store.web_session("t1", NOW).await.unwrap(), None);
        assert_eq!(store.delete_web_sessions_of(ada.id).await.unwrap(), 2);
        assert_eq!(store.web_session("t2", NOW).await.unwrap(), None);
    }

    async fn nobody_is_signed_in_from_everywhere(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await;
        let bob = stored_user(&store, "bob", Role::User).await;
        store.put_web_session(&web(bob.id, "bob")).await.unwrap();
        for n in 0..=WEB_SESSIONS_PER_USER_MAX as i64 {
            let session = WebSession { expires: NOW.plus_seconds(60 + n), ..web(ada.id, &format!("t{n}")) };
            store.put_web_session(&session).await.unwrap();
        }
        assert!(store.web_session("t0", NOW).await.unwrap().is_none(), "the one that was used longest ago gave way");
        assert!(store.web_session("t1", NOW).await.unwrap().is_some());
        assert_eq!(store.delete_web_sessions_of(ada.id).await.unwrap(), WEB_SESSIONS_PER_USER_MAX);
        assert!(store.web_session("bob", NOW).await.unwrap().is_some());
    }

    async fn expired_and_disabled_do_not_count(store: Store) {
        let mut ada = stored_user(&store, "ada", Role::User).await;
        store.put_web_session(&web(ada.id, "w")).await.unwrap();
        store.put_api_token(&api(ada.id, "a", Some(60))).await.unwrap();
        store.put_api_token(&api(ada.id, "forever", None)).await.unwrap();
        let (before, after) = (NOW.plus_seconds(59), NOW.plus_seconds(60));
        assert!(store.web_session("w", before).await.unwrap().is_some());
        assert!(store.web_session("w", after).await.unwrap().is_none());
        assert!(store.api_token_by_hash("a", before).await.unwrap().is_some());
        assert!(store.api_token_by_hash("a", after).await.unwrap().is_none());
        assert!(store.api_token_by_hash("forever", after).await.unwrap().is_some());
        ada.disabled = true;
        store.update_user(&ada).await.unwrap();
        assert!(store.web_session("w", before).await.unwrap().is_none());
        assert!(store.api_token_by_hash("forever", before).await.unwrap().is_none());
    }

    async fn in_use_are_extended(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await;
        let bob = stored_user(&store, "bob", Role::User).await;
        store.put_web_session(&web(ada.id, "w")).await.unwrap();
        let late = NOW.plus_seconds(100);
        assert!(store.extend_web_session("w", late).await.unwrap());
        assert_eq!(store.web_session("w", NOW).await.unwrap().unwrap().0.expires, late);
        // Putting it once more moves its expiry, never its owner.
        let again = WebSession { expires: late.plus_seconds(1), csrf: "other".to_owned(), ..web(bob.id, "w") };
        store.put_web_session(&again).await.unwrap();
        let (read, user) = store.web_session("w", NOW).await.unwrap().unwrap();
        assert_eq!((read, user), (WebSession { expires: late.plus_seconds(1), ..web(ada.id, "w") }, ada));
        store.delete_web_session("w").await.unwrap();
        assert!(!store.extend_web_session("w", late).await.unwrap());
    }

    async fn tokens_are_their_owners(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await;
        let bob = stored_user(&store, "bob", Role::User).await;
        let token = api(ada.id, "a", None);
        store.put_api_token(&token).await.unwrap();
        assert_eq!(store.api_token_by_hash("a", NOW).await.unwrap(), Some((token.clone(), ada.clone())));
        assert_eq!(store.api_tokens_of(ada.id).await.unwrap(), std::slice::from_ref(&token));
        assert_eq!(store.api_tokens_of(bob.id).await.unwrap(), []);
        assert!(matches!(store.delete_api_token(token.id, bob.id).await, Err(StoreError::Missing { .. })));
        store.delete_api_token(token.id, ada.id).await.unwrap();
        assert_eq!(store.api_token_by_hash("a", NOW).await.unwrap(), None);
    }

    async fn go_with_their_user(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await;
        store.put_web_session(&web(ada.id, "w")).await.unwrap();
        store.put_api_token(&api(ada.id, "a", None)).await.unwrap();
        store.delete_user(ada.id).await.unwrap();
        assert_eq!(store.web_session("w", NOW).await.unwrap(), None);
        assert_eq!(store.api_token_by_hash("a", NOW).await.unwrap(), None);
        assert!(matches!(store.put_web_session(&web(ada.id, "w")).await, Err(StoreError::Missing { what: "user", .. })));
        assert!(matches!(store.put_api_token(&api(ada.id, "a", None)).await, Err(StoreError::Missing { .. })));
    }

    async fn the_expired_are_forgotten(store: Store) {
        let desktop = stored_desktop(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await;
        store.put_web_session(&web(ada.id, "w")).await.unwrap();
        store.put_api_token(&api(ada.id, "a", Some(60))).await.unwrap();
        store.put_api_token(&api(ada.id, "forever", None)).await.unwrap();
        store.put_ticket(&ticket(ada.id, desktop.id), "here").await.unwrap();
        assert_eq!(store.delete_expired(NOW).await.unwrap(), Expired::default());
        let all = Expired { web_sessions: 1, api_tokens: 1, tickets: 1 };
        assert_eq!(store.delete_expired(NOW.plus_seconds(60)).await.unwrap(), all);
        assert_eq!(store.api_tokens_of(ada.id).await.unwrap().len(), 1);
    }
}
