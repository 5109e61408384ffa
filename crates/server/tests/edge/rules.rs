//! What people may do on connections, as pools say it; and browsers that nobody touches.

use crate::house::{House, PASSWORD};
use axum::http::{Method, StatusCode};
use oriel_model::{Role, SessionPolicy};
use serde_json::json;

#[tokio::test]
async fn a_pool_says_what_people_may_do() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let desktop = house.desktop(&ada).await;
    let browser = house.sign_in(&root).await;
    let change = async |body| house.browse(Some(&browser), &Method::PATCH, "/api/v1/pools/studio", Some(body)).await;
    let usual = change(json!({"vcpus": 3})).await.json()["policy"].clone();
    assert_eq!(
        (&usual["sound"], &usual["sharing"], &usual["idle_lock_minutes"]),
        (&json!(true), &json!("off"), &json!(null))
    );
    let rules = json!({"clipboard": {"to_person": false}, "watermark": true, "idle_lock_minutes": 10});
    let changed = change(json!({"policy": rules})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.json());
    let kept = house.broker.session_policy(ada.id, desktop.id).await.unwrap();
    let wanted: SessionPolicy = "clipboard=to_machine,watermark,idle_lock=10".parse().unwrap();
    assert_eq!(kept, wanted);
    assert_eq!(change(json!({"vcpus": 2})).await.json()["policy"]["watermark"], true, "what is left out stays");
    for wrong in [
        json!({"idle_lock_minutes": 0}),
        json!({"clipboard": {"kib_max": 5000}}),
        json!({"sharing": "everybody"}),
        json!({"printing": true}),
    ] {
        assert_eq!(change(json!({"policy": wrong})).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(house.broker.session_policy(ada.id, desktop.id).await.unwrap(), wanted);
}

#[tokio::test]
async fn a_locked_browser_does_nothing_until_its_person_is_back() {
    let house = House::new().await;
    let ada = house.user("ada", Role::User).await;
    let (browser, elsewhere) = (house.sign_in(&ada).await, house.sign_in(&ada).await);
    let session = oriel_identity::sha256_hex(browser.cookie.split_once('=').unwrap().1.as_bytes());
    house.broker.lock(&session).await.unwrap();

    let get = async |browser, path| house.browse(Some(browser), &Method::GET, path, None).await;
    let refused = get(&browser, "/api/v1/desktops").await;
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "locked".into()));
    assert_eq!(get(&browser, "/api/v1/me").await.json()["locked"], true);
    assert_eq!(get(&elsewhere, "/api/v1/desktops").await.status, StatusCode::OK, "another browser is another");

    let unlock = async |password: &str| {
        let body = Some(json!({"password": password}));
        house.browse(Some(&browser), &Method::POST, "/api/v1/me/unlock", body).await
    };
    assert_eq!(unlock("let me in, please").await.code(), "bad_credentials");
    assert_eq!(get(&browser, "/api/v1/desktops").await.code(), "locked");
    assert_eq!(unlock(PASSWORD).await.status, StatusCode::NO_CONTENT);
    assert_eq!(get(&browser, "/api/v1/desktops").await.status, StatusCode::OK);
    assert_eq!(get(&browser, "/api/v1/me").await.json()["locked"], false);

    // Changing the password is no way around it.
    house.broker.lock(&session).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..20 {
        let body = Some(json!({"current": "guess", "new": "eight blue lamps in a row"}));
        answers.push(house.browse(Some(&browser), &Method::POST, "/api/v1/me/password", body).await.status);
    }
    assert!(answers.contains(&StatusCode::TOO_MANY_REQUESTS), "{answers:?}");
    assert_eq!(get(&browser, "/api/v1/desktops").await.code(), "locked");
}

#[tokio::test]
async fn whoever_guesses_at_a_lock_is_slowed_down() {
    let house = House::new().await;
    let ada = house.user("ada", Role::User).await;
    let browser = house.sign_in(&ada).await;
    let session = oriel_identity::sha256_hex(browser.cookie.split_once('=').unwrap().1.as_bytes());
    let unlock = async |password: &str| {
        let body = Some(json!({"password": password}));
        house.browse(Some(&browser), &Method::POST, "/api/v1/me/unlock", body).await
    };
    // Whoever guesses at a lock is slowed down as at the door.
    house.broker.lock(&session).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(unlock("guess").await.status);
    }
    assert!(answers.contains(&StatusCode::TOO_MANY_REQUESTS), "{answers:?}");
}
