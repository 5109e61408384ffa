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
        json!({"printer": true}),
    ] {
        assert_eq!(change(json!({"policy": wrong})).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(house.broker.session_policy(ada.id, desktop.id).await.unwrap(), wanted);
}

#[tokio::test]
async fn a_pool_says_when_it_is_busy_and_what_becomes_of_who_does_nothing() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    house.desktop(&ada).await;
    let browser = house.sign_in(&root).await;
    let change = async |body| house.browse(Some(&browser), &Method::PATCH, "/api/v1/pools/studio", Some(body)).await;
    let usual = change(json!({"vcpus": 3})).await.json();
    assert_eq!((&usual["hours"]["peaks"], &usual["hours"]["start_ahead_minutes"]), (&json!([]), &json!(15)));
    assert_eq!(usual["now"]["is_peak"], true, "without peaks it always is");
    assert_eq!((&usual["now"]["changes_at"], &usual["leaving"]["idle_minutes"]), (&json!(null), &json!(null)));
    let hours = json!({
        "peaks": ["Mon,tue-thu,fri 08:00-18:00 europe/berlin"],
        "holidays": ["2027-01-01", "2026-12-25"],
        "off_peak": {"running_spares": 0},
    });
    let leaving = json!({"idle_minutes": 30, "off_peak": {"shut_down_minutes": 5}});
    let size = json!({"running_spares": 2});
    let changed = change(json!({"size": size, "hours": hours, "leaving": leaving})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.json());
    let kept = change(json!({"vcpus": 2})).await.json();
    assert_eq!(kept["hours"]["peaks"], json!(["mon-fri 08:00-18:00 Europe/Berlin"]), "as it is written");
    assert_eq!(kept["hours"]["holidays"], json!(["2026-12-25", "2027-01-01"]));
    assert_eq!((&kept["leaving"]["idle_minutes"], &kept["leaving"]["warn_seconds"]), (&json!(30), &json!(60)));
    assert_eq!(kept["leaving"]["off_peak"], json!({"idle_minutes": null, "shut_down_minutes": 5}));
    assert!(kept["now"]["changes_at"].is_string(), "{}", kept["now"]);
    for (wrong, says) in [
        (json!({"hours": {"peaks": ["always"]}}), "is no peak"),
        (json!({"hours": {"peaks": ["mon 08:00-18:00 Europe/Atlantis"]}}), "no time zone"),
        (json!({"hours": {"holidays": ["25.12.2026"]}}), "is no day"),
        (json!({"hours": {"off_peak": {"min": 1}}}), "never off peak"),
        (json!({"leaving": {"idle_minutes": 0}}), "choose 1 to 10080"),
        (json!({"leaving": {"shut_down_minutes": 2000}}), "choose 1 to 1440"),
        (json!({"leaving": {"warn_seconds": 9999}}), "choose 0 to 3600"),
    ] {
        let refused = change(wrong.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
        let text = refused.json().to_string();
        assert!(text.contains(says), "{wrong}: {text}");
    }
    // The last peak goes with what differs off peak, and not before.
    let alone = change(json!({"hours": {"peaks": []}})).await;
    assert_eq!(alone.status, StatusCode::BAD_REQUEST, "{}", alone.json());
    let both = change(json!({"hours": {}, "leaving": {}})).await;
    assert_eq!((both.status, &both.json()["now"]["is_peak"]), (StatusCode::OK, &json!(true)));
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
