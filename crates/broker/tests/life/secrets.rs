//! The keys that seal secrets: a newer one, other programs, and what cannot be opened.

use crate::house::{House, broker};
use oriel_broker::BrokerError;
use oriel_compute::fake::FakeMode;
use oriel_identity::{KEY_FILE, Vault, add_key, remove_key};
use oriel_model::{DesktopState, Micros, Operation, OperationId, OperationState, Subscription, Webhook, WebhookId};
use secrecy::ExposeSecret as _;
use std::time::Duration;
use tempfile::TempDir;

/// More than are sealed anew in one transaction.
const MANY: u64 = 120;

async fn webhook(house: &House, vault: &Vault, n: u64) -> WebhookId {
    let webhook = Webhook {
        id: WebhookId::new(),
        url: format!("https://{n}.example/"),
        subscription: Subscription::default(),
        created: Micros(1),
    };
    let sealed = vault.seal(&format!("secret {n}"), &format!("webhook:{}", webhook.id)).unwrap();
    house.store.create_webhook(&webhook, &sealed).await.unwrap();
    webhook.id
}

async fn over(house: &House, id: OperationId) -> Operation {
    let mut last = None;
    for _ in 0..600 {
        last = house.store.operation(id).await.unwrap();
        match &last {
            Some(one) if !matches!(one.state, OperationState::Queued | OperationState::Running) => {
                return last.unwrap();
            }
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    panic!("not over in time: {last:?}");
}

fn code(refused: Result<impl std::fmt::Debug, BrokerError>) -> &'static str {
    match refused {
        Err(BrokerError::Conflict { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn everything_is_sealed_anew_and_still_opens() {
    let mut house = House::new(FakeMode::Auto).await;
    let desktop = house.desktop().await;
    house.reaches(desktop.id, DesktopState::Ready).await;
    let first = Vault::load(house.folder.path()).unwrap();
    let mut ids = Vec::new();
    for n in 0..MANY {
        ids.push(webhook(&house, &first, n).await);
    }
    assert_eq!(code(house.broker.start_resealing(None).await), "nothing_to_reseal");

    let key = add_key(house.folder.path()).unwrap();
    house.restart().await;
    house.broker.check_seal_keys().await.unwrap();
    let counts = async |house: &House| -> Vec<(String, bool, u64)> {
        let standing = house.broker.seal_standing().await.unwrap();
        assert_eq!(standing.damaged, 0);
        standing.keys.iter().map(|one| (one.key.clone(), one.seals, one.count())).collect()
    };
    let old = first.fingerprints()[0].to_owned();
    assert_eq!(counts(&house).await, [(key.clone(), true, 0), (old.clone(), false, MANY + 1)]);
    let operation = house.broker.start_resealing(None).await.unwrap();
    let done = over(&house, operation.id).await;
    assert_eq!(done.state, OperationState::Done, "{done:?}");
    assert_eq!(counts(&house).await, [(key.clone(), true, MANY + 1), (old.clone(), false, 0)]);

    // The old key may be destroyed.
    assert!(remove_key(house.folder.path(), &old).unwrap());
    house.restart().await;
    house.broker.check_seal_keys().await.unwrap();
    let only = Vault::load(house.folder.path()).unwrap();
    assert_eq!(only.fingerprints(), [key.as_str()]);
    let sealed = house.store.webhook_secret(ids[7]).await.unwrap().unwrap();
    assert_eq!(only.open(&sealed, &format!("webhook:{}", ids[7])).unwrap().expose_secret(), "secret 7");
    let guest = house.store.secret(desktop.id).await.unwrap().unwrap();
    only.open(&guest, &format!("desktop:{}", desktop.id)).unwrap();

    // What was sealed with a key that is not here is named, and stays as it is.
    let elsewhere = TempDir::new().unwrap();
    let strange = webhook(&house, &Vault::load(elsewhere.path()).unwrap(), MANY).await;
    assert_eq!(code(house.broker.check_seal_keys().await), "seal_key_missing");
    let operation = house.broker.start_resealing(None).await.unwrap();
    let failed = over(&house, operation.id).await;
    assert_eq!(failed.state, OperationState::Failed);
    assert!(failed.error.as_deref().unwrap_or_default().contains("1 could not be opened"), "{failed:?}");
    assert!(failed.log.iter().any(|line| line.contains(&strange.to_string())), "{failed:?}");
}

#[tokio::test]
async fn a_key_seals_once_all_programs_have_it() {
    let mut house = House::new(FakeMode::Auto).await;
    house.broker.seal_standing().await.unwrap();
    let (elm_folder, oak_folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let copy = |from: &TempDir, to: &TempDir| {
        std::fs::copy(from.path().join(KEY_FILE), to.path().join(KEY_FILE)).unwrap();
    };
    // A program with keys of its own alone could not read what is written here.
    let oak = broker(&oak_folder, &house.store, &house.host);
    oak.set_program("oak".to_owned());
    assert_eq!(code(oak.check_seal_keys().await), "seal_key_missing");

    copy(&house.folder, &elm_folder);
    let key = add_key(elm_folder.path()).unwrap();
    let elm = broker(&elm_folder, &house.store, &house.host);
    elm.set_program("elm".to_owned());
    elm.check_seal_keys().await.unwrap();
    let standing = elm.seal_standing().await.unwrap();
    assert_eq!(standing.programs.len(), 2, "{standing:?}");
    assert!(standing.keys[0].key == key && !standing.keys[0].seals && standing.keys[1].seals, "{standing:?}");
    assert_eq!(code(elm.start_resealing(None).await), "key_not_everywhere");

    copy(&elm_folder, &house.folder);
    house.restart().await;
    assert!(house.broker.seal_standing().await.unwrap().keys[0].seals);
    let standing = elm.seal_standing().await.unwrap();
    assert!(standing.keys[0].seals && standing.programs.iter().all(|one| one.seals == key), "{standing:?}");
    assert_eq!(code(elm.start_resealing(None).await), "nothing_to_reseal");
}
