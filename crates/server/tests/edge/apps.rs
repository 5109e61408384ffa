//! Published programs over HTTP, and their pictures.

use crate::house::House;
use axum::http::{Method, StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use oriel_model::Role;
use serde_json::json;

/// One pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

#[tokio::test]
async fn an_icon_is_a_small_png_for_those_who_may_open_its_app() {
    let house = House::new().await;
    let (ada, bob) = (house.user("ada", Role::User).await, house.user("bob", Role::User).await);
    house.desktop(&ada).await;
    let (ada, bob) = (house.sign_in(&ada).await, house.sign_in(&bob).await);
    let root = house.sign_in(&house.user("root", Role::Admin).await).await;
    let ask = async |method: Method, path: &str, body| {
        house.browse(Some(&root), &method, &format!("/api/v1{path}"), body).await
    };
    let of = |icon: String| Some(json!({"name": "Top", "run": {"initial_program": "xterm -e top"}, "icon": icon}));
    for (icon, code) in [
        ("not base64!".to_owned(), "bad_request"),
        (STANDARD.encode("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"), "bad_icon"),
        (STANDARD.encode([STANDARD.decode(PNG).unwrap(), b"<script>".to_vec()].concat()), "bad_icon"),
        (STANDARD.encode(vec![0; 66 << 10]), "bad_icon"),
        ("A".repeat(200 << 10), "body_too_large"),
    ] {
        let refused = ask(Method::POST, "/pools/studio/apps", of(icon)).await;
        assert_eq!(refused.code(), code, "{}", refused.json());
    }
    let made = ask(Method::POST, "/pools/studio/apps", of(PNG.to_owned())).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    let made = made.json();
    assert_eq!(made["icon"].as_str().unwrap().len(), 64);

    let own = house.browse(Some(&ada), &Method::GET, "/api/v1/me/apps", None).await.json();
    assert_eq!(own["apps"][0]["icon"], made["icon"]);
    let at = format!("/api/v1/me/apps/{}/icon", made["id"].as_str().unwrap());
    let icon = house.browse(Some(&ada), &Method::GET, &at, None).await;
    assert_eq!((icon.status, icon.bytes), (StatusCode::OK, STANDARD.decode(PNG).unwrap()));
    for (name, value) in
        [("content-type", "image/png"), ("x-content-type-options", "nosniff"), ("cache-control", "private, no-cache")]
    {
        assert_eq!(icon.headers[name], value);
    }
    assert_eq!(house.browse(Some(&bob), &Method::GET, &at, None).await.status, StatusCode::NOT_FOUND);

    let app = format!("/pools/studio/apps/{}", made["id"].as_str().unwrap());
    assert_eq!(ask(Method::GET, &format!("{app}/icon"), None).await.status, StatusCode::OK);
    let renamed = ask(Method::PATCH, &app, Some(json!({"name": "Processes"}))).await.json();
    assert_eq!(renamed["icon"], made["icon"], "what is left out stays");
    let without = ask(Method::PATCH, &app, Some(json!({"icon": ""}))).await.json();
    assert_eq!(without.get("icon"), None);
    assert_eq!(ask(Method::GET, &format!("{app}/icon"), None).await.status, StatusCode::NOT_FOUND);
}
