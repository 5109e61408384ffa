//! Roll-outs over HTTP: begun, shown, paused, cancelled, rolled back, forgotten. No reconciler runs here.

use crate::house::House;
use axum::http::{Method, StatusCode};
use oriel_model::Role;
use serde_json::json;

#[tokio::test]
async fn a_pool_is_brought_to_another_version_and_back() {
    let house = House::new().await;
    let ada = house.user("ada", Role::User).await;
    house.desktop(&ada).await;
    let root = house.sign_in(&house.user("root", Role::Admin).await).await;
    let auditor = house.sign_in(&house.user("eve", Role::Auditor).await).await;
    let ask = async |method: Method, path: &str, body| {
        house.browse(Some(&root), &method, &format!("/api/v1{path}"), body).await
    };
    assert_eq!(ask(Method::GET, "/pools/studio/rollout", None).await.status, StatusCode::NOT_FOUND);
    let at = "/pools/studio/rollout";
    assert_eq!(ask(Method::POST, at, Some(json!({}))).await.code(), "same_version");
    assert_eq!(ask(Method::POST, "/pools/studio/rollback", Some(json!({}))).await.code(), "nothing_to_go_back_to");
    let second = house.image().await;
    for bad in [
        json!({"canary": "many"}),
        json!({"stop_after": "101%"}),
        json!({"not_before": "tomorrow"}),
        json!({"replace": "never"}),
        json!({"versoin": 2}),
        json!({"watch_minutes": 1_000_000}),
    ] {
        let refused = ask(Method::POST, at, Some(bad.clone())).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}: {}", refused.json());
    }
    let wanted =
        json!({"canary": "2", "watch_minutes": 5, "stop_after": "10%", "not_before": "2099-01-01T00:00:00+01:00"});
    let begun = ask(Method::POST, at, Some(wanted)).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.json());
    let begun = begun.json();
    assert_eq!(
        (&begun["state"], &begun["canary"], &begun["stop_after"]),
        (&json!("canary"), &json!("2"), &json!("10%"))
    );
    assert_eq!((&begun["from"]["version"], &begun["to"]["version"]), (&json!(1), &json!(2)));
    assert_eq!(begun["not_before"], "2098-12-31T23:00:00Z");
    assert_eq!(ask(Method::POST, at, Some(json!({}))).await.code(), "rollout_open");
    let beside = json!({"image": second.id.to_string()});
    assert_eq!(ask(Method::PATCH, "/pools/studio", Some(beside)).await.code(), "rollout_open");
    assert_eq!(ask(Method::DELETE, at, None).await.code(), "rollout_open");

    let paused = ask(Method::POST, "/pools/studio/rollout/pause", None).await.json();
    assert_eq!((&paused["is_paused"], &paused["is_open"]), (&json!(true), &json!(true)));
    assert_eq!(ask(Method::POST, "/pools/studio/rollout/resume", None).await.json()["is_paused"], false);
    // Others see it, with the pool, and do not change it.
    let seen = house.browse(Some(&auditor), &Method::GET, "/api/v1/pools/studio", None).await.json();
    assert_eq!(seen["rollout"]["to"]["version"], 2);
    let refused = house.browse(Some(&auditor), &Method::POST, "/api/v1/pools/studio/rollout/cancel", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let images = ask(Method::GET, "/images", None).await.json();
    assert_eq!(
        (&images["images"][0]["version"], &images["images"][0]["rollouts"][0]["name"]),
        (&json!(2), &json!("studio"))
    );
    assert_eq!(images["images"][1]["pools"][0]["name"], "studio");
    let held = ask(Method::DELETE, &format!("/images/{}", second.id), None).await;
    assert_eq!(held.code(), "image_in_use");
    assert!(held.json().to_string().contains("the last roll-out of pool studio"), "{}", held.json());

    let back = ask(Method::POST, "/pools/studio/rollback", Some(json!({"replace": "now"}))).await;
    assert_eq!(back.status, StatusCode::CREATED, "{}", back.json());
    assert_eq!((&back.json()["is_rollback"], &back.json()["to"]["version"]), (&json!(true), &json!(1)));
    let over = ask(Method::POST, "/pools/studio/rollout/cancel", None).await;
    assert_eq!(over.json()["state"], "cancelled");
    assert_eq!(ask(Method::POST, "/pools/studio/rollout/pause", None).await.code(), "rollout_over");
    assert_eq!(ask(Method::DELETE, at, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(Method::DELETE, at, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ask(Method::DELETE, &format!("/images/{}", second.id), None).await.status, StatusCode::NO_CONTENT);
    // Who did it is told.
    let told = ask(Method::GET, "/audit", None).await.json().to_string();
    for deed in ["start_rollout", "roll_back_pool", "cancel_rollout", "forget_rollout"] {
        assert!(told.contains(deed), "{deed}: {told}");
    }
}
