//! Addresses that are told of what is done.

use crate::house::House;
use oriel_compute::fake::FakeMode;
use oriel_model::{AuditDeed, Micros, Webhook, WebhookId};
use std::time::Duration;

#[tokio::test]
async fn a_secret_that_cannot_be_opened_is_the_trouble_of_one() {
    let house = House::new(FakeMode::Auto).await;
    let webhook = Webhook {
        id: WebhookId::new(),
        url: "https://log.example/".to_owned(),
        events: Vec::new(),
        delivered: 0,
        failures: 0,
        next_try: Micros(0),
        last_error: None,
        lost: 0,
        created: Micros(1),
    };
    house.store.create_webhook(&webhook, "sealed elsewhere").await.unwrap();
    house.broker.audit(AuditDeed { action: "change_pool".to_owned(), ..AuditDeed::default() }).await.unwrap();
    let mut tried = webhook;
    for _ in 0..600 {
        tried = house.broker.webhooks().await.unwrap().0.remove(0);
        if tried.failures > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let why = tried.last_error.as_deref().unwrap_or_default();
    assert!(why.starts_with("its secret cannot be opened: "), "{tried:?}");
    assert!(tried.delivered == 0 && tried.next_try > Micros(0), "{tried:?}");
}
