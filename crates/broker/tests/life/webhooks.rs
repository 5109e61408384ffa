//! Addresses that are told of what is done.

use crate::house::House;
use oriel_compute::fake::FakeMode;
use oriel_model::{AuditDeed, Micros, Subscription, Webhook, WebhookId};
use std::time::Duration;

#[tokio::test]
async fn a_secret_that_cannot_be_opened_is_the_trouble_of_one() {
    let house = House::new(FakeMode::Auto).await;
    let webhook = Webhook {
        id: WebhookId::new(),
        url: "https://log.example/".to_owned(),
        subscription: Subscription::default(),
        created: Micros(1),
    };
    house.store.create_webhook(&webhook, "sealed elsewhere").await.unwrap();
    house.broker.audit(AuditDeed { action: "change_pool".to_owned(), ..AuditDeed::default() }).await.unwrap();
    let mut tried = webhook;
    for _ in 0..600 {
        tried = house.broker.webhooks().await.unwrap().0.remove(0);
        if tried.subscription.failures > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let why = tried.subscription.last_error.as_deref().unwrap_or_default();
    assert!(why.starts_with("its secret cannot be opened: "), "{tried:?}");
    assert!(tried.subscription.delivered == 0 && tried.subscription.next_try > Micros(0), "{tried:?}");
}
