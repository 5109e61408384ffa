use crate::{on_both, samples::NOW};
use oriel_model::{Subscription, Webhook, WebhookId};
use oriel_store::StoreError;

fn webhook(url: &str) -> Webhook {
    Webhook {
        id: WebhookId::new(),
        url: url.to_owned(),
        subscription: Subscription::from_now(vec!["delete_*".to_owned()], 7),
        created: NOW,
    }
}

on_both! {
    async fn know_how_far_they_are(store: Store) {
        let (first, second) = (webhook("https://a.example/"), webhook("https://b.example/"));
        store.create_webhook(&first, "sealed").await.unwrap();
        store.create_webhook(&second, "other").await.unwrap();
        let again = store.create_webhook(&webhook("https://a.example/"), "third").await;
        assert!(matches!(again, Err(StoreError::Taken { .. })), "{again:?}");
        assert_eq!(store.webhooks().await.unwrap(), [first.clone(), second.clone()]);
        assert_eq!(store.webhook_secret(first.id).await.unwrap().as_deref(), Some("sealed"));

        let mut failed = first;
        failed.subscription = Subscription { failures: 3, next_try: NOW, last_error: Some("it answered with status 503".into()), lost: 2, ..failed.subscription };
        store.set_webhook_progress(&failed).await.unwrap();
        let mut further = failed.clone();
        further.subscription = Subscription { delivered: 9, failures: 0, last_error: None, ..further.subscription };
        store.set_webhook_progress(&further).await.unwrap();
        // Whoever comes late takes nothing back.
        store.set_webhook_progress(&failed).await.unwrap();
        assert_eq!(store.webhooks().await.unwrap(), [further.clone(), second.clone()]);

        store.delete_webhook(further.id).await.unwrap();
        store.set_webhook_progress(&further).await.unwrap();
        assert!(matches!(store.delete_webhook(further.id).await, Err(StoreError::Missing { .. })));
        assert_eq!(store.webhook_secret(further.id).await.unwrap(), None);
        assert_eq!(store.webhooks().await.unwrap(), [second]);
    }
}
