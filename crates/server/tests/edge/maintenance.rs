//! Hosts that are drained, and pools that are closed, over HTTP. No reconciler runs here.

use crate::house::House;
use axum::http::{Method, StatusCode};
use oriel_model::Role;
use serde_json::json;

#[tokio::test]
async fn hosts_are_drained_and_pools_are_closed() {
    let house = House::new().await;
    let ada = house.user("ada", Role::User).await;
    let desktop = house.desktop(&ada).await;
    let root = house.sign_in(&house.user("root", Role::Admin).await).await;
    let hers = house.sign_in(&ada).await;
    let ask = async |method: Method, path: &str, body| {
        house.browse(Some(&root), &method, &format!("/api/v1{path}"), body).await
    };
    let asks = async |method: Method, path: &str, body| {
        house.browse(Some(&hers), &method, &format!("/api/v1{path}"), body).await
    };
    let hosts = ask(Method::GET, "/hosts", None).await.json();
    assert_eq!((&hosts["hosts"][0]["name"], &hosts["hosts"][0]["maintenance"]), (&json!("here"), &json!(null)));
    let at = "/hosts/here/maintenance";
    for bad in [
        json!({"force": true}),
        json!({"deadline_seconds": 0}),
        json!({"reason": "two\nlines"}),
        json!({"raeson": "typing"}),
    ] {
        let refused = ask(Method::PUT, at, Some(bad.clone())).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}: {}", refused.json());
    }
    assert_eq!(ask(Method::PUT, "/hosts/there/maintenance", Some(json!({}))).await.status, StatusCode::NOT_FOUND);
    let wanted = json!({"reason": "new memory", "deadline_seconds": 7200, "force": true});
    let drained = ask(Method::PUT, at, Some(wanted)).await;
    assert_eq!(drained.status, StatusCode::OK, "{}", drained.json());
    let drained = drained.json();
    assert_eq!((&drained["maintenance"]["reason"], &drained["count"]["desktops"]), (&json!("new memory"), &json!(1)));
    // Their cards say so, and so does a refusal.
    let card = asks(Method::GET, &format!("/desktops/{}", desktop.id), None).await.json();
    assert!(card["maintenance"].as_str().unwrap().contains("new memory"), "{card}");
    let refused = asks(Method::POST, &format!("/desktops/{}/restart", desktop.id), Some(json!({}))).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "host_drains".into()));
    assert_eq!(ask(Method::DELETE, at, None).await.json()["maintenance"], json!(null));

    let at = "/pools/studio/maintenance";
    let closed = ask(Method::PUT, at, Some(json!({"message": "back at noon"}))).await.json();
    assert_eq!(closed["maintenance"]["reason"], "back at noon");
    let own = asks(Method::GET, "/me/pools", None).await.json();
    let card = own["pools"].as_array().unwrap().iter().find(|pool| pool["name"] == "studio").unwrap();
    assert!(card["maintenance"].as_str().unwrap().contains("back at noon"), "{card}");
    let refused = asks(Method::POST, &format!("/desktops/{}/connect", desktop.id), Some(json!({"kind": "rdp"}))).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "pool_maintenance".into()));
    assert_eq!(ask(Method::DELETE, at, None).await.json().get("maintenance"), None);
}
